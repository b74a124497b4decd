"""When to connect again: capped exponential delays with jitter, within the exchange's limit.

Pure: time and randomness are arguments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

FIRST_S = 0.25
CAP_S = 30.0
STABLE_S = 60.0  # a connection that lived this long has earned a quick reconnect
AMPLE = 0.8  # up to this part of the limit attempts need not be spared
MAX_CONNECTS = 450  # the exchange refuses from 500 in five minutes; other programs need some too
WINDOW_S = 300.0


class Backoff:
    """Delays for one connection. `uniform(low, high)` draws the jitter."""

    def __init__(self, uniform: Callable[[float, float], float]) -> None:
        self._uniform = uniform
        self._lived_s = 0.0
        self._quick = False
        self.failures = 0

    def next_delay_s(self) -> float:
        """Return how long to wait before the next attempt, longer each time.

        Half of the delay is jitter, so that many clients that lost the same server do not come
        back in step. What is kept apart are the attempts: for as long as the last connection lived
        nobody has to wait once more.
        """
        ceiling = min(CAP_S, FIRST_S * 2 ** min(self.failures, 10))
        self.failures += 1
        lived_s, self._lived_s = self._lived_s, 0.0
        least_s = self._uniform(FIRST_S / 2, FIRST_S)
        quick, self._quick = self._quick, False
        return least_s if quick else max(least_s, self._uniform(ceiling / 2, ceiling) - lived_s)

    def ended(self, lived_s: float, *, quick: bool = False) -> None:
        """Note how long a connection lived; a stable one starts the delays anew. With `quick` the
        next delay is short whatever it was, but the one after that is not.
        """
        self._lived_s = lived_s
        self._quick = quick
        if lived_s >= STABLE_S:
            self.failures = 0


def staggered(
    uniform: Callable[[float, float], float], number: int, count: int
) -> Callable[[float, float], float]:
    """Return a `uniform` that draws from the `number`th of `count` equal parts, from 0.

    Connections that are to stand in for each other and were lost together do not come back at the
    same moment.
    """

    def draw(low: float, high: float) -> float:
        part = (high - low) / count
        return uniform(low + part * number, low + part * (number + 1))

    return draw


class Connects(Protocol):
    """Connection attempts to one host, of which only so many are allowed in a while."""

    def wait_s(self, now_s: float) -> float:
        """Return how long to wait until an attempt is within the limit; 0 for now."""

    def is_ample(self, now_s: float) -> bool:
        """Tell whether there is so much left that attempts need not be spared."""

    def spend(self, now_s: float) -> None:
        """Note an attempt."""


class ConnectBudget:
    """Connection attempts to one host, at most `limit` in any `window_s`."""

    def __init__(self, limit: int = MAX_CONNECTS, window_s: float = WINDOW_S) -> None:
        self._limit = limit
        self._window_s = window_s
        self._attempts: deque[float] = deque()

    def wait_s(self, now_s: float) -> float:
        """Return how long to wait until an attempt is within the limit; 0 for now."""
        while self._attempts and self._attempts[0] <= now_s - self._window_s:
            self._attempts.popleft()
        if len(self._attempts) < self._limit:
            return 0.0
        return max(0.0, self._attempts[-self._limit] + self._window_s - now_s)

    def is_ample(self, now_s: float) -> bool:
        """Tell whether there is so much left that attempts need not be spared."""
        recent = sum(1 for at_s in self._attempts if at_s > now_s - self._window_s)
        return recent < AMPLE * self._limit

    def spend(self, now_s: float) -> None:
        """Note an attempt."""
        self._attempts.append(now_s)
