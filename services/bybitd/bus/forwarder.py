"""Forward the events of every program to every subscriber, and subscriptions the other way.

The forwarding runs inside libzmq, in a thread of its own, and never holds Python's lock. That is
also why the sockets belong to that thread alone: it makes, uses and closes them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import zmq

from bybitbus.publisher import SUBSCRIPTIONS_MARK

Context = zmq.Context[zmq.Socket[bytes]]
_CONTROL = "inproc://forwarder.control"


class Forwarder:
    """Publishes at `public` what is published at `sources`. `ended` is called, in its thread,
    should it stop without being told to.

    Raises:
        zmq.ZMQError: `public` can not be bound.
    """

    def __init__(
        self,
        context: Context,
        public: str,
        sources: Sequence[str],
        *,
        high_water_mark: int,
        ended: Callable[[], None],
    ) -> None:
        self._ended = ended
        self._stopping = False
        self._control = context.socket(zmq.PAIR)
        self._control.bind(_CONTROL)
        front = context.socket(zmq.XPUB)
        front.linger = 0
        front.sndhwm = high_water_mark
        front.rcvhwm = SUBSCRIPTIONS_MARK
        # Every subscribe must travel on, or a second subscriber would get no snapshot. Every
        # unsubscribe must too: the XSUB behind counts both, and passes on the last one only.
        # Known weakness: a client that subscribes twice to one topic on one socket is counted
        # twice and leaves once, so that topic stays wanted until the bus restarts.
        front.setsockopt(zmq.XPUB_VERBOSER, 1)
        front.bind(public)
        back = context.socket(zmq.XSUB)
        back.linger = 0
        back.rcvhwm = high_water_mark
        back.sndhwm = SUBSCRIPTIONS_MARK
        for source in sources:
            back.connect(source)  # not there yet, or gone for a while: libzmq keeps trying
        control = context.socket(zmq.PAIR)
        control.linger = 0
        control.connect(_CONTROL)
        self._thread = threading.Thread(
            target=self._forward, args=(back, front, control), name="forwarder", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop forwarding and release the sockets."""
        self._stopping = True
        self._control.send(b"TERMINATE")
        self._thread.join()
        self._control.close(linger=0)

    def _forward(self, *sockets: zmq.Socket[bytes]) -> None:
        back, front, control = sockets
        try:
            zmq.proxy_steerable(back, front, None, control)
        finally:
            for socket in sockets:
                socket.close()
            if not self._stopping:
                self._ended()
