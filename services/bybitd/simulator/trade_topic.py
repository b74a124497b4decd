"""`publicTrade.{symbol}`, on option `publicTrade.{baseCoin}` (Bybit V5, Trade; Spread Trading,
Public Trade)."""

from collections.abc import Callable
from typing import Any

from bybitd.simulator.channel import NEVER, Channel, Envelope
from bybitd.simulator.market import Market, Trade, side_name

_MOST_PER_MESSAGE = 1024


class TradeTopic(Channel):
    """The trades of one symbol, or of all options of one base coin, as they happen."""

    def __init__(self, category: str, topic: str, markets: tuple[Market, ...]) -> None:
        super().__init__(category, topic, markets)
        self._pending: list[dict[str, Any]] = []
        self._listeners = [(market, self._listener(market)) for market in markets]
        for market, listener in self._listeners:
            market.trade_listeners.append(listener)

    def initial(self, now_ms: int) -> None:
        return None

    def poll(self, now_ms: int) -> list[Envelope]:
        if not self._pending:
            return []
        rows, self._pending = self._pending, []
        head: Envelope = {"topic": self.topic, "type": "snapshot", "ts": now_ms}
        if self.category == "spread":
            head = {"topic": self.topic, "ts": now_ms, "type": "snapshot"}
        head = self.option_id(rows[0]["seq"], now_ms) | head
        return [
            head | {"data": rows[first : first + _MOST_PER_MESSAGE]}
            for first in range(0, len(rows), _MOST_PER_MESSAGE)
        ]

    def due_ms(self) -> float:
        return 0 if self._pending else NEVER

    def close(self) -> None:
        for market, listener in self._listeners:
            market.trade_listeners.remove(listener)

    def _listener(self, market: Market) -> Callable[[Trade], None]:
        def hear(trade: Trade) -> None:
            self._pending.append(_row(market, trade))

        return hear


def _row(market: Market, trade: Trade) -> dict[str, Any]:
    it = market.instrument
    row: dict[str, Any] = {
        "T": trade.at_ms,
        "s": it.symbol,
        "S": side_name(trade.side),
        "v": it.size.text(trade.lots),
        "p": it.price.text(trade.tick),
    }
    if it.category in ("linear", "inverse", "spread"):
        row["L"] = trade.direction
    row["i"] = trade.id
    if it.category != "spread":
        row |= {"BT": False, "RPI": False}
    row["seq"] = trade.seq
    if it.category == "option":
        row |= option_trade_fields(market, trade)
    return row


def option_trade_fields(market: Market, trade: Trade) -> dict[str, str]:
    """Give what an option trade says of its surroundings: mark and index price, volatilities."""
    value = market.fair_value.option(market.instrument, trade.at_ms)
    return {
        "mP": f"{value.price:.8f}",
        "iP": f"{value.underlying:.2f}",
        "mIv": f"{value.iv:.4f}",
        "iv": f"{value.iv:.4f}",
    }
