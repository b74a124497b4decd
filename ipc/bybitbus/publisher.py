"""Publish events on an XPUB socket: numbers each topic, stamps, and shows who subscribes.

`ipc/PROTOCOL.md`, "Events". The publisher owns `seq`; state for late joiners is its user's to
keep, and goes out by `resend`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import zmq

from bybitbus.multipart import pair_sender

DEFAULT_HIGH_WATER_MARK = 50_000
# A subscription is a message too, and libzmq drops in silence what exceeds the mark (1,000 unless
# set) on either end: a client may ask for thousands of topics at once.
SUBSCRIPTIONS_MARK = 100_000


class Subscription(NamedTuple):
    """A subscriber came (`joined`) or the last one left. `prefix` is what was asked for."""

    prefix: str
    joined: bool


class Publisher:
    """One XPUB socket, bound to `address`.

    `epoch` identifies this run of the publisher; `seq` counts from 1 on each topic within it.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        *,
        epoch: int,
        high_water_mark: int = DEFAULT_HIGH_WATER_MARK,
    ) -> None:
        self.epoch = epoch
        self.published = 0
        self.socket = context.socket(zmq.XPUB)
        self.socket.linger = 0
        self.socket.sndhwm = high_water_mark
        self.socket.rcvhwm = SUBSCRIPTIONS_MARK
        # A second subscriber must show too, or it would never get its snapshot.
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.socket.bind(address)
        self._seq: dict[str, int] = {}
        self._frames: dict[str, bytes] = {}
        self._encode = msgspec.msgpack.Encoder().encode
        self._send_pair = pair_sender(self.socket)

    def publish(self, topic: str, body: dict[str, Any], rx_ns: int | None = None) -> int:
        """Send `body` as the next message of `topic` and return its `seq`.

        The map is stamped in place with `seq`, `epoch`, `tx` and, where given, `rx` (Unix ns when
        it was read from the exchange).
        """
        seq = self._seq.get(topic, 0) + 1
        self._seq[topic] = seq
        self._emit(topic, body, seq, rx_ns)
        return seq

    def resend(self, topic: str, body: dict[str, Any], rx_ns: int | None = None) -> None:
        """Send state again for a late joiner: marked `resend`, at the last `seq`, not counted."""
        body["resend"] = True
        self._emit(topic, body, self._seq.get(topic, 0), rx_ns)

    def seq(self, topic: str) -> int:
        """Return the `seq` of the last message of `topic`, 0 before the first."""
        return self._seq.get(topic, 0)

    def _emit(self, topic: str, body: dict[str, Any], seq: int, rx_ns: int | None) -> None:
        frame = self._frames.get(topic)
        if frame is None:
            frame = self._frames[topic] = topic.encode()
        body["seq"] = seq
        body["epoch"] = self.epoch
        if rx_ns is not None:
            body["rx"] = rx_ns
        body["tx"] = time.time_ns()
        self._send_pair(frame, self._encode(body))
        self.published += 1

    def subscriptions(self) -> Iterator[Subscription]:
        """Yield what subscribers asked for since the last call; never blocks.

        A prefix that is no UTF-8 can match no topic of ours and is passed over.
        """
        while True:
            try:
                frame = self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if not frame or frame[0] > 1:
                continue  # a subscriber's own message on an XPUB socket means nothing here
            try:
                yield Subscription(frame[1:].decode(), frame[0] == 1)
            except UnicodeDecodeError:
                continue

    def close(self) -> None:
        """Close the socket; what was not sent yet is dropped."""
        self.socket.close()
