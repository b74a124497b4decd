"""The way to the exchange's trade sockets: one that takes requests, and those that still answer.

A node that restarts refuses what is new (retCode 10019) and goes on answering what it has taken
(Bybit V5, "Error Codes"). Another socket is then made at once, which reaches another node, while
the old one stays until its answers are there.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any

from bybitd.net.backoff import Backoff, ConnectBudget
from bybitd.net.connection import Address, Cancellable, Reactor
from bybitd.order_execution.trade_socket import Listener, TradeSocket

log = logging.getLogger(__name__)


class TradeLink:
    """Keeps a trade socket up and logged in, and hands over to another one where needed."""

    def __init__(
        self,
        reactor: Reactor,
        locate: Callable[[], Address | None],
        login: Callable[[int], bytes],
        listener: Listener,
        on_change: Callable[[], None],
        *,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._reactor = reactor
        self._locate = locate
        self._login = login
        self._listener = listener
        self._on_change = on_change
        self._budget = ConnectBudget()
        self._number = 0
        self._bad_frames = 0  # of sockets that are gone
        self._leaving: list[TradeSocket] = []
        self._current = self._new_socket()
        # The first hand-over is at once. A service whose nodes all restart must not be met with a
        # new connection for every order that they refuse.
        self._pace = Backoff(uniform)
        self._handed_over_s: float | None = None
        self._starting: Cancellable | None = None

    @property
    def ready(self) -> bool:
        """Whether a request can be sent."""
        return self._current.ready

    @property
    def bad_frames(self) -> int:
        """How many frames could not be understood."""
        return self._bad_frames + sum(socket.bad_frames for socket in self._sockets())

    def describe(self) -> list[dict[str, Any]]:
        """Return what the status shows of each socket, the one that takes requests first."""
        return [socket.connection.describe() for socket in self._sockets()]

    def start(self) -> None:
        """Begin to connect."""
        self._current.connection.start()

    def close(self) -> None:
        """End for good; what waits is told so."""
        if self._starting is not None:
            self._starting.cancel()
        for socket in self._sockets():
            socket.close()

    def send(self, op: str, req_id: str, frame: bytes, due_ms: int) -> bool:
        """Send a request. False means that certainly none of it left.

        The listener may be called before this returns.
        """
        return self._current.send(op, req_id, frame, due_ms)

    def tick(self) -> None:
        """Let deadlines pass. To be called every 100 ms or so."""
        for socket in self._sockets():
            socket.tick()
        for socket in self._leaving:
            if socket.over:
                self._bad_frames += socket.bad_frames
        self._leaving = [socket for socket in self._leaving if not socket.over]

    def _sockets(self) -> list[TradeSocket]:
        return [self._current, *self._leaving]

    def _new_socket(self) -> TradeSocket:
        self._number += 1
        return TradeSocket(
            f"trade-{self._number}",
            self._reactor,
            self._locate,
            self._login,
            self._listener,
            self._changed,
            budget=self._budget,
        )

    def _changed(self) -> None:
        if self._current.draining:
            self._hand_over()
        self._on_change()

    def _hand_over(self) -> None:
        now_s = time.monotonic()
        delay_s = 0.0
        if self._handed_over_s is not None:
            self._pace.ended(now_s - self._handed_over_s)
            delay_s = self._pace.next_delay_s()
        self._handed_over_s = now_s
        log.warning("= the exchange restarts a trade node: another socket in %.1f s", delay_s)
        old, self._current = self._current, self._new_socket()
        self._leaving.append(old)
        old.retire()
        self._starting = self._reactor.call_later(delay_s, self.start)
