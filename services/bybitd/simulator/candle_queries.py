"""The candles over REST: `/v5/market/kline`, `mark-price-kline` and `index-price-kline` (Bybit V5,
Get Kline; Get Mark Price Kline; Get Index Price Kline).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bybitd.simulator.instruments import Instrument
from bybitd.simulator.market_rows import candle_texts
from bybitd.simulator.markets import Markets
from bybitd.simulator.parameters import instrument_of, page_of, time_of
from bybitd.simulator.price_candles import PriceCandles
from bybitd.simulator.refusal import parameter_error
from bybitd.venue.enums import KLINE_INTERVALS
from bybitd.venue.intervals import candle_end, candle_start

Params = Mapping[str, str]
_MOST = 1_000
_MOST_OPTION = 500


class CandleQueries:
    """Answers candles, newest first; the first may be the running one."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._prices: dict[tuple[Instrument, str], PriceCandles] = {}
        self.routes: dict[str, Callable[[Params, int], dict[str, Any]]] = {
            "/v5/market/kline": self._kline,
            "/v5/market/mark-price-kline": self._mark_kline,
            "/v5/market/index-price-kline": self._index_kline,
        }

    def _kline(self, params: Params, now_ms: int) -> dict[str, Any]:
        it = self._instrument(params, ("spot", "linear", "inverse"))
        market = self._markets.of(it)
        market.advance(now_ms)
        interval = params.get("interval", "")
        rows = [
            [str(start), *candle_texts(it, market.candles.candle(interval, start, now_ms))]
            for start in _starts(params, now_ms, _MOST)
        ]
        return {"symbol": it.symbol, "category": it.category, "list": rows}

    def _mark_kline(self, params: Params, now_ms: int) -> dict[str, Any]:
        it = self._instrument(params, ("linear", "inverse", "option"))
        market = self._markets.of(it)
        return self._price_kline(it, "mark", market.fair_mark, market.mark_text, params, now_ms)

    def _index_kline(self, params: Params, now_ms: int) -> dict[str, Any]:
        it = self._instrument(params, ("linear", "inverse"))
        market = self._markets.of(it)
        return self._price_kline(it, "index", market.fair_index, market.index_text, params, now_ms)

    def _price_kline(
        self,
        it: Instrument,
        kind: str,
        price: Callable[[int], float],
        text: Callable[[float], str],
        params: Params,
        now_ms: int,
    ) -> dict[str, Any]:
        candles = self._prices.get((it, kind))
        if candles is None:
            candles = self._prices[it, kind] = PriceCandles(price)
        most = _MOST_OPTION if it.category == "option" else _MOST
        interval = params.get("interval", "")
        rows = [
            [str(start), *map(text, candles.candle(interval, start, now_ms))]
            for start in _starts(params, now_ms, most)
        ]
        return {"symbol": it.symbol, "category": it.category, "list": rows}

    def _instrument(self, params: Params, categories: tuple[str, ...]) -> Instrument:
        it = instrument_of(self._markets, {"category": "linear", **params})
        if it.category not in categories:
            raise parameter_error("params error: category invalid")
        return it


def _starts(params: Params, now_ms: int, most: int) -> Iterator[int]:
    """Walk the starts of the wanted candles, newest first."""
    interval = params.get("interval", "")
    if interval not in KLINE_INTERVALS:
        raise parameter_error("params error: interval invalid")
    limit, _ = page_of({"limit": params.get("limit", "")}, 200, most)
    first = time_of(params, "start")
    last = time_of(params, "end")
    newest = now_ms if last is None else min(last, now_ms)
    if first is not None and last is None:
        newest = min(newest, _after(interval, first, limit))
    start = candle_start(interval, newest)
    for _ in range(limit):
        if start < max(first or 0, 1):
            return
        yield start
        start = candle_start(interval, start - 1)


def _after(interval: str, first_ms: int, count: int) -> int:
    """Give the start of the `count`th candle from `first_ms` on."""
    start = candle_start(interval, first_ms)
    if start < first_ms:
        count += 1
    for _ in range(count - 1):
        start = candle_end(interval, start)
    return start
