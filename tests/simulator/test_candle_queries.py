"""That candles over REST are those that a reader of the streams builds."""

import itertools
from decimal import Decimal

import pytest

from bybitd.simulator.exchange import Refusal
from bybitd.simulator.price_candles import PriceCandles
from bybitd.venue.intervals import MINUTE_MS, candle_end, candle_start

START = 1_752_998_370_000  # 30 s before an hour


def built(messages, field, interval):
    """The candles of a price in the plainest way: as text, by start, without the first one."""
    candles, price = {}, None
    for message in messages:
        moment, before = message["ts"], price
        price = message["data"].get(field, price)
        start = candle_start(interval, moment)
        candle = candles.setdefault(start, [str(start), *[before or price] * 4])
        candle[2] = max(candle[2], price, key=Decimal)
        candle[3] = min(candle[3], price, key=Decimal)
        candle[4] = price
    del candles[min(candles)]
    return candles


@pytest.mark.parametrize(
    ("category", "path", "field"),
    [
        ("linear", "mark-price-kline", "markPrice"),
        ("linear", "index-price-kline", "indexPrice"),
        ("inverse", "mark-price-kline", "markPrice"),
        ("inverse", "index-price-kline", "indexPrice"),
        ("option", "mark-price-kline", "markPrice"),
    ],
)
@pytest.mark.parametrize("rate", [0.0, 20.0])
def test_a_price_candle_is_the_one_that_its_ticks_make(new_desk, category, path, field, rate):
    desk = new_desk(rate=rate, now=START)
    symbol = desk.market("instruments-info", category=category)["list"][0]["symbol"]
    topic = f"tickers.{symbol}"
    ticks = [desk.open(category, topic)]
    ticks += [message for _, name, message in desk.run(START + 200_500) if name == topic]
    for interval in ("1", "3"):
        rows = desk.market(path, category=category, symbol=symbol, interval=interval, limit="4")
        told = {int(row[0]): row for row in rows["list"]}
        mine = built(ticks, field, interval)
        assert mine
        for start, candle in mine.items():
            assert told[start] == candle
    assert len({row[2] for row in told.values()}) > 1 or category == "option"


def test_the_close_of_a_kline_is_its_row(new_desk):
    desk = new_desk(rate=20.0, now=START)
    topic = "kline.1.BTCUSDT"
    desk.open("spot", topic)
    told = [m["data"][0] for _, name, m in desk.run(START + 200_500) if name == topic]
    rows = desk.market("kline", category="spot", symbol="BTCUSDT", interval="1", limit="4")["list"]
    by_start = {int(row[0]): row for row in rows}
    closes = [candle for candle in told if candle["confirm"]]
    assert len(closes) == 3
    for candle in closes:
        names = ("open", "high", "low", "close", "volume", "turnover")
        assert [str(candle["start"]), *(candle[name] for name in names)] == by_start[
            candle["start"]
        ]


def test_recent_trades_are_those_of_the_stream(new_desk):
    desk = new_desk(rate=50.0, now=START)
    topic = "publicTrade.BTCUSDT"
    desk.open("linear", topic)
    heard = [row for _, name, m in desk.run(START + 20_000) if name == topic for row in m["data"]]
    rows = desk.market("recent-trade", category="linear", symbol="BTCUSDT", limit="1000")["list"]
    assert len(heard) > 50
    assert [
        (row["execId"], row["time"], row["price"], row["size"], row["side"], row["seq"])
        for row in reversed(rows)
    ] == [(r["i"], str(r["T"]), r["p"], r["v"], r["S"], str(r["seq"])) for r in heard]


def test_price_candles_follow_each_other_without_a_jump(desk):
    for interval in ("1", "60", "D", "M"):
        rows = desk.market(
            "mark-price-kline", category="linear", symbol="BTCUSDT", interval=interval, limit="20"
        )["list"]
        for later, sooner in itertools.pairwise(rows):
            assert int(later[0]) == candle_end(interval, int(sooner[0]))
            assert later[1] == sooner[4]
            assert Decimal(later[3]) <= Decimal(later[4]) <= Decimal(later[2])


def test_a_closed_candle_that_was_asked_for_once_stays_what_it_was():
    def price(at_ms):
        return float(at_ms // 1000 * 7919 % 1009)

    candles, hour = PriceCandles(price), START + 30_000
    now = hour + 60 * MINUTE_MS
    before = candles.candle("60", hour, now)
    assert candles.candle("60", hour, now + 600 * MINUTE_MS)[1:3] == before[1:3]
    assert len(candles._minutes) == 60


def test_options_have_no_index_candles_and_no_klines(desk):
    symbol = desk.market("instruments-info", category="option")["list"][0]["symbol"]
    for path in ("kline", "index-price-kline"):
        with pytest.raises(Refusal) as caught:
            desk.market(path, category="option", symbol=symbol, interval="1")
        assert caught.value.retCode == 10001
    where = {"category": "option", "symbol": symbol, "interval": "1", "limit": "1000"}
    assert len(desk.market("mark-price-kline", **where)["list"]) == 500
