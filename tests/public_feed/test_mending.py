"""What is fetched over REST, on real sockets: seeds, and what was missed."""

import time
from decimal import Decimal

import pytest

from bybitd.simulator.wire.clock import ServerClock
from tests.public_feed.running import (
    KeptBook,
    leave_endpoint,
    running_feed,
    running_folder,
    simulated,
    wait_until,
)

TRADES = "linear.publicTrade.BTCUSDT."
FULL = "orderbook.full.BTCUSDT"
MINUTE = 60_000


@pytest.fixture
def folder():
    with running_folder() as run_dir:
        yield run_dir


def record_trades(simulator, category="linear", symbol="BTCUSDT"):
    """Return the list that gets the id of every trade which the simulator makes from now on. The
    market goes on trading while no connection listens.
    """
    made = []

    def begin(server):
        market = server.exchange._markets.find(category, symbol)
        market.trade_listeners.append(lambda trade: made.append(trade.id))
        server.exchange.open_topic(category, f"orderbook.1000.{symbol}")

    simulator.call(begin)
    return made


def fill_of(listener, topic, fits=lambda fill: fill["state"] != "pending"):
    state = f"gateway.feed.{topic}"
    return listener.wait_for(state, lambda body: "fill" in body and fits(body["fill"]))["fill"]


def heard(listener, topic):
    return [row["i"] for name, body in listener.seen if name == topic for row in body["data"]]


def test_after_cuts_under_load_every_trade_is_there_exactly_once(folder):
    with simulated(rate_per_s=200.0) as simulator, running_feed(folder) as feed:
        leave_endpoint(folder, simulator)
        listener = feed.listen(TRADES, f"gateway.feed.{TRADES}")
        listener.wait_for(TRADES)
        made = record_trades(simulator)
        # With a delay REST shows trades that come live only after it has answered.
        for pause_s, delay_ms in ((0.0, 0), (0.3, 0), (0.6, 150), (0.0, 150)):
            simulator.fault("delay", scope="linear", ms=delay_ms)
            enough = len(made) + 30
            wait_until(lambda enough=enough: len(made) > enough, "trades")
            if pause_s:
                simulator.fault("refuse_connect", scope="linear", seconds=pause_s)
            simulator.fault("cut", scope="linear")
            assert fill_of(listener, TRADES)["state"] == "complete"
        last = made[-1]
        while last not in heard(listener, TRADES):
            assert listener.read() is not None, "the last trade does not come"
        told = heard(listener, TRADES)
        expected = made[: made.index(last) + 1]
        assert len(told) == len(set(told))
        assert set(expected) <= set(told)
        filled = [body for name, body in listener.seen if name == TRADES and body.get("filled")]
        assert filled
        for body in filled:
            ids = [row["i"] for row in body["data"]]
            assert [i for i in made if i in ids] == [i for i in ids if i in made]
        assert feed.status()["counters"]["filled"] == sum(len(body["data"]) for body in filled)
        bodies = [body for name, body in listener.seen if name == TRADES]
        assert [body["seq"] for body in bodies] == list(range(1, len(bodies) + 1))


def test_a_hole_that_rest_does_not_reach_over_is_said_to_be_one(folder):
    topic = "spot.publicTrade.BTCUSDT."
    with simulated(rate_per_s=800.0) as simulator, running_feed(folder, "spot") as feed:
        leave_endpoint(folder, simulator)
        listener = feed.listen(topic, f"gateway.feed.{topic}")
        listener.wait_for(topic)
        made = record_trades(simulator, "spot")
        simulator.fault("refuse_connect", scope="spot", seconds=1.0)
        simulator.fault("cut", scope="spot")
        wait_until(lambda: len(made) > 200, "trades")
        fill = fill_of(listener, topic)
        assert fill["state"] == "incomplete"
        assert 0 < fill["from"] < fill["to"]
        told = heard(listener, topic)
        assert len(told) == len(set(told)) < len(made)


def full_truth(simulator, category):
    params = {"category": category, "symbol": "BTCUSDT"}
    book = simulator.call(
        lambda s: s.exchange.public_get("/v5/market/full_orderbook", params, s.clock.engine_ms())
    )
    return book["u"], [dict(book["b"]), dict(book["a"])]


def follow(listener, book, topic, until):
    while not until():
        event = listener.read()
        assert event is not None, "the topic fell silent"
        if event[0] == topic:
            book.apply(event[1])


def assert_full_book_is_that_of_the_exchange(simulator, listener, book, topic):
    u, sides = full_truth(simulator, topic.partition(".")[0])
    follow(listener, book, topic, lambda: u in book.at)
    assert book.at[u] == sides


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_a_full_book_is_that_of_the_exchange_whatever_happens_to_its_deltas(folder, category):
    topic = f"{category}.{FULL}."
    state = f"gateway.feed.{topic}"
    with simulated(rate_per_s=100.0) as simulator, running_feed(folder, category) as feed:
        leave_endpoint(folder, simulator)
        listener, book = feed.listen(topic, state), KeptBook()
        follow(listener, book, topic, lambda: len(book.at) > 2)
        first = next(body for name, body in listener.seen if name == topic)
        assert (first["type"], first["seq"], first.get("resend")) == ("snapshot", 1, None)
        assert_full_book_is_that_of_the_exchange(simulator, listener, book, topic)
        faults = (
            ("skip_update_id", {"category": category, "topic": FULL}),
            ("restart_books", {"category": category, "symbol": "BTCUSDT"}),
            ("cut", {"scope": category}),
        )
        for name, fields in faults:
            known = len(listener.seen)
            simulator.fault(name, **fields)

            def mended(known=known):
                told = [b["state"] for t, b in listener.seen[known:] if t == state]
                return told[-1:] == ["live"]

            follow(listener, book, topic, mended)
            assert_full_book_is_that_of_the_exchange(simulator, listener, book, topic)
        late, kept = feed.listen(topic), KeptBook()
        kept.apply(late.wait_for(topic, lambda body: body.get("resend")))
        assert len(kept.sides[0]) > 200
        assert_full_book_is_that_of_the_exchange(simulator, late, kept, topic)


class HandClock:
    """The exchange's clock, which can be put forward to the end of a minute."""

    ahead_ms = 0

    def now_ms(self):
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def near_the_end(self):
        """Put it forward to 8 s before a minute is over; return when that minute began."""
        self.ahead_ms += (52_000 - self.now_ms()) % MINUTE
        return self.now_ms() // MINUTE * MINUTE


@pytest.fixture
def clock(monkeypatch):
    made = HandClock()
    monkeypatch.setattr(ServerClock, "engine_ms", lambda _: made.now_ms())
    monkeypatch.setattr(ServerClock, "shown_ms", lambda _: made.now_ms())
    return made


CANDLES = {
    "linear.markPrice.1.BTCUSDT.": "mark-price-kline",
    "linear.indexPrice.1.BTCUSDT.": "index-price-kline",
    "linear.kline.1.BTCUSDT.": "kline",
}


def rest_candle(simulator, path, start):
    params = {"category": "linear", "symbol": "BTCUSDT", "interval": "1"}
    rows = simulator.call(
        lambda s: s.exchange.public_get(f"/v5/market/{path}", params, s.clock.engine_ms())
    )["list"]
    return next(row for row in rows if int(row[0]) == start)


def as_rest(candle):
    names = ("open", "high", "low", "close", "volume", "turnover")
    return [str(candle["start"]), *(candle[name] for name in names if name in candle)]


def assert_is_that_of_the_exchange(candle, row, ticks):
    """Equal, but for what a ticker that was not pushed every second can not have told."""
    seconds = sorted({body["ts"] // 1000 for body in ticks})
    if "volume" in candle or seconds == list(range(seconds[0], seconds[-1] + 1)):
        assert as_rest(candle) == row
    else:
        assert Decimal(row[3]) <= Decimal(candle["low"]) <= Decimal(candle["high"])
        assert Decimal(candle["high"]) <= Decimal(row[2])


def test_candles_close_as_those_of_the_exchange_and_late_joiners_get_the_running_one(folder, clock):
    ticker = "linear.tickers.BTCUSDT."
    with simulated() as simulator, running_feed(folder) as feed:
        leave_endpoint(folder, simulator)
        wait_until(lambda: feed.status()["state"] == "ready", "the connection")
        start = clock.near_the_end()
        listener = feed.listen(*CANDLES, ticker)
        for topic in CANDLES:
            listener.wait_for(topic)
            late = feed.listen(topic).wait_for(topic, lambda body: body.get("resend"))
            assert late["data"][0]["start"] in (start, start + MINUTE)
        closes = {}
        while closes.keys() != CANDLES.keys():
            for name, body in listener.seen:
                if name in CANDLES and body["data"][0]["confirm"]:
                    closes[name] = body
            assert listener.read() is not None, f"only {closes.keys()} close"
        ticks = [body for name, body in listener.seen if name == ticker]
        for topic, body in closes.items():
            assert body["ts"] >= start + MINUTE
            row = rest_candle(simulator, CANDLES[topic], start)
            assert_is_that_of_the_exchange(body["data"][0], row, ticks)


def test_closes_that_fell_into_a_cut_are_fetched_and_marked(folder, clock):
    states = {f"gateway.feed.{topic}": topic for topic in CANDLES}
    with simulated() as simulator, running_feed(folder) as feed:
        leave_endpoint(folder, simulator)
        wait_until(lambda: feed.status()["state"] == "ready", "the connection")
        start = clock.near_the_end()
        listener = feed.listen(*CANDLES, *states)

        def running(topic):
            return feed.ask("market.snapshot", category="linear", topic=topic)

        for topic in CANDLES:
            wait_until(lambda topic=topic: running(topic).ok, "the running candle")
        simulator.fault("refuse_connect", scope="linear")
        simulator.fault("cut", scope="linear")
        wait_until(lambda: clock.now_ms() > start + MINUTE, "the end of the minute")
        simulator.fault("clear")
        waiting = set(CANDLES)
        while waiting:
            event = listener.read()
            assert event is not None, f"no fill of {waiting}"
            if event[1].get("fill", {}).get("state") == "complete":
                waiting.discard(states[event[0]])
        for topic, path in CANDLES.items():
            (filled,) = [
                body for name, body in listener.seen if name == topic and body.get("filled")
            ]
            candle = filled["data"][0]
            assert (candle["start"], candle["confirm"]) == (start, True)
            assert as_rest(candle) == rest_candle(simulator, path, start)
            body = running(topic).unwrap("market.snapshot")["body"]
            assert body["data"][0]["start"] == start + MINUTE
