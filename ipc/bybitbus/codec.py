"""Bytes to messages and back: MessagePack, maps with string keys, decimals as strings.

Touches no socket. msgspec writes the same bytes as the `msgpack` package at a third of the cost
and checks types on the way in; the golden vectors under `ipc/vectors/` hold it to that.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bybitbus.errors import CodecError
from bybitbus.messages import Reply, Request

MAX_REQUEST_BYTES = 1 << 20

_encoder = msgspec.msgpack.Encoder()
_event = msgspec.msgpack.Decoder(dict[str, Any])
_request = msgspec.msgpack.Decoder(Request)
_reply = msgspec.msgpack.Decoder(Reply)

encode = _encoder.encode

# Besides its own errors msgspec lets those of Python through: bad UTF-8, numbers out of range,
# nesting deeper than the stack. A frame of strangers may bring each of them.
_UNREADABLE = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)


def decode_event(body: bytes) -> dict[str, Any]:
    """Return the map of an event's body.

    Raises:
        CodecError: no msgpack map with string keys.
    """
    try:
        return _event.decode(body)
    except _UNREADABLE as error:
        raise _codec_error(error) from None


def decode_request(body: bytes) -> Request:
    """Return the request.

    Raises:
        CodecError: too large, no msgpack, not of the request's shape; names the field.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise CodecError(f"{len(body)} bytes; a request has at most {MAX_REQUEST_BYTES}")
    try:
        return _request.decode(body)
    except _UNREADABLE as error:
        raise _codec_error(error) from None


def decode_reply(body: bytes) -> Reply:
    """Return the reply.

    Raises:
        CodecError: no msgpack, or not of the reply's shape.
    """
    try:
        return _reply.decode(body)
    except _UNREADABLE as error:
        raise _codec_error(error) from None


def salvage_id(body: bytes) -> str:
    """Return the `id` of a request that could not be decoded, or "" if it has none to be read."""
    try:
        loose = _event.decode(body)
    except _UNREADABLE:
        return ""
    found = loose.get("id", "")
    return found if isinstance(found, str) else ""


def _codec_error(error: Exception) -> CodecError:
    # msgspec ends its sentence with " - at `$.path`"; split so that the field stands apart.
    text, _, path = str(error).partition(" - at `")
    return CodecError(text, field=path.rstrip("`").removeprefix("$").removeprefix("."))
