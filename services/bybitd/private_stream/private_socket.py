"""The private socket: a connection with a session on it that wants the account's topics."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from bybitd.net.clock import now_ms
from bybitd.net.connection import Address, Connection, Reactor
from bybitd.venue.session import PING_EVERY_MS, Bad, Confirmed, Dead, Live, Rejected, Session

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Who is told what comes of it."""

    def subscribed(self) -> None:
        """Every topic was answered: from now on nothing is missed."""

    def message(self, message: dict[str, Any], rx_ns: int) -> None:
        """A topic's message came in."""

    def interrupted(self, reason: str) -> None:
        """From now on something may be missed."""


class PrivateSocket:
    """Keeps the private socket up, logged in and subscribed."""

    def __init__(
        self,
        reactor: Reactor,
        locate: Callable[[], Address | None],
        login: Callable[[int], bytes],
        topics: Iterable[str],
        listener: Listener,
        ping_every_ms: int = PING_EVERY_MS,
    ) -> None:
        self.connection = Connection("private", reactor, locate, self)
        self.bad_frames = 0
        self.refused: dict[str, str] = {}  # topics that the exchange will not serve, and why
        self._wanted = tuple(topics)
        self._unanswered: set[str] = set()
        self._ping_every_ms = ping_every_ms
        self._login = login
        self._listener = listener
        self._session: Session | None = None

    def start(self) -> None:
        """Begin to connect."""
        self.connection.start()

    def close(self) -> None:
        """End for good."""
        self.connection.close()

    def tick(self) -> None:
        """Let deadlines pass. To be called several times a second."""
        if self._session is not None:
            self._session.tick(now_ms())
            self._turn(self._session)

    def opened(self) -> None:
        """Log in; the topics follow when that has succeeded."""
        # What was refused once is asked for again: permissions change.
        self.refused.clear()
        self._unanswered = set(self._wanted)
        desired = dict.fromkeys(self._wanted)
        self._session = Session(
            "private", desired, now_ms(), auth=self._login, ping_every_ms=self._ping_every_ms
        )
        self._turn(self._session)

    def received(self, payloads: list[bytes], rx_ns: int) -> None:
        """Take messages."""
        session, at_ms = self._session, rx_ns // 1_000_000
        if session is None:
            return
        for payload in payloads:
            message = session.receive(payload, at_ms)
            if message is not None:
                self._listener.message(message, rx_ns)
        self._turn(session)

    def lost(self, reason: str) -> None:
        """Say that messages may be missed from now on."""
        self._session = None
        self._listener.interrupted(reason)

    def _turn(self, session: Session) -> None:
        events, session.events = session.events, []
        dead: Dead | None = None
        for event in events:
            if isinstance(event, Confirmed):
                self._answered(event.topic)
            elif isinstance(event, Rejected):
                self.refused[event.topic] = event.reason
                log.error("< private topic %s refused: %s", event.topic, event.reason)
                self._answered(event.topic)
            elif isinstance(event, Bad):
                self.bad_frames += 1
                log.warning("< private: %s %s", event.reason, event.excerpt)
            elif isinstance(event, Live):
                log.info("= private logged in")
            elif isinstance(event, Dead):
                dead = event
        if self._session is not session:
            return
        if dead is not None:
            self.connection.drop(dead.reason)
            return
        for frame in session.data_to_send():
            self.connection.send(frame)

    def _answered(self, topic: str) -> None:
        if topic in self._unanswered:
            self._unanswered.discard(topic)
            if not self._unanswered:
                self._listener.subscribed()
