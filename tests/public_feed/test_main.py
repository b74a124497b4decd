"""The whole feed on real sockets, against the simulator."""

import threading
from itertools import pairwise

import pytest

from bybitd.errors import ConfigError
from bybitd.public_feed.main import main
from bybitd.runtime.program import Program
from bybitd.settings import Feed, Feeds, Settings
from tests.public_feed.running import (
    KeptBook,
    leave_endpoint,
    running_feed,
    running_folder,
    simulated,
    truth,
    wait_until,
)

DEEP = "linear.orderbook.1000.BTCUSDT."
DEEP_FEED = f"gateway.feed.{DEEP}"


@pytest.fixture
def folder():
    with running_folder() as run_dir:
        yield run_dir


@pytest.fixture
def simulator(folder):
    with simulated() as running:
        leave_endpoint(folder, running)
        yield running


@pytest.fixture
def feed(folder, simulator):
    with running_feed(folder, linger_s=0.3) as running:
        yield running


def upstream_topics(simulator):
    return {row["topic"] for row in simulator.state()["topics"] if row["listeners"]}


def follow(listener, book, topic, until):
    """Apply what comes to a book until a condition holds."""
    while not until():
        event = listener.read()
        assert event is not None, "the topic fell silent"
        if event[0] == topic:
            book.apply(event[1])


def assert_equals_exchange(simulator, listener, book, topic=DEEP):
    u, bids, asks = truth(simulator, "linear", "BTCUSDT")
    follow(listener, book, topic, lambda: u in book.at)
    assert book.at[u] == [bids, asks]


def test_a_subscriber_keeps_a_book_that_equals_the_exchange(simulator, feed):
    listener, book = feed.listen(DEEP), KeptBook()
    follow(listener, book, DEEP, lambda: len(book.at) > 3)
    assert_equals_exchange(simulator, listener, book)
    first = listener.seen[0][1]
    assert (first["type"], first["seq"], first.get("resend")) == ("snapshot", 1, None)
    assert first["rx"] <= first["tx"]


def test_a_late_joiner_gets_the_whole_book_at_once_and_goes_on_from_there(simulator, feed):
    early, kept = feed.listen(DEEP), KeptBook()
    follow(early, kept, DEEP, lambda: len(kept.at) > 3)
    late, book = feed.listen(DEEP), KeptBook()
    snapshot = late.wait_for(DEEP, lambda body: body.get("resend"))
    assert (snapshot["type"], snapshot["epoch"]) == ("snapshot", early.seen[0][1]["epoch"])
    book.apply(snapshot)
    assert_equals_exchange(simulator, late, book)
    follow(early, kept, DEEP, lambda: snapshot["data"]["u"] in kept.at)
    assert kept.at[snapshot["data"]["u"]] == book.at[snapshot["data"]["u"]]


def test_the_topic_is_given_up_after_the_linger_time_and_taken_up_again(simulator, feed):
    listener = feed.listen(DEEP)
    listener.wait_for(DEEP)
    assert upstream_topics(simulator) == {"orderbook.1000.BTCUSDT"}
    listener.leave(DEEP)
    wait_until(lambda: not upstream_topics(simulator), "the unsubscription")
    assert feed.status()["topics"]["live"] == 0
    again, book = feed.listen(DEEP), KeptBook()
    book.apply(again.wait_for(DEEP, lambda body: body["type"] == "snapshot"))
    assert_equals_exchange(simulator, again, book)


def test_a_gap_is_announced_and_mended_and_no_delta_of_it_is_published(simulator, feed):
    listener, book = feed.listen(DEEP, DEEP_FEED), KeptBook()
    follow(listener, book, DEEP, lambda: len(book.at) > 2)
    simulator.fault("skip_update_id", category="linear", topic="orderbook.1000.BTCUSDT")
    told = []

    def mended():
        told[:] = [b["state"] for name, b in listener.seen if name == DEEP_FEED]
        return told[-2:] == ["resyncing", "live"]

    follow(listener, book, DEEP, mended)
    assert_equals_exchange(simulator, listener, book)
    updates = [b["data"]["u"] for name, b in listener.seen if name == DEEP and b["type"] == "delta"]
    assert len(updates) == len(set(updates))
    assert feed.status()["counters"]["gaps"] == 1


def test_a_restart_of_the_exchanges_books_is_followed(simulator, feed):
    listener, book = feed.listen(DEEP), KeptBook()
    follow(listener, book, DEEP, lambda: len(book.at) > 2)
    simulator.fault("restart_books", category="linear", symbol="BTCUSDT")
    follow(listener, book, DEEP, lambda: 2 in book.at)
    assert_equals_exchange(simulator, listener, book)


@pytest.mark.parametrize("kind", ["text", "utf8"])
def test_garbage_is_kept_for_inspection_and_ends_nothing(simulator, feed, kind):
    listener, book = feed.listen(DEEP), KeptBook()
    follow(listener, book, DEEP, lambda: len(book.at) > 1)
    simulator.fault("garbage", scope="linear", kind=kind)
    wait_until(lambda: feed.status()["counters"]["bad_frames"], "the bad frame")
    follow(listener, book, DEEP, lambda: len(book.at) > 5)
    assert_equals_exchange(simulator, listener, book)
    status = feed.status()
    assert status["quarantine"][0]["excerpt"]
    assert [line["connects"] for line in status["connections"]] == [1]


@pytest.mark.parametrize("fault", [("cut", {}), ("garbage", {"kind": "truncated"})])
def test_a_lost_connection_is_told_and_everything_comes_back_by_itself(simulator, feed, fault):
    listener, book = feed.listen(DEEP, DEEP_FEED), KeptBook()
    follow(listener, book, DEEP, lambda: len(book.at) > 2)
    name, fields = fault
    simulator.fault(name, scope="linear", **fields)
    stale = listener.wait_for(DEEP_FEED, lambda body: body["state"] == "stale")
    assert stale["reason"].startswith("connection lost")
    snapshot = listener.wait_for(DEEP)
    assert (snapshot["type"], snapshot.get("resend")) == ("snapshot", None)
    listener.wait_for(DEEP_FEED, lambda body: body["state"] == "live")
    book = KeptBook()
    book.apply(snapshot)
    assert_equals_exchange(simulator, listener, book)
    (line,) = feed.status()["connections"]
    assert (line["state"], line["connects"]) == ("open", 2)
    assert line["url"].startswith("ws://127.0.0.1:")


def test_an_exchange_that_comes_later_and_at_another_port_is_found(folder):
    with running_feed(folder, topics=("tickers.BTCUSDT",)) as feed:
        listener = feed.listen("linear.tickers.BTCUSDT.", "gateway.feed.")
        stale = listener.wait_for("gateway.feed.linear.tickers.BTCUSDT.")
        assert (stale["state"], stale["reason"][:13]) == ("stale", "not connected")
        assert feed.status()["state"] == "starting"
        for state in ("ready", "ready"):
            with simulated() as simulator:
                leave_endpoint(folder, simulator)
                listener.wait_for("linear.tickers.BTCUSDT.", lambda b: b["type"] == "snapshot")
                wait_until(lambda: feed.status()["state"] == state, state)  # noqa: B023
            wait_until(lambda: feed.status()["state"] == "degraded", "the loss to be told")


def test_option_topics_flow_and_their_trades_are_per_base_coin(folder, simulator):
    with running_feed(folder, "option") as feed:
        listed = wait_until(
            lambda: feed.ask("market.instruments", category="option").result, "the instruments"
        )["list"]
        symbol = listed[0]["symbol"]
        coin = symbol.partition("-")[0]
        topics = (
            f"option.orderbook.25.{symbol}.",
            f"option.tickers.{symbol}.",
            f"option.publicTrade.{coin}.",
        )
        listener = feed.listen(*topics, "gateway.rejected.")
        for topic in topics[:2]:
            assert listener.wait_for(topic)["type"] == "snapshot"
        assert wait_until(lambda: topics[2] in map(topic_of, [listener.read()]), "a trade")
        wrong = feed.listen("gateway.rejected.", f"option.publicTrade.{symbol}.")
        told = wrong.wait_for(f"gateway.rejected.option.publicTrade.{symbol}.")
        assert told["hint"] == f"use publicTrade.{coin}"


def topic_of(event):
    return event[0] if event else ""


def test_every_kind_of_topic_of_a_category_flows_with_its_neighbours(simulator, feed):
    names = [f"orderbook.{depth}" for depth in (1, 50, 200, 1000)] + ["tickers", "kline.1"]
    topics = {f"linear.{name}.{symbol}." for name in names for symbol in ("BTCUSDT", "ETHUSDT")}
    topics |= {"linear.publicTrade.BTCUSDT."}
    listener = feed.listen(*topics)
    seen = set()
    while seen != topics:
        event = listener.read()
        assert event is not None, f"nothing of {topics - seen}"
        seen.add(event[0])
    assert feed.status()["topics"]["live"] == len(topics)


def test_derived_topics_flow_from_a_source_that_nobody_else_wants(simulator, feed):
    bbo, ticker = "linear.bbo.BTCUSDT.", "linear.ticker.BTCUSDT."
    whole = feed.listen("linear.book.50.ETHUSDT.")
    listener = feed.listen(bbo, ticker)
    best = listener.wait_for(bbo, lambda body: body["seq"] == 2)
    full = listener.wait_for(ticker, lambda body: body["seq"] == 2)
    books = [whole.wait_for("linear.book.50.ETHUSDT.") for _ in range(4)]
    sources = {"orderbook.1.BTCUSDT", "tickers.BTCUSDT", "orderbook.50.ETHUSDT"}
    assert upstream_topics(simulator) == sources
    # The interval is measured in whole ms before each book is made.
    assert all(later["tx"] - sooner["tx"] > 80_000_000 for sooner, later in pairwise(books[1:]))
    assert best["data"]["bid1Price"]
    assert full["data"]["markPrice"]
    kept = feed.ask("market.snapshot", category="linear", topic="ticker.BTCUSDT")
    body = kept.unwrap("market.snapshot")["body"]
    assert body["seq"] >= 2
    assert body["data"].keys() >= full["data"].keys()


def test_every_derived_topic_with_state_says_something_at_once(simulator, feed):
    kinds = ("bbo", "ticker", "book.50", "funding", "delivery", "openInterest", "insurance")
    topics = {f"linear.{kind}.ETHUSDT." for kind in kinds}
    listener = feed.listen(*topics)
    seen = {}
    while seen.keys() != topics:
        event = listener.read()
        assert event is not None, f"nothing of {topics - seen.keys()}"
        seen.setdefault(*event)
    assert seen["linear.funding.ETHUSDT."]["data"]["nextFundingTime"]
    assert seen["linear.openInterest.ETHUSDT."]["data"]["openInterest"]
    for topic in topics:
        held = feed.ask("market.snapshot", category="linear", topic=topic)
        assert held.unwrap("market.snapshot")["body"]["topic"] == topic.partition(".")[2][:-1]


def test_a_prefix_sees_what_flows_and_drives_nothing(simulator, feed):
    whole = feed.listen("linear.tickers.")
    feed.listen("")
    assert whole.read(0.3) is None
    assert upstream_topics(simulator) == set()
    feed.listen("linear.tickers.ETHUSDT.")
    assert whole.read()[0] == "linear.tickers.ETHUSDT."
    assert upstream_topics(simulator) == {"tickers.ETHUSDT"}


def test_a_wrong_topic_is_refused_here_and_a_wrong_symbol_by_the_exchange(simulator, feed):
    listener = feed.listen(
        "gateway.rejected.",
        "linear.orderbook.49.BTCUSDT.",
        "linear.tickers.NOSUCHUSDT.",
        "linear.tickers.BTCUSDT.",
    )
    here = listener.wait_for("gateway.rejected.linear.orderbook.49.BTCUSDT.")
    assert here["hint"] == "depths are 1, 50, 200, 1000"
    there = listener.wait_for("gateway.rejected.linear.tickers.NOSUCHUSDT.")
    assert "handler not found" in there["reason"]
    # One bad topic rejects its whole request: the good one is asked for again by itself.
    assert listener.wait_for("linear.tickers.BTCUSDT.")["type"] == "snapshot"


def test_a_snapshot_by_request_joins_the_stream(simulator, feed):
    listener, book = feed.listen(DEEP), KeptBook()
    listener.wait_for(DEEP)
    reply = feed.ask("market.snapshot", category="linear", topic=DEEP)
    result = reply.unwrap("market.snapshot")
    book.apply({**result["body"], "resend": True})
    assert result["seq"] == result["body"]["seq"]
    after = listener.wait_for(DEEP, lambda body: body["seq"] > result["seq"])
    assert after["seq"] == result["seq"] + 1
    book.apply(after)
    assert_equals_exchange(simulator, listener, book)


def test_instruments_come_from_the_exchange(simulator, feed):
    reply = wait_until(
        lambda: feed.ask("market.instruments", category="linear", symbol="BTCUSDT").result,
        "the instruments",
    )
    (row,) = reply["list"]
    assert row["priceFilter"]["tickSize"] == "0.10"
    assert feed.status()["instruments"]["count"] == 3


def test_a_wrong_configured_topic_ends_the_start(folder):
    settings = Settings(feeds=Feeds(linear=Feed(topics=("tickers.btcusdt",))))
    program = Program("public-feed-linear", settings, folder, folder)
    try:
        with pytest.raises(ConfigError, match=r"feeds\.linear\.topics\[0\]"):
            main(program)
    finally:
        program.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("rest-")]
