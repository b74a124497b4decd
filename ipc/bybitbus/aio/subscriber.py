"""`Subscriber` for asyncio, with the same surface as the blocking one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Self

import zmq
import zmq.asyncio

from bybitbus.events import Event
from bybitbus.subscriber import DEFAULT_HIGH_WATER_MARK, Subscriptions


class Subscriber(Subscriptions):
    """One SUB socket with any number of topics; see `bybitbus.subscriber.Subscriber`."""

    def __init__(
        self,
        where: Path | str | None = None,
        topics: Iterable[str] = (),
        *,
        context: zmq.asyncio.Context | None = None,
        high_water_mark: int = DEFAULT_HIGH_WATER_MARK,
    ) -> None:
        super().__init__(context or zmq.asyncio.Context.instance(), where, topics, high_water_mark)

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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
