"""Receive events on a SUB socket, blocking (`ipc/PROTOCOL.md`, "Events")."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import zmq

from bybitbus.closing import Closing
from bybitbus.endpoints import events_address, resolve
from bybitbus.events import Event, EventReader
from bybitbus.multipart import receiver
from bybitbus.publisher import SUBSCRIPTIONS_MARK

DEFAULT_HIGH_WATER_MARK = 50_000


class Subscriptions:
    """A SUB socket and what it asks for: what a blocking subscriber and one for asyncio share."""

    def __init__(
        self, context: Any, where: Path | str | None, topics: Iterable[str], high_water_mark: int
    ) -> None:
        self.reader = EventReader()
        self.topics: set[str] = set()
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        # Finite: a reader that falls behind loses frames, sees it by `seq`, and keeps its memory.
        self.socket.rcvhwm = high_water_mark
        self.socket.sndhwm = SUBSCRIPTIONS_MARK
        try:
            self.socket.connect(resolve(where, events_address))
            for topic in topics:
                self.subscribe(topic)
        except BaseException:
            self.close()
            raise

    def subscribe(self, topic: str) -> None:
        """Ask for a topic, or for everything that starts with a prefix. Asking twice is once."""
        if topic not in self.topics:
            self.socket.subscribe(topic)
            self.topics.add(topic)

    def unsubscribe(self, topic: str) -> None:
        """Take a subscription back. A few messages that were on the way may still arrive."""
        if topic in self.topics:
            self.socket.unsubscribe(topic)
            self.topics.discard(topic)
            self.reader.sequences.forget(topic, but=self.topics)

    def resubscribe(self, topic: str) -> None:
        """Ask for a topic again, which has its state sent anew: the repair after a hole."""
        self.unsubscribe(topic)
        self.subscribe(topic)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close(linger=0)


class Subscriber(Subscriptions, Closing):
    """One SUB socket with any number of topics.

    `where` is a run folder (the bus's events in it are then used), a ZeroMQ address, or None for
    the folder that the daemon uses without configuration. A topic written whole, with its closing
    dot, makes the gateway fetch it; a shorter prefix shows what flows anyway.

    The publisher may come, go and come again: ZeroMQ reconnects and asks for the topics anew, but
    only while this socket is read, so keep receiving. For one thread only. Nothing that arrives
    raises: what is malformed is counted in `reader.malformed`.

    Raises:
        PathTooLong: the socket's path would exceed the system's limit.
    """

    def __init__(
        self,
        where: Path | str | None = None,
        topics: Iterable[str] = (),
        *,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        high_water_mark: int = DEFAULT_HIGH_WATER_MARK,
    ) -> None:
        super().__init__(context or zmq.Context.instance(), where, topics, high_water_mark)
        self._receive_frames = receiver(self.socket)

    def receive(self, timeout_ms: int | None = None) -> Event | None:
        """Return the next event, or None after `timeout_ms` without one (None waits for ever)."""
        due_s = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        while True:
            try:
                frames = self._receive_frames()
            except zmq.Again:
                if not self._wait(due_s):
                    return None
                continue
            event = self.reader.read(frames)
            if event is not None:
                return event

    def __iter__(self) -> Iterator[Event]:
        """Yield events for ever."""
        while (event := self.receive()) is not None:
            yield event

    def _wait(self, due_s: float | None) -> bool:
        if due_s is None:
            return bool(self.socket.poll())
        return bool(self.socket.poll(max(0, round((due_s - time.monotonic()) * 1000))))
