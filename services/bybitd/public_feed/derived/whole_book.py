"""`book.<depth>.<symbol>.`: the whole book after a change; the view says how often. Pure."""

from __future__ import annotations

from typing import Any

from bybitd.public_feed.derived.catalogue import DerivedTopic
from bybitd.venue.orderbook import Level, OrderBook


class WholeBook:
    """Follows a kept book."""

    __slots__ = ("_shown", "_topic")

    def __init__(self, topic: DerivedTopic) -> None:
        self._topic = topic.name
        self._shown: tuple[Level | None, Level | None] | None = None

    def after(self, source: OrderBook, message: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return the book if it is not what was returned last."""
        best = source.best_bid, source.best_ask
        # The exchange repeats level 1 when nothing changes. Deeper books have something new in
        # every message.
        if source.depth == 1 and best == self._shown:
            return []
        body = self.whole(source)
        if body is None:
            return []
        self._shown = best
        return [body]

    def whole(self, source: OrderBook) -> dict[str, Any] | None:
        """Return the book as it is, best levels first."""
        body = source.message()
        return None if body is None else {**body, "topic": self._topic}

    def forget(self) -> None:
        """Have the next book count as changed."""
        self._shown = None
