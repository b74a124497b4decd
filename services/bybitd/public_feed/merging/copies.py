"""What every kind of topic has in common when its copies are put together. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

Message = dict[str, Any]


class Arrived(NamedTuple):
    """One message, and when it was read, Unix ns."""

    message: Message
    rx_ns: int


class Copies(ABC):
    """Puts the copies of one topic together. Lanes are numbered from 0; times are monotonic ms.

    What is returned is to be taken in that order, and is not offered again. A lane carries the
    topic when what it brings can be relied on to go on. `missed` is "" until something is missing
    that nobody can bring any more: then it says what, and nothing is returned before `forget`.
    """

    __slots__ = ("_carrying", "missed")

    def __init__(self) -> None:
        self.missed = ""
        self._carrying: set[int] = set()

    @abstractmethod
    def offer(self, lane: int, message: Message, rx_ns: int, now_ms: int) -> Sequence[Arrived]:
        """Take one message of a lane.

        Raises:
            LookupError, TypeError: the message has not the shape of its topic.
        """

    def confirmed(self, lane: int) -> None:
        """Note that the exchange has said that it serves the topic on this lane."""
        self._carrying.add(lane)

    def lost(self, lane: int, now_ms: int) -> Sequence[Arrived]:
        """Note that a lane is gone, or begins anew; return what need not wait for it any more."""
        self._carrying.discard(lane)
        return ()

    def carries(self, lane: int) -> bool:
        """Tell whether a lane brings the topic."""
        return lane in self._carrying

    def overdue(self, now_ms: int) -> Sequence[Arrived]:
        """Return what has waited for too long."""
        return ()

    @property
    def waiting(self) -> bool:
        """Whether something waits, so that `overdue` should be asked."""
        return False

    def forget(self) -> None:
        """Note that the kept state was dropped: what comes next begins it anew."""
        self.missed = ""
