"""Control frames of every V5 socket: built for sending, recognised on receipt.

Source: Bybit V5, "WebSocket / Connect" and "WebSocket Trade Guideline". There are five shapes of a
pong and four of an acknowledgement; one reader knows them all and never raises.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

# The args array of one connection, counted as it stands on the wire.
MAX_ARGS_CHARACTERS: Final = 21_000
MAX_TOPICS_PER_CONNECTION: Final = {"option": 2000}
# One bad topic rejects a whole request on linear and inverse, so requests stay moderate.
DEFAULT_TOPICS_PER_REQUEST: Final = 50
_MAX_TOPICS_PER_REQUEST: Final = {"spot": 10}
_REPEATED_AUTH: Final = 20001  # the connection is authenticated already

_NAMED_TOPIC: Final = re.compile(r"^error:(handler not found|already subscribed),topic:(.+)\Z")
_INVALID_SYMBOL: Final = re.compile(r"^Invalid symbol\s*:\s*\[(.*)\]")
_PARTIAL: Final = re.compile(r"as follows:\[(.*?)\].*conflict:\[(.*?)\]", re.DOTALL)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The exchange answered a ping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthResult:
    """The answer to `auth`. `code` is the trade socket's retCode, None on the private one."""

    success: bool
    reason: str = ""
    code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeAck:
    """The answer to `subscribe` or `unsubscribe`; `op` is "" where the socket does not say which.

    `succeeded`, `failed` and `already` are the topics that the answer names. Topics of the request
    that it does not name share `success`.
    """

    op: str
    success: bool
    req_id: str = ""
    reason: str = ""
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    already: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeReply:
    """An answer to an order operation, whole. Correlate by `reqId`, which early refusals lack."""

    message: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The exchange did not understand something that we sent."""

    reason: str
    req_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """A frame that is nothing we know. `excerpt` is how it begins."""

    reason: str
    excerpt: str


Control = Pong | AuthResult | SubscribeAck | TradeReply | Refused | Malformed


def subscribe(topics: Sequence[str], req_id: str) -> bytes:
    """Return the frame that asks for topics."""
    return _encode({"op": "subscribe", "req_id": req_id, "args": topics})


def unsubscribe(topics: Sequence[str], req_id: str) -> bytes:
    """Return the frame that gives topics up."""
    return _encode({"op": "unsubscribe", "req_id": req_id, "args": topics})


def ping() -> bytes:
    """Return the ping that counts as activity; a WebSocket-level ping does not.

    It has no id: none is documented for the trade socket, and a pong needs no correlation.
    """
    return b'{"op":"ping"}'


def auth(api_key: str, expires_ms: int, signature: str) -> bytes:
    """Return the frame that authenticates a private or trade socket."""
    return _encode({"op": "auth", "args": [api_key, expires_ms, signature]})


def requests(
    socket: str, topics: Iterable[str], per_request: int = DEFAULT_TOPICS_PER_REQUEST
) -> Iterator[tuple[str, ...]]:
    """Yield the topics in portions that one request of this socket may have."""
    most = max(1, min(per_request, _MAX_TOPICS_PER_REQUEST.get(socket, per_request)))
    return _portions(topics, most)


def connections(socket: str, topics: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the topics in portions that one connection of this socket may carry."""
    return list(_portions(topics, MAX_TOPICS_PER_CONNECTION.get(socket, sys.maxsize)))


def args_characters(topics: Iterable[str]) -> int:
    """Return how much of a connection's 21,000 characters these topics take."""
    return sum(map(_cost, topics))


def _cost(topic: str) -> int:
    return len(topic) + 3  # two quotes and a comma


def _portions(topics: Iterable[str], most: int) -> Iterator[tuple[str, ...]]:
    portion: list[str] = []
    characters = 0
    for topic in topics:
        cost = _cost(topic)
        if portion and (len(portion) == most or characters + cost > MAX_ARGS_CHARACTERS):
            yield tuple(portion)
            portion, characters = [], 0
        portion.append(topic)
        characters += cost
    if portion:
        yield tuple(portion)


def classify(message: dict[str, Any]) -> Control:
    """Say what a frame without `topic` is. Never raises, whatever the message holds."""
    op = message.get("op")
    if op == "pong" or (op == "ping" and message.get("ret_msg") == "pong"):
        return Pong()
    if message.get("type") == "COMMAND_RESP":
        return _command_response(message)
    if op in ("subscribe", "unsubscribe"):
        return _acknowledgement(message, str(op))
    if op == "auth":
        return _auth_result(message)
    if "retCode" in message:
        return TradeReply(message=message)
    if message.get("success") is False:
        return Refused(reason=_text(message, "ret_msg"), req_id=_text(message, "req_id"))
    return Malformed(reason="no control frame that is known", excerpt=repr(message)[:200])


def _text(message: dict[str, Any], key: str) -> str:
    value = message.get(key)
    return value if isinstance(value, str) else ""


def _topics(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(topic for topic in value if isinstance(topic, str))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(topic for topic in re.split(r"[,\s]+", text) if topic)


def _command_response(message: dict[str, Any]) -> SubscribeAck:
    data = message.get("data")
    lists = data if isinstance(data, dict) else {}
    failed = _topics(lists.get("failTopics"))
    return SubscribeAck(
        op="",
        success=message.get("success") is True,
        reason="the exchange lists it under failTopics" if failed else "",
        succeeded=_topics(lists.get("successTopics")),
        failed=failed,
    )


def _acknowledgement(message: dict[str, Any], op: str) -> SubscribeAck:
    if "retCode" in message:  # the trade socket, which has no topics
        reason = f"{message['retCode']} {_text(message, 'retMsg')}".strip()
        return SubscribeAck(op=op, success=False, req_id=_text(message, "reqId"), reason=reason)
    reason = _text(message, "ret_msg")
    success = message.get("success") is True
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    already: tuple[str, ...] = ()
    if success:
        reason = ""  # spot repeats the op here
    elif named := _NAMED_TOPIC.match(reason):
        if named[1] == "already subscribed":
            already = (named[2],)
        else:
            failed = (named[2],)
    elif invalid := _INVALID_SYMBOL.match(reason):
        failed = _listed(invalid[1])
    elif partial := _PARTIAL.search(reason):
        succeeded, failed = _listed(partial[1]), _listed(partial[2])
    return SubscribeAck(
        op=op,
        success=success,
        req_id=_text(message, "req_id"),
        reason=reason,
        succeeded=succeeded,
        failed=failed,
        already=already,
    )


def _auth_result(message: dict[str, Any]) -> AuthResult:
    code = message.get("retCode")
    if isinstance(code, int):
        success = code in (0, _REPEATED_AUTH)
        return AuthResult(success=success, code=code, reason=_text(message, "retMsg"))
    return AuthResult(success=message.get("success") is True, reason=_text(message, "ret_msg"))
