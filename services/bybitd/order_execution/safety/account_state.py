"""What of the account is not in the ledger: orders placed elsewhere, positions, and whether they
can be seen at all. Pure: `now_ms` is monotonic.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from bybitd.order_execution.safety.exposure import Open, Positions, from_args, from_record, number

SILENT_MS: Final = 3000  # three statuses missed: the private stream is gone
# A fill counts beside the position until that shows it, or so long: by then it has been told.
LANDING_MS: Final = 5000
_KNOWN: Final = 10_000


_ZERO: Final = Decimal(0)


class _Fill(NamedTuple):
    order: Open
    at_ms: int  # of the exchange's clock
    until_ms: int


class AccountState:
    """`reconciled` tells whether the account was compared with the exchange in this run.

    What was told stays until all of it is told anew: too much of it is safe, too little is not.
    """

    def __init__(self) -> None:
        self.reconciled = False
        self.positions = Positions()
        self._foreign: dict[str, Open] = {}
        self._filled: OrderedDict[str, Decimal] = OrderedDict()  # orderId -> what was told of it
        self._landing: list[_Fill] = []
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

    def filled(self, record: Mapping[str, Any], now_ms: int, *, repeated: bool) -> None:
        """Take a record of any order: what is filled of it may not be in the position yet, for the
        two topics come one after the other. What is `repeated` has been in it for long.
        """
        order_id, total = str(record.get("orderId", "")), number(record.get("cumExecQty"))
        before = self._filled.get(order_id, _ZERO)
        if total <= before or record.get("category") == "spot":
            return
        self._filled[order_id] = total
        self._filled.move_to_end(order_id)
        if len(self._filled) > _KNOWN:
            self._filled.popitem(last=False)
        at_ms = int(number(record.get("updatedTime")))
        order = from_args(
            str(record.get("category", "")), {**record, "qty": str(total - before)}, ""
        )
        if not repeated and not self._shows(order, at_ms):
            self._landing.append(_Fill(order, at_ms, now_ms + LANDING_MS))

    def landing(self, now_ms: int) -> list[Open]:
        """Return the fills that no position shows yet, as if they were open still."""
        if self._landing:
            self._landing = [
                fill
                for fill in self._landing
                if now_ms < fill.until_ms and not self._shows(fill.order, fill.at_ms)
            ]
        return [fill.order for fill in self._landing]

    def _shows(self, order: Open, at_ms: int) -> bool:
        where = order.category, order.symbol, order.position_idx
        return self.positions.updated_ms(*where) >= at_ms

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
