"""`/v5/market/insurance` and `/v5/market/adlAlert` (Bybit V5, Market)."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from bybitd.simulator.instruments import plain
from bybitd.simulator.markets import Markets
from bybitd.simulator.pools import (
    STOP_RATIO,
    TRIGGER_RATIO,
    TRIGGER_THRESHOLD,
    balance,
    drawdown_ratio,
)
from bybitd.simulator.refusal import parameter_error

Params = Mapping[str, str]
_MINUTE_MS = 60_000


class PoolQueries:
    """Answers what is asked of pools; it is as old as the last full minute."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self.routes: dict[str, Callable[[Params, int], dict[str, Any]]] = {
            "/v5/market/insurance": self._insurance,
            "/v5/market/adlAlert": self._adl,
        }

    def _insurance(self, params: Params, now_ms: int) -> dict[str, Any]:
        at_ms = now_ms // _MINUTE_MS * _MINUTE_MS
        fair = self._markets.fair_value
        coin = params.get("coin") or ""
        rows = []
        for pool in self._markets.pools:
            if coin in ("", pool.coin):
                amount = balance(pool, fair, at_ms)
                usd = Decimal(f"{fair.index(pool.coin, at_ms):.8f}")
                rows.append(
                    {
                        "coin": pool.coin,
                        "symbols": pool.symbols,
                        "balance": f"{amount:f}",
                        "value": plain(amount * usd),
                    }
                )
        return {"updatedTime": str(at_ms), "list": rows}

    def _adl(self, params: Params, now_ms: int) -> dict[str, Any]:
        at_ms = now_ms // _MINUTE_MS * _MINUTE_MS
        fair = self._markets.fair_value
        symbol = params.get("symbol") or ""
        rows = [
            {
                "coin": pool.coin,
                "symbol": it.symbol,
                "balance": f"{balance(pool, fair, at_ms):f}",
                "maxBalance": "",
                "insurancePnlRatio": str(TRIGGER_RATIO),
                "pnlRatio": f"{drawdown_ratio(it, fair, at_ms):.6f}",
                "adlTriggerThreshold": str(TRIGGER_THRESHOLD),
                "adlStopRatio": str(STOP_RATIO),
            }
            for pool in self._markets.pools
            for it in pool.members
            if symbol in ("", it.symbol)
        ]
        if symbol and not rows:
            raise parameter_error(f"params error: symbol invalid {symbol}")
        return {"updatedTime": str(at_ms), "list": rows}
