"""The public GETs under `/v5/market` (Bybit V5, Market)."""

from collections.abc import Callable, Mapping
from typing import Any

from bybitd.simulator.book_queries import BookQueries
from bybitd.simulator.candle_queries import CandleQueries
from bybitd.simulator.fair_value import FUNDING_INTERVAL_MS
from bybitd.simulator.instruments import Instrument, plain
from bybitd.simulator.market import Market, Trade, side_name
from bybitd.simulator.markets import Markets
from bybitd.simulator.parameters import (
    category_of,
    cursor_to,
    instrument_of,
    page_of,
    time_of,
)
from bybitd.simulator.pool_queries import PoolQueries
from bybitd.simulator.price_limit_topic import limit_texts
from bybitd.simulator.refusal import parameter_error
from bybitd.simulator.tickers import TickerSource
from bybitd.simulator.trade_topic import option_trade_fields

Params = Mapping[str, str]
_INTERVAL_TIMES_MS = {
    "5min": 300_000,
    "15min": 900_000,
    "30min": 1_800_000,
    "1h": 3_600_000,
    "4h": 14_400_000,
    "1d": 86_400_000,
}


class MarketQueries:
    """Answers the public GETs; `rendered` is for books."""

    def __init__(self, markets: Markets, rendered: Callable[[Instrument, str], bool]) -> None:
        self._markets = markets
        self._tickers: dict[Market, TickerSource] = {}
        self.routes: dict[str, Callable[[Params, int], dict[str, Any]]] = {
            "/v5/market/time": self._time,
            "/v5/market/instruments-info": self._instruments,
            "/v5/market/tickers": self._ticker_list,
            "/v5/market/recent-trade": self._recent_trades,
            "/v5/market/price-limit": self._price_limit,
            "/v5/market/open-interest": self._open_interest,
            "/v5/market/funding/history": self._funding,
            **BookQueries(markets, rendered).routes,
            **CandleQueries(markets).routes,
            **PoolQueries(markets).routes,
        }

    def _market(self, params: Params) -> Market:
        return self._markets.of(instrument_of(self._markets, params))

    def _time(self, params: Params, now_ms: int) -> dict[str, Any]:
        return {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}

    def _instruments(self, params: Params, now_ms: int) -> dict[str, Any]:
        category = category_of(params)
        limit, after = page_of(params, 500, 1000)
        symbol, base = params.get("symbol"), params.get("baseCoin")
        status = params.get("status") or "Trading"
        if category == "option" and not symbol:
            base = base or "BTC"
        rows = [
            it
            for it in self._markets.instruments.get(category, {}).values()
            if it.symbol == symbol
            or (not symbol and (not base or it.base == base) and it.status == status)
        ]
        if symbol and not rows:
            raise parameter_error(f"params error: symbol invalid {symbol}")
        result: dict[str, Any] = {"category": category}
        if category == "spot":
            return result | {"list": [it.row() for it in rows]}
        cursor = cursor_to(after + limit) if len(rows) > after + limit else ""
        page = [it.row() for it in rows[after : after + limit]]
        return result | {"list": page, "nextPageCursor": cursor}

    def _ticker_list(self, params: Params, now_ms: int) -> dict[str, Any]:
        category = category_of(params)
        if params.get("symbol"):
            chosen = [instrument_of(self._markets, params)]
            self._markets.of(chosen[0]).advance(now_ms)
        else:
            chosen = list(self._markets.instruments.get(category, {}).values())
            if category == "option":
                base, date = params.get("baseCoin"), params.get("expDate")
                if not base:
                    raise parameter_error("params error: symbol or baseCoin is required")
                chosen = [it for it in chosen if it.base == base]
                chosen = [it for it in chosen if not date or it.symbol.split("-")[1] == date]
        rows = [self._ticker(it).rest_row(now_ms) for it in chosen]
        return {"category": category, "list": rows}

    def _ticker(self, it: Instrument) -> TickerSource:
        market = self._markets.of(it)
        source = self._tickers.get(market)
        if source is None:
            source = self._tickers[market] = TickerSource(market)
        return source

    def _recent_trades(self, params: Params, now_ms: int) -> dict[str, Any]:
        category = category_of(params)
        most = 60 if category == "spot" else 1000
        limit, _ = page_of(params, min(most, 500), most)
        if category == "option" and not params.get("symbol"):
            markets = self._markets.of_base(category, params.get("baseCoin") or "BTC")
        else:
            markets = (self._market(params),)
        for market in markets:
            market.advance(now_ms)
        trades = [(trade, market) for market in markets for trade in market.tape]
        trades.sort(key=lambda pair: pair[0].at_ms)
        rows = [_trade_row(market, trade) for trade, market in reversed(trades[-limit:])]
        return {"category": category, "list": rows}

    def _price_limit(self, params: Params, now_ms: int) -> dict[str, Any]:
        it = instrument_of(self._markets, {"category": "linear", **params})
        return limit_texts(self._markets.of(it), now_ms) | {"ts": str(now_ms)}

    def _open_interest(self, params: Params, now_ms: int) -> dict[str, Any]:
        it = instrument_of(self._markets, params)
        step = _INTERVAL_TIMES_MS.get(params.get("intervalTime", ""))
        if step is None or it.category not in ("linear", "inverse"):
            raise parameter_error("params error: intervalTime or category invalid")
        limit, before = page_of(params, 50, 200)
        first, last = time_of(params, "startTime") or 0, time_of(params, "endTime") or now_ms
        newest = min(last, now_ms, before - 1 if before else now_ms) // step * step
        rows = []
        for at_ms in range(newest, max(first, newest - limit * step + 1) - 1, -step):
            interest = it.size.decimal(self._markets.fair_value.open_interest(it, at_ms))
            rows.append(
                {
                    "openInterest": plain(2 * interest),
                    "singleOpenInterest": plain(interest),
                    "timestamp": str(at_ms),
                }
            )
        more = len(rows) == limit and newest - limit * step >= max(first, 1)
        cursor = cursor_to(int(rows[-1]["timestamp"])) if more else ""
        return {
            "symbol": it.symbol,
            "category": it.category,
            "list": rows,
            "nextPageCursor": cursor,
        }

    def _funding(self, params: Params, now_ms: int) -> dict[str, Any]:
        it = instrument_of(self._markets, params)
        if not it.perpetual:
            raise parameter_error("params error: symbol invalid")
        first, last = time_of(params, "startTime"), time_of(params, "endTime")
        if first is not None and last is None:
            raise parameter_error("params error: startTime needs endTime")
        limit, _ = page_of(params, 200, 200)
        newest = min(last or now_ms, now_ms) // FUNDING_INTERVAL_MS * FUNDING_INTERVAL_MS
        oldest = max(first or 0, newest - (limit - 1) * FUNDING_INTERVAL_MS)
        rows = []
        for at_ms in range(newest, oldest - 1, -FUNDING_INTERVAL_MS):
            rate = self._markets.fair_value.funding_rate(it, at_ms - 1)
            rows.append(
                {
                    "symbol": it.symbol,
                    "fundingRate": f"{rate:.8f}",
                    "fundingRateTimestamp": str(at_ms),
                }
            )
        return {"category": it.category, "list": rows}


def _trade_row(market: Market, trade: Trade) -> dict[str, Any]:
    it = market.instrument
    row: dict[str, Any] = {
        "execId": trade.id,
        "symbol": it.symbol,
        "price": it.price.text(trade.tick),
        "size": it.size.text(trade.lots),
        "side": side_name(trade.side),
        "time": str(trade.at_ms),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(trade.seq),
    }
    if it.category == "option":
        row |= option_trade_fields(market, trade)
    return row
