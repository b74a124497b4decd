"""Price limits, RPI books, liquidations, insurance pools and ADL alerts through a running feed."""

import contextlib

import pytest

from tests.public_feed.running import (
    leave_endpoint,
    running_feed,
    running_folder,
    simulated,
    wait_until,
)

RPI = "linear.orderbook.rpi.BTCUSDT."
RPI_FEED = f"gateway.feed.{RPI}"
POOLS = "linear.insurance.USDT."
SYMBOLS = {"spot": "BTCUSDT", "linear": "BTCUSDT", "inverse": "BTCUSD"}


@pytest.fixture(scope="module")
def simulator():
    with simulated() as running:
        yield running


@pytest.fixture
def folder(simulator):
    with running_folder() as run_dir:
        leave_endpoint(run_dir, simulator)
        yield run_dir


@contextlib.contextmanager
def ready_feed(run_dir, category="linear"):
    """A feed that has all it fetches, so that its end interrupts nothing."""
    with running_feed(run_dir, category) as running:
        wait_until(lambda: running.ask("market.instruments", category=category).result)
        yield running


@pytest.fixture
def feed(folder):
    with ready_feed(folder) as running:
        yield running


class KeptLevels:
    """The RPI book that a client keeps from what the bus brings; what it was at each u."""

    def __init__(self):
        self.seq = 0
        self.at = {}
        self.sides = None

    def apply(self, body):
        assert body.get("resend") or self.seq in (0, body["seq"] - 1), "a hole in seq"
        self.seq = body["seq"]
        if body["type"] == "snapshot":
            self.sides = {"b": {}, "a": {}}
        for side, levels in self.sides.items():
            for price, *sizes in body["data"][side]:
                levels[price] = sizes
            for price in [price for price, sizes in levels.items() if sizes == ["0", "0"]]:
                del levels[price]
        self.at[body["data"]["u"]] = {side: dict(levels) for side, levels in self.sides.items()}

    def follow(self, listener, topic, until):
        while not until():
            event = listener.read()
            assert event is not None, "the topic fell silent"
            if event[0] == topic:
                self.apply(event[1])


def rpi_truth(simulator):
    """Return the exchange's own RPI book as (u, levels by side)."""
    params = {"category": "linear", "symbol": "BTCUSDT", "limit": "50"}
    book = simulator.call(
        lambda s: s.exchange.public_get("/v5/market/rpi_orderbook", params, s.clock.engine_ms())
    )
    return book["u"], {side: {price: sizes for price, *sizes in book[side]} for side in ("b", "a")}


def assert_equals_exchange(simulator, listener, kept):
    u, levels = rpi_truth(simulator)
    kept.follow(listener, RPI, lambda: u in kept.at)
    assert kept.at[u] == levels


@pytest.mark.parametrize("category", SYMBOLS)
def test_rpi_books_and_price_limits_flow_and_a_late_joiner_gets_them_whole(folder, category):
    symbol = SYMBOLS[category]
    book, limit = f"{category}.orderbook.rpi.{symbol}.", f"{category}.priceLimit.{symbol}."
    with ready_feed(folder, category) as feed:
        early = feed.listen(book, limit)
        assert early.wait_for(book)["type"] == "snapshot"
        assert early.wait_for(book, lambda body: body["type"] == "delta")
        first = early.wait_for(limit)["data"]
        assert float(first["sellLmt"]) < float(first["buyLmt"])
        late = feed.listen(book, limit)
        again = late.wait_for(book, lambda body: body.get("resend"))
        assert again["type"] == "snapshot"
        assert {len(level) for level in again["data"]["b"]} == {3}
        assert len(again["data"]["b"]) == len(again["data"]["a"]) == 50
        later = feed.listen(limit)
        data = later.wait_for(limit, lambda body: body.get("resend"))["data"]
        wait_until(lambda: early.read() and holds(early, limit, data), "what was repeated")


def holds(listener, topic, data):
    return any(name == topic and body["data"] == data for name, body in listener.seen)


def test_early_and_late_subscribers_keep_the_rpi_book_of_the_exchange(simulator, feed):
    early, kept = feed.listen(RPI), KeptLevels()
    kept.follow(early, RPI, lambda: len(kept.at) > 3)
    late, other = feed.listen(RPI), KeptLevels()
    other.apply(late.wait_for(RPI, lambda body: body.get("resend")))
    other.follow(late, RPI, lambda: len(other.at) > 3)
    assert_equals_exchange(simulator, late, other)
    assert_equals_exchange(simulator, early, kept)


@pytest.mark.parametrize("fault", ["skip_update_id", "restart_books"])
def test_an_rpi_book_that_breaks_is_mended(simulator, feed, fault):
    listener, kept = feed.listen(RPI, RPI_FEED), KeptLevels()
    kept.follow(listener, RPI, lambda: len(kept.at) > 2)
    if fault == "skip_update_id":
        simulator.fault(fault, category="linear", topic="orderbook.rpi.BTCUSDT")
        kept.follow(listener, RPI, lambda: states(listener)[-2:] == ["resyncing", "live"])
    else:
        simulator.fault(fault, category="linear", symbol="BTCUSDT")
        kept.follow(listener, RPI, lambda: 2 in kept.at)
        assert states(listener)[-1] == "live"
        assert "resyncing" not in states(listener)
    assert_equals_exchange(simulator, listener, kept)


def states(listener):
    return [body["state"] for name, body in listener.seen if name == RPI_FEED]


def test_a_late_joiner_gets_all_pools_as_the_deltas_have_left_them(feed):
    early = feed.listen(POOLS)
    pools = {row["symbols"]: row for row in early.wait_for(POOLS)["data"]}
    assert pools
    delta = early.wait_for(POOLS, lambda body: body["type"] == "delta")
    pools.update({row["symbols"]: row for row in delta["data"]})
    again = feed.listen(POOLS).wait_for(POOLS, lambda body: body.get("resend"))
    while again["seq"] > early.seen[-1][1]["seq"]:
        pools.update({row["symbols"]: row for row in early.wait_for(POOLS)["data"]})
    assert again["type"] == "snapshot"
    assert {row["symbols"]: row for row in again["data"]} == pools


@pytest.mark.parametrize(("category", "group"), [("linear", "USDT"), ("inverse", "inverse")])
def test_adl_alerts_flow_and_a_late_joiner_gets_the_last_one(folder, category, group):
    topic = f"{category}.adlAlert.{group}."
    with ready_feed(folder, category) as feed:
        early = feed.listen(topic)
        first = early.wait_for(topic)
        assert SYMBOLS[category] in {row["s"] for row in first["data"]}
        early.wait_for(topic, lambda body: body["ts"] > first["ts"])
        again = feed.listen(topic).wait_for(topic, lambda body: body.get("resend"))
        assert {row["s"] for row in again["data"]} == {row["s"] for row in first["data"]}
        assert again["ts"] > first["ts"]


def test_liquidations_flow_and_the_past_ones_are_not_repeated(feed):
    topic = "linear.allLiquidation.BTCUSDT."
    early = feed.listen(topic)
    seen = early.wait_for(topic)
    assert {row["s"] for row in seen["data"]} == {"BTCUSDT"}
    late = feed.listen(topic)
    news = late.wait_for(topic)
    assert "resend" not in news
    assert news["seq"] > seen["seq"]
