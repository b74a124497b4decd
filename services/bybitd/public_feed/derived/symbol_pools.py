"""`insurance.<symbol>.`: the insurance pools of one symbol, out of those of its group. Pure."""

from __future__ import annotations

from typing import Any

from bybitd.public_feed.derived.catalogue import DerivedTopic
from bybitd.venue.state import TopicState


class SymbolPools:
    """Follows the kept pools of a group."""

    __slots__ = ("_shown", "_symbol", "_topic")

    def __init__(self, topic: DerivedTopic) -> None:
        self._topic = topic.name
        self._symbol = topic.subject
        self._shown: list[dict[str, Any]] | None = None

    def after(self, source: TopicState, message: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return the symbol's pools if they are not those that were returned last."""
        body = self.whole(source)
        if body is None or body["data"] == self._shown:
            return []
        self._shown = body["data"]
        return [body]

    def whole(self, source: TopicState) -> dict[str, Any] | None:
        """Return the symbol's pools as they are; there are none where its pool is shared."""
        full = source.message()
        if full is None:
            return None
        return {
            "topic": self._topic,
            "type": "snapshot",
            "ts": full.get("ts"),
            "data": [row for row in full["data"] if row["symbols"] == self._symbol],
        }

    def forget(self) -> None:
        """Have the next pools count as changed."""
        self._shown = None
