"""Requests that wait for room in the rate budget, in the order in which they may leave.

Each bucket has a line of its own, so a cancel never stands behind a create. Within a line the
clients take turns, by units: a client that asks for much waits for its own and holds up nobody else
(start-time fair queueing). What a client asked for first leaves first. Lines that take risk away go
before the others where they share a limit.

Pure: times are ms of a clock that is never set back.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final, Generic, TypeVar

MOST: Final = 8192
MOST_OF_A_CLIENT: Final = 2048
_REMEMBERED: Final = 64  # clients that have left a line while others still wait in it
_URGENT: Final = ("order.cancel", "order.cancel-batch", "order.cancel-all")
T = TypeVar("T")


def urgent(op: str) -> bool:
    """Tell whether an operation only takes risk away."""
    return op in _URGENT


@dataclass(slots=True, kw_only=True, eq=False)
class Waiter(Generic[T]):
    """One request that waits. At `due_ms` it is too late to leave. The room sets the rest."""

    client: str
    units: int
    due_ms: float
    item: T
    gone: bool = False
    number: int = 0

    def __lt__(self, other: Waiter[T]) -> bool:
        return (self.due_ms, self.number) < (other.due_ms, other.number)


class Line(Generic[T]):
    """Those who wait for one bucket. A client's tag is how far its turns have come."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Waiter[T]]] = {}
        self._units: dict[str, int] = {}
        self._tags: dict[str, int] = {}
        self._turn = 0

    def __bool__(self) -> bool:
        return bool(self._queues)

    def of(self, client: str) -> int:
        """Return how many requests of a client wait here."""
        return len(self._queues.get(client, ()))

    def ahead(self, client: str) -> int:
        """Return how many units may leave before a new request of this client, at most."""
        own = self._units.get(client, 0)
        start = self._tag(client) + own
        for other, waiting in self._units.items():
            if other != client:
                own += min(waiting, max(0, start - self._tags[other] + 1))
        return own

    def add(self, waiter: Waiter[T]) -> None:
        """Let a request wait behind those of its client."""
        queue = self._queues.get(waiter.client)
        if queue is None:
            queue = self._queues[waiter.client] = deque()
            self._tags[waiter.client] = self._tag(waiter.client)
        queue.append(waiter)
        self._units[waiter.client] = self._units.get(waiter.client, 0) + waiter.units

    def first(self) -> Waiter[T] | None:
        """Return the request whose turn it is. It holds its turn until it leaves."""
        if not self._queues:
            return None
        return self._queues[min(self._queues, key=self._tags.__getitem__)][0]

    def remove(self, waiter: Waiter[T], *, served: bool) -> None:
        """Let a request go: it leaves (`served`), or it is too late for it."""
        queue = self._queues[waiter.client]
        queue.remove(waiter)
        self._units[waiter.client] -= waiter.units
        if served:
            self._turn = self._tags[waiter.client]
            self._tags[waiter.client] += waiter.units
        if not queue:
            del self._queues[waiter.client], self._units[waiter.client]
        if not self._queues:
            self._tags.clear()
            self._turn = 0
        elif len(self._tags) > 2 * len(self._queues) + _REMEMBERED:
            self._tags = {
                client: tag
                for client, tag in self._tags.items()
                if client in self._queues or tag > self._turn
            }

    def _tag(self, client: str) -> int:
        return max(self._turn, self._tags.get(client, 0))


class WaitingRoom(Generic[T]):
    """All lines, by the name of their bucket."""

    def __init__(self) -> None:
        self._lines: dict[str, Line[T]] = {}
        self._order: list[tuple[bool, str]] = []
        self._line_of: dict[int, Line[T]] = {}
        self._by_due: list[Waiter[T]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._line_of)

    def line(self, name: str, *, urgent: bool) -> Line[T]:
        """Return the line of a bucket."""
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = Line()
            self._order.append((not urgent, name))
            self._order.sort()
        return line

    def lines(self) -> Iterator[Line[T]]:
        """Yield the lines in which somebody waits, the urgent ones first."""
        for _, name in self._order:
            if line := self._lines[name]:
                yield line

    def full(self, client: str) -> bool:
        """Tell whether nothing more may wait, or nothing more of this client."""
        if len(self) >= MOST:
            return True
        return len(self) >= MOST_OF_A_CLIENT and (
            sum(line.of(client) for line in self._lines.values()) >= MOST_OF_A_CLIENT
        )

    def add(self, line: Line[T], waiter: Waiter[T]) -> None:
        """Let a request wait."""
        waiter.number = next(self._numbers)
        line.add(waiter)
        self._line_of[waiter.number] = line
        heapq.heappush(self._by_due, waiter)

    def leave(self, waiter: Waiter[T]) -> None:
        """Let a request go whose turn has come."""
        self._remove(waiter, served=True)

    def too_late(self, now_ms: float) -> list[Waiter[T]]:
        """Remove and return the requests for which it is too late now."""
        found = []
        while self._by_due and (self._by_due[0].gone or self._by_due[0].due_ms <= now_ms):
            waiter = heapq.heappop(self._by_due)
            if not waiter.gone:
                self._remove(waiter, served=False)
                found.append(waiter)
        return found

    def next_due_ms(self) -> float | None:
        """Return when it is too late for the next one; None if nobody waits."""
        while self._by_due and self._by_due[0].gone:
            heapq.heappop(self._by_due)
        return self._by_due[0].due_ms if self._by_due else None

    def clear(self) -> list[Waiter[T]]:
        """Remove and return everybody."""
        return self.too_late(float("inf"))

    def _remove(self, waiter: Waiter[T], *, served: bool) -> None:
        waiter.gone = True
        self._line_of.pop(waiter.number).remove(waiter, served=served)
