"""`market.rest` of a whole feed on real sockets, against the simulator."""

import time

import pytest
import zmq

from bybitbus import codec
from bybitbus.codes import Code
from bybitbus.endpoints import requests_address
from bybitd.public_feed import market_rest
from tests.public_feed.running import (
    leave_endpoint,
    running_feed,
    running_folder,
    simulated,
    wait_until,
)

OP = "market.rest"


@pytest.fixture(scope="module")
def shared():
    with running_folder() as folder, simulated(rate_per_s=0.0) as simulator:
        leave_endpoint(folder, simulator)
        with running_feed(folder) as feed:
            # What a start asks for itself shall not be counted by a test.
            wait_until(lambda: feed.status()["instruments"]["fetched_ns"], "the instruments")
            yield simulator, feed


@pytest.fixture
def simulator(shared):
    yield shared[0]
    shared[0].fault("clear")


@pytest.fixture
def feed(shared):
    return shared[1]


def asked(simulator):
    return simulator.state()["received"]["rest"]


def ask(feed, path, **params):
    return feed.ask(OP, category="linear", path=path, params=params)


def test_the_result_is_the_exchanges_own(simulator, feed):
    reply = ask(feed, "/v5/market/orderbook", symbol="BTCUSDT", limit=2)
    assert reply.ok
    assert list(reply.result) == ["s", "b", "a", "ts", "u", "seq", "cts"]
    assert len(reply.result["b"]) == 2
    assert list(reply.t) == ["received", "sent", "acknowledged", "replied"]
    other = ask(feed, "/v5/market/orderbook", category="spot", symbol="BTCUSDT", limit="1")
    assert other.ok
    assert set(ask(feed, "/v5/market/time").result) == {"timeSecond", "timeNano"}
    assert ask(feed, "/v5/spread/instrument", limit="1").result["list"][0]["legs"]


def test_pages_follow_the_cursor_as_it_came(simulator, feed):
    symbols, cursor = [], ""
    while True:
        params = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = ask(feed, "/v5/market/instruments-info", **params).result
        symbols += [row["symbol"] for row in page["list"]]
        cursor = page["nextPageCursor"]
        if not cursor:
            break
        assert "%" in cursor
    assert symbols == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


def test_what_the_exchange_refuses_is_told_in_its_words(simulator, feed):
    error = ask(feed, "/v5/market/orderbook", symbol="NOSUCH").error
    assert error.code is Code.EXCHANGE_REFUSED
    assert error.exchange["retCode"] == 10001
    assert "symbol invalid" in error.exchange["retMsg"]


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ({"path": "/v5/order/create"}, Code.BAD_FIELD, "no public GET"),
        ({"path": "/v5/market/tickerz"}, Code.BAD_FIELD, "did you mean /v5/market/tickers?"),
        ({"path": 5}, Code.BAD_FIELD, "args.path"),
        ({}, Code.MISSING_FIELD, "args.path"),
        ({"path": "/v5/market/time", "symbol": "X"}, Code.UNKNOWN_FIELD, "params"),
        ({"path": "/v5/market/time", "params": []}, Code.BAD_FIELD, "args.params"),
        ({"path": "/v5/market/time", "params": {"a": 1.5}}, Code.BAD_FIELD, "args.params.a"),
        ({"path": "/v5/market/historical-volatility"}, Code.BAD_FIELD, "has no linear"),
    ],
)
def test_a_wrong_request_is_refused_here_and_nothing_is_sent(simulator, feed, args, code, says):
    before = asked(simulator)
    error = feed.ask(OP, category="linear", **args).error
    assert error.code is code
    assert says in f"{error.message} {error.hint}"
    assert asked(simulator) == before


def test_a_reply_that_does_not_come_whole_is_no_answer(simulator, feed):
    simulator.fault("truncate", path="/v5/market/tickers")
    error = ask(feed, "/v5/market/tickers").error
    assert (error.code, error.retry_safe) == (Code.NO_ANSWER, True)
    assert ask(feed, "/v5/market/tickers").ok


class Requester:
    """Sends without waiting."""

    def __init__(self, feed):
        self.socket = feed.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(requests_address(feed.run_dir, feed.name))

    def send(self, number, **more):
        args = {"category": "linear", "path": "/v5/market/time"}
        self.socket.send(codec.encode({"id": str(number), "op": OP, "args": args, **more}))

    def receive(self):
        assert self.socket.poll(15_000), "no answer"
        return codec.decode_reply(self.socket.recv())


@pytest.fixture
def requester(feed):
    made = Requester(feed)
    yield made
    made.socket.close()


def test_a_deadline_is_kept_before_and_after_sending(simulator, feed, requester):
    requester.send(1, deadline_ms=int(time.time() * 1000) - 1)
    reply = requester.receive()
    assert reply.error.code is Code.DEADLINE_PASSED
    simulator.fault("stall", scope="rest")
    requester.send(2, deadline_ms=200)
    reply = requester.receive()
    assert (reply.error.code, reply.error.retry_safe) == (Code.NO_ANSWER, True)
    # Those that wait for their turn are not sent when it comes too late.
    for number in range(3, 3 + market_rest.THREADS):
        requester.send(number, deadline_ms=300)
    for _ in range(market_rest.THREADS):
        assert requester.receive().error.code is Code.NO_ANSWER
    simulator.fault("clear")
    requester.send(99, deadline_ms=15_000)
    assert requester.receive().ok


def test_more_than_can_wait_is_refused_at_once(simulator, feed, requester):
    simulator.fault("stall", scope="rest")
    before, most = asked(simulator), market_rest.THREADS + market_rest.WAITING
    for number in range(market_rest.THREADS):
        requester.send(number)
    all_at_work = before + market_rest.THREADS
    wait_until(lambda: asked(simulator) == all_at_work, "every thread to be at work")
    for number in range(market_rest.THREADS, most + 5):
        requester.send(number)
    refused = [requester.receive() for _ in range(5)]
    assert {reply.error.code for reply in refused} == {Code.BUSY}
    simulator.fault("clear")
    replies = [requester.receive() for _ in range(most)]
    assert all(reply.ok for reply in replies)


def test_it_may_use_half_of_the_budget_and_a_ban_stops_it(simulator):
    with running_folder() as folder:
        leave_endpoint(folder, simulator)
        with running_feed(folder, calls_per_5s=20) as feed:
            replies = [ask(feed, "/v5/market/time") for _ in range(11)]
            limited = [reply.error for reply in replies if not reply.ok]
            assert limited
            assert {error.code for error in limited} == {Code.RATE_LIMITED}
            until_ms = int(limited[-1].hint.split()[3])
            assert 0 < until_ms - time.time() * 1000 < 5_500
            assert feed.status()["state"] == "ready"

            wait_until(lambda: ask(feed, "/v5/market/time").ok, "the budget to be there again")
            simulator.fault("ip_ban")
            wait_until(
                lambda: "403" in getattr(ask(feed, "/v5/market/time").error, "message", ""),
                "the ban",
            )
            before = asked(simulator)
            error = ask(feed, "/v5/market/time").error
            assert error.code is Code.RATE_LIMITED
            assert "banned" in error.message
            assert asked(simulator) == before
            status = feed.status()
            assert status["state"] == "degraded"
            assert "banned this IP address" in status["reason"]
