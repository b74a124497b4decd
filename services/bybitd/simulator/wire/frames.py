"""Server-side WebSocket text frames (RFC 6455), made once and sent to any number of sockets.

A server does not mask, so the same bytes serve every subscriber; that is why they are made here
and not by the HTTP library, which would frame each copy anew.
"""

import struct
import zlib
from typing import Any

import msgspec

PONG, TEXT = 0xA, 0x1
_FINAL, _COMPRESSED = 0x80, 0x40

_encoder = msgspec.json.Encoder()
encode = _encoder.encode


def encode_reply(message: Any) -> bytes:
    """Encode a reply as the exchange's encoder does, which escapes `<`, `>` and `&`."""
    text = encode(message)
    for plain, escaped in ((b"&", b"\\u0026"), (b"<", b"\\u003c"), (b">", b"\\u003e")):
        if plain in text:
            text = text.replace(plain, escaped)
    return text


def frame(payload: bytes, opcode: int = TEXT, window_bits: int = 0) -> bytes:
    """Make one whole frame; `window_bits` is that of a negotiated permessage-deflate, else 0.

    Each message is compressed on its own (RFC 7692, no context takeover), so compressed frames
    can be shared between sockets as well.
    """
    first = _FINAL | opcode
    if window_bits:
        deflate = zlib.compressobj(wbits=-window_bits)
        payload = (deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
        first |= _COMPRESSED
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def garbage(kind: str) -> bytes:
    """Make bytes that no client should accept: `text`, `utf8` or `truncated`.

    `text` is a sound frame whose text is not JSON, `utf8` a text frame of invalid UTF-8,
    `truncated` a frame that announces more than it brings.
    """
    if kind == "text":
        return frame(b'{"topic":"orderbook.50.BTCUSDT","data":{"s":')
    if kind == "utf8":
        return frame(b'{"topic":"\xff\xfe\xc0\x80"}')
    return struct.pack("!BBH", _FINAL | TEXT, 126, 4_096) + b'{"topic":"'
