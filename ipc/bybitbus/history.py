"""The last messages of each topic, as they went out, for those who missed some.

Bounded by the bytes of all topics together: a process has its memory stated in one number, whatever
is subscribed. A topic that holds more than its equal share gives way first, so that one that speaks
once an hour still has its last messages when the others have sent millions. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import Final

# What a kept message costs beside its bytes: the header of the object and its place in the queue.
OVERHEAD_BYTES: Final = 64


class Kept:
    """The messages of one topic, the last one right; `size` is in bytes."""

    __slots__ = ("messages", "size")

    def __init__(self) -> None:
        self.messages: deque[bytes] = deque()
        self.size = 0


class History:
    """Keeps at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._spare = limit // 64
        self._all: list[Kept] = []
        self._hand = 0

    def open(self) -> Kept:
        """Return the place of another topic."""
        self._all.append(kept := Kept())
        return kept

    def keep(self, kept: Kept, message: bytes) -> None:
        """Keep the next message of a topic."""
        size = len(message) + OVERHEAD_BYTES
        kept.messages.append(message)
        kept.size += size
        self.size += size
        if self.size > self._limit:
            self._make_room(kept)

    def clear(self, kept: Kept) -> None:
        """Keep nothing of a topic any more, until it goes on."""
        self.size -= kept.size
        kept.messages.clear()
        kept.size = 0

    def _make_room(self, kept: Kept) -> None:
        # Somewhat more than is needed, so that this is not done for every message.
        enough, share = self._limit - self._spare, self._limit // len(self._all)
        while self.size > enough:
            while kept.size <= share:  # one of them holds more, or all would not be too much
                if self.size <= self._limit:
                    return
                self._hand = (self._hand + 1) % len(self._all)
                kept = self._all[self._hand]
            size = len(kept.messages.popleft()) + OVERHEAD_BYTES
            kept.size -= size
            self.size -= size
