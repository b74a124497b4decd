"""`Follower` for asyncio, with the same surface as the blocking one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Self

import zmq.asyncio

from bybitbus.aio.client import Client
from bybitbus.aio.subscriber import Subscriber
from bybitbus.codes import Code
from bybitbus.errors import NoAnswer, Refused
from bybitbus.events import Event
from bybitbus.follower import ANSWER_WITHIN_MS, AT_A_STRETCH, Following, belonging, monotonic_ms
from bybitbus.sequence import Verdict
from bybitbus.subscriber import DEFAULT_HIGH_WATER_MARK
from bybitbus.waiting import Ask


class Follower(Following):
    """A `Subscriber` that makes good what it misses; see `bybitbus.follower.Follower`."""

    subscriber: Subscriber

    def __init__(
        self,
        where: Path | str | None = None,
        topics: Iterable[str] = (),
        *,
        requests: str | None = None,
        client: str = "",
        context: zmq.asyncio.Context | None = None,
        high_water_mark: int = DEFAULT_HIGH_WATER_MARK,
    ) -> None:
        self.subscriber = Subscriber(where, context=context, high_water_mark=high_water_mark)
        try:
            self.client = Client(belonging(where, requests), client=client, context=context)
        except BaseException:
            self.subscriber.close()
            raise
        self._asking: set[asyncio.Task[None]] = set()
        self._answered = asyncio.Event()
        self._left = 0
        super().__init__(topics)

    async def receive(self, timeout_ms: int | None = None) -> Event | None:
        """Return the next event, or None after `timeout_ms` without one (None waits for ever)."""
        due_ms = None if timeout_ms is None else monotonic_ms() + timeout_ms
        cure, receive = self.cure, self.subscriber.receive
        while True:
            if cure.ready:
                return cure.ready.popleft()
            event = await receive(0)
            if event is not None and event.verdict is Verdict.NEXT and cure.idle and self._left:
                self._left -= 1
                return event
            self._left = AT_A_STRETCH
            now_ms = monotonic_ms()
            if event is not None:
                cure.take(event, now_ms)
            cure.tick(now_ms)
            for ask in cure.asks():
                task = asyncio.get_running_loop().create_task(self._ask(ask))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
            if event is None and not cure.ready and not await self._wait(due_ms):
                return None

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events for ever."""
        while (event := await self.receive()) is not None:
            yield event

    async def _ask(self, ask: Ask) -> None:
        try:
            result = await self.client.request(ask.op, ask.args, timeout_ms=ANSWER_WITHIN_MS)
        except Refused as refused:
            self.cure.refuse(ask, refused.code, monotonic_ms())
        except NoAnswer:
            self.cure.refuse(ask, Code.NO_ANSWER, monotonic_ms())
        else:
            self.cure.answer(ask, result, monotonic_ms())
        self._answered.set()

    async def _wait(self, due_ms: int | None) -> bool:
        """Wait for something to do; False when the time is over."""
        left_ms = None if due_ms is None else max(0, due_ms - monotonic_ms())
        beat_ms = max(0, self.cure.next_deadline_ms() - monotonic_ms())
        beat_ms = beat_ms if left_ms is None else min(beat_ms, left_ms)
        if not self._asking:
            await self.subscriber.socket.poll(beat_ms)
            return left_ms is None or left_ms > 0
        self._answered.clear()
        readable = asyncio.ensure_future(self.subscriber.socket.poll(beat_ms))
        answered = asyncio.ensure_future(self._answered.wait())
        try:
            await asyncio.wait((readable, answered), return_when=asyncio.FIRST_COMPLETED)
        finally:
            readable.cancel()
            answered.cancel()
            await asyncio.gather(readable, answered, return_exceptions=True)
        return left_ms is None or left_ms > 0

    async def close(self) -> None:
        """End what is being asked and close the sockets."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        self.subscriber.close()
        await self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
