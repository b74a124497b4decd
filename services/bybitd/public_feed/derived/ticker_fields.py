"""Some fields of a ticker under a topic of their own, when one of them changes. Pure.

`funding.<symbol>.`, `delivery.<symbol>.`, `openInterest.<symbol>.`
"""

from __future__ import annotations

from typing import Any, Final

from bybitd.public_feed.derived.catalogue import DerivedKind, DerivedTopic
from bybitd.venue.state import TopicState

FIELDS: Final[dict[DerivedKind, tuple[str, ...]]] = {
    DerivedKind.FUNDING: ("fundingRate", "nextFundingTime", "fundingIntervalHour", "fundingCap"),
    DerivedKind.DELIVERY: ("deliveryTime", "deliveryFeeRate", "predictedDeliveryPrice"),
    DerivedKind.OPEN_INTEREST: (
        "openInterest",
        "openInterestValue",
        "singleOpenInterest",
        "singleOpenInterestValue",
    ),
}


class TickerFields:
    """Follows the kept ticker of one symbol."""

    __slots__ = ("_fields", "_names", "_shown", "_symbol", "_topic")

    def __init__(self, topic: DerivedTopic) -> None:
        self._topic = topic.name
        self._symbol = topic.subject
        self._names = FIELDS[topic.kind]
        self._fields = frozenset(self._names)
        self._shown: dict[str, Any] | None = None

    def after(self, source: TopicState, message: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return the fields if one of them is not what was returned last."""
        # Most deltas touch none of them, and need not be paid for with a look at the record.
        if (
            message is not None
            and self._shown is not None
            and message.get("type") == "delta"
            and self._fields.isdisjoint(message["data"])
        ):
            return []
        body = self.whole(source)
        if body is None or body["data"] == self._shown:
            return []
        self._shown = body["data"]
        return [body]

    def whole(self, source: TopicState) -> dict[str, Any] | None:
        """Return the fields as they are; `""` where the exchange gives no value."""
        full = source.message()
        if full is None:
            return None
        held = full["data"]
        data = {name: held.get(name, "") for name in self._names}
        return {
            "topic": self._topic,
            "type": "snapshot",
            "ts": full.get("ts"),
            "data": {"symbol": self._symbol, **data},
        }

    def forget(self) -> None:
        """Have the next values count as changed."""
        self._shown = None
