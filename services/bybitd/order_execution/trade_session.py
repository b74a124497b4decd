"""What is said on the trade socket, without the socket: login, requests, answers, pings.

Answers come in any order and are told apart by `reqId` alone. Some early refusals come without one
(Bybit V5, "WebSocket Trade Guideline"): such an answer belongs to the one request of its op that
waits, and if several wait, none of them can be told to have been refused.

Pure: times are ms of our clock; what happened lies in `events`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from bybitd.venue import control
from bybitd.venue.session import (
    ANSWER_WITHIN_MS,
    PING_EVERY_MS,
    PONG_WITHIN_MS,
    SILENCE_MS,
    Bad,
    Dead,
    Live,
)

NODE_RESTARTS: Final = 10019  # this node takes nothing new; what it has taken it still answers
_DRAIN_MS: Final = 5000
_LATE_KEPT: Final = 1000

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer:
    """The exchange answered a request, in time or later (`late`)."""

    req_id: str
    message: dict[str, Any]
    late: bool = False


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A request got no answer that can be told to be its own."""

    req_id: str
    reason: str


Event = Live | Bad | Dead | Answer | NoAnswer


@dataclass(slots=True)
class _Waiting:
    op: str
    due_ms: int


class TradeSession:
    """One connection's worth of conversation. `auth` makes the login frame at a given time."""

    def __init__(self, auth: Callable[[int], bytes], now_ms: int) -> None:
        self.live = False
        self.draining = False
        self.events: list[Event] = []
        self._out: list[bytes] = [auth(now_ms)]
        self._waiting: dict[str, _Waiting] = {}
        self._late: dict[str, str] = {}  # given up, but an answer may still come
        self._last_rx_ms = now_ms
        self._ping_at_ms = now_ms + PING_EVERY_MS
        self._pong_due_ms: int | None = None
        self._auth_due_ms: int | None = now_ms + ANSWER_WITHIN_MS
        self._drained_ms: int | None = None
        self._dead = False

    @property
    def ready(self) -> bool:
        """Whether a request may be sent."""
        return self.live and not self.draining and not self._dead

    @property
    def waiting(self) -> int:
        """Return how many requests wait for their answers."""
        return len(self._waiting)

    def expect(self, req_id: str, op: str, due_ms: int) -> None:
        """Note that a request goes out, whose answer is wanted until `due_ms`."""
        self._waiting[req_id] = _Waiting(op, due_ms)

    def forget(self, req_id: str) -> None:
        """Take `expect` back: certainly nothing of the request left."""
        self._waiting.pop(req_id, None)

    def receive(self, payload: bytes, now_ms: int) -> None:
        """Take one message. Never raises."""
        self._last_rx_ms = now_ms
        try:
            message = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.events.append(Bad(f"no JSON map: {error}", repr(payload[:200])))
            return
        req_id = message.get("reqId")
        if isinstance(req_id, str) and self._waiting.pop(req_id, None) is not None:
            self._answered(Answer(req_id, message), now_ms)
            return
        frame = control.classify(message)
        if isinstance(frame, control.Pong):
            self._pong_due_ms = None
        elif isinstance(frame, control.AuthResult):
            self._login(frame)
        elif isinstance(frame, control.TradeReply):
            self._unmatched(message, req_id, now_ms)
        else:
            self.events.append(Bad("no answer to a request", repr(payload[:200])))

    def data_to_send(self) -> list[bytes]:
        """Return the messages to send now, requests apart; each is handed out once."""
        out, self._out = self._out, []
        return out

    def tick(self, now_ms: int) -> None:
        """Let deadlines pass: give requests up, ping, notice that the connection is dead."""
        for req_id, waiting in list(self._waiting.items()):
            if now_ms >= waiting.due_ms:
                self._give_up(req_id, "no answer in time")
        if self._dead:
            return
        if self._auth_due_ms is not None and now_ms >= self._auth_due_ms:
            self._die("no answer to the authentication")
        elif self._pong_due_ms is not None and now_ms >= self._pong_due_ms:
            self._die(f"no pong within {PONG_WITHIN_MS // 1000} s")
        elif now_ms >= self._last_rx_ms + SILENCE_MS:
            self._die(f"nothing received for {SILENCE_MS // 1000} s")
        elif self._drained_ms is not None and (
            not self._waiting or now_ms >= self._drained_ms + _DRAIN_MS
        ):
            self._die("the exchange restarts this node")
        elif now_ms >= self._ping_at_ms:
            self._out.append(control.ping())
            self._ping_at_ms = now_ms + PING_EVERY_MS
            self._pong_due_ms = self._pong_due_ms or now_ms + PONG_WITHIN_MS

    def lost(self, reason: str) -> None:
        """Note that the connection ended: what waits will get no answer."""
        self.live = False
        self._dead = True
        for req_id in list(self._waiting):
            self._give_up(req_id, reason)

    def take_events(self) -> list[Event]:
        """Return what happened since the last call."""
        events, self.events = self.events, []
        return events

    def _answered(self, answer: Answer, now_ms: int) -> None:
        self.events.append(answer)
        if answer.message.get("retCode") == NODE_RESTARTS and not self.draining:
            self.draining = True
            self._drained_ms = now_ms

    def _unmatched(self, message: dict[str, Any], req_id: object, now_ms: int) -> None:
        op = message.get("op")
        if isinstance(req_id, str) and req_id:
            if self._late.pop(req_id, None) is not None:
                self._answered(Answer(req_id, message, late=True), now_ms)
            else:
                self.events.append(Bad(f"an answer to a request nobody made: {req_id}", ""))
            return
        candidates = [key for key, waiting in self._waiting.items() if waiting.op == op]
        if len(candidates) == 1:
            del self._waiting[candidates[0]]
            self._answered(Answer(candidates[0], message), now_ms)
            return
        code = message.get("retCode")
        self.events.append(Bad(f"an answer without reqId: {op} retCode {code}", ""))
        for key in candidates:
            self._give_up(key, f"an answer without reqId could be its own: retCode {code}")

    def _give_up(self, req_id: str, reason: str) -> None:
        waiting = self._waiting.pop(req_id)
        self._late[req_id] = waiting.op
        if len(self._late) > _LATE_KEPT:
            del self._late[next(iter(self._late))]
        self.events.append(NoAnswer(req_id, reason))

    def _login(self, frame: control.AuthResult) -> None:
        self._auth_due_ms = None
        if not frame.success:
            self._die(f"authentication refused: {frame.code} {frame.reason}", fatal=True)
        elif not self.live:
            self.live = True
            self.events.append(Live())

    def _die(self, reason: str, *, fatal: bool = False) -> None:
        if not self._dead:
            self._dead = True
            self.events.append(Dead(reason, fatal))


def request(op: str, req_id: str, args: str, timestamp_ms: int, recv_window_ms: int) -> bytes:
    """Return the frame of an order operation. `args` is the JSON of its one argument."""
    return _encode(
        {
            "reqId": req_id,
            "header": {
                "X-BAPI-TIMESTAMP": str(timestamp_ms),
                "X-BAPI-RECV-WINDOW": str(recv_window_ms),
            },
            "op": op,
            "args": [msgspec.Raw(args.encode())],
        }
    )
