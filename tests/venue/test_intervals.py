from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.venue.enums import KLINE_INTERVALS
from bybitd.venue.intervals import candle_end, candle_start


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("interval", "at", "start", "end"),
    [
        ("1", "2025-07-20T08:00:59", "2025-07-20T08:00", "2025-07-20T08:01"),
        ("240", "2025-07-20T11:59", "2025-07-20T08:00", "2025-07-20T12:00"),
        ("720", "2025-07-20T12:00", "2025-07-20T12:00", "2025-07-21T00:00"),
        ("D", "2025-07-20T08:00", "2025-07-20T00:00", "2025-07-21T00:00"),
        ("W", "2025-07-20T23:59", "2025-07-14T00:00", "2025-07-21T00:00"),
        ("W", "2025-07-21T00:00", "2025-07-21T00:00", "2025-07-28T00:00"),
        ("M", "2025-07-20T08:00", "2025-07-01T00:00", "2025-08-01T00:00"),
        ("M", "2024-02-29T08:00", "2024-02-01T00:00", "2024-03-01T00:00"),
        ("M", "2025-12-31T23:59", "2025-12-01T00:00", "2026-01-01T00:00"),
    ],
)
def test_candles_begin_where_those_of_the_exchange_do(
    interval: str, at: str, start: str, end: str
) -> None:
    assert candle_start(interval, ms(at)) == ms(start)
    assert candle_end(interval, ms(start)) == ms(end)


@given(st.sampled_from(KLINE_INTERVALS), st.integers(min_value=0, max_value=4_000_000_000_000))
def test_every_interval_tiles_time(interval: str, at_ms: int) -> None:
    start = candle_start(interval, at_ms)
    end = candle_end(interval, start)
    assert start <= at_ms < end
    assert candle_start(interval, end) == end
    assert candle_start(interval, end - 1) == start
