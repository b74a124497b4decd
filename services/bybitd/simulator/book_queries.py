"""The order books over REST: `/v5/market/orderbook`, `rpi_orderbook` and `full_orderbook`.

While subscribers hold the depth that an answer is cut from, it shows the state of the update id
that they hold (Bybit V5, Get Orderbook; Get RPI Orderbook; Get Full
Orderbook).
"""

from collections.abc import Callable, Mapping
from typing import Any

from bybitd.simulator.depth import DepthView
from bybitd.simulator.full_book_topic import LEVELS
from bybitd.simulator.instruments import Instrument
from bybitd.simulator.market import Market
from bybitd.simulator.markets import Markets
from bybitd.simulator.parameters import instrument_of, page_of
from bybitd.simulator.refusal import parameter_error

Params = Mapping[str, str]
_MOST_RPI = 50


class BookQueries:
    """Answers books. `rendered` tells whether `orderbook.<kind>` of an instrument is pushed."""

    def __init__(self, markets: Markets, rendered: Callable[[Instrument, str], bool]) -> None:
        self._markets = markets
        self._rendered = rendered
        self.routes: dict[str, Callable[[Params, int], dict[str, Any]]] = {
            "/v5/market/orderbook": self._orderbook,
            "/v5/market/rpi_orderbook": self._rpi_orderbook,
            "/v5/market/full_orderbook": self._full_orderbook,
        }

    def _orderbook(self, params: Params, now_ms: int) -> dict[str, Any]:
        it = instrument_of(self._markets, params)
        option = it.category == "option"
        default = 25 if it.category in ("linear", "inverse") else 1
        limit, _ = page_of(params, default, 25 if option else 1000)
        depth = 100 if option else 1000
        market = self._markets.of(it)
        return self.book(market, str(depth), market.view(depth), limit, now_ms)

    def _rpi_orderbook(self, params: Params, now_ms: int) -> dict[str, Any]:
        it = instrument_of(self._markets, {"category": "linear", **params})
        limit = params.get("limit") or ""
        if it.category == "option" or not limit.isdigit() or not 1 <= int(limit) <= _MOST_RPI:
            raise parameter_error("params error: limit or category invalid")
        market = self._markets.of(it)
        return self.book(market, "rpi", market.rpi_view(), int(limit), now_ms)

    def _full_orderbook(self, params: Params, now_ms: int) -> dict[str, Any]:
        it = instrument_of(self._markets, params)
        if it.category == "option":
            raise parameter_error("params error: category invalid")
        market = self._markets.of(it)
        return self.book(market, "full", market.view(LEVELS), LEVELS, now_ms)

    def book(
        self, market: Market, kind: str, view: DepthView, limit: int, now_ms: int
    ) -> dict[str, Any]:
        """Answer the best `limit` levels of a view."""
        it = market.instrument
        market.advance(now_ms)
        if not self._rendered(it, kind):
            view.refresh(market.seq, market.changed_ms)
        bids, asks = view.snapshot(it.price, it.size, limit)
        return {
            "s": it.symbol,
            "b": bids,
            "a": asks,
            "ts": now_ms,
            "u": view.u,
            "seq": view.seq,
            "cts": view.changed_ms,
        }
