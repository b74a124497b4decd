"""What became of every order request, by the exchange's own book-keeping: the truth for tests.

A client that loses an answer can not tell whether its order exists, nor whether it sent it twice.
Here is counted how often a request for an order arrived and how often it was acted on, so that a
test can compare. Pure; it outlives a restart of the exchange, not one of the process.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bybitd.simulator.wire.order_faults import link_ids

_MOST_KEPT = 100_000

Key = tuple[int, str, str]  # uid, "spot" or "", orderLinkId (or orderId where there is none)


@dataclass(slots=True)
class Arrived:
    """How often requests about one order came, and how many of them were acted on, by operation."""

    received: Counter[str] = field(default_factory=Counter)
    acted: Counter[str] = field(default_factory=Counter)


class Arrivals:
    """Counts the requests for each order; it forgets the oldest of very many."""

    def __init__(self) -> None:
        self._orders: dict[Key, Arrived] = {}
        self._links: dict[tuple[int, str], str] = {}  # (uid, orderId) -> orderLinkId

    def received(self, uid: int, op: str, body: Mapping[str, Any]) -> None:
        """Count a request that arrived, whether or not anything came of it."""
        for name in self._names(uid, body):
            self._of(uid, body, name).received[_single(op)] += 1

    def acted(self, uid: int, op: str, body: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Count what the exchange did: each order in the result of a request."""
        listed = result.get("list")
        rows = listed if isinstance(listed, list) else [result]
        for row in rows:
            order_id, link_id = row.get("orderId"), row.get("orderLinkId")
            if order_id:
                if link_id:
                    self._links[uid, order_id] = link_id
                self._of(uid, body, link_id or order_id).acted[_single(op)] += 1
        while len(self._links) > _MOST_KEPT:
            del self._links[next(iter(self._links))]

    def rows(self, orders: Iterable[tuple[int, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Write one row for each order of the exchange, and for each request that became none.

        `orders` are (uid, summary); a row is the summary with `uid`, `received` and `acted`, which
        count requests by operation.
        """
        rows = []
        told: set[Key] = set()
        for uid, summary in orders:
            spot = "spot" if summary["category"] == "spot" else ""
            key = (uid, spot, summary["orderLinkId"] or summary["orderId"])
            told.add(key)
            rows.append(_row(uid, summary, self._orders.get(key) or Arrived()))
        for key, arrived in self._orders.items():
            if key not in told:
                rows.append(_row(key[0], {"orderId": "", "orderLinkId": key[2]}, arrived))
        return rows

    def _names(self, uid: int, body: Mapping[str, Any]) -> list[str]:
        """Name the orders that a request is about, by orderLinkId where they have one."""
        items = body.get("request")
        names = []
        for one in items if isinstance(items, list) else [body]:
            order_id = one.get("orderId") if isinstance(one, Mapping) else None
            if isinstance(order_id, str) and order_id:
                names.append(self._links.get((uid, order_id), order_id))
            elif isinstance(one, Mapping):
                names += link_ids({"orderLinkId": one.get("orderLinkId")})
        return names

    def _of(self, uid: int, body: Mapping[str, Any], name: str) -> Arrived:
        key = (uid, "spot" if body.get("category") == "spot" else "", name)
        arrived = self._orders.get(key)
        if arrived is None:
            arrived = self._orders[key] = Arrived()
            if len(self._orders) > _MOST_KEPT:
                del self._orders[next(iter(self._orders))]
        return arrived


def _single(op: str) -> str:
    return op.removesuffix("-batch")


def _row(uid: int, summary: dict[str, Any], arrived: Arrived) -> dict[str, Any]:
    return (
        {"uid": uid}
        | summary
        | {
            "received": dict(arrived.received),
            "acted": dict(arrived.acted),
        }
    )
