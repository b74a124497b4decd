"""Requests that went out and whose answers are still wanted, and for a while those given up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from bybitbus.server import Call

_LATE_KEPT: Final = 1000


@dataclass(slots=True, kw_only=True)
class Flight:
    """One request at the exchange.

    `keys` are the orders (by orderLinkId) or the actions (by id) that it is about, in the order of
    a batch; none for a question, which changes nothing. Several calls may wait for one flight: a
    client that asked again in the meantime. `due_ms` is when they stop to (Unix ms).

    `again` says that it may not be sent once more: it was. `gathered` is what earlier rounds of a
    cancel-all have cancelled.
    """

    op: str
    client: str
    category: str
    units: int
    text: str
    due_ms: int
    keys: tuple[str, ...]
    creates: bool
    batch: bool
    calls: list[Call] = field(default_factory=list)
    again: bool = False
    gathered: list[dict[str, Any]] = field(default_factory=list)


class Flights:
    """Finds a flight by its reqId, and the one that carries an order."""

    def __init__(self) -> None:
        self._flying: dict[str, Flight] = {}
        self._late: dict[str, Flight] = {}
        self._of_order: dict[str, Flight] = {}

    def __len__(self) -> int:
        return len(self._flying)

    def add(self, req_id: str, flight: Flight) -> None:
        """Note a flight before it leaves."""
        self._flying[req_id] = flight
        if flight.creates:
            for key in flight.keys:
                self._of_order[key] = flight

    def land(self, req_id: str) -> Flight | None:
        """Return the flight that was answered, given up before or not; it is known no more."""
        flight = self._flying.pop(req_id, None)
        if flight is None:
            return self._late.pop(req_id, None)
        self._forget(flight)
        return flight

    def give_up(self, req_id: str) -> Flight | None:
        """Return the flight that got no answer. A late one still finds it."""
        flight = self._flying.pop(req_id, None)
        if flight is not None:
            self._forget(flight)
            self._late[req_id] = flight
            if len(self._late) > _LATE_KEPT:
                del self._late[next(iter(self._late))]
        return flight

    def carrying(self, link_id: str) -> Flight | None:
        """Return the flight that carries an order and is waited for."""
        return self._of_order.get(link_id)

    def _forget(self, flight: Flight) -> None:
        for key in flight.keys:
            self._of_order.pop(key, None)
