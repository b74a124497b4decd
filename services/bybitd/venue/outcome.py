"""What became of one message that was applied to the kept state of its topic."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Result(StrEnum):
    """The kinds of outcome."""

    APPLIED = "applied"
    REPEATED = "repeated"  # the same state once more: a sign of life, nothing new
    DUPLICATE = "duplicate"  # older than what is held
    WAITING = "waiting"  # nothing to apply it to before a snapshot comes
    GAP = "gap"  # an update is missing
    CROSSED = "crossed"  # a bid at or above an ask
    UNSORTED = "unsorted"  # levels out of order, or one twice
    MALFORMED = "malformed"  # not of the shape that its topic has


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome. The reason is for people; it is "" where the kind says all.

    `publish`: the message is true and may be passed on. `resync`: the state was dropped and the
    topic must be subscribed anew; until its snapshot comes every outcome is WAITING.
    """

    result: Result
    reason: str = ""
    publish: bool = False
    resync: bool = False


# Kept objects: the hot path compares by identity (`outcome is APPLIED`) and makes nothing.
APPLIED: Final = Outcome(Result.APPLIED, publish=True)
REPEATED: Final = Outcome(Result.REPEATED, publish=True)
DUPLICATE: Final = Outcome(Result.DUPLICATE)
WAITING: Final = Outcome(Result.WAITING)


def broken(result: Result, reason: str) -> Outcome:
    """Return the outcome of a message that cost the state."""
    return Outcome(result, reason, resync=True)


def malformed(error: BaseException | str) -> Outcome:
    """Return the outcome of a message that has not the shape of its topic."""
    if isinstance(error, BaseException):
        error = f"{type(error).__name__}: {error}"
    return broken(Result.MALFORMED, str(error)[:200])
