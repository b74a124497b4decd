"""One connection that is wanted for ever: connects, hands over what is read, connects again.

Every transition is logged and told to the peer behind it. Nothing here knows what is said.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from bybitd.net.backoff import STABLE_S, Backoff, ConnectBudget, Connects
from bybitd.net.errors import ConnectFailed
from bybitd.net.websocket import Connecting, WebSocketLink

CONNECT_TIMEOUT_S = 10.0
_UNLOCATED_RETRY_S = 0.1
log = logging.getLogger(__name__)


class Cancellable(Protocol):
    """A timer that can be taken back."""

    def cancel(self) -> None:
        """Never run it."""


class Reactor(Protocol):
    """What a connection needs of the loop that it lives in."""

    def add_reader(self, source: Any, callback: Callable[[], None]) -> None:
        """Call back whenever the source can be read."""

    def modify(self, source: Any, *, write: bool) -> None:
        """Also call back when it can be written, or no longer."""

    def remove(self, source: Any) -> None:
        """Stop watching."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Cancellable:
        """Call back once."""

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        """Call back in the loop's thread."""


class Address(NamedTuple):
    """Where to connect; `authority` is the certificate file to trust, "" for the system's."""

    url: str
    authority: str = ""


class Peer(Protocol):
    """What stands behind a connection. It may call `Connection.send` and `drop` at any time."""

    def opened(self) -> None:
        """The connection is open and nothing was said on it yet."""

    def received(self, payloads: list[bytes], rx_ns: int) -> None:
        """These messages came in, read at `rx_ns` (Unix ns)."""

    def lost(self, reason: str) -> None:
        """The connection ended; it is being made again."""


class Connection:
    """Keeps one WebSocket connection up. `state` is `waiting`, `connecting`, `open` or `closed`.

    `locate` is asked before each attempt, since the address may change; None means that it is
    not known yet. One that lived for `quick_after_s` is made again at once, while the budget is
    ample; else each attempt waits longer.
    """

    def __init__(
        self,
        name: str,
        reactor: Reactor,
        locate: Callable[[], Address | None],
        peer: Peer,
        *,
        budget: Connects | None = None,
        quick_after_s: float = STABLE_S,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.name = name
        self.state = "waiting"
        self.reason = "not started"
        self.connects = 0
        self.last_rx_ns = 0
        self._since_ns = time.time_ns()
        self._reactor = reactor
        self._locate = locate
        self._peer = peer
        self._budget = budget or ConnectBudget()
        self._backoff = Backoff(uniform)
        self._quick_after_s = quick_after_s
        self._connecting: Connecting | None = None
        self._link: WebSocketLink | None = None
        self._fd = -1
        self._writing = False
        self._opened_s = 0.0
        self._timer: Cancellable | None = None

    def start(self) -> None:
        """Begin. Harmless when it has begun."""
        if self.state == "waiting" and self._timer is None:
            self._attempt()

    def send(self, text: str | bytes) -> bool:
        """Send a text message.

        False means that certainly none of it left. True means that it may have: if the connection
        breaks meanwhile, the peer hears of that by `lost`, perhaps before this returns.
        """
        link = self._link
        if link is None:
            return False
        handed_over = link.send(text)
        self._settle(link)
        return handed_over

    def drop(self, reason: str) -> None:
        """End this connection and make a new one."""
        if self._link is not None:
            self._lose(self._link, reason)

    def close(self) -> None:
        """End for good, without telling the peer."""
        self._change("closed", "closed here")
        if self._timer is not None:
            self._timer.cancel()
        if self._connecting is not None:
            self._connecting.abandon()
        if self._link is not None:
            self._release(self._link)

    def describe(self) -> dict[str, Any]:
        """Return what the status shows of it."""
        return {
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "since_ns": self._since_ns,
            "connects": self.connects,
            "last_rx_ns": self.last_rx_ns,
        }

    def _change(self, state: str, reason: str = "") -> None:
        self.state, self.reason, self._since_ns = state, reason, time.time_ns()
        log.info("= %s %s%s", self.name, state, f": {reason}" if reason else "")

    def _retry(self, delay_s: float) -> None:
        self._timer = self._reactor.call_later(delay_s, self._attempt)

    def _attempt(self) -> None:
        self._timer = None
        address, now_s = self._locate(), time.monotonic()
        if address is None:
            if self.reason != "the address is not known yet":
                self._change("waiting", "the address is not known yet")
            self._retry(_UNLOCATED_RETRY_S)
            return
        if (wait_s := self._budget.wait_s(now_s)) > 0:
            self._change("waiting", "too many connections in five minutes")
            self._retry(wait_s)
            return
        self._budget.spend(now_s)
        self._change("connecting")
        self._connecting = Connecting(
            address.url,
            self._connected,
            self._reactor.call_soon_threadsafe,
            authority=address.authority,
            timeout_s=CONNECT_TIMEOUT_S,
        )
        # The steps of an attempt have their own limits; this one bounds the whole of it, slow name
        # servers and handshakes that drip included.
        self._timer = self._reactor.call_later(2 * CONNECT_TIMEOUT_S, self._attempt_hangs)

    def _attempt_hangs(self) -> None:
        self._timer = None
        if self._connecting is not None:
            self._connecting.abandon()
            self._connecting = None
            self._change("waiting", f"no connection within {2 * CONNECT_TIMEOUT_S:.0f} s")
            self._retry(self._backoff.next_delay_s())

    def _connected(self, link: WebSocketLink | None, error: ConnectFailed | None) -> None:
        self._connecting = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if link is None:
            self._change("waiting", str(error))
            self._retry(self._backoff.next_delay_s())
            return
        self._link, self._fd, self._writing = link, link.fileno(), False
        self._opened_s = time.monotonic()
        self.connects += 1
        self._reactor.add_reader(self._fd, self._ready)
        self._change("open")
        self._peer.opened()

    def _ready(self) -> None:
        link = self._link
        if link is None:
            return
        if link.wants_write:
            link.flush()
        payloads = link.read()
        if payloads:
            rx_ns = self.last_rx_ns = link.rx_ns
            self._peer.received(payloads, rx_ns)
        self._settle(link)

    def _settle(self, link: WebSocketLink) -> None:
        if self._link is not link:
            return  # the peer dropped it meanwhile
        if link.closed is not None:
            self._lose(link, link.closed)
        elif link.wants_write != self._writing:
            self._writing = link.wants_write
            self._reactor.modify(self._fd, write=self._writing)

    def _lose(self, link: WebSocketLink, reason: str) -> None:
        self._release(link)
        now_s = time.monotonic()
        lived_s = now_s - self._opened_s
        quick = lived_s >= self._quick_after_s and self._budget.is_ample(now_s)
        self._backoff.ended(lived_s, quick=quick)
        self._change("waiting", reason)
        self._retry(self._backoff.next_delay_s())
        self._peer.lost(reason)

    def _release(self, link: WebSocketLink) -> None:
        self._link = None
        self._reactor.remove(self._fd)
        link.close()
