"""Which program serves a request, and what becomes of one that nobody answers.

Pure: knows names, numbers and times, no socket. What a request is answered through (`Waiter`)
is opaque here. `ipc/PROTOCOL.md`, "Requests": every request gets exactly one answer.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from bybitbus.codes import Code, Origin, Outcome
from bybitbus.messages import ErrorBody, Request, gateway_error
from bybitbus.ops import OPS, Route
from bybitd.settings import feed_of, feed_program
from bybitd.venue.shards import shard_of, shard_of_topic

# A program answers for itself at the deadline; the bus only steps in when it does not.
GRACE_MS = 500
# Without a deadline of its own a request waits this long, and none waits longer than the second:
# a program that hangs must not fill the table for ever.
DEFAULT_WAIT_MS = 30_000
LONGEST_WAIT_MS = 120_000
MAX_PENDING = 10_000

Waiter = TypeVar("Waiter")


class Unanswered(NamedTuple, Generic[Waiter]):
    """A request that will get no answer from its program, and what to say instead."""

    waiter: Waiter
    error: ErrorBody


class _Pending(NamedTuple, Generic[Waiter]):
    waiter: Waiter
    op: str
    program: str


class Router(Generic[Waiter]):
    """Routes requests to `programs` and keeps those that wait for an answer."""

    def __init__(self, programs: Sequence[str], accounts: Collection[str]) -> None:
        self._programs = tuple(programs)
        self._accounts = accounts
        feeds = filter(None, map(feed_of, self._programs))
        self._shards: Counter[str] = Counter(category for category, _ in feeds)
        self._pending: dict[int, _Pending[Waiter]] = {}
        self._due: list[tuple[int, int]] = []  # (Unix ms, key); answered ones stay until due
        self._next_key = 1
        self.late = 0  # replies that came after their request was answered here

    @property
    def pending(self) -> int:
        """The number of requests that wait for an answer."""
        return len(self._pending)

    def route(self, request: Request) -> str | ErrorBody:
        """Return the program that serves `request`, or why none does.

        The request's `op` must be one of `OPS`.
        """
        route = OPS[request.op].route
        if route in (Route.ORDER_EXECUTION, Route.PRIVATE_STREAM):
            if request.account not in self._accounts:
                return gateway_error(
                    Code.UNKNOWN_ACCOUNT,
                    f"account {request.account!r} is not configured",
                    hint=f"configured: {', '.join(sorted(self._accounts)) or 'none'}",
                )
            return str(route.value).replace("<account>", request.account)
        if route is Route.PUBLIC_FEED:
            return self._feed(request)
        # What several programs must be asked is for the bus to take apart.
        named = request.args.get("program") if route is Route.ANY else None
        if named is None:
            return "bus"
        if named not in self._programs:
            return gateway_error(
                Code.UNKNOWN_PROGRAM,
                f"args.program: there is no program {named!r}",
                hint=f"running here: {', '.join(self._programs)}",
            )
        return str(named)

    def _feed(self, request: Request) -> str | ErrorBody:
        feeds = ", ".join(self._shards)
        category = request.args.get("category")
        if category is None:
            return gateway_error(
                Code.MISSING_FIELD,
                f"args.category: {request.op} needs the category that it is about",
                hint=f"one of {feeds}",
            )
        if not isinstance(category, str) or category not in self._shards:
            return gateway_error(
                Code.BAD_FIELD,
                f"args.category: {category!r} is not served here",
                hint=f"one of {feeds}",
            )
        return feed_program(category, self._shard(category, request.args))

    def _shard(self, category: str, args: dict[str, Any]) -> int:
        # What is wrong with the rest is for the program to say.
        topic, symbol = args.get("topic"), args.get("symbol")
        if isinstance(topic, str):
            name = topic.removesuffix(".").removeprefix("gateway.feed.")
            name = name.removeprefix(f"{category}.")
            return shard_of_topic(category, name, self._shards[category])
        if isinstance(symbol, str):
            return shard_of(symbol, self._shards[category])
        return 1

    def admit(self, waiter: Waiter, request: Request, program: str, now_ms: int) -> int | ErrorBody:
        """Note that `request` is about to be sent to `program`; return the key of its reply.

        `now_ms` is Unix time, as the deadline of a request is.
        """
        if len(self._pending) >= MAX_PENDING:
            return gateway_error(
                Code.BUSY,
                f"{len(self._pending)} requests wait for an answer already; nothing was done",
                hint="send fewer at a time",
                retry_safe=True,
            )
        key = self._next_key
        self._next_key += 1
        deadline_ms = request.deadline_at_ms(now_ms)
        if deadline_ms is None:
            deadline_ms = now_ms + DEFAULT_WAIT_MS
        # One that is past its deadline already still goes to its program, which says so.
        due_ms = min(max(deadline_ms, now_ms), now_ms + LONGEST_WAIT_MS) + GRACE_MS
        self._pending[key] = _Pending(waiter, request.op, program)
        heapq.heappush(self._due, (due_ms, key))
        return key

    def withdraw(self, key: int) -> ErrorBody:
        """Take back a request that could not be handed to its program; return what to say."""
        program = self._pending.pop(key).program
        return gateway_error(
            Code.UNAVAILABLE,
            f"{program} is not up; nothing was done",
            hint="it is restarted by itself; gateway.status tells when it is ready again",
            retry_safe=True,
        )

    def answered(self, key: int) -> Waiter | None:
        """Take the waiter of a reply out, or None when it has its answer already."""
        pending = self._pending.pop(key, None)
        if pending is None:
            self.late += 1
            return None
        return pending.waiter

    def lost(self, program: str) -> list[Unanswered[Waiter]]:
        """Give up on everything that waits for `program`, which has gone."""
        keys = [key for key, pending in self._pending.items() if pending.program == program]
        return [self._give_up(key, f"{program} ended before it answered") for key in keys]

    def expire(self, now_ms: int) -> list[Unanswered[Waiter]]:
        """Give up on everything whose time has passed at `now_ms` (Unix)."""
        expired = []
        while self._due and self._due[0][0] <= now_ms:
            _, key = heapq.heappop(self._due)
            if (pending := self._pending.get(key)) is not None:
                expired.append(self._give_up(key, f"{pending.program} did not answer in time"))
        return expired

    def _give_up(self, key: int, why: str) -> Unanswered[Waiter]:
        pending = self._pending.pop(key)
        if OPS[pending.op].writes:
            error = ErrorBody(
                code=Code.NO_ANSWER,
                message=f"{why}: whether {pending.op} was done is not known",
                origin=Origin.GATEWAY,
                outcome=Outcome.UNKNOWN,
                retry_safe=False,
                hint="look it up by its orderLinkId (order.status) before doing anything else",
            )
        else:
            error = gateway_error(
                Code.NO_ANSWER, why, hint="it changes nothing: ask again", retry_safe=True
            )
        return Unanswered(pending.waiter, error)
