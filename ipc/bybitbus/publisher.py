"""Publish events on an XPUB socket, and show who subscribes.

`ipc/PROTOCOL.md`, "Events". The publisher owns `seq`; state for late joiners is its user's to
keep, and goes out by `resend`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import zmq

from bybitbus.multipart import pair_sender
from bybitbus.outgoing import Outgoing

DEFAULT_HIGH_WATER_MARK = 50_000
# A subscription is a message too, and libzmq drops in silence what exceeds the mark (1,000 unless
# set) on either end: a client may ask for thousands of topics at once.
SUBSCRIPTIONS_MARK = 100_000


class Subscription(NamedTuple):
    """A subscriber came (`joined`) or the last one left. `prefix` is what was asked for."""

    prefix: str
    joined: bool


class Publisher(Outgoing):
    """One XPUB socket, bound to `address`; what it sends is `Outgoing`'s."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        *,
        epoch: int,
        high_water_mark: int = DEFAULT_HIGH_WATER_MARK,
    ) -> None:
        self.socket = context.socket(zmq.XPUB)
        self.socket.linger = 0
        self.socket.sndhwm = high_water_mark
        self.socket.rcvhwm = SUBSCRIPTIONS_MARK
        # A second subscriber must show too, or it would never get its snapshot.
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.socket.bind(address)
        super().__init__(epoch, pair_sender(self.socket), time.time_ns)

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
