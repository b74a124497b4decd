"""`bbo.<symbol>.`: the best bid and ask, on each change of either's price or size. Pure."""

from __future__ import annotations

from typing import Any

from bybitd.public_feed.derived.catalogue import DerivedTopic
from bybitd.venue.orderbook import Level, OrderBook

_NONE: Level = ["", ""]


class BestPrices:
    """Follows a kept book."""

    __slots__ = ("_shown", "_symbol", "_topic")

    def __init__(self, topic: DerivedTopic) -> None:
        self._topic = topic.name
        self._symbol = topic.subject
        self._shown: tuple[Level | None, Level | None] | None = None

    def after(self, source: OrderBook, message: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return the best prices if they are not those that were returned last."""
        best = source.best_bid, source.best_ask
        if best == self._shown or (body := self.whole(source)) is None:
            return []
        self._shown = best
        return [body]

    def whole(self, source: OrderBook) -> dict[str, Any] | None:
        """Return the best prices as they are; `""` where a side is empty."""
        last = source.last_message
        if last is None:
            return None
        bid, ask = source.best_bid or _NONE, source.best_ask or _NONE
        return {
            "topic": self._topic,
            "type": "snapshot",
            "ts": last.get("ts"),
            "cts": last.get("cts"),
            "data": {
                "symbol": self._symbol,
                "bid1Price": bid[0],
                "bid1Size": bid[1],
                "ask1Price": ask[0],
                "ask1Size": ask[1],
                "u": source.update_id,
                "seq": last["data"].get("seq"),
            },
        }

    def forget(self) -> None:
        """Have the next prices count as changed."""
        self._shown = None
