"""What really happened at the exchange, and the two moments of an order that only it knows.

Read from the simulator itself, not over the wire that is being cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bybitd.simulator.wire import RunningSimulator
from bybitd.simulator.wire.desk import Answer

Hook = Callable[[], None]


class Exchange:
    """The simulator's book-keeping, and hooks where it acts.

    `acting` runs once when a request has arrived and nothing has happened yet, `acted` once when it
    has happened and nobody was told. With `hold_ms` the next request that arrives is acted on only
    that much later, and never answered.
    """

    def __init__(self, simulator: RunningSimulator, uid: int) -> None:
        self.acting: Hook | None = None
        self.acted: Hook | None = None
        self.hold_ms = 0
        self._simulator = simulator
        self._uid = uid
        desk = simulator.simulator._desk
        self._act = desk.act
        desk.act = self._watched  # type: ignore[method-assign]

    def orders(self, link_id: str) -> list[dict[str, Any]]:
        """Return what the exchange knows of an orderLinkId: one row for each order, with what
        arrived for it (`received`, by operation); a row without `orderId` where it made none.
        """
        return self._simulator.orders(self._uid, link_id)

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

    def _fire(self, name: str) -> None:
        hook: Hook | None = getattr(self, name)
        if hook is not None:
            setattr(self, name, None)
            hook()
