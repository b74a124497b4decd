"""Candles of a price that is known from a stream of ticks, and from REST where no tick was heard.

A tick says which price holds from its moment on. A candle is whole when all of its prices are
known: when ticks have come without a break since before it began, or when a row of the exchange
tells what was before the first of them. Only whole candles leave this place.

A candle opens with the price that held when it began, the close of the one before it, as those of
the exchange do. It is over when a tick is of a later period, or when the exchange itself says so
in a row that it sent after the end. Pure; times are Unix ms of the exchange, prices are decimal
strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from bybitd.venue.intervals import FINAL_MS, candle_end, candle_start

Row = dict[str, Any]


@dataclass(slots=True)
class _Candle:
    start_ms: int
    end_ms: int  # the first ms after it
    open: str
    high: str
    low: str
    close: str
    last_ms: int
    whole: bool

    def take(self, price: str) -> None:
        """Let a price hold."""
        self.close = price
        self.widen(price, price)

    def widen(self, high: str, low: str) -> None:
        """See to it that the extremes hold these."""
        if Decimal(high) > Decimal(self.high):
            self.high = high
        if Decimal(low) < Decimal(self.low):
            self.low = low


class _Prices(NamedTuple):
    open: str
    high: str
    low: str
    close: str


class Supply(NamedTuple):
    """What a REST answer brought: rows that had been `missed`, oldest first, and `rows` that go on
    with them.
    """

    missed: list[Row]
    rows: list[Row]


class CandleSeries:
    """The candles of one price and interval.

    `breaks` counts how often ticks were missed: what was asked for before a break is of no use
    after it. `hole_ms` is the start of the first candle that readers still have to be told of
    after a break, None where there is none; `lost` is the span (from, to: Unix ms) of those in the
    last hole that the exchange has no more.
    """

    __slots__ = ("_interval", "_running", "_since_ms", "_untold_ms", "breaks", "hole_ms", "lost")

    def __init__(self, interval: str) -> None:
        self.breaks = 0
        self.hole_ms: int | None = None
        self.lost: tuple[int, int] | None = None
        self._interval = interval
        self._running: _Candle | None = None
        self._since_ms = 0
        self._untold_ms: int | None = None  # the first candle whose close was not told

    @property
    def idle(self) -> bool:
        """Whether no tick has come since the last break."""
        return self._running is None

    @property
    def whole(self) -> bool:
        """Whether the running candle can be vouched for."""
        return self._running is not None and self._running.whole

    def tick(self, ts_ms: int, price: str | None) -> list[Row]:
        """Take a sign that the price is known at a moment (None: it is what it was); return the
        rows that say what is new. A tick from the past counts as of now: it came later.

        Raises:
            TypeError: it is no price, or no moment.
        """
        running = self._running
        if price is not None and (running is None or price != running.close):
            _check(price)
        if running is None:
            if price is not None:
                self._running = self._begin(candle_start(self._interval, ts_ms), price, ts_ms)
                self._since_ms = ts_ms
            return []
        rows = []
        if ts_ms >= running.end_ms:
            if ts_ms >= candle_end(self._interval, running.end_ms):
                self.forget()  # a whole period without a tick is no stream any more
                return self.tick(ts_ms, running.close if price is None else price)
            if running.whole:
                rows.append(self._row(running, confirm=True))
            running = self._roll(running)
        changed = bool(rows)
        if price is not None and price != running.close:
            running.take(price)
            changed = True
        running.last_ms = max(running.last_ms, ts_ms)
        if changed and running.whole:
            rows.append(self._row(running))
        return rows

    def row(self) -> Row | None:
        """Return the running candle, None while it can not be vouched for."""
        running = self._running
        return self._row(running) if running is not None and running.whole else None

    def forget(self) -> None:
        """Note that ticks are being missed from now on."""
        if self._untold_ms is not None and self.hole_ms is None:
            self.hole_ms = self._untold_ms
            self.lost = None
        self._running = None
        self.breaks += 1

    def wanted(self, silent_ms: int) -> int:
        """Return how many of the newest rows the exchange is to be asked for, 0 for none.
        `silent_ms` is how long ago the last tick came.
        """
        running = self._running
        if running is None:
            return 0  # an answer can only be joined to ticks
        if self.hole_ms is not None:
            return 2 + self._count(self.hole_ms, running.start_ms)
        quiet = running.last_ms + silent_ms >= running.end_ms + FINAL_MS
        return 2 if quiet or not running.whole else 0

    def supply(self, answer: Iterable[Sequence[str]], time_ms: int) -> Supply:
        """Take rows of the exchange, `[start, open, high, low, close]`, as of `time_ms`.

        They must have been asked for after the first tick since the last break, so that nothing
        lies between them and the ticks.

        Raises:
            TypeError, ValueError, LookupError: they are no such rows.
        """
        told = {int(row[0]): _Prices(*map(_check, row[1:5])) for row in answer}
        running = self._running
        if running is None or time_ms < self._since_ms:
            return Supply([], [])
        missed = self._missed(told, running.start_ms, time_ms)
        rows, joined = [], False
        while (prices := told.get(running.start_ms)) is not None:
            joined = True
            self._join(running, prices, time_ms)
            # Ticks close a candle; where they may still come, the exchange's row need not.
            if time_ms < running.end_ms + FINAL_MS:
                break
            rows.append(self._row(running, confirm=True))
            running = self._roll(running)
        if joined:
            rows.append(self._row(running))
        return Supply(missed, rows)

    def _missed(self, told: dict[int, _Prices], until_ms: int, time_ms: int) -> list[Row]:
        """Return the closed candles of the hole, and move its edge behind them."""
        edge = self.hole_ms
        if edge is None:
            return []
        rows = []
        for start in sorted(told):
            end = candle_end(self._interval, start)
            if start < edge or start >= until_ms or time_ms < end + FINAL_MS:
                continue
            if start > edge:
                self.lost = (self.lost[0] if self.lost else edge, start)
            candle = _Candle(start, end, *told[start], end - 1, True)
            rows.append(self._row(candle, confirm=True))
            edge = end
        self.hole_ms = None if edge >= until_ms else edge
        return rows

    def _join(self, running: _Candle, prices: _Prices, time_ms: int) -> None:
        if not running.whole:
            running.open = prices.open
        running.widen(prices.high, prices.low)
        if time_ms > running.last_ms:
            running.close = prices.close
            running.last_ms = min(time_ms, running.end_ms - 1)
        running.whole = True

    def _begin(self, start_ms: int, price: str, at_ms: int, *, whole: bool = False) -> _Candle:
        end_ms = candle_end(self._interval, start_ms)
        return _Candle(start_ms, end_ms, price, price, price, price, at_ms, whole)

    def _roll(self, over: _Candle) -> _Candle:
        """Begin the next candle. Ticks have come since before its start, so it is whole."""
        self._running = self._begin(over.end_ms, over.close, over.end_ms, whole=True)
        return self._running

    def _count(self, first_ms: int, until_ms: int) -> int:
        count = 0
        while first_ms < until_ms and count < 1_000:
            first_ms = candle_end(self._interval, first_ms)
            count += 1
        return count

    def _row(self, candle: _Candle, *, confirm: bool = False) -> Row:
        told_ms = candle.end_ms if confirm else candle.start_ms
        self._untold_ms = max(self._untold_ms or 0, told_ms)
        return {
            "start": candle.start_ms,
            "end": candle.end_ms - 1,
            "interval": self._interval,
            "open": candle.open,
            "close": candle.close,
            "high": candle.high,
            "low": candle.low,
            "confirm": confirm,
            "timestamp": candle.last_ms,
        }


def _check(price: str) -> str:
    try:
        if isinstance(price, str) and Decimal(price).is_finite():
            return price
    except InvalidOperation:
        pass
    raise TypeError(f"{price!r} is no price")
