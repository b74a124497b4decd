"""What really happened at the exchange: every order request that arrived there, and what it did.

Read from the simulator itself, not over the wire that is being cut.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from bybitd.simulator.wire import RunningSimulator
from bybitd.simulator.wire.desk import Answer

Hook = Callable[[], None]
_LISTS: Final = ("/v5/order/realtime", "/v5/order/history")


class Exchange:
    """Counts what arrives, and calls hooks at the two moments that only the exchange knows.

    `creates` counts arrivals by orderLinkId, `changes` those of amends and cancels by (op,
    orderLinkId). `acting` runs once when a request has arrived and nothing has happened yet,
    `acted` once when it has happened and nobody was told. With `hold_ms` the next request that
    arrives is acted on only that much later, and never answered.
    """

    def __init__(self, simulator: RunningSimulator, uid: int) -> None:
        self.creates: Counter[str] = Counter()
        self.changes: Counter[tuple[str, str]] = Counter()
        self.acting: Hook | None = None
        self.acted: Hook | None = None
        self.hold_ms = 0
        self._simulator = simulator
        self._uid = uid
        desk = simulator.simulator._trade._desk
        self._act = desk.act
        desk.act = self._watched  # type: ignore[method-assign]

    def orders(self, category: str, symbol: str, link_id: str) -> list[dict[str, Any]]:
        """Return the exchange's own records with this orderLinkId."""
        found: dict[str, dict[str, Any]] = {}
        params = {"category": category, "symbol": symbol, "orderLinkId": link_id}
        for path in _LISTS:
            result = self._simulator.call(
                lambda sim, path=path: sim.exchange.private_get(
                    self._uid, path, params, sim.clock.engine_ms()
                )
            )
            found |= {row["orderId"]: row for row in result["list"]}
        return list(found.values())

    def best_ask(self, category: str, symbol: str) -> str:
        """Return the price at which a buyer is filled now."""
        book = self._simulator.call(
            lambda sim: sim.exchange.public_get(
                "/v5/market/orderbook",
                {"category": category, "symbol": symbol},
                sim.clock.engine_ms(),
            )
        )
        return str(book["a"][0][0])

    def _watched(self, who: Any, path: str, body: dict[str, Any], now_ms: int) -> Any:
        self._count(path, body)
        self._fire("acting")
        if self.hold_ms:
            delay_s, self.hold_ms = self.hold_ms / 1000, 0
            asyncio.get_running_loop().call_later(delay_s, self._late, who, path, body)
            return Answer(lost=True)
        answer = self._act(who, path, body, now_ms)
        self._fire("acted")
        return answer

    def _late(self, who: Any, path: str, body: dict[str, Any]) -> None:
        simulator = self._simulator.simulator
        self._act(who, path, body, simulator.clock.engine_ms())
        simulator.publish()

    def _count(self, path: str, body: dict[str, Any]) -> None:
        op = path.removeprefix("/v5/order/").removesuffix("-batch")
        for item in body.get("request", [body]):
            link_id = str(item.get("orderLinkId", ""))
            if op == "create":
                self.creates[link_id] += 1
            else:
                self.changes[op, link_id] += 1

    def _fire(self, name: str) -> None:
        hook: Hook | None = getattr(self, name)
        if hook is not None:
            setattr(self, name, None)
            hook()
