"""What can go wrong with topics. Pure: time is an argument.

| fault | fields (default) | effect |
|---|---|---|
| `drop` | `category`, `topic`, `count` (1) | loses the next messages of a topic; `category` \
`private` means private topics |
| `repeat` | `category`, `topic`, `count` (1) | sends the next messages of a topic twice |
| `reorder` | `category`, `topic`, `count` (1) | sends the next message of a topic after the one \
that follows it |
| `mute` | `category`, `topic`, `seconds` (0) | sends nothing of a topic, though it confirms its \
subscription; 0 lasts until `clear` |
| `refuse_topic` | `category`, `topic`, `seconds` (0) | refuses subscriptions to a public topic as \
one that does not exist, and with it, where the exchange does, the whole request |
| `delay_first` | `category`, `topic`, `ms`, `count` (1), `changes` (false) | the next subscriber \
of a public topic gets its first message, as of then, that much later; until then nothing, or with \
`changes` the other messages |
| `skip_update_id` | `category`, `topic` | the next delta of a book is lost: its `u` jumps by 2 |
| `bad_book` | `category`, `topic`, `kind` (crossed), `count` (1) | the next messages of a book \
make no sense: a bid at the best ask (`crossed`), or a snapshot with its worst levels first \
(`unsorted`) |
| `restart_books` | `category`, `symbol` | every book of the symbol starts again with `u` = 1 |
"""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from bybitd.simulator.wire.fault import Fault, PositiveCount, Seconds, end_ms

T = TypeVar("T")


class OnTopic(Fault, frozen=True, kw_only=True):
    """A lasting fault of one topic."""

    category: str
    topic: str


class Drop(OnTopic, frozen=True, kw_only=True):
    count: PositiveCount = 1


class Repeat(OnTopic, frozen=True, kw_only=True):
    count: PositiveCount = 1


class Reorder(OnTopic, frozen=True, kw_only=True):
    count: PositiveCount = 1


class Mute(OnTopic, frozen=True, kw_only=True):
    seconds: Seconds = 0.0


class RefuseTopic(OnTopic, frozen=True, kw_only=True):
    seconds: Seconds = 0.0


class DelayFirst(OnTopic, frozen=True, kw_only=True):
    ms: PositiveCount
    count: PositiveCount = 1
    changes: bool = False


class SkipUpdateId(Fault, frozen=True, kw_only=True):
    category: str
    topic: str


class BadBook(Fault, frozen=True, kw_only=True):
    category: str
    topic: str
    kind: Literal["crossed", "unsorted"] = "crossed"
    count: PositiveCount = 1


class RestartBooks(Fault, frozen=True, kw_only=True):
    category: str
    symbol: str


KNOWN: dict[str, type[Fault]] = {
    "drop": Drop,
    "repeat": Repeat,
    "reorder": Reorder,
    "mute": Mute,
    "refuse_topic": RefuseTopic,
    "delay_first": DelayFirst,
    "skip_update_id": SkipUpdateId,
    "bad_book": BadBook,
    "restart_books": RestartBooks,
}


@dataclass(slots=True)
class _Wrong:
    """What is wrong with one topic: how many messages it concerns, or until when, ms."""

    drop: int = 0
    repeat: int = 0
    reorder: int = 0
    muted_until_ms: int = 0
    refused_until_ms: int = 0
    held: Any = None
    first: list[DelayFirst] = field(default_factory=list)


class TopicFaults:
    """The lasting faults of topics, by category and topic."""

    def __init__(self) -> None:
        self._wrong: dict[tuple[str, str], _Wrong] = {}

    def clear(self) -> None:
        """Forget them all; a message that was held back is lost."""
        self._wrong.clear()

    def arm(self, fault: OnTopic, now_ms: int) -> None:
        """Let a fault begin."""
        wrong = self._wrong.setdefault((fault.category, fault.topic), _Wrong())
        match fault:
            case Drop(count=count):
                wrong.drop += count
            case Repeat(count=count):
                wrong.repeat += count
            case Reorder(count=count):
                wrong.reorder += count
            case Mute(seconds=seconds):
                wrong.muted_until_ms = end_ms(seconds, now_ms)
            case RefuseTopic(seconds=seconds):
                wrong.refused_until_ms = end_ms(seconds, now_ms)
            case DelayFirst(count=count):
                wrong.first += [fault] * count

    def outgoing(self, category: str, topic: str, message: T, now_ms: int) -> tuple[T, ...]:
        """Return what is sent when a topic has made a message."""
        wrong = self._wrong.get((category, topic)) if self._wrong else None
        if wrong is None:
            return (message,)
        if now_ms < wrong.muted_until_ms:
            return ()
        if wrong.drop:
            wrong.drop -= 1
            return ()
        if (held := wrong.held) is not None:
            wrong.held = None
            return (message, held)
        if wrong.repeat:
            wrong.repeat -= 1
            return (message, message)
        if wrong.reorder:
            wrong.reorder -= 1
            wrong.held = message
            return ()
        return (message,)

    def muted(self, category: str, topic: str, now_ms: int) -> bool:
        """Tell whether nothing of a topic is sent."""
        wrong = self._wrong.get((category, topic))
        return wrong is not None and now_ms < wrong.muted_until_ms

    def refuses(self, category: str, topic: str, now_ms: int) -> bool:
        """Tell whether a topic is said not to exist."""
        wrong = self._wrong.get((category, topic))
        return wrong is not None and now_ms < wrong.refused_until_ms

    def delay_of_first(self, category: str, topic: str) -> DelayFirst | None:
        """Take the delay of the first message of a new subscriber."""
        wrong = self._wrong.get((category, topic))
        return wrong.first.pop(0) if wrong is not None and wrong.first else None

    def describe(self, now_ms: int) -> list[dict[str, Any]]:
        """List what lasts."""
        found = []
        for (category, topic), wrong in self._wrong.items():
            lasting = {
                "drop": wrong.drop,
                "repeat": wrong.repeat,
                "reorder": wrong.reorder,
                "held": wrong.held is not None,
                "muted": now_ms < wrong.muted_until_ms,
                "refused": now_ms < wrong.refused_until_ms,
                "first_delays": len(wrong.first),
            }
            if any(lasting.values()):
                found.append({"category": category, "topic": topic, **lasting})
        return found
