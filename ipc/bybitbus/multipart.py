"""Send and receive multipart messages without pyzmq's Python wrappers.

`Socket.send_multipart` and `recv_multipart` build flags from enumerations and check each part for
each message; measured, that costs five times as much as the calls of libzmq below it. The base
class underneath makes the same calls.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import zmq
from zmq.backend import Socket as _BaseSocket

_MORE = int(zmq.SNDMORE)
_NOBLOCK = int(zmq.NOBLOCK)
_RCVMORE = int(zmq.RCVMORE)


def pair_sender(socket: zmq.Socket[bytes]) -> Callable[[bytes, bytes], None]:
    """Return a function that sends two frames as one message."""
    send = cast("Callable[..., Any]", partial(_BaseSocket.send, socket))

    def send_pair(first: bytes, second: bytes) -> None:
        send(first, _MORE)
        send(second)

    return send_pair


def receiver(socket: zmq.Socket[bytes]) -> Callable[[], list[bytes]]:
    """Return a function that takes one message, without waiting.

    It raises:
        zmq.Again: nothing is there.
    """
    receive = cast("Callable[..., bytes]", partial(_BaseSocket.recv, socket))
    get = cast("Callable[[int], int]", partial(_BaseSocket.get, socket))

    def receive_frames() -> list[bytes]:
        frames = [receive(_NOBLOCK)]
        while get(_RCVMORE):
            frames.append(receive(_NOBLOCK))
        return frames

    return receive_frames
