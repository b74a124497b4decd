"""Candles of the mark and the index price of one instrument (Bybit V5, Get Mark Price Kline).

Both prices are computed once a second and hold until the next, and the ticker shows each of them,
so that a candle here is the one that its readers can build: it opens with the price that held when
it began. What nobody asked about for hours is told from a few moments only.
"""

from collections.abc import Callable, Iterable

from bybitd.venue.intervals import MINUTE_MS, candle_end

_SECOND_MS = 1_000
_EXACT_MS = 180 * MINUTE_MS
_MINUTES_KEPT = 1_500
_SAMPLES = 8
Prices = tuple[float, float, float, float]  # open, high, low, close


class PriceCandles:
    """Candles of one price; `price` gives it at a full second (Unix ms)."""

    def __init__(self, price: Callable[[int], float]) -> None:
        self._price = price
        self._minutes: dict[int, Prices] = {}

    def candle(self, interval: str, start_ms: int, now_ms: int) -> Prices:
        """Give the candle that begins at `start_ms` as it stands at `now_ms`."""
        after_ms = min(candle_end(interval, start_ms), now_ms // _SECOND_MS * _SECOND_MS + 1)
        exact_ms = max(start_ms, (now_ms - _EXACT_MS) // MINUTE_MS * MINUTE_MS)
        pieces = []
        if start_ms < exact_ms:
            coarse_ms = min(exact_ms, after_ms)
            pieces.append(self._few(start_ms, coarse_ms))
            pieces += [
                prices for at_ms, prices in self._minutes.items() if start_ms <= at_ms < coarse_ms
            ]
        pieces += [self._minute(at_ms, after_ms) for at_ms in range(exact_ms, after_ms, MINUTE_MS)]
        highs, lows = [piece[1] for piece in pieces], [piece[2] for piece in pieces]
        last = pieces[-1] if exact_ms < after_ms else pieces[0]
        return pieces[0][0], max(highs), min(lows), last[3]

    def _minute(self, start_ms: int, after_ms: int) -> Prices:
        known = self._minutes.get(start_ms)
        if known is not None:
            return known
        end_ms = start_ms + MINUTE_MS
        prices = self._at(range(start_ms - _SECOND_MS, min(end_ms, after_ms), _SECOND_MS))
        if end_ms <= after_ms:
            self._minutes[start_ms] = prices
            if len(self._minutes) > _MINUTES_KEPT:
                del self._minutes[next(iter(self._minutes))]
        return prices

    def _few(self, start_ms: int, end_ms: int) -> Prices:
        seconds = (end_ms - start_ms) // _SECOND_MS
        return self._at(
            start_ms + (seconds * n // _SAMPLES - 1) * _SECOND_MS for n in range(_SAMPLES + 1)
        )

    def _at(self, moments: Iterable[int]) -> Prices:
        path = [self._price(at_ms) for at_ms in moments]
        return path[0], max(path), min(path), path[-1]
