"""The orders of one market that wait for a price, found without looking at all of them.

For each price and direction there is a heap by trigger price, so that asking whether anything is
due costs the same however many orders wait.
"""

import heapq

RISING, FALLING = 1, 2


class Waiting:
    """Orders, by id, with the price `by`, the direction and the tick that they wait for."""

    def __init__(self) -> None:
        self._heaps: dict[tuple[str, int], list[tuple[int, int, str]]] = {}
        self._members: dict[str, tuple[str, int]] = {}  # id -> (by, number)
        self._by: dict[str, int] = {}
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._members)

    def prices(self) -> list[str]:
        """List the prices that somebody waits for."""
        return [by for by, count in self._by.items() if count]

    def add(self, order_id: str, by: str, direction: int, tick: int) -> None:
        """Let an order wait; one that waits already waits for this from now on."""
        self.remove(order_id)
        self._count += 1
        self._members[order_id] = by, self._count
        self._by[by] = self._by.get(by, 0) + 1
        key = tick if direction == RISING else -tick
        heapq.heappush(self._heaps.setdefault((by, direction), []), (key, self._count, order_id))

    def remove(self, order_id: str) -> None:
        """Let an order wait no longer; harmless when it does not."""
        member = self._members.pop(order_id, None)
        if member is not None:
            self._by[member[0]] -= 1

    def take(self, by: str, tick: int) -> str | None:
        """Take out the order that is due first at this price; None when none is."""
        for direction in (RISING, FALLING):
            heap = self._heaps.get((by, direction))
            price = tick if direction == RISING else -tick
            while heap:
                key, number, order_id = heap[0]
                current = self._members.get(order_id)
                if current is None or current[1] != number:
                    heapq.heappop(heap)  # it was removed, or waits for something else
                elif key <= price:
                    heapq.heappop(heap)
                    self.remove(order_id)
                    return order_id
                else:
                    break
        return None
