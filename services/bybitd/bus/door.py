"""The bus's connection to the request socket of one program.

Says whether the program could be handed a request, and tells at once when it has gone.
"""

from __future__ import annotations

from collections.abc import Callable

import zmq
from zmq.utils.monitor import parse_monitor_message

from bybitd.runtime.loop import Loop

_HIGH_WATER_MARK = 10_000
_KEY_BYTES = 8


class Door:
    """One DEALER. `replied(key, body)` is called for each reply, `lost()` when the program ends.

    A reply's `body` is passed on as it came: the program has encoded it for the client.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        loop: Loop,
        address: str,
        replied: Callable[[int, bytes], None],
        lost: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._replied = replied
        self._lost = lost
        self._socket = context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.sndhwm = self._socket.rcvhwm = _HIGH_WATER_MARK
        # Nothing may wait for a program that is not there: an order must not be sent by surprise
        # when it comes back.
        self._socket.immediate = True
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._socket.connect(address)
        loop.add_reader(self._socket, self._take_replies)
        loop.add_reader(self._monitor, self._take_events)

    def send(self, key: int, body: bytes) -> bool:
        """Hand a request over; False when the program is not there or takes no more."""
        try:
            self._socket.send_multipart((key.to_bytes(_KEY_BYTES), body), zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        """Release the sockets."""
        self._loop.remove(self._socket)
        self._loop.remove(self._monitor)
        self._socket.disable_monitor()
        self._socket.close()

    def _take_replies(self) -> None:
        while True:
            try:
                key, *_, body = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._replied(int.from_bytes(key), body)

    def _take_events(self) -> None:
        # What it answered before it ended counts, and may still wait in the other socket.
        self._take_replies()
        while True:
            try:
                message = self._monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if parse_monitor_message(message)["event"] == zmq.EVENT_DISCONNECTED:
                self._lost()
