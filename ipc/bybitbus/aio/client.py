"""`Client` for asyncio, with the same surface as the blocking one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import zmq
import zmq.asyncio

from bybitbus import client as blocking
from bybitbus.correlation import DEFAULT_TIMEOUT_MS, Correlation, deadline_for, not_sent
from bybitbus.endpoints import requests_address, resolve
from bybitbus.errors import NoAnswer
from bybitbus.messages import Reply


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
        self.socket: zmq.asyncio.Socket = blocking.prepared_socket(
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
            sending = asyncio.ensure_future(self.socket.send(body))
            async with asyncio.timeout(timeout_ms / 1000):
                await sending
        except (TimeoutError, zmq.Again):
            # A loop that was busy may send it and find the time to be up in one and the same turn.
            # Whoever listened may be gone between the socket's word that it may send and the send.
            if sending.cancelled() or sending.exception() is not None:
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
