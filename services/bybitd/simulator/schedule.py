"""Which market is wanted when: a heap that forgets entries which were overtaken."""

import heapq

from bybitd.simulator.market import Market

# Markets are advanced in steps of this length, so that many of them share one wake-up.
STEP_MS = 5
NEVER_MS = 1 << 60


class Schedule:
    """The next deadline (ms) of every market that has one."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Market]] = []
        self._due: dict[Market, int] = {}
        self._count = 0

    def set(self, market: Market, due_ms: float, now_ms: int) -> None:
        """Set the deadline of a market; an infinite one takes it out."""
        if due_ms == float("inf"):
            self._due.pop(market, None)
            return
        due = max(int(-(-due_ms // STEP_MS)) * STEP_MS, now_ms + 1)
        if self._due.get(market) != due:
            self._due[market] = due
            self._count += 1
            heapq.heappush(self._heap, (due, self._count, market))

    def next_ms(self) -> int:
        self._drop_overtaken()
        return self._heap[0][0] if self._heap else NEVER_MS

    def pop(self, now_ms: int) -> Market | None:
        """Take out a market whose deadline has come."""
        self._drop_overtaken()
        if not self._heap or self._heap[0][0] > now_ms:
            return None
        _, _, market = heapq.heappop(self._heap)
        del self._due[market]
        return market

    def _drop_overtaken(self) -> None:
        heap = self._heap
        while heap and self._due.get(heap[0][2]) != heap[0][0]:
            heapq.heappop(heap)
