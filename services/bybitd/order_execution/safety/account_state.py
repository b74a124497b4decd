"""What of the account is not in the ledger: orders placed elsewhere, positions, and whether they
can be seen at all. Pure: `now_ms` is monotonic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bybitd.order_execution.safety.exposure import Open, Positions, from_record

SILENT_MS: Final = 3000  # three statuses missed: the private stream is gone


class AccountState:
    """`reconciled` tells whether the account was compared with the exchange in this run.

    What was told stays until all of it is told anew: too much of it is safe, too little is not.
    """

    def __init__(self) -> None:
        self.reconciled = False
        self.positions = Positions()
        self._foreign: dict[str, Open] = {}
        self._vouched_ms: int | None = None
        self._doubtful = {"order", "position"}

    def status(self, vouched: bool, now_ms: int) -> None:
        """Take the private stream's word on itself: whether its state is the exchange's."""
        self._vouched_ms = now_ms if vouched else None
        self.reconciled = self.reconciled or vouched

    def sees(self, now_ms: int) -> bool:
        """Tell whether what is known here is what is so."""
        heard = self._vouched_ms is not None and now_ms - self._vouched_ms < SILENT_MS
        return heard and not self._doubtful

    def foreign(self, record: Mapping[str, Any]) -> None:
        """Take a record of an order that was not placed here."""
        order_id = str(record.get("orderId", ""))
        order = from_record(record)
        if order is None:
            self._foreign.pop(order_id, None)
        else:
            self._foreign[order_id] = order

    def foreign_orders(self) -> Iterable[tuple[str, Open]]:
        """Return the open orders that were not placed here, by orderId."""
        return self._foreign.items()

    def doubt(self, topic: str) -> None:
        """Note that something of a topic was missed."""
        self._doubtful.add(topic)

    def begin(self, topic: str) -> None:
        """Take it that all of a topic is told now, from the beginning."""
        self._doubtful.discard(topic)
        if topic == "order":
            self._foreign.clear()
        else:
            self.positions.clear()
