"""Tell from `seq` and `epoch` whether anything was lost (`ipc/PROTOCOL.md`, "Sequence").

Pure: takes the two numbers of each message of a topic, in the order of arrival, and says what
the message is to its reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What a message is, seen from what came before it on its topic."""

    FIRST = "first"  # nothing came before; whether it can be used alone depends on the topic
    NEXT = "next"
    HOLE = "hole"  # messages are missing between the last one and this
    REPEAT = "repeat"  # not newer than what came before: ignore it
    RESEND = "resend"  # the whole state as of its `seq`, for late joiners: replaces, adds nothing
    NEW_EPOCH = "new_epoch"  # the publisher started anew: forget everything of this topic first


class Checked(NamedTuple):
    """A verdict, and how many messages are missing before this one.

    `missing` is above 0 for each HOLE, and for a RESEND that also closes a hole.
    """

    verdict: Verdict
    missing: int = 0


_NEXT = Checked(Verdict.NEXT)
_FIRST = Checked(Verdict.FIRST)
_REPEAT = Checked(Verdict.REPEAT)
_RESEND = Checked(Verdict.RESEND)
_NEW_EPOCH = Checked(Verdict.NEW_EPOCH)


class Sequences:
    """The last `epoch` and `seq` of each topic."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}

    def check(self, topic: str, epoch: int, seq: int, resend: bool = False) -> Checked:
        """Judge one message and remember it.

        The order of the rules is that of the protocol: epoch, then resend, then number.
        """
        last = self._last.get(topic)
        if last is None:
            self._last[topic] = (epoch, seq)
            return _RESEND if resend else _FIRST
        last_epoch, last_seq = last
        if epoch != last_epoch:
            self._last[topic] = (epoch, seq)
            return _NEW_EPOCH
        step = seq - last_seq
        if resend:
            if step < 0:
                return _REPEAT
            self._last[topic] = (epoch, seq)
            return Checked(Verdict.RESEND, step) if step else _RESEND
        if step <= 0:
            return _REPEAT
        self._last[topic] = (epoch, seq)
        return _NEXT if step == 1 else Checked(Verdict.HOLE, step - 1)

    def forget(self, prefix: str, but: Iterable[str] = ()) -> None:
        """Start anew with every topic below `prefix`: what is missed meanwhile is no hole.

        Topics below one of the prefixes `but` are kept, for their messages go on arriving.
        """
        kept = tuple(but)
        for topic in [topic for topic in self._last if topic.startswith(prefix)]:
            if not topic.startswith(kept):
                del self._last[topic]

    def seq(self, topic: str) -> int | None:
        """Return the last `seq` of `topic`, None before its first message."""
        last = self._last.get(topic)
        return None if last is None else last[1]

    def last(self, topic: str) -> tuple[int, int] | None:
        """Return the last `epoch` and `seq` of `topic`, None before its first message."""
        return self._last.get(topic)

    def all(self) -> dict[str, tuple[int, int]]:
        """Return the last `epoch` and `seq` of each topic of which something has come."""
        return dict(self._last)
