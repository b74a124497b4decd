"""What is said on a public or private socket, without the socket (sans I/O).

Four verbs: `receive` takes a message, `data_to_send` gives what must go out, `next_deadline_ms`
says when `tick` wants to be called. What happened lies in `events`. A session lives as long as one
connection; the table of desired topics outlives it, and a new session asks for all of them again.

Requests hold many topics, because a table of hundreds must be asked for at once, and each carries
its own `req_id`, so that an answer is checked against what it answers. Where one bad topic spoils
the others of its request, the others are asked for again without it.

Read everything that waits before `tick`: a loop that was held up must not take its own pause for
the exchange's silence. Source: Bybit V5, "WebSocket / Connect".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from bybitd.venue import control
from bybitd.venue.topics import Kind, split

PING_EVERY_MS: Final = 20_000
PONG_WITHIN_MS: Final = 10_000
SILENCE_MS: Final = 30_000
ANSWER_WITHIN_MS: Final = 10_000
ATTEMPTS: Final = 3  # as often is a request made before the connection is given up
# These sockets call every topic a success, so that only its first message proves it.
_ACKS_PROVE_NOTHING: Final = ("option", "spread")
_START_WITH_A_SNAPSHOT: Final = (Kind.BOOK, Kind.TICKERS)

_NEVER: Final = 1 << 62

_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class Live:
    """The session may be used: it is authenticated, where that is needed."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The exchange serves a topic: acknowledged, or on option and spread proved by its data."""

    topic: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The exchange of options or spreads took the request for a topic: what happens from now on
    comes, if there is such a topic at all.
    """

    topic: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The exchange will not serve a topic. It is no longer desired."""

    topic: str
    reason: str


@dataclass(frozen=True, slots=True)
class NoData:
    """A topic was acknowledged, but the snapshot that it starts with has not come."""

    topic: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A frame that could not be understood; the connection goes on."""

    reason: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Dead:
    """The connection is of no use any more and must be replaced. `fatal`: not by trying soon."""

    reason: str
    fatal: bool = False


Event = Live | Acknowledged | Confirmed | Rejected | NoData | Bad | Dead


@dataclass(slots=True)
class _Request:
    op: str
    topics: tuple[str, ...]
    due_ms: int
    attempt: int = 1


class Session:
    """One connection's worth of conversation.

    `socket` is a category, `private` or `status`; `desired` is the owner's table, which is read
    when the session goes live and from which rejected topics are taken; `auth` makes the
    authentication frame at a given time and is needed on `private`, where the first ping follows
    the subscriptions at once: with it the exchange counts the account as back (Bybit V5, "Set
    Disconnect Cancel All").
    """

    def __init__(
        self,
        socket: str,
        desired: dict[str, None],
        now_ms: int,
        auth: Callable[[int], bytes] | None = None,
        *,
        ping_every_ms: int = PING_EVERY_MS,
    ) -> None:
        self.socket = socket
        self.desired = desired
        self.live = False
        self.events: list[Event] = []
        self._out: list[bytes] = []
        self._requests: dict[str, _Request] = {}
        self._asked: dict[str, str] = {}  # topic -> the last request that asked for it
        self._unproved: dict[str, int] = {}  # topic -> until when its first message is awaited
        self._number = 0
        self._last_rx_ms = now_ms
        self._ping_every_ms = ping_every_ms
        self._ping_at_ms = now_ms + ping_every_ms
        self._pong_due_ms: int | None = None
        self._auth_due_ms: int | None = None
        self._dead = False
        if auth is None:
            self._go_live(now_ms)
        else:
            self._out.append(auth(now_ms))
            self._auth_due_ms = now_ms + ANSWER_WITHIN_MS

    def receive(self, payload: bytes, now_ms: int) -> dict[str, Any] | None:
        """Take one message. Returns it, decoded, if it carries data of a topic; None otherwise.

        Never raises: what can not be understood becomes a `Bad` event.
        """
        self._last_rx_ms = now_ms
        try:
            message = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.events.append(Bad(f"no JSON map: {error}", repr(payload[:200])))
            return None
        if "topic" in message:
            topic = message["topic"]
            if isinstance(topic, str) and "data" in message:
                if self._unproved and self._unproved.pop(topic, None) is not None:
                    self.events.append(Confirmed(topic))
                return message
            self.events.append(Bad("a topic without data", repr(payload[:200])))
            return None
        self._control(control.classify(message), now_ms)
        return None

    def subscribe(self, topics: Iterable[str], now_ms: int) -> None:
        """Ask for topics; they belong in the desired table already.

        What this connection has asked for already is not asked for twice.
        """
        if self.live:
            wanted = [topic for topic in topics if topic not in self._asked]
            for portion in control.requests(self.socket, wanted):
                self._ask("subscribe", portion, now_ms)

    def unsubscribe(self, topics: Iterable[str], now_ms: int) -> None:
        """Give topics up. What still trickles in is the owner's to ignore."""
        if self.live:
            asked = [topic for topic in topics if self._asked.pop(topic, None) is not None]
            for topic in asked:
                self._unproved.pop(topic, None)
            for portion in control.requests(self.socket, asked):
                self._ask("unsubscribe", portion, now_ms)

    def resubscribe(self, topic: str, now_ms: int) -> None:
        """Have the exchange begin a topic anew, with a snapshot."""
        self.unsubscribe((topic,), now_ms)
        self.subscribe((topic,), now_ms)

    def data_to_send(self) -> list[bytes]:
        """Return the messages to send now; each is handed out once."""
        out, self._out = self._out, []
        return out

    def take_events(self) -> list[Event]:
        """Return what happened since the last call."""
        events, self.events = self.events, []
        return events

    def next_deadline_ms(self) -> int:
        """Return when `tick` is wanted next."""
        due = [self._ping_at_ms, self._last_rx_ms + SILENCE_MS]
        due += [request.due_ms for request in self._requests.values()]
        due += self._unproved.values()
        due += [at for at in (self._pong_due_ms, self._auth_due_ms) if at is not None]
        return min(due)

    def tick(self, now_ms: int) -> None:
        """Let deadlines pass: ping, ask again what was not answered, give up."""
        if self._auth_due_ms is not None and now_ms >= self._auth_due_ms:
            self._die("no answer to the authentication")
        elif self._pong_due_ms is not None and now_ms >= self._pong_due_ms:
            self._die(f"no pong within {PONG_WITHIN_MS // 1000} s")
        elif now_ms >= self._last_rx_ms + SILENCE_MS:
            self._die(f"nothing received for {SILENCE_MS // 1000} s")
        if self._dead:
            return
        if now_ms >= self._ping_at_ms:
            self._out.append(control.ping())
            self._ping_at_ms = now_ms + self._ping_every_ms
            self._pong_due_ms = self._pong_due_ms or now_ms + PONG_WITHIN_MS
        for req_id, request in list(self._requests.items()):
            if now_ms >= request.due_ms:
                del self._requests[req_id]
                self._unanswered(req_id, request, now_ms)
        for topic, due_ms in list(self._unproved.items()):
            if now_ms >= due_ms:
                self._unproved[topic] = _NEVER
                self.events.append(NoData(topic))

    def _go_live(self, now_ms: int) -> None:
        self.live = True
        self.events.append(Live())
        self.subscribe(tuple(self.desired), now_ms)

    def _ask(self, op: str, topics: tuple[str, ...], now_ms: int, attempt: int = 1) -> None:
        self._number += 1
        req_id = f"{op[0]}{self._number}"
        self._requests[req_id] = _Request(op, topics, now_ms + ANSWER_WITHIN_MS, attempt)
        if op == "subscribe":
            self._asked.update(dict.fromkeys(topics, req_id))
            self._out.append(control.subscribe(topics, req_id))
        else:
            self._out.append(control.unsubscribe(topics, req_id))

    def _still_wanted(self, req_id: str, topics: Iterable[str]) -> tuple[str, ...]:
        """Return the topics of a request that nobody has given up or asked for anew since."""
        return tuple(
            topic for topic in topics if topic in self.desired and self._asked.get(topic) == req_id
        )

    def _unanswered(self, req_id: str, request: _Request, now_ms: int) -> None:
        if request.op == "subscribe":
            topics = self._still_wanted(req_id, request.topics)
        else:
            topics = tuple(topic for topic in request.topics if topic not in self._asked)
        if not topics:
            return
        if request.attempt >= ATTEMPTS:
            self._die(f"no answer to {ATTEMPTS} requests to {request.op}")
            return
        self._ask(request.op, topics, now_ms, request.attempt + 1)

    def _die(self, reason: str, *, fatal: bool = False) -> None:
        if not self._dead:
            self._dead = True
            self.live = False
            self.events.append(Dead(reason, fatal))

    def _control(self, frame: control.Control, now_ms: int) -> None:
        if isinstance(frame, control.Pong):
            self._pong_due_ms = None
        elif isinstance(frame, control.SubscribeAck):
            self._acknowledged(frame, now_ms)
        elif isinstance(frame, control.AuthResult):
            self._auth_due_ms = None
            if not frame.success:
                # The exchange may leave the socket open; it is of no use, and asking again at
                # once with the same key and clock would get the same answer.
                self._die(f"authentication refused: {frame.reason}", fatal=True)
            elif not self.live:
                self._go_live(now_ms)
                self._ping_at_ms = now_ms
        elif isinstance(frame, control.Refused):
            self._refused(frame, now_ms)
        elif isinstance(frame, control.Malformed):
            self.events.append(Bad(frame.reason, frame.excerpt))
        else:
            self.events.append(Bad("an order reply on a socket without orders", ""))

    def _refused(self, frame: control.Refused, now_ms: int) -> None:
        request = self._requests.pop(frame.req_id, None)
        if request is None:
            self.events.append(Bad(f"the exchange refused a request: {frame.reason}", ""))
        elif request.op == "subscribe":
            topics = self._still_wanted(frame.req_id, request.topics)
            self._narrow(topics, frame.reason, now_ms)

    def _acknowledged(self, frame: control.SubscribeAck, now_ms: int) -> None:
        req_id = self._answered(frame)
        request = self._requests.pop(req_id, None)
        if request is None or request.op == "unsubscribe":
            # A refused unsubscription leaves messages that the owner ignores: nothing is wrong.
            return
        topics = self._still_wanted(req_id, request.topics)
        named = {*frame.failed, *frame.succeeded, *frame.already}.intersection(request.topics)
        rest = tuple(topic for topic in topics if topic not in named)
        for topic in topics:
            if topic in frame.failed:
                self._reject(topic, frame.reason)
            elif topic in named:
                self._confirm(topic, now_ms)
        if frame.success:
            for topic in rest:
                self._confirm(topic, now_ms)
        elif named:
            # One bad or repeated topic rejects the others of its request with it.
            self._ask_anew(rest, now_ms)
        else:
            self._narrow(rest, frame.reason, now_ms)

    def _answered(self, frame: control.SubscribeAck) -> str:
        """Return the id of the request that an acknowledgement belongs to, "" if none is known.

        Option and spread echo no id, only the topics, and do not tell an unsubscription from a
        subscription. Without an id the oldest request that fits is meant: they answer in order.
        """
        if frame.req_id:
            return frame.req_id
        named = {*frame.succeeded, *frame.failed, *frame.already}
        for req_id, request in self._requests.items():
            if frame.op in ("", request.op) and (not named or named.intersection(request.topics)):
                return req_id
        return ""

    def _confirm(self, topic: str, now_ms: int) -> None:
        if self.socket not in _ACKS_PROVE_NOTHING:
            self.events.append(Confirmed(topic))
            return
        self.events.append(Acknowledged(topic))
        parts = split(topic)
        speaks = parts is not None and parts[0] in _START_WITH_A_SNAPSHOT
        self._unproved[topic] = now_ms + ANSWER_WITHIN_MS if speaks else _NEVER

    def _narrow(self, topics: tuple[str, ...], reason: str, now_ms: int) -> None:
        # A refusal that names no topic: ask for them one by one, so that the bad one stands alone.
        if len(topics) == 1:
            self._reject(topics[0], reason)
            return
        for topic in topics:
            self._ask_anew((topic,), now_ms)

    def _ask_anew(self, topics: tuple[str, ...], now_ms: int) -> None:
        for topic in topics:
            del self._asked[topic]
        self.subscribe(topics, now_ms)

    def _reject(self, topic: str, reason: str) -> None:
        del self._asked[topic]
        del self.desired[topic]
        self.events.append(Rejected(topic, reason))
