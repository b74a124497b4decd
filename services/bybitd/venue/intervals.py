"""When candles begin and end (Bybit V5, "Enums Definitions", interval): everything is UTC, a week
begins on Monday, and an interval of minutes divides the day. Times are Unix ms. Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
WEEK_MS: Final = 7 * DAY_MS
# So long after its end a row of the exchange is taken as final; REST may lag behind its streams.
FINAL_MS: Final = 2_000
_FIRST_MONDAY_MS: Final = 4 * DAY_MS  # 1970-01-05


def candle_start(interval: str, at_ms: int) -> int:
    """Return the first ms of the candle that holds `at_ms`."""
    if interval == "M":
        day = datetime.fromtimestamp(at_ms // 1000, UTC)
        return _first_of_month_ms(day.year, day.month)
    if interval == "W":
        return (at_ms - _FIRST_MONDAY_MS) // WEEK_MS * WEEK_MS + _FIRST_MONDAY_MS
    length = DAY_MS if interval == "D" else int(interval) * MINUTE_MS
    return at_ms // length * length


def candle_end(interval: str, start_ms: int) -> int:
    """Return the first ms after the candle that begins at `start_ms`."""
    if interval == "M":
        day = datetime.fromtimestamp(start_ms // 1000, UTC)
        return _first_of_month_ms(day.year + day.month // 12, day.month % 12 + 1)
    if interval == "W":
        return start_ms + WEEK_MS
    return start_ms + (DAY_MS if interval == "D" else int(interval) * MINUTE_MS)


def _first_of_month_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000
