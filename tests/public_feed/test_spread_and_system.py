"""The spread category and the announcements, on real sockets against the simulator."""

from decimal import Decimal

import pytest

from tests.public_feed.running import (
    KeptBook,
    leave_endpoint,
    running_feed,
    running_folder,
    simulated,
    wait_until,
)

SYMBOL = "BTCUSDT_BTC/USDT"
BOOK = f"spread.orderbook.25.{SYMBOL}."
STATUS = "system.system.status."
STATUS_FEED = f"gateway.feed.{STATUS}"
SOON = {"id": "m-1", "title": "an upgrade", "state": "scheduled", "begin": "1", "end": "2"}


def announce(simulator, **record):
    simulator.call(lambda running: running.announce(record))


@pytest.fixture
def folder():
    with running_folder() as run_dir:
        yield run_dir


@pytest.fixture
def simulator(folder):
    with simulated(rate_per_s=200.0) as running:
        leave_endpoint(folder, running)
        yield running


class TestSpread:
    @pytest.fixture
    def feed(self, folder, simulator):
        with running_feed(folder, "spread") as running:
            yield running

    def test_a_subscriber_keeps_a_book_that_equals_the_exchange(self, simulator, feed):
        listener, book = feed.listen(BOOK), KeptBook()
        for _ in range(20):
            book.apply(listener.wait_for(BOOK))
        held = feed.ask("market.snapshot", category="spread", topic=BOOK).result["body"]["data"]
        while held["u"] not in book.at:
            book.apply(listener.wait_for(BOOK))
        assert book.at[held["u"]] == [dict(held["b"]), dict(held["a"])]
        late = feed.listen(BOOK)
        assert late.wait_for(BOOK, lambda body: body.get("resend"))["type"] == "snapshot"

    def test_every_topic_of_spreads_flows_and_what_is_derived_from_them(self, simulator, feed):
        kinds = ("orderbook.25", "publicTrade", "tickers", "bbo", "book.25", "ticker")
        topics = {f"spread.{kind}.{SYMBOL}.": kind for kind in kinds}
        listener = feed.listen(*topics)
        seen = {}
        while seen.keys() != topics.keys():
            name, body = listener.read() or pytest.fail(f"only {list(seen)} came")
            seen.setdefault(name, body)
        for topic, body in seen.items():
            assert body["topic"] == topic.removeprefix("spread.").removesuffix(".")
        best = seen[f"spread.bbo.{SYMBOL}."]["data"]
        assert Decimal(best["bid1Price"]) < Decimal(best["ask1Price"])
        assert seen[f"spread.ticker.{SYMBOL}."]["data"]["symbol"] == SYMBOL

    def test_instruments_come_page_by_page(self, simulator, feed):
        result = wait_until(
            lambda: feed.ask("market.instruments", category="spread").result, "the instruments"
        )
        assert SYMBOL in [row["symbol"] for row in result["list"]]
        (row,) = feed.ask("market.instruments", category="spread", symbol=SYMBOL).result["list"]
        assert row["contractType"] == "FundingRateArb"
        assert [leg["contractType"] for leg in row["legs"]] == ["LinearPerpetual", "Spot"]

    @pytest.mark.parametrize(
        ("topic", "says"),
        [
            (f"spread.orderbook.50.{SYMBOL}.", "depths are 25"),
            (f"spread.kline.1.{SYMBOL}.", "spread has orderbook, publicTrade, tickers"),
            (f"spread.funding.{SYMBOL}.", "it exists on linear, inverse"),
            ("spread.tickers.btcusdt_btc/usdt.", f"use tickers.{SYMBOL}"),
        ],
    )
    def test_what_spreads_have_not_is_refused_with_what_would_be_right(
        self, simulator, feed, topic, says
    ):
        refused = feed.listen(f"gateway.rejected.{topic}", topic)
        assert says in refused.wait_for(f"gateway.rejected.{topic}")["hint"]

    def test_it_carries_no_announcements(self, simulator, feed):
        wait_until(lambda: feed.status()["state"] == "ready", "ready")
        assert "system" not in feed.status()
        assert simulator.state()["connections"] == {"spread": 1}


class TestSystem:
    """Carried by the feed of the first enabled category, which is spot."""

    @pytest.fixture
    def feed(self, folder, simulator):
        with running_feed(folder, "spot") as running:
            yield running

    def test_what_is_announced_is_passed_on_as_it_came(self, simulator, feed):
        listener = feed.listen(STATUS_FEED, STATUS)
        listener.wait_for(STATUS_FEED, lambda body: body["state"] == "live")
        announce(simulator, **SOON)
        body = listener.wait_for(STATUS, lambda body: not body.get("resend"))
        assert (body["topic"], body["data"], body["seq"]) == ("system.status", [SOON], 1)
        assert body["ts"] > 0

    def test_a_late_joiner_is_told_what_is_to_come_but_not_what_is_over(self, simulator, feed):
        listener = feed.listen(STATUS_FEED, STATUS)
        listener.wait_for(STATUS_FEED, lambda body: body["state"] == "live")
        for record in (SOON, {"id": "m-2", "state": "ongoing"}, {"id": "m-2", "state": "completed"},
                       {"id": "m-3", "state": "ongoing"}):  # fmt: skip
            announce(simulator, **record)
            listener.wait_for(STATUS, lambda body: not body.get("resend"))
        told = feed.listen(STATUS).wait_for(STATUS, lambda body: body.get("resend"))
        assert [row["id"] for row in told["data"]] == ["m-1", "m-3"]
        assert told["seq"] == 4

    def test_what_was_announced_before_it_connected_is_read_over_rest(self, simulator, folder):
        announce(simulator, id="m-0", state="completed")
        announce(simulator, **SOON)
        simulator.fault("http", status=503, path="/v5/system/status")  # and asked for again
        with running_feed(folder, "spot") as feed:
            told = feed.listen(STATUS).wait_for(STATUS)
            assert (told["resend"], told["data"]) == (True, [SOON])
            assert feed.status()["system"]["state"] == "live"
            # What is announced while nobody is connected is told after the next connection.
            later = feed.listen(STATUS_FEED, STATUS)
            simulator.fault("refuse_connect", scope="status")
            simulator.fault("cut", scope="status")
            later.wait_for(STATUS_FEED, lambda body: body["state"] == "stale")
            announce(simulator, id="m-9", state="ongoing")
            simulator.fault("clear")
            told = later.wait_for(STATUS, lambda body: len(body["data"]) == 2)
            assert told["resend"] is True
            assert {row["id"] for row in told["data"]} == {"m-1", "m-9"}

    def test_the_program_is_as_ready_as_its_category(self, simulator, folder):
        simulator.fault("refuse_connect", scope="status")
        with running_feed(folder, "spot") as feed:
            wait_until(lambda: feed.status()["state"] == "ready", "ready")
            listener = feed.listen(STATUS_FEED)
            stale = listener.wait_for(STATUS_FEED)
            assert (stale["state"], stale["reason"][:13]) == ("stale", "not connected")
            assert feed.status()["system"]["state"] == "stale"

    @pytest.mark.parametrize("topic", ["system.tickers.BTCUSDT.", "system.system.state."])
    def test_another_topic_of_the_stream_is_refused_once(self, simulator, feed, topic):
        refused = feed.listen("gateway.rejected.", topic, "system.", "system.system.")
        body = refused.wait_for(f"gateway.rejected.{topic}")
        assert "'system.status' is the only topic" in body["reason"]
        assert body["program"] == "public-feed-spot"
        rejected = [name for name, _ in refused.seen if name.startswith("gateway.rejected.")]
        assert rejected == [f"gateway.rejected.{topic}"]
