"""Candles of one market: watched minutes, and the fair price where nobody watched.

A market that nobody looks at does not trade, so its past is told by the fair price, which is known
for every moment. Longer intervals are merged from minutes. Sources: Bybit V5, Get Kline.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from bybitd.venue.intervals import MINUTE_MS, candle_end

_MINUTES_KEPT = 720
_SAMPLES = 8


@dataclass(slots=True)
class Candle:
    """Prices in ticks, volume in lots; `turnover` is the sum of ticks x lots (inverse: lots/tick).

    `last_ms` is the time of the last trade in it.
    """

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    turnover: Decimal
    last_ms: int


class Candles:
    """The candle history of one market.

    `fair` gives the fair price in ticks at a time, `lots_per_minute` the volume to tell of minutes
    that were not watched.
    """

    def __init__(
        self, fair: Callable[[float], float], lots_per_minute: int, *, inverse: bool
    ) -> None:
        self._fair = fair
        self._lots_per_minute = lots_per_minute
        self._inverse = inverse
        self._minutes: dict[int, Candle] = {}
        self._watched = -1

    def watch(self, at_ms: int, *, woke: bool = False) -> None:
        """See to it that the minute of `at_ms` has a candle: the market is being watched.

        A watched minute without a trade is flat; the one in which the market `woke` begins with
        what the fair price did until then.
        """
        minute = at_ms // MINUTE_MS
        if minute == self._watched and not woke:
            return
        if woke:
            start = minute * MINUTE_MS
            if start not in self._minutes:
                self._keep(self._unwatched(start, at_ms + 1))
        else:
            close = self._minutes[self._watched * MINUTE_MS].close
            for missing in range(max(self._watched + 1, minute - _MINUTES_KEPT), minute + 1):
                start = missing * MINUTE_MS
                self._keep(Candle(start, close, close, close, close, 0, Decimal(0), start))
        self._watched = minute

    def trade(self, tick: int, lots: int, at_ms: int) -> None:
        """Count a trade into its minute, which must be watched."""
        self.watch(at_ms)
        candle = self._minutes[at_ms // MINUTE_MS * MINUTE_MS]
        candle.high = max(candle.high, tick)
        candle.low = min(candle.low, tick)
        candle.close = tick
        candle.lots += lots
        candle.turnover += self._value(lots, tick)
        candle.last_ms = at_ms

    def price(self, at_ms: int) -> int:
        """Give the price (ticks) at which the market stood at a time."""
        candle = self._minutes.get(at_ms // MINUTE_MS * MINUTE_MS)
        return candle.close if candle else max(1, round(self._fair(at_ms)))

    def candle(self, interval: str, start_ms: int, now_ms: int) -> Candle:
        """Give the candle of an interval as it stands at `now_ms`."""
        return self.span(start_ms, min(candle_end(interval, start_ms), now_ms + 1))

    def span(self, start_ms: int, end_ms: int) -> Candle:
        """Merge everything from `start_ms` (a full minute) up to `end_ms` (excluded)."""
        watched = self._within(start_ms, end_ms)
        if not watched:
            return self._unwatched(start_ms, end_ms)
        pieces = watched
        if watched[0].start_ms > start_ms:
            pieces = [self._unwatched(start_ms, watched[0].start_ms), *pieces]
        if (tail := watched[-1].start_ms + MINUTE_MS) < end_ms:
            pieces = [*pieces, self._unwatched(tail, end_ms)]
        return Candle(
            start_ms,
            pieces[0].open,
            max(piece.high for piece in pieces),
            min(piece.low for piece in pieces),
            pieces[-1].close,
            sum(piece.lots for piece in pieces),
            sum((piece.turnover for piece in pieces), Decimal(0)),
            pieces[-1].last_ms,
        )

    def _keep(self, candle: Candle) -> None:
        self._minutes[candle.start_ms] = candle
        if len(self._minutes) > _MINUTES_KEPT:
            del self._minutes[next(iter(self._minutes))]

    def _within(self, start_ms: int, end_ms: int) -> list[Candle]:
        if end_ms - start_ms <= MINUTE_MS:
            candle = self._minutes.get(start_ms)
            return [candle] if candle else []
        return [c for c in self._minutes.values() if start_ms <= c.start_ms < end_ms]

    def _unwatched(self, start_ms: int, end_ms: int) -> Candle:
        step = max(1, (end_ms - 1 - start_ms) / _SAMPLES)
        path = [max(1, round(self._fair(start_ms + n * step))) for n in range(_SAMPLES + 1)]
        lots = self._lots_per_minute * max(1, (end_ms - start_ms) // MINUTE_MS)
        return Candle(
            start_ms,
            path[0],
            max(path),
            min(path),
            path[-1],
            lots,
            self._value(lots, (path[0] + path[-1] + 1) // 2),
            end_ms - 1,
        )

    def _value(self, lots: int, tick: int) -> Decimal:
        return Decimal(lots) / tick if self._inverse else Decimal(lots * tick)
