"""One accepted WebSocket, from the sending side."""

import asyncio
from collections import deque
from typing import Any

from bybitd.simulator.wire import frames
from bybitd.simulator.wire.auth import Credential


class Connection:
    """Send frames to one client, at once or as late as the faults want.

    It writes whole frames straight to the transport: the reply to an order must not wait for
    another task. A client that does not read is cut when `buffer_limit` bytes wait for it.
    """

    __slots__ = (
        "_buffer_limit",
        "_delay_s",
        "_held",
        "_held_bytes",
        "_loop",
        "_queue",
        "_stalled",
        "_timer",
        "_transport",
        "conn_id",
        "credential",
        "cut_for",
        "kind",
        "last_active",
        "max_active_s",
        "req_ids",
        "retiring",
        "topics",
        "window_bits",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        kind: str,
        conn_id: str,
        window_bits: int = 0,
        max_active_s: float = 600.0,
        buffer_limit: int = 8 << 20,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._buffer_limit = buffer_limit
        self._queue: list[bytes] = []
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._delay_s = 0.0
        self._stalled = False
        self._timer: asyncio.TimerHandle | None = None
        self.kind = kind
        self.conn_id = conn_id
        self.window_bits = window_bits
        self.max_active_s = max_active_s
        self.last_active = self._loop.time()
        self.topics: set[str] = set()
        self.credential: Credential | None = None
        self.req_ids: dict[str, None] = {}
        self.retiring = False  # its node restarts: it takes nothing new
        self.cut_for = ""

    def reply(self, message: dict[str, Any]) -> None:
        """Send the answer to a control message."""
        self.write(frames.frame(frames.encode_reply(message), window_bits=self.window_bits))

    def reply_later(self, message: dict[str, Any], delay_s: float) -> None:
        """Send an answer after that time, if the connection lasts as long."""
        self._loop.call_later(delay_s, self.reply, message)

    def write(self, frame: bytes) -> None:
        """Send one frame now, after those that were queued."""
        self._queue.append(frame)
        self.flush()

    def pong(self, payload: bytes) -> None:
        """Answer a protocol-level ping, which does not count as activity on the exchange."""
        before = self.last_active
        self.write(frames.frame(payload, frames.PONG))
        self.last_active = before

    def queue(self, frame: bytes) -> None:
        """Add a frame to what the next `flush` sends in one write."""
        self._queue.append(frame)

    def flush(self) -> None:
        """Send what was queued."""
        if not self._queue:
            return
        data = self._queue[0] if len(self._queue) == 1 else b"".join(self._queue)
        self._queue.clear()
        self.last_active = self._loop.time()
        if self._stalled or self._delay_s or self._held:
            self._held.append((self.last_active + self._delay_s, data))
            self._held_bytes += len(data)
            self._release()
        else:
            self._send(data)

    def hold(self, delay_s: float, stalled: bool) -> None:
        """Send later, or not at all until told otherwise."""
        self._delay_s = delay_s
        self._stalled = stalled
        self._release()

    def cut(self, reason: str) -> None:
        """End the connection at once, without a close frame."""
        self.cut_for = self.cut_for or reason
        self._held.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()

    def cut_after_sending(self, reason: str) -> None:
        """End the connection when what was written has left, without a close frame."""
        self.cut_for = self.cut_for or reason
        self._transport.close()

    @property
    def idle_s(self) -> float:
        """How long neither a message came nor one was sent, in seconds."""
        return self._loop.time() - self.last_active

    def touch(self) -> None:
        """Note that the client has sent a message."""
        self.last_active = self._loop.time()

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._held_bytes > self._buffer_limit:
            self.cut("it does not read")
            return
        if self._stalled:
            return
        now = self._loop.time()
        while self._held and self._held[0][0] <= now:
            _, data = self._held.popleft()
            self._held_bytes -= len(data)
            self._send(data)
        if self._held:
            self._timer = self._loop.call_at(self._held[0][0], self._release)

    def _send(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > self._buffer_limit:
            self.cut("it does not read")
