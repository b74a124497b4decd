"""The exchange's clock against ours, and the few places where wall clocks are read.

The exchange refuses a request whose timestamp is a second ahead of its clock or older than
`recv_window` (Bybit V5, "Integration Guidance"), so timestamps are made from a measured offset.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

WARN_MS = 500
_KEPT = 9


def now_ms() -> int:
    """Return Unix ms."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class _Sample:
    round_trip_ms: float
    offset_ms: float


class ClockOffset:
    """Estimates how far the exchange's clock is ahead of ours, in ms. Pure.

    The sample with the shortest round trip is the best: its error is at most half of it.
    """

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=_KEPT)
        self._doubted: _Sample | None = None

    def add(self, sent_ns: int, received_ns: int, server_ms: int) -> None:
        """Note that the exchange said `server_ms` between two readings of our clock (Unix ns).

        A reading across a step of our own clock says nothing and is passed over.
        """
        if received_ns < sent_ns:
            return
        middle_ms = (sent_ns + received_ns) / 2e6
        self._samples.append(_Sample((received_ns - sent_ns) / 1e6, server_ms - middle_ms))

    def forget(self) -> None:
        """Trust only what is measured from now on: the exchange has just refused a timestamp.

        Until then the old offset stands, being the best there is.
        """
        if self._samples:
            self._doubted = self._best()
            self._samples.clear()

    @property
    def known(self) -> bool:
        """Whether anything was measured that is still trusted."""
        return bool(self._samples)

    @property
    def offset_ms(self) -> int:
        """Return the estimate; 0 before the first measurement."""
        sample = self._best() if self._samples else self._doubted
        return round(sample.offset_ms) if sample else 0

    @property
    def error_ms(self) -> int:
        """Return the bound of the estimate's error."""
        return round(self._best().round_trip_ms / 2) + 1 if self._samples else 0

    @property
    def warns(self) -> bool:
        """Whether our clock is so far off that somebody should set it."""
        return abs(self.offset_ms) >= WARN_MS

    def exchange_ms(self, ours_ms: int) -> int:
        """Return what the exchange's clock shows when ours shows `ours_ms`."""
        return ours_ms + self.offset_ms

    def _best(self) -> _Sample:
        return min(self._samples, key=lambda sample: sample.round_trip_ms)
