"""`kline.<interval>.<symbol>`, and how its holes are mended (Bybit V5, "Kline", "Get Kline").

Every message is the whole running candle, so a cut costs only the closes that fell into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bybitd.venue.intervals import FINAL_MS, candle_end, candle_start
from bybitd.venue.outcome import APPLIED, DUPLICATE, Outcome, malformed

Row = dict[str, Any]


class KlineRecord:
    """The running candle, and which closes were missed.

    `breaks` counts how often closes may have been missed; `hole_ms` is the start of the first
    candle whose close has to be made good (Unix ms), None where there is none; `lost` is the span
    (from, to) of those in the last hole that the exchange has no more.
    """

    __slots__ = (
        "_confirmed",
        "_edge_ms",
        "_interval",
        "_last",
        "_open_ms",
        "breaks",
        "hole_ms",
        "lost",
    )

    def __init__(self, interval: str) -> None:
        self.breaks = 0
        self.hole_ms: int | None = None
        self.lost: tuple[int, int] | None = None
        self._interval = interval
        self._last: Row | None = None
        self._confirmed: set[int] = set()  # closes that came live while the hole is open
        self._open_ms: int | None = None  # the first candle whose close was not told
        self._edge_ms = 0  # what begins before was closed by REST already

    def apply(self, message: Row) -> Outcome:
        """Keep the message. The close of a candle that was published as filled is old news."""
        try:
            candle = message["data"][0]
            start, confirm = candle["start"], candle["confirm"]
            if start < self._edge_ms:
                return DUPLICATE
            if confirm and self.hole_ms is not None:
                self._confirmed.add(start)
            self._open_ms = candle_end(self._interval, start) if confirm else start
        except (LookupError, TypeError) as error:
            self.drop()
            return malformed(error)
        self._last = message
        return APPLIED

    def message(self) -> Row | None:
        """Return the last message, None before the first."""
        return None if self._last is None else dict(self._last)

    def drop(self) -> None:
        """Forget the candle: the connection has gone."""
        self.interrupt()
        self._last = None

    def interrupt(self) -> None:
        """Note that closes may be missed from now on."""
        self.breaks += 1
        if self._open_ms is not None and self.hole_ms is None:
            self.hole_ms = self._open_ms
            self.lost = None
            self._confirmed = set()

    def mend(self, answer: Iterable[Sequence[str]], time_ms: int) -> list[Row]:
        """Take rows of REST as of `time_ms`; return the closed candles that were missed, oldest
        first. They must have been asked for when the topic was subscribed again: what closes later
        is told live. The hole stays open while a row is not final.

        Raises:
            LookupError, TypeError, ValueError: they are no such rows.
        """
        edge, until_ms = self.hole_ms, candle_start(self._interval, time_ms)
        if edge is None:
            return []
        told = {int(row[0]): row for row in answer}
        rows = []
        for start in sorted(told):
            end = candle_end(self._interval, start)
            if start < edge or time_ms < end + FINAL_MS:
                continue
            if start > edge:
                self.lost = (self.lost[0] if self.lost else edge, start)
            if start not in self._confirmed:
                rows.append(self._row(start, end, told[start]))
            edge = end
        self.hole_ms = None if edge >= until_ms else edge
        self._edge_ms = max(self._edge_ms, edge)
        self._open_ms = max(self._open_ms or 0, edge)
        return rows

    def _row(self, start_ms: int, end_ms: int, row: Sequence[str]) -> Row:
        opened, high, low, close, volume, turnover = row[1:7]
        return {
            "start": start_ms,
            "end": end_ms - 1,
            "interval": self._interval,
            "open": opened,
            "close": close,
            "high": high,
            "low": low,
            "volume": volume,
            "turnover": turnover,
            "confirm": True,
        }
