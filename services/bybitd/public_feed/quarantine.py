"""The last frames that could not be understood, cut short, for a person to look at. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

KEEP: Final = 32
EXCERPT_CHARACTERS: Final = 200


class Bad(NamedTuple):
    """One bad frame. `at_ns` is Unix time."""

    at_ns: int
    reason: str
    excerpt: str


class Quarantine:
    """Counts bad frames and keeps the last ones."""

    def __init__(self, keep: int = KEEP) -> None:
        self.count = 0
        self._kept: deque[Bad] = deque(maxlen=keep)

    def add(self, at_ns: int, reason: str, excerpt: str) -> None:
        """Take one in."""
        self.count += 1
        cut = reason[:EXCERPT_CHARACTERS], excerpt[:EXCERPT_CHARACTERS]
        self._kept.append(Bad(at_ns, *cut))

    def last(self, count: int) -> list[dict[str, object]]:
        """Return the last `count` of them, newest first, as maps."""
        return [bad._asdict() for bad in list(self._kept)[: -count - 1 : -1]]
