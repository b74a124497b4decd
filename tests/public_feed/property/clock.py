"""Virtual time: nothing waits, and everything happens in an order that the seed decides."""

import heapq
from itertools import count

START_MS = 1_753_000_000_000


class Timer:
    def __init__(self, callback):
        self.callback = callback

    def cancel(self):
        self.callback = None


class Clock:
    """Timers in whole ms; those of one ms run in the order in which they were set."""

    def __init__(self):
        self.now_ms = START_MS
        self._timers = []
        self._number = count()

    def now_ns(self):
        return self.now_ms * 1_000_000

    time_ns = monotonic_ns = now_ns

    def call_later(self, delay_s, callback):
        return self.after_ms(delay_s * 1000, callback)

    def after_ms(self, delay_ms, callback):
        timer = Timer(callback)
        due_ms = self.now_ms + max(0, -int(-delay_ms // 1))
        heapq.heappush(self._timers, (due_ms, next(self._number), timer))
        return timer

    def next_ms(self):
        return self._timers[0][0] if self._timers else None

    def run_due(self):
        """Run what is due now, and what that makes due now."""
        while self._timers and self._timers[0][0] <= self.now_ms:
            timer = heapq.heappop(self._timers)[2]
            if timer.callback is not None:
                timer.callback()
