import itertools
from decimal import Decimal

import pytest

from bybitd.simulator.exchange import Refusal

HOUR = 3_600_000


def refused(desk, path, **params):
    with pytest.raises(Refusal) as caught:
        desk.market(path, **params)
    return caught.value.retCode


def test_instruments_are_paged_in_the_order_of_the_list(new_desk):
    desk = new_desk(symbols={"linear": 120})
    symbols, cursor, counts = [], "", []
    while True:
        page = desk.market("instruments-info", category="linear", limit="50", cursor=cursor)
        symbols += [row["symbol"] for row in page["list"]]
        counts.append(len(page["list"]))
        cursor = page["nextPageCursor"]
        if not cursor:
            break
    assert counts == [50, 50, 20]
    assert len(set(symbols)) == 120
    assert len(desk.market("instruments-info", category="spot", limit="1")["list"]) > 5


def test_instruments_are_filtered(desk):
    def symbols(**params):
        return [r["symbol"] for r in desk.market("instruments-info", **params)["list"]]

    assert symbols(category="linear", symbol="ETHUSDT") == ["ETHUSDT"]
    assert "BTCPERP" in symbols(category="linear", baseCoin="BTC")
    assert "ETHUSDT" not in symbols(category="linear", baseCoin="BTC")
    assert all(s.startswith("BTC-") for s in symbols(category="option"))
    assert all(s.startswith("ETH-") for s in symbols(category="option", baseCoin="ETH"))
    assert symbols(category="linear", status="PreLaunch") == []
    assert refused(desk, "instruments-info", category="linear", symbol="NOPE") == 10001
    assert refused(desk, "instruments-info", category="spread") == 10001


def test_the_rest_book_has_the_update_id_of_the_deepest_topic(new_desk):
    desk = new_desk(rate=200.0)
    topic = "orderbook.1000.BTCUSDT"
    held = desk.open("linear", topic)
    for _ in range(10):
        for _, _, message in desk.run(desk.now + 130):
            held = message
        book = desk.market("orderbook", category="linear", symbol="BTCUSDT", limit="1000")
        assert (book["u"], book["seq"]) == (held["data"]["u"], held["data"]["seq"])
    snapshot = desk.exchange.initial("linear", topic, desk.now)["data"]
    assert (book["b"], book["a"]) == (snapshot["b"], snapshot["a"])


@pytest.mark.parametrize(
    ("category", "levels"), [("spot", 1), ("linear", 25), ("inverse", 25), ("option", 1)]
)
def test_the_rest_book_has_the_default_depth_of_its_category(desk, category, levels):
    symbol = desk.market("instruments-info", category=category)["list"][0]["symbol"]
    book = desk.market("orderbook", category=category, symbol=symbol)
    assert (len(book["b"]), len(book["a"])) == (levels, levels)
    deeper = desk.market("orderbook", category=category, symbol=symbol, limit="1000")
    assert deeper["u"] == book["u"]
    assert len(deeper["b"]) == (25 if category == "option" else 230)


def test_candles_are_newest_first_and_follow_each_other(desk):
    rows = desk.market("kline", category="linear", symbol="BTCUSDT", interval="60")["list"]
    assert len(rows) == 200
    starts = [int(row[0]) for row in rows]
    assert starts[0] == desk.now // HOUR * HOUR
    assert all(after == before - HOUR for before, after in itertools.pairwise(starts))
    for row in rows:
        opened, high, low, close = map(Decimal, row[1:5])
        assert low <= min(opened, close) <= max(opened, close) <= high
    again = desk.market("kline", category="linear", symbol="BTCUSDT", interval="60", limit="5")
    assert again["list"] == rows[:5]


def test_candles_can_be_asked_for_by_time(desk):
    where = {"category": "linear", "symbol": "BTCUSDT", "interval": "60"}
    start = desk.now // HOUR * HOUR - 10 * HOUR

    def starts(**params):
        return [int(row[0]) for row in desk.market("kline", **where, **params)["list"]]

    assert starts(start=str(start), end=str(start + 2 * HOUR)) == [
        start + 2 * HOUR,
        start + HOUR,
        start,
    ]
    assert starts(start=str(start), limit="2") == [start + HOUR, start]
    assert starts(end=str(start), limit="2") == [start, start - HOUR]
    assert starts(start=str(desk.now + HOUR)) == []


@pytest.mark.parametrize("path", ["mark-price-kline", "index-price-kline"])
def test_price_candles_have_five_columns(desk, path):
    rows = desk.market(path, category="inverse", symbol="BTCUSD", interval="D", limit="3")["list"]
    assert [len(row) for row in rows] == [5, 5, 5]
    assert all(Decimal(row[3]) <= Decimal(row[4]) <= Decimal(row[2]) for row in rows)


def test_tickers_list_a_category_without_waking_its_markets(desk):
    rows = desk.market("tickers", category="linear")["list"]
    assert len(rows) == len(desk.market("instruments-info", category="linear")["list"])
    assert all(Decimal(r["bid1Price"]) < Decimal(r["ask1Price"]) for r in rows)
    assert all(made.book.version == 0 for made in desk.exchange._markets._made.values())
    one = desk.market("tickers", category="spot", symbol="BTCUSDT")["list"]
    assert [row["symbol"] for row in one] == ["BTCUSDT"]
    assert "bid1Price" in one[0]
    options = desk.market("tickers", category="option", baseCoin="ETH")["list"]
    assert all(row["symbol"].startswith("ETH-") and "markIv" in row for row in options)
    assert refused(desk, "tickers", category="option") == 10001


def test_recent_trades_are_newest_first_and_limited(new_desk):
    desk = new_desk(rate=100.0)
    desk.open("spot", "publicTrade.BTCUSDT")
    desk.run(desk.now + 10_000)
    rows = desk.market("recent-trade", category="spot", symbol="BTCUSDT", limit="200")["list"]
    assert len(rows) == 60
    times = [int(row["time"]) for row in rows]
    assert times == sorted(times, reverse=True)


def test_open_interest_and_funding_are_on_their_grids(desk):
    where = {"category": "linear", "symbol": "BTCUSDT"}
    first = desk.market("open-interest", **where, intervalTime="5min", limit="3")
    more = desk.market("open-interest", **where, intervalTime="5min", limit="3",
                       cursor=first["nextPageCursor"])  # fmt: skip
    times = [int(row["timestamp"]) for row in first["list"] + more["list"]]
    assert all(a - b == 300_000 for a, b in itertools.pairwise(times))
    row = first["list"][0]
    assert Decimal(row["openInterest"]) == 2 * Decimal(row["singleOpenInterest"])
    rates = desk.market("funding/history", **where, limit="5")["list"]
    assert all(int(rate["fundingRateTimestamp"]) % (8 * HOUR) == 0 for rate in rates)
    assert len(rates) == 5
    assert refused(desk, "funding/history", **where, startTime="1") == 10001
    assert refused(desk, "open-interest", **where) == 10001


def test_the_price_limit_holds_the_touch(desk):
    limit = desk.market("price-limit", symbol="BTCUSDT")
    bid, ask = desk.touch()
    assert Decimal(limit["sellLmt"]) < bid < ask < Decimal(limit["buyLmt"])


def test_the_time_is_told_as_it_is_asked(desk):
    assert desk.exchange.public_get("/v5/market/time", {}, 1_700_000_000_123) == {
        "timeSecond": "1700000000",
        "timeNano": "1700000000123000000",
    }


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("orderbook", {"category": "linear", "symbol": "NOPE"}),
        ("orderbook", {"category": "linear"}),
        ("orderbook", {"category": "linear", "symbol": "BTCUSDT", "limit": "-1"}),
        ("kline", {"symbol": "BTCUSDT", "interval": "2"}),
        ("kline", {"symbol": "BTCUSDT", "interval": "1", "start": "x"}),
        ("index-price-kline", {"category": "spot", "symbol": "BTCUSDT", "interval": "1"}),
    ],
)
def test_parameters_that_cannot_be_are_refused(desk, path, params):
    assert refused(desk, path, **params) == 10001
