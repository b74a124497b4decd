"""When requests leave: at once while the rate budget has room, else in turn or not at all.

What waits is not journaled and not signed yet: both happen when it leaves. What can not leave in
time is refused at once, and what could not after all is dropped at its deadline.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.server import Call
from bybitd.net.clock import now_ms
from bybitd.order_execution import answers
from bybitd.order_execution.actions import Action
from bybitd.order_execution.ledger import Order
from bybitd.order_execution.rate_budget import Bucket, RateBudget, shown
from bybitd.order_execution.waiting import Waiter, WaitingRoom, urgent
from bybitd.runtime.loop import Loop, Timer
from bybitd.runtime.program import internal

_FIRST_ROUND_TRIP_MS: Final = 20.0
_WEIGHT: Final = 0.1  # of the newest round trip
_ANSWER_MS: Final = (25.0, 1000.0)  # at least and at most left for the answer
_SHORTEST_SLEEP_S: Final = 0.002
log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class Ticket:
    """One request that wants to leave. `due_ms` is when its answer is no longer waited for (Unix
    ms), `units` what it takes of its bucket, `text` the JSON that goes out.

    `launch(ticket, waited)` sends it; `waited` tells that time has passed since it was checked.
    `dropped` is called when it is refused. `gathered` is what earlier rounds of it have cancelled.
    """

    op: str
    client: str
    category: str
    units: int
    due_ms: int
    text: str
    calls: list[Call]
    launch: Callable[[Ticket, bool], None]
    dropped: Callable[[Ticket], None] = lambda _ticket: None
    orders: list[Order] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    gathered: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, error: ErrorBody) -> None:
        """Answer whoever waits for it that it will not leave."""
        self.dropped(self)
        for call in self.calls:
            if call.answered:
                continue
            if self.gathered:  # earlier rounds did their part
                call.succeed(answers.cancelled(self.gathered, complete=False))
            else:
                call.fail(error)


class Receiver(Protocol):
    """Who is told what became of requests."""

    def answered(
        self, req_id: str, message: dict[str, Any], rx_ns: int, retry_after_ms: int
    ) -> None:
        """The exchange answered. `retry_after_ms`: when the budget has room again."""

    def unanswered(self, req_id: str, reason: str) -> None:
        """It was sent, and no usable answer will come in time."""

    def not_sent(self, req_id: str, reason: str, retry_after_ms: int) -> None:
        """Certainly nothing of it reached the exchange. `retry_after_ms` is 0 if it is not known
        when it can.
        """


@dataclass(slots=True)
class _Away:
    bucket: Bucket
    units: int
    rest: bool
    sent_ms: float


class Departures:
    """Stands before the transport and behind it: lets requests leave, and counts their answers.

    `by_rest(op)` tells which way an operation would take now, `banned_until_ms` until when nothing
    may leave over REST (Unix ms, 0 without a ban).
    """

    def __init__(
        self,
        loop: Loop,
        budget: RateBudget,
        receiver: Receiver,
        by_rest: Callable[[str], bool],
        *,
        exchange_ms: Callable[[], int],
        banned_until_ms: Callable[[], int],
    ) -> None:
        self.waited = 0
        self.refused = 0
        self._loop = loop
        self._budget = budget
        self._receiver = receiver
        self._by_rest = by_rest
        self._exchange_ms = exchange_ms
        self._banned_until_ms = banned_until_ms
        self._room: WaitingRoom[Ticket] = WaitingRoom()
        self._away: dict[str, _Away] = {}
        self._round_trip_ms = _FIRST_ROUND_TRIP_MS
        self._timer: Timer | None = None
        self._turning = False

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        return len(self._room)

    def open(self, op: str, category: str, units: int) -> bool:
        """Tell whether a request may leave at once: there is room, and nobody waits before it."""
        bucket = self._budget.bucket(op, category)
        if self._room and self._room.line(bucket.name, urgent=urgent(op)):
            return False
        return self._fits(op, bucket, units, _clock_ms())

    def wait(self, ticket: Ticket) -> ErrorBody | None:
        """Let a request wait for its turn; returns why it may not."""
        at_ms = _clock_ms()
        bucket = self._budget.bucket(ticket.op, ticket.category)
        if self._room.full(ticket.client):
            self.refused += 1
            return gateway_error(
                Code.BUSY,
                f"{ticket.op}: {len(self._room)} requests wait already; nothing was sent",
                hint="send fewer at a time",
                retry_safe=True,
            )
        line = self._room.line(bucket.name, urgent=urgent(ticket.op))
        ahead = line.ahead(ticket.client) + ticket.units
        wait_ms = self._when(ticket.op, bucket, ahead, at_ms) - at_ms
        # An answer that comes after the deadline would leave the client with an unknown outcome.
        left_ms = ticket.due_ms - now_ms() - self._answer_ms()
        if wait_ms > left_ms:
            self.refused += 1
            return self._limited(ticket, bucket, wait_ms)
        self._room.add(
            line,
            Waiter(client=ticket.client, units=ticket.units, due_ms=at_ms + left_ms, item=ticket),
        )
        self.waited += 1
        self._plan(at_ms)
        return None

    def left(self, req_id: str, op: str, category: str, units: int) -> None:
        """Count a request that leaves now. To be called before it is handed to the transport."""
        bucket = self._budget.bucket(op, category)
        rest = self._by_rest(op)
        bucket.take(units)
        if not rest:
            self._budget.socket.take(1)
        self._away[req_id] = _Away(bucket, units, rest, _clock_ms())

    def close(self) -> None:
        """Refuse whatever waits."""
        for waiter in self._room.clear():
            waiter.item.refuse(
                gateway_error(
                    Code.UNAVAILABLE,
                    f"{waiter.item.op}: the gateway stops; nothing was sent",
                    retry_safe=True,
                )
            )

    def describe(self) -> dict[str, Any]:
        """Return what the status shows."""
        at_ms = _clock_ms()
        return {
            "waiting": len(self._room),
            "buckets": self._budget.describe(at_ms),
        }

    # What the transport tells

    def answered(self, req_id: str, message: dict[str, Any], rx_ns: int) -> None:
        """Hand an answer on, and learn from it what the budget is."""
        if message.get("retCode") == 0:
            self._receiver.answered(req_id, message, rx_ns, 0)
            self._count(req_id, message)
        else:
            wait_ms = self._count(req_id, message)
            self._receiver.answered(req_id, message, rx_ns, wait_ms)
        if self._room:
            self._turn()

    def unanswered(self, req_id: str, reason: str) -> None:
        """Hand it on that no answer will come. The exchange may have counted the request."""
        self._settle(req_id)
        self._receiver.unanswered(req_id, reason)
        if self._room:
            self._turn()

    def not_sent(self, req_id: str, reason: str, retry_after_ms: int = 0) -> None:
        """Hand it on that nothing was sent, and take back what it took."""
        away = self._away.pop(req_id, None)
        if away is not None:
            away.bucket.give_back(away.units)
            if not away.rest:
                self._budget.socket.give_back(1)
        self._receiver.not_sent(req_id, reason, retry_after_ms)
        if self._room:
            self._turn()

    def _count(self, req_id: str, message: dict[str, Any]) -> int:
        away = self._settle(req_id)
        if away is None:
            return 0
        at_ms = _clock_ms()
        self._round_trip_ms += _WEIGHT * (at_ms - away.sent_ms - self._round_trip_ms)
        seen = shown(message, self._exchange_ms())
        if seen is not None:
            away.bucket.learn(seen, at_ms)
        code = message.get("retCode")
        reset_ms = seen.reset_in_ms if seen is not None else 0.0
        known = code if isinstance(code, int) else -1
        self._budget.judge(away.bucket, known, reset_ms, at_ms, rest=away.rest)
        if code == 0:
            return 0
        banned_ms = self._banned_until_ms() - now_ms() if away.rest else 0
        when_ms = self._budget.when(away.bucket, away.units, at_ms, rest=away.rest)
        return math.ceil(max(when_ms - at_ms, banned_ms))

    def _settle(self, req_id: str) -> _Away | None:
        away = self._away.pop(req_id, None)
        if away is not None:
            at_ms = _clock_ms()
            away.bucket.answered(away.units, at_ms)
            if not away.rest:
                self._budget.socket.answered(1, at_ms)
        return away

    # The turns

    def _fits(self, op: str, bucket: Bucket, units: int, at_ms: float) -> bool:
        rest = self._by_rest(op)
        if rest and self._banned_until_ms():
            return False
        return self._budget.fits(bucket, units, at_ms, rest=rest, urgent=urgent(op))

    def _when(self, op: str, bucket: Bucket, units: int, at_ms: float) -> float:
        rest = self._by_rest(op)
        when_ms = self._budget.when(bucket, units, at_ms, rest=rest)
        if rest and (until_ms := self._banned_until_ms()):
            return max(when_ms, at_ms + until_ms - now_ms())
        return when_ms

    def _turn(self) -> None:
        if self._turning:  # a request that left was answered at once
            return
        self._turning = True
        try:
            at_ms = _clock_ms()
            for waiter in self._room.too_late(at_ms):
                waiter.item.refuse(_too_late(waiter.item))
            for line in list(self._room.lines()):
                while (first := line.first()) is not None:
                    ticket = first.item
                    bucket = self._budget.bucket(ticket.op, ticket.category)
                    if not self._fits(ticket.op, bucket, ticket.units, at_ms):
                        break
                    self._room.leave(first)
                    try:
                        ticket.launch(ticket, True)
                    except Exception:  # a defect costs this request, not the process
                        log.exception("= defect while %s left", ticket.op)
                        ticket.refuse(internal(ticket.op))
        finally:
            self._turning = False
        self._plan(at_ms)

    def _plan(self, at_ms: float) -> None:
        """Wake up when the next one may leave, or is too late."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_ms = self._room.next_due_ms()
        if due_ms is None:
            return
        for line in self._room.lines():
            first = line.first()
            if first is not None:
                ticket = first.item
                bucket = self._budget.bucket(ticket.op, ticket.category)
                due_ms = min(due_ms, self._when(ticket.op, bucket, first.units, at_ms))
        delay_s = max(_SHORTEST_SLEEP_S, (due_ms - at_ms) / 1000)
        self._timer = self._loop.call_later(delay_s, self._turn)

    def _answer_ms(self) -> float:
        least, most = _ANSWER_MS
        return min(max(2 * self._round_trip_ms, least), most)

    def _limited(self, ticket: Ticket, bucket: Bucket, wait_ms: float) -> ErrorBody:
        after_ms = max(1, math.ceil(wait_ms))
        if self._by_rest(ticket.op) and self._banned_until_ms():
            why = "the exchange has banned this IP address from REST"
        else:
            why = f"the limit of {bucket.limit} per second for {bucket.name} is used up"
        return gateway_error(
            Code.RATE_LIMITED,
            f"{ticket.op}: {why}, and its turn would come after its deadline; nothing was sent",
            hint=f"try again in {after_ms} ms, or give it a deadline later than that",
            retry_safe=True,
            retry_after_ms=after_ms,
        )


def _too_late(ticket: Ticket) -> ErrorBody:
    return gateway_error(
        Code.DEADLINE_PASSED,
        f"{ticket.op}: its deadline came while it waited for the rate limit; nothing was sent",
        hint="send it again with a later deadline_ms",
    )


def _clock_ms() -> float:
    return time.monotonic() * 1000
