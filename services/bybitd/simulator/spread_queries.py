"""The public GETs under `/v5/spread` (Bybit V5, Spread Trading, Market)."""

from collections.abc import Callable, Mapping
from typing import Any

from bybitd.simulator.book_queries import BookQueries
from bybitd.simulator.instruments import SPREAD, Instrument
from bybitd.simulator.market import Market, Trade, side_name
from bybitd.simulator.markets import Markets
from bybitd.simulator.parameters import cursor_to, page_of
from bybitd.simulator.refusal import parameter_error
from bybitd.simulator.tickers import TickerSource

Params = Mapping[str, str]
_DEPTH = 25
_MOST_TRADES = 1_000


class SpreadQueries:
    """Answers the public GETs on spreads; `rendered` is for books."""

    def __init__(self, markets: Markets, rendered: Callable[[Instrument, str], bool]) -> None:
        self._markets = markets
        self._books = BookQueries(markets, rendered)
        self.routes: dict[str, Callable[[Params, int], dict[str, Any]]] = {
            "/v5/spread/instrument": self._instruments,
            "/v5/spread/orderbook": self._orderbook,
            "/v5/spread/tickers": self._ticker,
            "/v5/spread/recent-trade": self._recent_trades,
        }

    def _market(self, params: Params, now_ms: int) -> Market:
        symbol = params.get("symbol", "")
        market = self._markets.find(SPREAD, symbol)
        if market is None:
            raise parameter_error(f"params error: symbol invalid {symbol}".strip())
        market.advance(now_ms)
        return market

    def _instruments(self, params: Params, now_ms: int) -> dict[str, Any]:
        limit, after = page_of(params, 200, 500)
        symbol, base = params.get("symbol"), params.get("baseCoin")
        rows = [
            it.row()
            for it in self._markets.instruments.get(SPREAD, {}).values()
            if (not symbol or it.symbol == symbol) and (not base or it.base == base)
        ]
        cursor = cursor_to(after + limit) if len(rows) > after + limit else ""
        return {"list": rows[after : after + limit], "nextPageCursor": cursor}

    def _orderbook(self, params: Params, now_ms: int) -> dict[str, Any]:
        limit, _ = page_of(params, 1, _DEPTH)
        market = self._market(params, now_ms)
        return self._books.book(market, str(_DEPTH), market.view(_DEPTH), limit, now_ms)

    def _ticker(self, params: Params, now_ms: int) -> dict[str, Any]:
        market = self._market(params, now_ms)
        return {"list": [TickerSource(market).rest_row(now_ms)]}

    def _recent_trades(self, params: Params, now_ms: int) -> dict[str, Any]:
        limit, _ = page_of(params, 500, _MOST_TRADES)
        market = self._market(params, now_ms)
        trades = list(market.tape)[-limit:]
        return {"list": [_trade_row(market, trade) for trade in reversed(trades)]}


def _trade_row(market: Market, trade: Trade) -> dict[str, str]:
    it = market.instrument
    return {
        "execId": trade.id,
        "symbol": it.symbol,
        "price": it.price.text(trade.tick),
        "size": it.size.text(trade.lots),
        "side": side_name(trade.side),
        "time": str(trade.at_ms),
        "seq": str(trade.seq),
    }
