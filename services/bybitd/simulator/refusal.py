"""The two ways in which the exchange says no: to a request and to a topic."""

from typing import Any


class Refusal(Exception):
    """A definite exchange-side no: nothing was done.

    `retCode`, `retMsg` and `retExtInfo` are those of the REST envelope (Bybit V5, error codes).
    """

    def __init__(self, retCode: int, retMsg: str, retExtInfo: dict[str, Any] | None = None) -> None:
        super().__init__(f"{retCode} {retMsg}")
        self.retCode = retCode
        self.retMsg = retMsg
        self.retExtInfo: dict[str, Any] = retExtInfo or {}


class UnknownTopic(Exception):
    """There is no such public topic in this category."""

    def __init__(self, category: str, topic: str) -> None:
        super().__init__(f"no topic {topic!r} in category {category!r}")
        self.category = category
        self.topic = topic


def parameter_error(text: str) -> Refusal:
    """Make the refusal that Bybit gives for a missing or malformed parameter (code 10001)."""
    return Refusal(10001, text)
