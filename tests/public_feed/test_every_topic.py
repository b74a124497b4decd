"""Every public topic of the exchange flows from the simulator through a feed to a subscriber."""

import itertools
import time

import pytest

from bybitd.public_feed.offered import offered
from bybitd.simulator.exchange import ExchangeConfig
from bybitd.simulator.wire import run_simulator
from bybitd.venue.enums import KLINE_INTERVALS
from bybitd.venue.errors import TopicError
from bybitd.venue.topics import BOOK_PUSH_MS, POOLS, Kind, check
from tests.public_feed.running import (
    leave_endpoint,
    running_feed,
    running_folder,
    wait_until,
)

SYMBOLS = {
    "spot": "BTCUSDT",
    "linear": "BTCUSDT",
    "inverse": "BTCUSD",
    "spread": "BTCUSDT_BTC/USDT",
}
# By documentation: which kinds each category has (Bybit V5, "WebSocket / Public").
EVERYWHERE = {Kind.BOOK, Kind.TRADES, Kind.TICKERS}
WITH_BOOKS = EVERYWHERE | {Kind.RPI_BOOK, Kind.FULL_BOOK, Kind.KLINE, Kind.PRICE_LIMIT}
FUTURES = WITH_BOOKS | {Kind.LIQUIDATIONS, Kind.INSURANCE, Kind.ADL}
KINDS = {
    "spot": WITH_BOOKS,
    "linear": FUTURES,
    "inverse": FUTURES,
    "option": EVERYWHERE,
    "spread": EVERYWHERE,
}


def names(category, symbol):
    """Every name that any topic of a category may have."""
    depths = dict.fromkeys(itertools.chain.from_iterable(BOOK_PUSH_MS.values()))
    pools = dict.fromkeys(itertools.chain.from_iterable(POOLS.values()))
    return [
        *(f"orderbook.{depth}.{symbol}" for depth in (*depths, "rpi", "full")),
        *(f"kline.{interval}.{symbol}" for interval in KLINE_INTERVALS),
        *(f"{kind}.{symbol}" for kind in ("tickers", "priceLimit", "allLiquidation")),
        f"publicTrade.{symbol.partition('-')[0]}",
        *(f"{kind}.{pool}" for kind in ("insurance", "adlAlert") for pool in pools),
    ]


def existing(category, symbol, find):
    """Those of the names that exist there."""
    found = {}
    for name in names(category, symbol):
        try:
            found[name] = find(category, name)
        except TopicError:
            continue
    return found


# By documentation all contracts in USDC share their pools, and shared ones are never pushed.
SILENT = {"linear.insurance.USDC."}


@pytest.fixture(scope="module")
def simulator():
    with run_simulator(ExchangeConfig(api_keys=(), rate_per_s=200.0)) as running:
        yield running


def option_symbol(simulator):
    params = {"category": "option", "baseCoin": "BTC"}
    path = "/v5/market/instruments-info"
    rows = simulator.call(lambda s: s.exchange.public_get(path, params, s.clock.engine_ms()))
    return rows["list"][0]["symbol"]


@pytest.mark.parametrize("category", KINDS)
def test_the_catalogue_has_what_the_exchange_has(category):
    symbol = SYMBOLS.get(category, "BTC-26DEC26-100000-C")
    topics = existing(category, symbol, check)
    assert {topic.kind for topic in topics.values()} == KINDS[category]
    books = {topic.parameter for topic in topics.values() if topic.kind is Kind.BOOK}
    assert books == set(BOOK_PUSH_MS[category])
    intervals = {topic.parameter for topic in topics.values() if topic.kind is Kind.KLINE}
    assert intervals == (set(KLINE_INTERVALS) if Kind.KLINE in KINDS[category] else set())


@pytest.mark.parametrize("category", KINDS)
def test_each_of_its_topics_flows(simulator, category):
    symbol = SYMBOLS.get(category) or option_symbol(simulator)
    topics = {f"{category}.{name}." for name in existing(category, symbol, offered)}
    with running_folder() as folder:
        leave_endpoint(folder, simulator)
        with running_feed(folder, category) as feed:
            listener = feed.listen("gateway.rejected.", *topics)
            missing = topics - SILENT
            deadline_s = time.monotonic() + 30
            while missing:
                event = listener.read()
                assert time.monotonic() < deadline_s, f"nothing came of {missing}"
                assert event is not None, f"nothing came of {missing}"
                assert not event[0].startswith("gateway.rejected."), event
                missing.discard(event[0])
            live = len(topics - SILENT)
            wait_until(lambda: feed.status()["topics"]["live"] == live, "every topic to be live")
            heard = {row["topic"] for row in simulator.state()["topics"] if row["listeners"]}
            assert {topic.partition(".")[2].removesuffix(".") for topic in topics} <= heard
