"""One connection to the exchange with the topics that it carries."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from bybitd.net.backoff import STABLE_S, Connects
from bybitd.net.connection import Address, Cancellable, Connection, Reactor
from bybitd.venue import control
from bybitd.venue.session import Acknowledged, Bad, Confirmed, Dead, Rejected, Session

_GATHER_S: Final = 0.005  # topics asked for within this go into one request
log = logging.getLogger(__name__)


def monotonic_ms() -> int:
    """Return the clock that deadlines are kept on: setting the wall clock must not end anything."""
    return time.monotonic_ns() // 1_000_000


class Taker(Protocol):
    """What takes what a connection brings: the pipeline, or one lane of several."""

    def asked(self, names: Iterable[str], now_ms: int) -> None:
        """Note that the exchange was asked for these topics."""

    def acknowledged(self, name: str, proved: bool) -> None:
        """Note that the exchange took the request for a topic; `proved`: that it serves it."""

    def take(self, session: Session, payloads: list[bytes], rx_ns: int, now_ms: int) -> None:
        """Take what one read brought."""

    def bad_frame(self, reason: str, excerpt: str, now_ns: int) -> None:
        """Take a frame that could not be understood."""

    def lost(self, names: Iterable[str], reason: str, now_ns: int) -> None:
        """Note that the connection does not bring these topics any more."""


class Upstream:
    """Keeps one connection up and its topics subscribed.

    `rejected(name, reason)` is called when the exchange will not serve a topic, `confirmed(name)`
    when it does, `changed` when the connection came or went. `quick_after_s` is how long it must
    have lived to be made again without a growing delay; `uniform` draws the delays.
    """

    def __init__(
        self,
        name: str,
        socket: str,
        reactor: Reactor,
        locate: Callable[[], Address | None],
        taker: Taker,
        *,
        rejected: Callable[[str, str], None],
        changed: Callable[[], None],
        budget: Connects,
        confirmed: Callable[[str], None] = lambda _name: None,
        quick_after_s: float = STABLE_S,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.name = name
        self.desired: dict[str, None] = {}
        self._socket = socket
        self._reactor = reactor
        self._locate = locate
        self._taker = taker
        self._rejected = rejected
        self._changed = changed
        self._confirmed = confirmed
        self._url = ""
        self._session: Session | None = None
        self._new: dict[str, None] = {}
        self._gathering: Cancellable | None = None
        self._characters = 0
        self._connection = Connection(
            name,
            reactor,
            self._find,
            self,
            budget=budget,
            quick_after_s=quick_after_s,
            uniform=uniform,
        )

    @property
    def lines(self) -> tuple[Upstream, ...]:
        """The connections that it consists of."""
        return (self,)

    @property
    def live(self) -> bool:
        """Whether topics can be asked for now."""
        return self._session is not None

    @property
    def reason(self) -> str:
        """Why it is not live."""
        connection = self._connection
        return "" if self.live else f"not connected: {connection.reason or connection.state}"

    def start(self) -> None:
        """Begin to connect."""
        self._connection.start()

    def close(self) -> None:
        """End for good."""
        self._session = None
        if self._gathering is not None:
            self._gathering.cancel()
        self._connection.close()

    def has_room(self, name: str) -> bool:
        """Tell whether the exchange lets one connection carry this topic too."""
        most = control.MAX_TOPICS_PER_CONNECTION.get(self._socket)
        characters = self._characters + control.args_characters((name,))
        enough = most is None or len(self.desired) < most
        return enough and characters <= control.MAX_ARGS_CHARACTERS

    def add(self, name: str) -> None:
        """Carry a topic from now on."""
        self.desired[name] = None
        self._characters += control.args_characters((name,))
        if self._session is None:
            return
        self._new[name] = None
        if self._gathering is None:
            self._gathering = self._reactor.call_later(_GATHER_S, self._ask_for_new)

    def remove(self, name: str) -> None:
        """Carry a topic no longer."""
        if name not in self.desired:
            return
        del self.desired[name]
        self._characters -= control.args_characters((name,))
        if name in self._new:
            del self._new[name]
        elif self._session is not None:
            self._session.unsubscribe((name,), monotonic_ms())
            self._settle(self._session)

    def ask_again(self, name: str, now_ms: int) -> None:
        """Have the exchange begin a topic anew, if there is a connection."""
        if self._session is not None and name not in self._new:
            self._session.resubscribe(name, now_ms)
            self._taker.asked((name,), now_ms)
            self._settle(self._session)

    def beat(self, now_ms: int) -> None:
        """Let the session's deadlines pass."""
        session = self._session
        if session is not None and now_ms >= session.next_deadline_ms():
            session.tick(now_ms)
            self._settle(session)

    def describe(self) -> dict[str, Any]:
        """Return what the status shows of it."""
        return {
            **self._connection.describe(),
            "url": self._url.partition("?")[0],
            "topics": len(self.desired),
        }

    # What the connection tells

    def opened(self) -> None:
        """Ask for every desired topic."""
        now_ms = monotonic_ms()
        self._new.clear()
        self._taker.asked(self.desired, now_ms)
        self._session = session = Session(self._socket, self.desired, now_ms)
        self._settle(session)
        self._changed()

    def received(self, payloads: list[bytes], rx_ns: int) -> None:
        """Hand on what came."""
        session = self._session
        if session is not None:
            self._taker.take(session, payloads, rx_ns, monotonic_ms())
            self._settle(session)

    def lost(self, reason: str) -> None:
        """Say that everything carried here is stale."""
        self._session = None
        self._new.clear()
        self._taker.lost(self.desired, f"connection lost: {reason}", time.time_ns())
        self._changed()

    def _find(self) -> Address | None:
        address = self._locate()
        if address is not None:
            self._url = address.url
        return address

    def _ask_for_new(self) -> None:
        self._gathering = None
        session, names = self._session, tuple(self._new)
        self._new.clear()
        if session is None or not names:
            return
        now_ms = monotonic_ms()
        self._taker.asked(names, now_ms)
        session.subscribe(names, now_ms)
        self._settle(session)

    def _settle(self, session: Session) -> None:
        if session.events:
            self._take_events(session)
        for frame in session.data_to_send():
            if self._session is not session or not self._connection.send(frame):
                return  # the connection went meanwhile; a new session asks for everything

    def _take_events(self, session: Session) -> None:
        for event in session.take_events():
            if isinstance(event, Bad):
                log.debug("< %s bad frame: %s: %s", self.name, event.reason, event.excerpt)
                self._taker.bad_frame(event.reason, event.excerpt, time.time_ns())
            elif isinstance(event, Rejected):
                self._characters -= control.args_characters((event.topic,))
                self._rejected(event.topic, event.reason)
            elif isinstance(event, Acknowledged | Confirmed):
                log.debug("< %s confirmed %s", self.name, event.topic)
                proved = isinstance(event, Confirmed)
                self._taker.acknowledged(event.topic, proved)
                if proved:
                    self._confirmed(event.topic)
            elif isinstance(event, Dead):
                self._connection.drop(event.reason)
