from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.public_feed.derived.candle_series import CandleSeries
from bybitd.venue.intervals import candle_end, candle_start

MINUTE = 60_000
HOUR = 1_752_998_400_000  # 2025-07-20 08:00 UTC, a Sunday
GRACE = 2_000


class Truth:
    """A price as the exchange knows it: steps at moments; candles by the plainest definition."""

    def __init__(self, steps):
        self.steps = sorted(steps)

    def at(self, ms):
        return [price for moment, price in self.steps if moment <= ms][-1]

    def row(self, interval, start, until):
        """The candle that begins at `start`, of what happened up to `until` (included)."""
        end = candle_end(interval, start)
        inside = [p for moment, p in self.steps if start <= moment <= min(until, end - 1)]
        opened = self.at(start - 1)
        prices = [opened, *inside]
        return [str(start), opened, max(prices, key=Decimal), min(prices, key=Decimal), prices[-1]]

    def rest(self, interval, now, count):
        """What `/v5/market/mark-price-kline` answers: newest first, the first one open."""
        rows, start = [], candle_start(interval, now)
        while len(rows) < count and start > self.steps[0][0]:
            rows.append(self.row(interval, start, now))
            start = candle_start(interval, start - 1)
        return rows


def closed(row):
    return [str(row["start"]), row["open"], row["high"], row["low"], row["close"]]


def whole(series, at=HOUR, price="100"):
    """A series that was begun in the middle of a minute and completed by REST."""
    series.tick(at, price)
    start = candle_start("1", at)
    series.supply([[str(start), "99", "101", "98", price]], at + 1)
    return series


def test_nothing_is_told_before_rest_has_told_what_was_before_the_first_tick():
    series = CandleSeries("1")
    assert series.wanted(0) == 0
    assert series.tick(HOUR + 10_000, "100.5") == []
    assert series.tick(HOUR + 11_000, "103") == []
    assert (series.row(), series.wanted(0)) == (None, 2)
    supply = series.supply([[str(HOUR), "99", "101", "98", "100.5"]], HOUR + 10_500)
    (row,) = supply.rows
    assert row == {
        "start": HOUR,
        "end": HOUR + MINUTE - 1,
        "interval": "1",
        "open": "99",
        "close": "103",
        "high": "103",
        "low": "98",
        "confirm": False,
        "timestamp": HOUR + 11_000,
    }
    assert (series.row(), series.wanted(0), supply.missed) == (row, 0, [])


def test_a_row_that_is_older_than_the_ticks_is_not_joined_to_them():
    series = CandleSeries("1")
    series.tick(HOUR + 10_000, "100")
    assert series.supply([[str(HOUR), "99", "101", "98", "99"]], HOUR + 9_999).rows == []
    assert series.supply([[str(HOUR - MINUTE), "9", "9", "9", "9"]], HOUR + 10_001).rows == []
    assert not series.whole


def test_the_next_candle_is_whole_by_its_ticks_alone():
    series = CandleSeries("1")
    series.tick(HOUR + 10_000, "100")
    opened, *_ = series.tick(HOUR + MINUTE + 5, "101")
    assert opened["open"] == "100"
    assert (opened["high"], opened["low"], opened["close"]) == ("101", "100", "101")
    assert series.wanted(0) == 0


def test_a_tick_of_a_later_period_closes_the_candle_even_if_the_price_stays():
    series = whole(CandleSeries("1"))
    over, begun = series.tick(HOUR + MINUTE, None)
    assert (over["confirm"], over["close"], over["timestamp"]) == (True, "100", HOUR + 1)
    assert (begun["confirm"], begun["start"], begun["open"]) == (False, HOUR + MINUTE, "100")
    assert series.tick(HOUR + MINUTE + 1, "100") == []


def test_a_quiet_candle_is_closed_by_what_the_exchange_says_after_its_end():
    series = whole(CandleSeries("1"))
    assert series.wanted(MINUTE + 1_998) == 0
    assert series.wanted(MINUTE + 1_999) == 2
    rows = [[str(HOUR + MINUTE), "100", "100", "100", "100"], [str(HOUR), "99", "102", "98", "100"]]
    too_soon = series.supply(rows, HOUR + MINUTE + GRACE - 1)
    assert [row["confirm"] for row in too_soon.rows] == [False]
    over, begun = series.supply(rows, HOUR + MINUTE + GRACE).rows
    assert (over["confirm"], over["high"]) == (True, "102")
    assert (begun["start"], begun["confirm"]) == (HOUR + MINUTE, False)


def test_after_missed_ticks_the_candle_is_taken_from_rest_again_and_those_between_are_told():
    series = whole(CandleSeries("1"))
    breaks = series.breaks
    series.forget()
    assert (series.row(), series.breaks) == (None, breaks + 1)
    assert series.tick(HOUR + 2 * MINUTE + 30_000, "105") == []
    assert series.wanted(0) == 4
    told = [
        [str(HOUR + 2 * MINUTE), "104", "106", "103", "105"],
        [str(HOUR + MINUTE), "100", "104", "90", "104"],
        [str(HOUR), "99", "101", "97", "100"],
        [str(HOUR - MINUTE), "1", "1", "1", "1"],
    ]
    supply = series.supply(told, HOUR + 2 * MINUTE + 30_001)
    assert [closed(row) for row in supply.missed] == [told[2], told[1]]
    assert all(row["confirm"] for row in supply.missed)
    assert [closed(row) for row in supply.rows] == [told[0]]
    assert (series.lost, series.hole_ms, series.wanted(0)) == (None, None, 0)


def test_candles_that_rest_has_no_more_are_named():
    series = whole(CandleSeries("1"))
    series.forget()
    series.tick(HOUR + 5 * MINUTE + 30_000, "105")
    supply = series.supply(
        [
            [str(HOUR + 5 * MINUTE), "1", "1", "1", "1"],
            [str(HOUR + 4 * MINUTE), "1", "1", "1", "1"],
        ],
        HOUR + 5 * MINUTE + 30_000,
    )
    assert series.lost == (HOUR, HOUR + 4 * MINUTE)
    assert [row["start"] for row in supply.missed] == [HOUR + 4 * MINUTE]
    assert series.hole_ms is None


def test_a_candle_that_has_just_ended_is_asked_for_once_more_when_it_is_final():
    series = whole(CandleSeries("1"))
    series.forget()
    series.tick(HOUR + MINUTE + 100, "105")
    told = [
        [str(HOUR + MINUTE), "104", "106", "103", "105"],
        [str(HOUR), "99", "101", "97", "104"],
    ]
    assert series.supply(told, HOUR + MINUTE + 200).missed == []
    assert (series.whole, series.hole_ms, series.wanted(0)) == (True, HOUR, 3)
    (late,) = series.supply(told, HOUR + MINUTE + GRACE).missed
    assert closed(late) == told[1]
    assert series.hole_ms is None


def test_a_stream_that_skips_a_whole_period_is_none():
    series = whole(CandleSeries("1"))
    assert series.tick(HOUR + 2 * MINUTE, None) == []
    assert (series.whole, series.hole_ms) == (False, HOUR)
    assert series.wanted(0) == 4


@pytest.mark.parametrize("price", ["", "x", "NaN", "Infinity", 5, ["1"]])
def test_what_is_no_price_is_refused_and_changes_nothing(price):
    series = whole(CandleSeries("1"))
    before = series.row()
    with pytest.raises(TypeError):
        series.tick(HOUR + MINUTE, price)
    with pytest.raises((TypeError, ValueError)):
        series.supply([[str(HOUR), "1", "2", "0.5", price]], HOUR + 5)
    assert series.row() == before


prices = st.integers(min_value=1, max_value=400).map(lambda tick: f"{tick // 2}.{tick % 2 * 5}0")


@st.composite
def markets(draw):
    """Steps of a price, at least one tick in 20 s, with what becomes of each tick."""
    moment, steps, lost = HOUR - 30_000, [], []
    for gap in draw(st.lists(st.integers(3_000, 20_000), min_size=30, max_size=50)):
        moment += gap
        steps.append((moment, draw(prices)))
    for _ in range(draw(st.integers(0, 2))):
        first = draw(st.integers(8, len(steps) - 8))
        lost.append((first, first + draw(st.integers(1, 20))))
    asked = draw(
        st.lists(st.sampled_from([True, True, False]), min_size=len(steps), max_size=len(steps))
    )
    return steps, lost, asked


@given(markets(), st.sampled_from(["1", "3"]))
def test_candles_of_any_ticks_are_those_of_the_exchange_each_told_once(market, interval):
    steps, lost, asked = market
    truth = Truth([(HOUR - 40 * MINUTE, "1.00"), *steps])
    series, told, running = CandleSeries(interval), [], None
    away = False
    for number, (moment, price) in enumerate(steps):
        if any(first <= number < after for first, after in lost):
            if not away:
                series.forget()
            away = True
            continue
        away = False
        rows = series.tick(moment, price)
        # The exchange is asked when it is wanted and the test is in the mood.
        if asked[number] and (count := series.wanted(0)):
            supply = series.supply(truth.rest(interval, moment, count), moment)
            assert series.lost is None
            rows = [*rows, *supply.missed, *supply.rows]
        for row in rows:
            assert closed(row) == truth.row(interval, row["start"], moment)
            assert row["end"] == candle_end(interval, row["start"]) - 1
        told += [row["start"] for row in rows if row["confirm"]]
        running = series.row()
        if running is not None:
            assert closed(running) == truth.row(interval, running["start"], moment)
    assert len(told) == len(set(told))
    if series.whole and series.hole_ms is None and told:
        # Nothing between the first candle that was told and the running one is left out.
        expected, start = [], min(told)
        while start < running["start"]:
            expected.append(start)
            start = candle_end(interval, start)
        assert sorted(told) == expected
