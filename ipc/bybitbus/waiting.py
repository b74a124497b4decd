"""A topic that waits until something it has missed is made good, and what is known of it. Pure."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, NamedTuple

from bybitbus.events import Event
from bybitbus.sequence import Sequences, Verdict

FIRST_PAUSE_MS: Final = 1_000  # between the attempts to get a state that nobody sends
FEED_PREFIX: Final = "gateway.feed."
UNKNOWN_EPOCH: Final = -1
_NO_CATEGORY: Final = frozenset({"private", "gateway", "system"})


class Ask(NamedTuple):
    """A request to be sent: its reply belongs to `answer`, anything else to `refuse`."""

    stream: str  # the topic that waits for it
    op: str
    args: dict[str, Any]


class Hole:
    """Messages of `topic` that are asked for. `rest`: the first of them are not kept any more,
    so that only what is left is. `open_ended`: whether there are any is not known yet.
    """

    __slots__ = ("epoch", "open_ended", "patient_until_ms", "rest", "topic", "wanted")

    def __init__(self, topic: str, epoch: int, wanted: range, patient_until_ms: int) -> None:
        self.topic = topic
        self.epoch = epoch
        self.wanted = wanted
        self.patient_until_ms = patient_until_ms
        self.rest = False
        self.open_ended = False


class Waiting:
    """A topic that is not simply passed on, with the events that tell how it is.

    `delivered` is what its reader has been given. `lacking`: its reader can do nothing with deltas
    before a whole message comes. `over` are epochs that ended while their events were on the way.
    `known` are the topics of which `delivered` says where they began to be kept here, `unchecked`
    those of which it is to be asked whether they went on. `asked_in` are the epochs that a snapshot
    which is asked for continues or ends.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.kept: deque[Event] = deque()
        self.delivered = Sequences()
        self.hole: Hole | None = None
        self.asked: Ask | None = None
        self.lacking = False
        self.over: set[int] = set()
        self.known: set[str] = set()
        self.asked_in: set[int] = set()
        self.unchecked: list[str] = []
        self.retry_ms: int | None = None
        self.pause_ms = FIRST_PAUSE_MS

    def missing(self, event: Event) -> range:
        """Return the numbers that were not delivered and belong before (a resend: into) this."""
        epoch, seq = event.body["epoch"], event.body["seq"]
        last = self.delivered.last(event.topic)
        if last is None:
            return range(0)
        stop = seq + 1 if event.body.get("resend") else seq
        return range(last[1] + 1 if last[0] == epoch else 1, stop)

    def before(self, topic: str, epoch: int, seq: int) -> int:
        """Return how many of the kept events come before a snapshot of these numbers."""
        count = 0
        for place, event in enumerate(self.kept, start=1):
            theirs, number = event.body["epoch"], event.body["seq"]
            included = number <= seq if theirs == epoch else theirs in self.asked_in
            if event.topic == topic and included:
                count = place
        return count


def category(topic: str) -> str:
    """Return the category that the topic is of, or is about; "" for any other."""
    first = topic.removeprefix(FEED_PREFIX).partition(".")[0]
    return "" if first in _NO_CATEGORY else first


def is_whole(body: dict[str, Any]) -> bool:
    return body.get("type") != "delta"


def before_it(event: Event) -> tuple[int, int] | None:
    """Return what had arrived of a topic before this event."""
    epoch, seq = event.body["epoch"], event.body["seq"]
    if event.verdict is Verdict.FIRST:
        return None
    if event.verdict is Verdict.NEW_EPOCH:
        return UNKNOWN_EPOCH, 0
    return epoch, seq - event.missing - (event.verdict is not Verdict.RESEND)
