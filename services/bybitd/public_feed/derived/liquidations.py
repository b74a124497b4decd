"""`liquidation.<symbol>.`: one event for each row of `allLiquidation.<symbol>`. Pure.

The names of the keys are those of the topic that the exchange once had by this name.
"""

from __future__ import annotations

from typing import Any

from bybitd.public_feed.derived.catalogue import DerivedTopic


class Liquidations:
    """Follows nothing but messages: what is over is not repeated."""

    __slots__ = ("_topic",)

    def __init__(self, topic: DerivedTopic) -> None:
        self._topic = topic.name

    def after(self, source: object, message: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return one event for each row, in their order.

        Raises:
            LookupError, TypeError: a row lacks a key, or is no map.
        """
        if message is None:
            return []
        return [
            {
                "topic": self._topic,
                "type": "snapshot",
                "ts": message.get("ts"),
                "data": {
                    "symbol": row["s"],
                    "side": row["S"],
                    "size": row["v"],
                    "price": row["p"],
                    "updatedTime": row["T"],
                },
            }
            for row in message["data"]
        ]

    def whole(self, source: object) -> None:
        """There is nothing to repeat."""

    def forget(self) -> None:
        """There is nothing to forget."""
