from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.venue.klines import KlineRecord
from bybitd.venue.outcome import APPLIED, DUPLICATE, Result

MINUTE = 60_000
HOUR = 1_752_998_400_000


def message(minute: int, *, confirm: bool = False) -> dict[str, Any]:
    start = HOUR + minute * MINUTE
    candle = {"start": start, "end": start + MINUTE - 1, "confirm": confirm, "close": "1"}
    return {"topic": "kline.1.X", "data": [candle], "ts": start}


def rest(*minutes: int) -> list[list[str]]:
    return [
        [str(HOUR + minute * MINUTE), "1", "4", "0.5", "2", "10", "20"]
        for minute in sorted(minutes, reverse=True)
    ]


def after(minute: int, ms: int = 2_000) -> int:
    """A moment when the candle of a minute is final."""
    return HOUR + (minute + 1) * MINUTE + ms


def minutes(rows: list[dict[str, Any]]) -> list[int]:
    return [(row["start"] - HOUR) // MINUTE for row in rows]


def cut(minute: int, *, confirm: bool = False) -> KlineRecord:
    record = KlineRecord("1")
    assert record.apply(message(minute, confirm=confirm)) is APPLIED
    record.drop()
    assert record.message() is None
    return record


def test_the_closes_that_fell_into_a_cut_are_made_good_oldest_first() -> None:
    record = cut(5)
    rows = record.mend(rest(4, 5, 6, 7, 8), after(7))
    assert minutes(rows) == [5, 6, 7]
    assert rows[0] == {
        "start": HOUR + 5 * MINUTE,
        "end": HOUR + 6 * MINUTE - 1,
        "interval": "1",
        "open": "1",
        "close": "2",
        "high": "4",
        "low": "0.5",
        "volume": "10",
        "turnover": "20",
        "confirm": True,
    }
    assert (record.hole_ms, record.lost) == (None, None)


def test_a_candle_that_was_closed_before_the_cut_is_not_told_again() -> None:
    assert minutes(cut(5, confirm=True).mend(rest(5, 6, 7), after(6))) == [6]


def test_a_cut_within_one_candle_costs_nothing() -> None:
    record = cut(5)
    assert record.mend(rest(5), HOUR + 5 * MINUTE + 59_999) == []
    assert record.hole_ms is None


def test_a_row_that_may_not_be_final_is_asked_for_again() -> None:
    record = cut(5)
    assert minutes(record.mend(rest(5, 6, 7), after(6, 1_999))) == [5]
    assert record.hole_ms == HOUR + 6 * MINUTE
    assert minutes(record.mend(rest(6, 7), after(6))) == [6]
    assert record.hole_ms is None


def test_a_close_comes_once_whether_live_or_by_rest_first() -> None:
    record = cut(5)
    record.apply(message(6, confirm=True))
    assert minutes(record.mend(rest(5, 6, 7, 8), after(7))) == [5, 7]
    assert record.apply(message(7, confirm=True)) is DUPLICATE
    assert record.apply(message(8)) is APPLIED
    assert record.message() == message(8)


def test_what_the_exchange_has_no_more_is_named() -> None:
    record = cut(5)
    assert minutes(record.mend(rest(8, 9, 10), after(9))) == [8, 9]
    assert record.lost == (HOUR + 5 * MINUTE, HOUR + 8 * MINUTE)
    record.apply(message(10))
    record.drop()
    assert record.lost is None


def test_more_than_one_page_is_asked_for_from_where_the_last_one_ended() -> None:
    record = cut(0)
    assert minutes(record.mend(rest(0, 1, 2), after(5))) == [0, 1, 2]
    assert record.hole_ms == HOUR + 3 * MINUTE
    assert minutes(record.mend(rest(3, 4, 5), after(5))) == [3, 4, 5]
    assert record.hole_ms is None


def test_without_a_candle_before_the_cut_nothing_is_made_good() -> None:
    record = KlineRecord("1")
    record.drop()
    assert record.hole_ms is None
    assert record.mend(rest(1, 2), after(5)) == []


@pytest.mark.parametrize("data", [None, [], {}, [None], [{"start": "x", "confirm": True}], [{}]])
def test_a_message_without_a_candle_is_malformed(data: Any) -> None:
    record = KlineRecord("1")
    record.apply(message(1))
    assert record.apply({"data": data}).result is Result.MALFORMED
    assert record.message() is None


@given(
    st.lists(st.sampled_from(["pass", "cut", "back", "fill"]), max_size=60),
    st.integers(0, 59),
)
def test_every_close_is_told_once_however_cuts_fall(steps: list[str], offset: int) -> None:
    record, told, up = KlineRecord("1"), list[int](), True
    now = HOUR + offset * 1_000
    record.apply(message(0))

    def fill() -> None:
        if up and record.hole_ms is not None:
            first, last = (record.hole_ms - HOUR) // MINUTE, (now - HOUR) // MINUTE
            told.extend(minutes(record.mend(rest(*range(first, last + 1)), now)))

    for step in [*steps, "back", "pass", "fill", "pass", "fill"]:
        if step == "pass":
            minute = (now - HOUR) // MINUTE
            now += 25_000
            if up and (now - HOUR) // MINUTE > minute:
                if record.apply(message(minute, confirm=True)).publish:
                    told.append(minute)
                record.apply(message(minute + 1))
        elif step == "cut" and up:
            up = False
            record.drop()
        elif step == "back":
            up = True
        elif step == "fill":
            fill()
    assert len(told) == len(set(told))
    if record.hole_ms is None:
        assert sorted(told) == list(range((now - HOUR) // MINUTE))
