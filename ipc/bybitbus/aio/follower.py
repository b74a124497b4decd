"""`Follower` for asyncio, with the same surface as the blocking one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

import zmq.asyncio

from bybitbus.aio.client import Client
from bybitbus.aio.subscriber import Subscriber
from bybitbus.codes import Code
from bybitbus.cure import Cure
from bybitbus.errors import NoAnswer, Refused
from bybitbus.events import Event
from bybitbus.follower import ANSWER_WITHIN_MS, belonging
from bybitbus.sequence import Verdict
from bybitbus.subscriber import DEFAULT_HIGH_WATER_MARK
from bybitbus.waiting import Ask

_BEAT_MS: Final = 50
_AT_A_STRETCH: Final = 255


class Follower:
    """A `Subscriber` that makes good what it misses; see `bybitbus.follower.Follower`."""

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
        self.cure = Cure(self.subscriber.reader.sequences)
        self._asking: set[asyncio.Task[None]] = set()
        self._answered = asyncio.Event()
        self._left = 0
        for topic in topics:
            self.subscribe(topic)

    def subscribe(self, topic: str) -> None:
        """Ask for a topic, or for everything that starts with a prefix. Asking twice is once."""
        if topic not in self.subscriber.topics:
            self.subscriber.subscribe(topic)
            self.cure.followed(topic, _now_ms())

    def unsubscribe(self, topic: str) -> None:
        """Take a subscription back. A few messages that were on the way may still arrive."""
        if topic in self.subscriber.topics:
            self.subscriber.unsubscribe(topic)
            self.cure.forget(topic, but=self.subscriber.topics)

    def check(self) -> None:
        """Have it found out whether the last message of each topic has come."""
        self.cure.check(_now_ms())

    async def receive(self, timeout_ms: int | None = None) -> Event | None:
        """Return the next event, or None after `timeout_ms` without one (None waits for ever)."""
        due_ms = None if timeout_ms is None else _now_ms() + timeout_ms
        cure, receive = self.cure, self.subscriber.receive
        while True:
            if cure.ready:
                return cure.ready.popleft()
            event = await receive(0)
            if event is not None and event.verdict is Verdict.NEXT and cure.idle and self._left:
                self._left -= 1
                return event
            self._left = _AT_A_STRETCH
            now_ms = _now_ms()
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
            self.cure.refuse(ask, refused.code, _now_ms())
        except NoAnswer:
            self.cure.refuse(ask, Code.NO_ANSWER, _now_ms())
        else:
            self.cure.answer(ask, result, _now_ms())
        self._answered.set()

    async def _wait(self, due_ms: int | None) -> bool:
        """Wait for something to do; False when the time is over."""
        left_ms = None if due_ms is None else max(0, due_ms - _now_ms())
        beat_ms = max(0, self.cure.next_deadline_ms() - _now_ms())
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

    async def __aenter__(self) -> Follower:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
