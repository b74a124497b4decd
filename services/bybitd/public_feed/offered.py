"""Which topics a feed serves: the catalogue of the exchange, and the derived ones. Pure.

`linear.orderbook.50.` shows what flows and drives nothing; `linear.orderbook.51.` is a mistake.
"""

from __future__ import annotations

from typing import Final

from bybitd.public_feed.derived.catalogue import DerivedTopic, derived
from bybitd.venue.errors import TopicError
from bybitd.venue.topics import Topic, check

# What may follow a kind, or a kind and its parameter, in some category: one of them fits.
_TAILS: Final = ("X", "X-X", "1.X", "1.X-X", "25.X", "25.X-X", "USDT", "inverse", "status")


def offered(stream: str, name: str) -> Topic | DerivedTopic:
    """Return the topic of this name.

    Raises:
        TopicError: it can not exist there; says why and what would be right.
    """
    if (computed := derived(stream, name)) is not None:
        return computed
    return check(stream, name)


def is_prefix(stream: str, name: str) -> bool:
    """Tell whether a topic of this stream may begin with the tokens of `name`."""
    return any(_exists(stream, f"{name}.{tail}") for tail in _TAILS)


def _exists(stream: str, name: str) -> bool:
    try:
        derived(stream, name) or check(stream, name)
    except TopicError:
        return False
    return True
