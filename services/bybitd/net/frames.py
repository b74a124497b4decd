"""Cut WebSocket frames out of a stream of bytes (RFC 6455), and build those that we send.

Pure: bytes in, messages out. The reader never raises: on a violation it fails, keeps the cause in
`failure` and yields nothing more. Names are the RFC's.

Why our own: on the hot path a read brings hundreds of small text frames at once, and a parser that
asks the socket for two bytes, then for the length, then for the payload, costs more than all that
is done with the message.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

MAX_MESSAGE_BYTES: Final = 8 << 20  # the largest known: a full order book of 10,000 levels a side
_MAX_CONTROL_BYTES = 125
_TEXT_FINAL = 0x81


class Opcode(IntEnum):
    """What a frame carries (RFC 6455, section 5.2)."""

    CONT = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the connection was failed: the close code to send, and a sentence."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Control:
    """A control frame: ping, pong or close with its payload."""

    opcode: Opcode
    payload: bytes

    def close_code(self) -> tuple[int, str]:
        """Return the code and reason of a close frame; 1005 where the peer gave none."""
        if len(self.payload) < 2:
            return 1005, ""
        return int.from_bytes(self.payload[:2], "big"), self.payload[2:].decode("utf-8", "replace")


class FrameReader:
    """Reads what a server sends. Feed it whatever the socket gave, in any pieces.

    `feed` returns the payloads of whole text and binary messages, in order. Control frames are
    collected in `controls`, for the caller to take. Text is not checked to be UTF-8 here: the
    JSON decoder does that, and a bad message must not cost the connection.
    """

    __slots__ = (
        "_closed",
        "_fragments",
        "_fragments_size",
        "_rest",
        "_wanted",
        "controls",
        "failure",
    )

    def __init__(self) -> None:
        self.controls: list[Control] = []
        self.failure: Failure | None = None
        self._rest = b""  # the beginning of a frame that has not come whole yet
        self._wanted = 0  # bytes of `_rest` before it is worth looking at again
        self._fragments: list[bytes] = []
        self._fragments_size = -1  # -1 while no fragmented message is open
        self._closed = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are whole with `data`."""
        messages: list[bytes] = []
        if self.failure is not None:
            return messages
        if self._rest:
            data = self._rest + data
            if len(data) < self._wanted:
                self._rest = data
                return messages
        keep = messages.append
        at, end = 0, len(data)
        if self._closed:
            return messages
        while end - at >= 2:
            head, size = data[at], data[at + 1]
            if size < 126:
                start = at + 2
            elif size == 126:
                start = at + 4
                if start > end:
                    break
                size = data[at + 2] << 8 | data[at + 3]
            elif size == 127:
                start = at + 10
                if start > end:
                    break
                size = int.from_bytes(data[at + 2 : start], "big")
            else:
                self._fail(1002, "a server must not mask its frames")
                return messages
            stop = start + size
            if head != _TEXT_FINAL or self._fragments_size >= 0 or size > MAX_MESSAGE_BYTES:
                if not self._check(head, size):
                    return messages
                if stop > end:
                    break
                if not self._other(head, data[start:stop], messages):
                    return messages  # it failed, or closed: nothing after that means anything
            elif stop > end:
                break
            else:
                keep(data[start:stop])
            at = stop
        self._hold(data, at, end)
        return messages

    def _hold(self, data: bytes, at: int, end: int) -> None:
        self._rest = data[at:] if at < end else b""
        self._wanted = 0
        # A large frame comes in many reads; without this each of them would be looked at anew.
        if end - at >= 10 and data[at + 1] == 127:
            self._wanted = 10 + int.from_bytes(data[at + 2 : at + 10], "big")

    def _check(self, head: int, size: int) -> bool:
        """Fail on what the header alone shows to be wrong; before waiting for the payload."""
        opcode, final = head & 0x0F, head & 0x80
        if head & 0x70:
            return self._fail(1002, "reserved bits are set though no extension was agreed")
        if opcode in (Opcode.CLOSE, Opcode.PING, Opcode.PONG):
            if not final or size > _MAX_CONTROL_BYTES:
                return self._fail(1002, "a control frame is fragmented or longer than 125 bytes")
            return True
        if opcode not in (Opcode.CONT, Opcode.TEXT, Opcode.BINARY):
            return self._fail(1002, f"opcode {opcode:#x} is not defined")
        if (opcode == Opcode.CONT) != (self._fragments_size >= 0):
            return self._fail(1002, "a message begins or goes on where it must not")
        if max(self._fragments_size, 0) + size > MAX_MESSAGE_BYTES:
            return self._fail(1009, f"a message is longer than {MAX_MESSAGE_BYTES} bytes")
        return True

    def _other(self, head: int, payload: bytes, messages: list[bytes]) -> bool:
        opcode, final = head & 0x0F, bool(head & 0x80)
        if opcode >= Opcode.CLOSE:
            control = Control(Opcode(opcode), payload)
            if opcode == Opcode.CLOSE:
                if payload and not _may_be_sent(control):
                    return self._fail(1002, "a close frame has a code that must not be sent")
                self._closed = True
            self.controls.append(control)
            return not self._closed
        if final and self._fragments_size < 0:
            messages.append(payload)
        else:
            self._fragments.append(payload)
            self._fragments_size = max(self._fragments_size, 0) + len(payload)
            if final:
                messages.append(b"".join(self._fragments))
                self._fragments.clear()
                self._fragments_size = -1
        return True

    def _fail(self, code: int, reason: str) -> bool:
        self.failure = Failure(code, reason)
        self._rest = b""
        return False


def _may_be_sent(control: Control) -> bool:
    """Whether the code of a close frame is one that may stand on the wire (section 7.4)."""
    if len(control.payload) < 2:
        return False
    code, _ = control.close_code()
    return 1000 <= code < 5000 and code not in (1004, 1005, 1006, 1015)


def build(opcode: Opcode, payload: bytes) -> bytes:
    """Return a whole masked frame, as a client must send it (section 5.3)."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    mask = os.urandom(4)
    # XOR of two long integers is the fastest masking there is without a C extension.
    key = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")
    return head + mask + masked.to_bytes(size, "little")


def close_payload(code: int, reason: str) -> bytes:
    """Return the payload of a close frame; the reason is cut to what fits."""
    return code.to_bytes(2, "big") + reason.encode()[: _MAX_CONTROL_BYTES - 2]
