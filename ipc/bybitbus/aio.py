"""`Client` and `Subscriber` for asyncio, with the same surface as the blocking ones.

Many tasks may use one `Client` at once; a `Subscriber` is for one task. Close both (`async with`,
or `close()`) in the loop that they were used in.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import zmq
import zmq.asyncio

from bybitbus import client as blocking_client
from bybitbus import subscriber as blocking_subscriber
from bybitbus.correlation import DEFAULT_TIMEOUT_MS, Correlation, deadline_for, not_sent
from bybitbus.endpoints import events_address, requests_address, resolve
from bybitbus.errors import NoAnswer
from bybitbus.events import Event, EventReader
from bybitbus.messages import Reply
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
        self.socket: zmq.asyncio.Socket = blocking_subscriber.prepared_socket(
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


class Client:
    """One DEALER socket for all tasks of a loop; see `bybitbus.client.Client`."""

    def __init__(
        self,
        where: Path | str | None = None,
        *,
        client: str = "",
        context: zmq.asyncio.Context | None = None,
    ) -> None:
        self.address = resolve(where, requests_address)
        self.correlation = Correlation(os.urandom(6).hex(), client)
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._ready: asyncio.Queue[Reply] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None
        self.socket: zmq.asyncio.Socket = blocking_client.prepared_socket(
            context or zmq.asyncio.Context.instance()
        )
        self.socket.connect(self.address)

    async def request(
        self,
        op: str,
        args: Mapping[str, Any] | None = None,
        *,
        account: str = "main",
        deadline_ms: int | None = None,
        timeout_ms: int = DEFAULT_TIMEOUT_MS,
    ) -> Any:
        """Send one request and return its result; as `bybitbus.client.Client.request`.

        Raises:
            Refused: the reply is an error, or nobody listened and nothing was sent.
            NoAnswer: sent, and nothing came back; what was asked for may have happened.
            CodecError: `args` hold something that MessagePack has no form for.
        """
        due_s = time.monotonic() + timeout_ms / 1000
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        request_id = await self._send(op, args, account, deadline_ms, timeout_ms, reply)
        try:
            async with asyncio.timeout(max(0.0, due_s - time.monotonic())):
                return (await reply).unwrap(op)
        except TimeoutError:
            raise NoAnswer(op, request_id, timeout_ms) from None
        finally:
            self.give_up(request_id)

    async def send(
        self,
        op: str,
        args: Mapping[str, Any] | None = None,
        *,
        account: str = "main",
        deadline_ms: int | None = None,
        timeout_ms: int = DEFAULT_TIMEOUT_MS,
    ) -> str:
        """Send one request without waiting for its reply, and return its id for `receive`.

        Raises:
            Refused: nobody listened within `timeout_ms`; nothing was sent.
            CodecError: `args` hold something that MessagePack has no form for.
        """
        return await self._send(op, args, account, deadline_ms, timeout_ms, None)

    async def receive(self, timeout_ms: int | None = None) -> Reply | None:
        """Return the next reply to a request sent with `send`, whichever it is; None after
        `timeout_ms` without one (None waits for ever).
        """
        self._read()
        try:
            async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000):
                return await self._ready.get()
        except TimeoutError:
            return None

    def give_up(self, request_id: str) -> None:
        """Wait for this reply no longer; should it still come, it is dropped."""
        self._waiting.pop(request_id, None)
        self.correlation.give_up(request_id)

    async def _send(
        self,
        op: str,
        args: Mapping[str, Any] | None,
        account: str,
        deadline_ms: int | None,
        timeout_ms: int,
        reply: asyncio.Future[Reply] | None,
    ) -> str:
        self._read()
        if deadline_ms is None:
            deadline_ms = deadline_for(timeout_ms, time.time_ns() // 1_000_000)
        request_id, body = self.correlation.compose(op, args, account, deadline_ms)
        if reply is not None:
            self._waiting[request_id] = reply
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self.socket.send(body)
        except TimeoutError:
            self.give_up(request_id)
            raise not_sent(op, self.address, timeout_ms) from None
        except BaseException:
            self.give_up(request_id)
            raise
        return request_id

    def _read(self) -> None:
        # One reader for all tasks, begun by the first use, since only then there is a loop.
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._dispatch())

    async def _dispatch(self) -> None:
        while True:
            frames = await self.socket.recv_multipart()
            reply = self.correlation.match(frames[-1])
            if reply is None:
                continue
            waiting = self._waiting.pop(reply.id, None)
            if waiting is None:
                self._ready.put_nowait(reply)
            elif not waiting.done():
                waiting.set_result(reply)

    async def close(self) -> None:
        """End the reader and close the socket; what was not sent yet is dropped."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None
        self.socket.close(linger=0)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
