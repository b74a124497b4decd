"""How many orders may be asked for in any second. Pure: `now_ms` is monotonic."""

from __future__ import annotations

from collections import deque
from typing import Final

_SPAN_MS: Final = 1000


class Pace:
    """The orders of one account or client within the last second."""

    def __init__(self) -> None:
        self._taken: deque[tuple[int, int]] = deque()
        self._count = 0

    def take(self, orders: int, most: int, now_ms: int) -> int:
        """Count `orders` and return 0 if no more than `most` came within a second; else count
        nothing and return in how many ms there is room. More than `most` at once never fit: -1.
        """
        taken = self._taken
        while taken and taken[0][0] <= now_ms - _SPAN_MS:
            self._count -= taken.popleft()[1]
        if orders > most:
            return -1
        if self._count + orders <= most:
            taken.append((now_ms, orders))
            self._count += orders
            return 0
        over = self._count + orders - most
        for at_ms, count in taken:
            over -= count
            if over <= 0:
                return at_ms + _SPAN_MS - now_ms
        return _SPAN_MS
