from decimal import Decimal

from bybitd.simulator.candles import Candles
from bybitd.venue.intervals import MINUTE_MS

HOUR = 1_752_998_400_000  # 2025-07-20 08:00 UTC, a Sunday


def candles(fair=lambda at: 100 + (at - HOUR) / MINUTE_MS):
    return Candles(fair, 10, inverse=False)


def test_an_unwatched_past_follows_the_fair_price():
    candle = candles().candle("5", HOUR, HOUR + 10 * MINUTE_MS)
    assert (candle.open, candle.low, candle.high, candle.close) == (100, 100, 105, 105)
    assert candle.lots == 50


def test_trades_of_watched_minutes_make_the_longer_candle():
    kept = candles(lambda at: 100.0)
    kept.watch(HOUR, woke=True)
    kept.trade(103, 2, HOUR + 10_000)
    kept.trade(98, 3, HOUR + MINUTE_MS)
    kept.trade(101, 4, HOUR + 4 * MINUTE_MS)
    before = kept.candle("1", HOUR, HOUR).lots  # what the waking minute had already
    candle = kept.candle("5", HOUR, HOUR + 5 * MINUTE_MS - 1)
    assert (candle.open, candle.high, candle.low, candle.close) == (100, 103, 98, 101)
    assert candle.lots == before + 3 + 4
    assert candle.last_ms == HOUR + 4 * MINUTE_MS
    assert candle.turnover == Decimal((before - 2) * 100 + 103 * 2 + 98 * 3 + 101 * 4)


def test_a_watched_minute_without_a_trade_is_flat_at_the_last_price():
    kept = candles(lambda at: 100.0)
    kept.watch(HOUR, woke=True)
    kept.trade(103, 2, HOUR + 10_000)
    kept.watch(HOUR + 2 * MINUTE_MS)
    quiet = kept.candle("1", HOUR + MINUTE_MS, HOUR + 2 * MINUTE_MS)
    assert (quiet.open, quiet.high, quiet.low, quiet.close) == (103, 103, 103, 103)
    assert quiet.lots == 0


def test_the_open_of_a_candle_does_not_move_when_it_trades():
    kept = candles(lambda at: 100.0)
    kept.watch(HOUR, woke=True)
    opened = kept.candle("1", HOUR, HOUR).open
    kept.trade(120, 1, HOUR + 5)
    kept.trade(130, 1, HOUR + MINUTE_MS + 5)
    assert kept.candle("1", HOUR, HOUR + 5).open == opened
    assert kept.candle("1", HOUR + MINUTE_MS, HOUR + MINUTE_MS + 5).open == 120


def test_only_the_newest_minutes_are_kept():
    kept = candles(lambda at: 100.0)
    kept.watch(HOUR, woke=True)
    for minute in range(2000):
        kept.trade(100 + minute % 3, 1, HOUR + minute * MINUTE_MS)
    assert len(kept._minutes) == 720
    assert kept.price(HOUR + 1999 * MINUTE_MS) == 100 + 1999 % 3
