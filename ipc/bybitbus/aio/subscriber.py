"""`Subscriber` for asyncio, with the same surface as the blocking one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from types import TracebackType

import zmq
import zmq.asyncio

from bybitbus import subscriber as blocking
from bybitbus.endpoints import events_address, resolve
from bybitbus.events import Event, EventReader
from bybitbus.subscriber import DEFAULT_HIGH_WATER_MARK


class Subscriber:
    """One SUB socket with any number of topics; see `bybitbus.subscriber.Subscriber`."""

    def __init__(
        self,
        where: Path | str | None = None,
        topics: Iterable[str] = (),
        *,
        context: zmq.asyncio.Context | None = None,
        high_water_mark: int = DEFAULT_HIGH_WATER_MARK,
    ) -> None:
        self.reader = EventReader()
        self.topics: set[str] = set()
        self.socket: zmq.asyncio.Socket = blocking.prepared_socket(
            context or zmq.asyncio.Context.instance(), high_water_mark
        )
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

    async def receive(self, timeout_ms: int | None = None) -> Event | None:
        """Return the next event, or None after `timeout_ms` without one (None waits for ever)."""
        due_s = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        while True:
            try:
                frames = await self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                left_s = None if due_s is None else max(0.0, due_s - time.monotonic())
                # Waits by polling: a read that is cancelled could take an event away with it.
                if not await self.socket.poll(None if left_s is None else round(left_s * 1000)):
                    return None
                continue
            event = self.reader.read(frames)
            if event is not None:
                return event

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events for ever."""
        while (event := await self.receive()) is not None:
            yield event

    def close(self) -> None:
        """Close the socket."""
        self.socket.close(linger=0)

    async def __aenter__(self) -> Subscriber:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
