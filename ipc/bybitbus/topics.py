"""The grammar of topics: `<stream>.<name>.`, every token closed by a dot.

The closing dot makes a ZeroMQ prefix subscription end on a token boundary, so that
`linear.publicTrade.BTCUSDT.` never matches `linear.publicTrade.BTCUSDT-26DEC26.`
(`ipc/PROTOCOL.md`, "Topics").
"""

from __future__ import annotations

from typing import NamedTuple

from bybitbus.errors import TopicError

_TWO_TOKEN_STREAMS = frozenset({"private"})
MAX_TOPIC_BYTES = 255


class Topic(NamedTuple):
    """One topic, taken apart: `private.main.order.` is stream `private.main`, name `order`."""

    stream: str
    name: str

    def __str__(self) -> str:
        return f"{self.stream}.{self.name}."


def join(stream: str, name: str) -> str:
    """Return the topic of `name` (without its closing dot) on `stream`."""
    return f"{stream}.{name}."


def split(topic: str) -> Topic:
    """Take a topic apart. A missing closing dot is understood.

    Raises:
        TopicError: no name behind the stream, an empty token, a character outside printable
            ASCII, or too long.
    """
    if len(topic) > MAX_TOPIC_BYTES:
        raise TopicError(topic[:40] + "...", f"longer than {MAX_TOPIC_BYTES} bytes")
    if not topic.isascii() or not topic.isprintable() or " " in topic:
        raise TopicError(topic, "only printable ASCII without blanks is allowed")
    tokens = topic.removesuffix(".").split(".")
    if "" in tokens:
        raise TopicError(topic, "has an empty token")
    width = 2 if tokens[0] in _TWO_TOKEN_STREAMS else 1
    if len(tokens) <= width:
        raise TopicError(topic, "names a stream only; a topic is <stream>.<name>.")
    return Topic(".".join(tokens[:width]), ".".join(tokens[width:]))
