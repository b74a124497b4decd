"""What is said on a public or private socket, without the socket (sans I/O).

Four verbs: `receive` takes a message, `data_to_send` gives what must go out, `next_deadline_ms`
says when `tick` wants to be called. What happened lies in `events`. A session lives as long as one
connection; the table of desired topics outlives it, and a new session asks for all of them again.

Source: Bybit V5, "WebSocket / Connect".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from bybitd.venue import control

PING_EVERY_MS: Final = 20_000
PONG_WITHIN_MS: Final = 10_000
SILENCE_MS: Final = 30_000
ANSWER_WITHIN_MS: Final = 10_000

_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class Live:
    """The session may be used: it is authenticated, where that is needed."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The exchange acknowledged a topic. On option that means little: trust its data."""

    topic: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The exchange will not serve a topic. It is no longer desired."""

    topic: str
    reason: str


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


Event = Live | Confirmed | Rejected | Bad | Dead


@dataclass(slots=True)
class _Request:
    topics: tuple[str, ...]
    due_ms: int


class Session:
    """One connection's worth of conversation.

    `socket` is a category, `private` or `status`; `desired` is the owner's table, which is read
    when the session goes live and from which rejected topics are taken; `auth` makes the
    authentication frame at a given time and is needed on `private`.
    """

    def __init__(
        self,
        socket: str,
        desired: dict[str, None],
        now_ms: int,
        auth: Callable[[int], bytes] | None = None,
    ) -> None:
        self.socket = socket
        self.desired = desired
        self.live = False
        self.events: list[Event] = []
        self._out: list[bytes] = []
        self._requests: dict[str, _Request] = {}
        self._number = 0
        self._last_rx_ms = now_ms
        self._ping_at_ms = now_ms + PING_EVERY_MS
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
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.events.append(Bad(f"no JSON map: {error}", repr(payload[:200])))
            return None
        if "topic" in message:
            if isinstance(message["topic"], str) and "data" in message:
                return message
            self.events.append(Bad("a topic without data", repr(payload[:200])))
            return None
        self._control(control.classify(message), now_ms)
        return None

    def subscribe(self, topics: Iterable[str], now_ms: int) -> None:
        """Ask for topics; they belong in the desired table already."""
        if self.live:
            for portion in control.requests(self.socket, topics):
                self._ask(portion, now_ms)

    def unsubscribe(self, topics: Iterable[str]) -> None:
        """Give topics up. What still trickles in is the owner's to ignore."""
        if self.live:
            for portion in control.requests(self.socket, topics):
                self._number += 1
                self._out.append(control.unsubscribe(portion, f"u{self._number}"))

    def resubscribe(self, topic: str, now_ms: int) -> None:
        """Have the exchange begin a topic anew, with a snapshot."""
        self.unsubscribe((topic,))
        self.subscribe((topic,), now_ms)

    def data_to_send(self) -> list[bytes]:
        """Return the messages to send now; each is handed out once."""
        out, self._out = self._out, []
        return out

    def next_deadline_ms(self) -> int:
        """Return when `tick` is wanted next."""
        due = [self._ping_at_ms, self._last_rx_ms + SILENCE_MS]
        due += [request.due_ms for request in self._requests.values()]
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
            self._ping_at_ms = now_ms + PING_EVERY_MS
            self._pong_due_ms = self._pong_due_ms or now_ms + PONG_WITHIN_MS
        for req_id, request in list(self._requests.items()):
            if now_ms >= request.due_ms:
                del self._requests[req_id]
                self._ask_again(request.topics, now_ms)

    def _go_live(self, now_ms: int) -> None:
        self.live = True
        self.events.append(Live())
        self.subscribe(tuple(self.desired), now_ms)

    def _ask(self, topics: tuple[str, ...], now_ms: int) -> None:
        self._number += 1
        req_id = f"s{self._number}"
        self._requests[req_id] = _Request(topics, now_ms + ANSWER_WITHIN_MS)
        self._out.append(control.subscribe(topics, req_id))

    def _ask_again(self, topics: Iterable[str], now_ms: int) -> None:
        self.subscribe([topic for topic in topics if topic in self.desired], now_ms)

    def _die(self, reason: str, *, fatal: bool = False) -> None:
        if not self._dead:
            self._dead = True
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
        else:
            self._narrow(request.topics, frame.reason, now_ms)

    def _acknowledged(self, frame: control.SubscribeAck, now_ms: int) -> None:
        if frame.op == "unsubscribe":
            return
        request = self._requests.pop(frame.req_id, None) or self._by_topics(frame)
        asked = request.topics if request else ()
        for topic in frame.failed:
            self._reject(topic, frame.reason)
        for topic in (*frame.succeeded, *frame.already):
            self.events.append(Confirmed(topic))
        named = {*frame.failed, *frame.succeeded, *frame.already}
        rest = tuple(topic for topic in asked if topic not in named)
        if frame.success:
            self.events += [Confirmed(topic) for topic in rest]
        elif named:
            # One bad or repeated topic rejects the others of its request with it.
            self._ask_again(rest, now_ms)
        else:
            self._narrow(rest, frame.reason, now_ms)

    def _by_topics(self, frame: control.SubscribeAck) -> _Request | None:
        # Option and spread echo no id, only the topics.
        answered = {*frame.succeeded, *frame.failed}
        for req_id, request in self._requests.items():
            if answered & set(request.topics):
                return self._requests.pop(req_id)
        return None

    def _narrow(self, topics: tuple[str, ...], reason: str, now_ms: int) -> None:
        # A refusal that names no topic: ask for them one by one, so that the bad one stands alone.
        if len(topics) == 1:
            self._reject(topics[0], reason)
            return
        for topic in topics:
            self._ask_again((topic,), now_ms)

    def _reject(self, topic: str, reason: str) -> None:
        if topic in self.desired:
            del self.desired[topic]
            self.events.append(Rejected(topic, reason))
