"""What the topics of the exchange and the derived ones have in common: a name, and how well they
are. Pure. `ipc/PROTOCOL.md`, "Feed state".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any

from bybitbus import topics as bus_topics


class Health(StrEnum):
    """Whether a topic can be trusted. PENDING (asked for, nothing came yet) is not published."""

    PENDING = "pending"
    LIVE = "live"
    STALE = "stale"
    RESYNCING = "resyncing"


class Published(ABC):
    """One topic. `name` is without stream and closing dot, `topic` that of the bus; `rx_ns` is
    when what it says came from the exchange, Unix ns.
    """

    __slots__ = (
        "feed_topic",
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
        return {
            "topic": self.topic,
            "state": str(self.health),
            "reason": self.reason,
            "since_ns": self.since_ns,
        }
