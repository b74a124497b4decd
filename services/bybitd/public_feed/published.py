"""What the topics of the exchange and the derived ones have in common: a name, and how well they
are. Pure. `ipc/PROTOCOL.md`, "Feed state".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bybitbus import topics as bus_topics


class Health(StrEnum):
    """Whether a topic can be trusted. PENDING (asked for, nothing came yet) is not published."""

    PENDING = "pending"
    LIVE = "live"
    STALE = "stale"
    RESYNCING = "resyncing"


class FillState(StrEnum):
    """How far what was missed has been made good."""

    PENDING = "pending"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Fill:
    """What became of the messages that were missed when the topic was last not live.

    `from_ms` and `to_ms` (Unix ms of the exchange) are the span that was missed, from where it
    begins to where it is made good; when INCOMPLETE, the span that stays missing. `to_ms` is 0
    while that is not known. `count` is how many trades or candles were published for it.
    """

    state: FillState
    from_ms: int
    to_ms: int = 0
    count: int = 0

    def body(self) -> dict[str, Any]:
        """Return it as the event of the topic's state has it."""
        ends = {"to": self.to_ms} if self.to_ms else {}
        return {"state": str(self.state), "from": self.from_ms, **ends, "count": self.count}


class Published(ABC):
    """One topic. `name` is without stream and closing dot, `topic` that of the bus; `rx_ns` is
    when what it says came from the exchange, Unix ns. `fill` is None where nothing was missed.
    """

    __slots__ = (
        "feed_topic",
        "fill",
        "has_state",
        "health",
        "name",
        "reason",
        "rx_ns",
        "since_ns",
        "topic",
    )

    def __init__(self, stream: str, name: str, has_state: bool, now_ns: int) -> None:
        self.name = name
        self.topic = bus_topics.join(stream, name)
        self.feed_topic = bus_topics.join("gateway", f"feed.{stream}.{name}")
        self.has_state = has_state
        self.health = Health.PENDING
        self.reason = ""
        self.since_ns = now_ns
        self.rx_ns = 0
        self.fill: Fill | None = None

    @abstractmethod
    def message(self) -> dict[str, Any] | None:
        """Return the state as one message, None while there is none."""

    def turn(self, health: Health, reason: str, now_ns: int) -> bool:
        """Note how the topic is; return whether that is news."""
        if health is self.health and reason == self.reason:
            return False
        if health is not self.health:
            self.since_ns = now_ns
        self.health, self.reason = health, reason
        return True

    def feed_state(self) -> dict[str, Any]:
        """Return the body of the topic's `gateway.feed.` event."""
        body = {
            "topic": self.topic,
            "state": str(self.health),
            "reason": self.reason,
            "since_ns": self.since_ns,
        }
        return body if self.fill is None else {**body, "fill": self.fill.body()}
