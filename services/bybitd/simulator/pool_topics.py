"""`insurance.{group}` and `adlAlert.{group}` (Bybit V5, Insurance Pool; ADL Alert).

The exchange wakes markets, not pools: both keep time by the first market of their category.
"""

from typing import Any

from bybitd.simulator.channel import Channel, Envelope
from bybitd.simulator.market import Market
from bybitd.simulator.pools import (
    STOP_RATIO,
    TRIGGER_RATIO,
    TRIGGER_THRESHOLD,
    Pool,
    balance,
    drawdown_ratio,
    moved_ms,
)

_PERIOD_MS = 1_000
Row = dict[str, Any]


class InsuranceTopic(Channel):
    """The isolated pools of a group: all of them first, then those that moved.

    A group without isolated pools says nothing at all.
    """

    def __init__(self, category: str, topic: str, clock: Market, pools: tuple[Pool, ...]) -> None:
        super().__init__(category, topic, (clock,))
        self._pools = [pool for pool in pools if pool.isolated]
        self._fair_value = clock.fair_value
        self._sent: dict[str, Row] = {}
        self._looked_ms = 0

    def initial(self, now_ms: int) -> Envelope | None:
        if not self._sent:
            self._look(now_ms)
        return self._envelope("snapshot", self._sent, now_ms) if self._sent else None

    def poll(self, now_ms: int) -> list[Envelope]:
        if self._sent and now_ms < self.due_ms():
            return []
        before = self._sent
        self._look(now_ms)
        changed = {key: row for key, row in self._sent.items() if before.get(key) != row}
        return [self._envelope("delta", changed, now_ms)] if before and changed else []

    def due_ms(self) -> float:
        return self._looked_ms + _PERIOD_MS

    def _look(self, now_ms: int) -> None:
        self._looked_ms = now_ms
        self._sent = {
            pool.symbols: {
                "coin": pool.coin,
                "symbols": pool.symbols,
                "balance": f"{balance(pool, self._fair_value, now_ms):f}",
                "updateTime": str(moved_ms(pool, now_ms)),
            }
            for pool in self._pools
        }

    def _envelope(self, kind: str, rows: dict[str, Row], now_ms: int) -> Envelope:
        return {"topic": self.topic, "type": kind, "ts": now_ms, "data": list(rows.values())}


class AdlTopic(Channel):
    """All contracts of a group, once a second. Its figures are numbers, as the exchange's are."""

    def __init__(self, category: str, topic: str, clock: Market, pools: tuple[Pool, ...]) -> None:
        super().__init__(category, topic, (clock,))
        self._pools = pools
        self._fair_value = clock.fair_value
        self._pushed_ms = 0

    def initial(self, now_ms: int) -> Envelope | None:
        self._pushed_ms = self._pushed_ms or now_ms
        return self._envelope(now_ms) if self._pools else None

    def poll(self, now_ms: int) -> list[Envelope]:
        if now_ms < self.due_ms() or not self._pools:
            return []
        self._pushed_ms = now_ms
        return [self._envelope(now_ms)]

    def due_ms(self) -> float:
        return self._pushed_ms + _PERIOD_MS

    def _envelope(self, now_ms: int) -> Envelope:
        rows = [
            {
                "c": pool.coin,
                "s": it.symbol,
                "b": float(balance(pool, self._fair_value, now_ms)),
                "mb": "",
                "i_pr": TRIGGER_RATIO,
                "pr": drawdown_ratio(it, self._fair_value, now_ms),
                "adl_tt": TRIGGER_THRESHOLD,
                "adl_sr": STOP_RATIO,
            }
            for pool in self._pools
            for it in pool.members
        ]
        return {"topic": self.topic, "type": "snapshot", "ts": now_ms, "data": rows}
