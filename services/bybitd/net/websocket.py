"""One WebSocket connection: opened by websocket-client, then read and written by us.

websocket-client does TLS, proxies and the handshake in a short-lived thread, since it blocks.
After that the socket is non-blocking and ours: large reads, frames cut by `frames.FrameReader`,
writes queued. No compression is offered: it costs more than it saves on a local or fast line.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import websocket

from bybitd.net.errors import ConnectFailed
from bybitd.net.frames import Control, Failure, FrameReader, Opcode, build, close_payload

_READ_BYTES = 256 * 1024
_READS_PER_TURN = 4  # then the loop's other sources have their turn
_MAX_QUEUED_BYTES = 4 << 20  # a peer that takes no more than this is as good as gone


class Connecting:
    """A connection in the making. `on_done(link or None, error)` runs in the loop's thread."""

    def __init__(
        self,
        url: str,
        on_done: Callable[[WebSocketLink | None, ConnectFailed | None], None],
        post: Callable[[Callable[[], None]], None],
        *,
        authority: str = "",
        timeout_s: float = 10.0,
    ) -> None:
        self._lock = threading.Lock()  # guards the two below: who of the threads closes the link
        self._abandoned = False
        self._link: WebSocketLink | None = None  # open, and not handed over yet
        self._on_done = on_done
        self._post = post
        threading.Thread(
            target=self._connect, args=(url, authority, timeout_s), name="connect", daemon=True
        ).start()

    def abandon(self) -> None:
        """Close whatever comes of it and never call `on_done`."""
        with self._lock:
            self._abandoned = True
            if self._link is not None:
                self._link.close()

    def _connect(self, url: str, authority: str, timeout_s: float) -> None:
        link, failure = None, None
        try:
            link = open_link(url, authority=authority, timeout_s=timeout_s)
        except ConnectFailed as error:
            failure = error
        with self._lock:
            if not self._abandoned:
                self._link = link
            elif link is not None:
                link.close()  # here, since the loop may never turn again
                return
        self._post(lambda: self._hand_over(failure))

    def _hand_over(self, failure: ConnectFailed | None) -> None:
        with self._lock:
            if self._abandoned:
                return
            link, self._link = self._link, None
        self._on_done(link, failure)


def open_link(url: str, *, authority: str = "", timeout_s: float = 10.0) -> WebSocketLink:
    """Connect and shake hands, blocking for at most `timeout_s` per step.

    `authority` is a certificate file to trust instead of the system's.

    Raises:
        ConnectFailed: with the reason; the query of the URL is left out.
    """
    try:
        opened = websocket.create_connection(
            url,
            timeout=timeout_s,
            sslopt={"ca_certs": authority} if authority else None,
            sockopt=(
                (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            ),
            enable_multithread=False,
            # A redirect would carry an authentication to another host.
            redirect_limit=0,
        )
    except websocket.WebSocketBadStatusException as error:
        # Its own text quotes headers and body of the answer, which may say anything.
        raise ConnectFailed(f"{_shown(url)}: HTTP {error.status_code}") from None
    except (OSError, websocket.WebSocketException, ValueError) as error:
        raise ConnectFailed(f"{_shown(url)}: {type(error).__name__}: {error}") from None
    return WebSocketLink(opened)


def _shown(url: str) -> str:
    return url.partition("?")[0]


class WebSocketLink:
    """An open connection. Nothing here blocks; all of it belongs to one thread.

    `closed` is None while it is open, then why it ended. After `read` or `send` look at it, and
    at `wants_write`.
    """

    def __init__(self, opened: Any) -> None:
        self._socket: socket.socket = opened.sock
        self._socket.setblocking(False)
        self._tls = isinstance(self._socket, ssl.SSLSocket)
        self._reader = FrameReader()
        self._buffer = bytearray(_READ_BYTES)
        self._view = memoryview(self._buffer)
        self._queue = bytearray()
        self._blocked = False
        self._broken = ""  # writing failed; what the peer said before is still to be read
        self.closed: str | None = None
        self.rx_ns = 0  # when the last piece was read from the socket, Unix ns

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether something waits for room in the socket: poll for writing, then `flush`."""
        return self._blocked and self.closed is None

    def read(self) -> list[bytes]:
        """Return the payloads of the messages that have come in; [] if none is whole yet.

        Reads a bounded amount, and always all that TLS holds decrypted, which no poll reports.
        Answers pings. On the end of the connection `closed` is set and what came before it is
        returned.
        """
        messages: list[bytes] = []
        for turn in range(1 << 30):
            if self.closed is not None:
                break
            if turn >= _READS_PER_TURN and not (self._tls and self._pending()):
                break
            try:
                count = self._socket.recv_into(self._view)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if self._broken:
                    self._end(self._broken)
                break
            except OSError as error:
                self._end(f"read failed: {error.strerror or type(error).__name__}")
                break
            if count == 0:
                self._end("the peer closed the connection without a word")
                break
            self.rx_ns = time.time_ns()
            got = self._reader.feed(bytes(self._view[:count]))
            messages = messages + got if messages else got
            if self._reader.controls:
                self._take_controls()
            if (failure := self._reader.failure) is not None:
                self._fail(failure)
            if count < _READ_BYTES and not self._tls:
                break  # the socket is empty: one system call less
        return messages

    def send(self, text: str | bytes) -> bool:
        """Queue a text message and write what the socket takes now.

        False means that certainly none of it left; True that it may have, in part or whole.
        """
        return self._write(build(Opcode.TEXT, text.encode() if isinstance(text, str) else text))

    def flush(self) -> None:
        """Write what is queued, as far as the socket takes it."""
        self._blocked = False
        while self._queue and self.closed is None:
            try:
                sent = self._socket.send(self._queue)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self._blocked = True
                return
            except OSError as error:
                self._broken = f"write failed: {error.strerror or type(error).__name__}"
                self._queue.clear()
                return
            del self._queue[:sent]

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say good-bye if the socket takes it, and close. Harmless when closed."""
        if self.closed is None:
            self._write(build(Opcode.CLOSE, close_payload(code, reason)))
            self._end(reason or "closed here")
        self._socket.close()

    def _pending(self) -> bool:
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def _write(self, data: bytes) -> bool:
        if self.closed is not None or self._broken:
            return False
        if len(self._queue) + len(data) > _MAX_QUEUED_BYTES:
            self._end("the peer does not read what is sent")
            return False
        self._queue += data
        self.flush()
        return True

    def _take_controls(self) -> None:
        controls, self._reader.controls = self._reader.controls, []
        for control in controls:
            if control.opcode == Opcode.PING:
                self._write(build(Opcode.PONG, control.payload))
            elif control.opcode == Opcode.CLOSE:
                self._answer_close(control)

    def _answer_close(self, control: Control) -> None:
        code, reason = control.close_code()
        self._write(build(Opcode.CLOSE, control.payload[:2]))
        self._end(f"the peer closed the connection: {code} {reason}".rstrip())

    def _fail(self, failure: Failure) -> None:
        self._write(build(Opcode.CLOSE, close_payload(failure.code, failure.reason)))
        self._end(f"protocol violation: {failure.reason}")

    def _end(self, reason: str) -> None:
        if self.closed is None:
            self.closed = reason
