"""One trade socket: a connection with a trade session on it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from bybitd.net.backoff import ConnectBudget
from bybitd.net.clock import now_ms
from bybitd.net.connection import Address, Connection, Reactor
from bybitd.order_execution.trade_session import Answer, NoAnswer, TradeSession
from bybitd.venue.session import Bad, Dead, Live

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Who is told what became of requests."""

    def answered(self, req_id: str, message: dict[str, Any], rx_ns: int) -> None:
        """The exchange answered, maybe after `unanswered` had been called."""

    def unanswered(self, req_id: str, reason: str) -> None:
        """No answer that can be told to belong to the request will come in time."""


class TradeSocket:
    """Keeps one socket up and logged in; sends requests and hands answers over.

    `changed` is called when it came, went, or takes nothing new any more. Once it is told to
    `retire` it sends nothing, waits for the answers that are still due, and ends: `over`.
    """

    def __init__(
        self,
        name: str,
        reactor: Reactor,
        locate: Callable[[], Address | None],
        login: Callable[[int], bytes],
        listener: Listener,
        changed: Callable[[], None],
        *,
        budget: ConnectBudget,
    ) -> None:
        self.connection = Connection(name, reactor, locate, self, budget=budget)
        self.bad_frames = 0
        self._name = name
        self._login = login
        self._listener = listener
        self._changed = changed
        self._session: TradeSession | None = None
        self._retiring = False

    @property
    def ready(self) -> bool:
        """Whether a request can be sent."""
        return self._session is not None and self._session.ready

    @property
    def draining(self) -> bool:
        """Whether the exchange said that this node takes nothing new."""
        return self._session is not None and self._session.draining

    @property
    def over(self) -> bool:
        """Whether it was retired and nothing is due on it any more."""
        return self._retiring and self._session is None

    def retire(self) -> None:
        """Take the answers that are due, then end."""
        self._retiring = True
        if self._session is None:
            self.connection.close()

    def close(self) -> None:
        """End for good; what waits is told so."""
        self.connection.close()
        self.lost("closed here")

    def send(self, op: str, req_id: str, frame: bytes, due_ms: int) -> bool:
        """Send a request. False means that certainly none of it left.

        The listener may be called before this returns.
        """
        session = self._session
        if session is None or not session.ready:
            return False
        session.expect(req_id, op, due_ms)
        if self.connection.send(frame):
            return True
        session.forget(req_id)
        return False

    def tick(self) -> None:
        """Let deadlines pass. To be called every 100 ms or so."""
        if self._session is not None:
            self._session.tick(now_ms())
            self._turn(self._session, 0)

    # What the connection tells

    def opened(self) -> None:
        """Log in."""
        self._session = TradeSession(self._login, now_ms())
        self._turn(self._session, 0)

    def received(self, payloads: list[bytes], rx_ns: int) -> None:
        """Hand answers over."""
        session = self._session
        if session is None:
            return
        at_ms = rx_ns // 1_000_000
        for payload in payloads:
            session.receive(payload, at_ms)
        self._turn(session, rx_ns)

    def lost(self, reason: str) -> None:
        """Tell those who wait that no answer will come."""
        if self._retiring:
            self.connection.close()  # nobody wants it back
        session, self._session = self._session, None
        if session is not None:
            session.lost(reason)
            self._turn(session, 0)
            self._changed()

    def _turn(self, session: TradeSession, rx_ns: int) -> None:
        dead: Dead | None = None
        for event in session.take_events():
            if isinstance(event, Answer):
                self._listener.answered(event.req_id, event.message, rx_ns)
                if not session.ready:
                    self._changed()
            elif isinstance(event, NoAnswer):
                self._listener.unanswered(event.req_id, event.reason)
            elif isinstance(event, Live):
                log.info("= %s logged in", self._name)
                self._changed()
            elif isinstance(event, Bad):
                self.bad_frames += 1
                log.warning("< %s: %s %s", self._name, event.reason, event.excerpt)
            elif isinstance(event, Dead):
                dead = event
        if dead is not None and self._session is session:
            self.connection.drop(dead.reason)
        elif self._session is session:
            for frame in session.data_to_send():
                self.connection.send(frame)
