"""`ticker.<symbol>.`: the full ticker after each message, deltas merged. Pure."""

from __future__ import annotations

from typing import Any, Final

from bybitd.public_feed.derived.catalogue import DerivedTopic
from bybitd.venue.state import TopicState

_ENVELOPE: Final[tuple[str, ...]] = (
    "id",
    "ts",
    "cs",
)  # what else the exchange's message has, by category


class FullTicker:
    """Follows the kept ticker of one symbol."""

    __slots__ = ("_topic",)

    def __init__(self, topic: DerivedTopic) -> None:
        self._topic = topic.name

    def after(self, source: TopicState, message: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return the record: every message of the source is one of ours."""
        body = self.whole(source)
        return [] if body is None else [body]

    def whole(self, source: TopicState) -> dict[str, Any] | None:
        """Return the record as it is."""
        full = source.message()
        if full is None:
            return None
        kept = {key: full[key] for key in _ENVELOPE if key in full}
        return {"topic": self._topic, "type": "snapshot", "data": full["data"], **kept}

    def forget(self) -> None:
        """There is nothing to forget."""
