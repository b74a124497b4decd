"""Send requests from a DEALER socket, blocking (`ipc/PROTOCOL.md`, "Requests")."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq

from bybitbus.closing import Closing
from bybitbus.correlation import DEFAULT_TIMEOUT_MS, Correlation, deadline_for, not_sent
from bybitbus.endpoints import requests_address, resolve
from bybitbus.errors import NoAnswer
from bybitbus.messages import Reply

HIGH_WATER_MARK = 10_000


class Client(Closing):
    """One DEALER socket on which any number of requests may be in flight.

    `where` is a run folder (the bus's requests in it are then used), a ZeroMQ address, or None for
    the folder that the daemon uses without configuration. `client` is the name of the strategy.

    The gateway may go and come again: requests that it had not answered end as `NoAnswer`, later
    ones work. A reply to a request that was given up is dropped. For one thread only.

    Raises:
        PathTooLong: the socket's path would exceed the system's limit.
    """

    def __init__(
        self,
        where: Path | str | None = None,
        *,
        client: str = "",
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        self.address = resolve(where, requests_address)
        self.correlation = Correlation(os.urandom(6).hex(), client)
        self._ready: deque[Reply] = deque()  # replies that `request` met while waiting for its own
        self.socket = prepared_socket(context or zmq.Context.instance())
        self.socket.connect(self.address)

    def request(
        self,
        op: str,
        args: Mapping[str, Any] | None = None,
        *,
        account: str = "main",
        deadline_ms: int | None = None,
        timeout_ms: int = DEFAULT_TIMEOUT_MS,
    ) -> Any:
        """Send one request and return its result.

        `timeout_ms` bounds how long this call waits; `deadline_ms` (Unix ms, or a duration) how
        long the gateway may try, and is a little less than the timeout where none is given.

        Raises:
            Refused: the reply is an error, or nobody listened and nothing was sent.
            NoAnswer: sent, and nothing came back; what was asked for may have happened. Never
                send an order again under another id: look it up with `order.status`.
            CodecError: `args` hold something that MessagePack has no form for.
        """
        due_s = time.monotonic() + timeout_ms / 1000
        request_id = self.send(
            op, args, account=account, deadline_ms=deadline_ms, timeout_ms=timeout_ms
        )
        try:
            while (reply := self._take(due_s)) is not None:
                if reply.id == request_id:
                    return reply.unwrap(op)
                self._ready.append(reply)
            raise NoAnswer(op, request_id, timeout_ms)
        finally:
            self.correlation.give_up(request_id)

    def send(
        self,
        op: str,
        args: Mapping[str, Any] | None = None,
        *,
        account: str = "main",
        deadline_ms: int | None = None,
        timeout_ms: int = DEFAULT_TIMEOUT_MS,
    ) -> str:
        """Send one request without waiting for its reply, and return its id for `receive`.

        Waits up to `timeout_ms` for somebody to listen.

        Raises:
            Refused: nobody listened; nothing was sent.
            CodecError: `args` hold something that MessagePack has no form for.
        """
        if deadline_ms is None:
            deadline_ms = deadline_for(timeout_ms, time.time_ns() // 1_000_000)
        request_id, body = self.correlation.compose(op, args, account, deadline_ms)
        due_s = time.monotonic() + timeout_ms / 1000
        while True:
            try:
                self.socket.send(body, zmq.NOBLOCK)
            except zmq.Again:
                if self.socket.poll(_left_ms(due_s), zmq.POLLOUT):
                    continue
                self.correlation.give_up(request_id)
                raise not_sent(op, self.address, timeout_ms) from None
            return request_id

    def receive(self, timeout_ms: int | None = None) -> Reply | None:
        """Return the next reply to a request sent with `send`, whichever it is; None after
        `timeout_ms` without one (None waits for ever). See `Reply.unwrap` for its result.
        """
        if self._ready:
            return self._ready.popleft()
        return self._take(None if timeout_ms is None else time.monotonic() + timeout_ms / 1000)

    def give_up(self, request_id: str) -> None:
        """Wait for this reply no longer; should it still come, it is dropped."""
        self.correlation.give_up(request_id)

    def _take(self, due_s: float | None) -> Reply | None:
        while True:
            try:
                # The last frame is the reply, with or without a delimiter before it.
                body = self.socket.recv_multipart(zmq.NOBLOCK)[-1]
            except zmq.Again:
                if self.socket.poll(None if due_s is None else _left_ms(due_s)):
                    continue
                return None
            if (reply := self.correlation.match(body)) is not None:
                return reply

    def close(self) -> None:
        """Close the socket; what was not sent yet is dropped."""
        self.socket.close(linger=0)


def prepared_socket(context: Any) -> Any:
    """Return a DEALER socket of `context` with the options that every client should set."""
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.sndhwm = socket.rcvhwm = HIGH_WATER_MARK
    # Without this a request is queued for a gateway that is down, and sent whenever it comes back.
    socket.immediate = 1
    return socket


def _left_ms(due_s: float) -> int:
    return max(0, round((due_s - time.monotonic()) * 1000))
