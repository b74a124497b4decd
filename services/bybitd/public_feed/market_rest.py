"""`market.rest`: any public GET of the exchange, for clients (`ipc/PROTOCOL.md`, "Market").

Never signed, within the IP budget, and a few at a time: what waits too long is worth nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.server import Call
from bybitd.net.connection import Cancellable
from bybitd.net.errors import NotSent, OutcomeUnknown, RestError
from bybitd.net.ip_gate import Gate
from bybitd.net.rest import RestClient, RestReply, RestWorker
from bybitd.runtime import rest_answers
from bybitd.runtime.arguments import Argument, wrong
from bybitd.runtime.exchange import Endpoints
from bybitd.venue.errors import PathError
from bybitd.venue.public_paths import check_public

OP: Final = "market.rest"
THREADS: Final = 4
WAITING: Final = 64
_FIELDS: Final = {
    "category": Argument(str, required=True),
    "path": Argument(str, required=True),
    "params": Argument(dict),
}


class Timers(Protocol):
    """What is needed of the loop."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Cancellable:
        """Run a callback once."""

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        """Run a callback in the loop's thread."""


class _TooLate(NotSent):
    """Raised for a call whose deadline passed while it waited for its turn."""


class MarketRest:
    """Serves the op for the feed of `category`. `find` is asked before each call, since the address
    of the exchange may change.
    """

    def __init__(
        self,
        category: str,
        timers: Timers,
        find: Callable[[], Endpoints | None],
        gate: Gate,
    ) -> None:
        self._category = category
        self._timers = timers
        self._find = find
        self._gate = gate
        self._worker: RestWorker | None = None
        self._endpoints: Endpoints | None = None
        self._client: RestClient | None = None

    def serve(self, call: Call) -> None:
        """Answer one call, when the exchange has answered."""
        args = call.request.args
        now_ms = time.time_ns() // 1_000_000
        deadline_ms = call.request.deadline_at_ms(now_ms)
        client = self._refresh()
        if (problem := self._check(args)) is not None:
            call.fail(problem)
        elif deadline_ms is not None and deadline_ms <= now_ms:
            call.fail(_too_late())
        elif client is None:
            call.fail(_not_known())
        else:
            self._ask(call, client, args["path"], self._params(args), deadline_ms)

    def close(self) -> None:
        """Release threads and connections."""
        if self._worker is not None:
            self._worker.close()
        if self._client is not None:
            self._client.close()

    def _ask(
        self,
        call: Call,
        client: RestClient,
        path: str,
        params: dict[str, Any],
        deadline_ms: int | None,
    ) -> None:
        def job() -> RestReply:
            if deadline_ms is not None and deadline_ms <= time.time_ns() // 1_000_000:
                raise _TooLate(path)
            return client.get(path, params)

        def done(reply: RestReply | None, error: RestError | None) -> None:
            if timer is not None:
                timer.cancel()
            if call.answered:
                return
            if isinstance(error, _TooLate):
                call.fail(_too_late())
            elif (answer := rest_answers.take(call, reply, error)) is not None:
                call.succeed(answer.whole_result)

        def give_up() -> None:
            if not call.answered:
                call.fail(rest_answers.unanswered(OP, OutcomeUnknown("the deadline passed")))

        timer: Cancellable | None = None
        if self._worker is None:  # most feeds are never asked
            post = self._timers.call_soon_threadsafe
            self._worker = RestWorker(post, threads=THREADS, capacity=WAITING)
        if not self._worker.submit(job, done):
            message = f"{OP}: {WAITING} calls wait already; nothing was sent"
            call.fail(gateway_error(Code.BUSY, message, hint="ask again", retry_safe=True))
        elif deadline_ms is not None:
            left_s = max(0.0, deadline_ms / 1000 - time.time())
            timer = self._timers.call_later(left_s, give_up)

    def _refresh(self) -> RestClient | None:
        found = self._find()
        if found is not None and found != self._endpoints:
            if self._client is not None:
                self._client.close()
            self._endpoints = found
            self._client = RestClient(found.hosts.rest, self._gate, authority=found.authority)
        return self._client

    def _params(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return the query: what was given, and the category of the request where it is needed."""
        given = {
            name: _text(value)
            for name, value in args.get("params", {}).items()
            if value is not None
        }
        if check_public(args["path"]) and "category" not in given:
            return {"category": self._category, **given}
        return given

    def _check(self, args: dict[str, Any]) -> ErrorBody | None:
        note = "what the exchange is asked goes into params"
        if (refusal := wrong(OP, args, _FIELDS, note)) is not None:
            return refusal
        if args["category"] != self._category:
            return gateway_error(
                Code.BAD_FIELD,
                f"args.category: {args['category']!r} is not served here",
                hint=f"{self._category!r} is; the bus routes it to the right program",
            )
        params = args.get("params", {})
        for name, value in params.items():
            if not isinstance(value, str | int | None):
                return gateway_error(
                    Code.BAD_FIELD,
                    f"args.params.{name}: must be a string, a whole number or a boolean",
                    hint="decimals are strings",
                )
        try:
            categories = check_public(args["path"])
        except PathError as error:
            hint = error.hint
            return gateway_error(
                Code.BAD_FIELD, f"args.path: {error.path} {error.problem}", hint=hint
            )
        if categories and "category" not in params and self._category not in categories:
            return gateway_error(
                Code.BAD_FIELD,
                f"args.params.category: {args['path']} has no {self._category}",
                hint=f"it has {', '.join(categories)}",
            )
        return None


def _text(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _too_late() -> ErrorBody:
    return gateway_error(
        Code.DEADLINE_PASSED,
        f"{OP}: the deadline passed before anything was sent",
        hint="ask again with a new one",
    )


def _not_known() -> ErrorBody:
    return gateway_error(
        Code.NOT_READY,
        f"{OP}: the address of the exchange is not known yet",
        hint="ask again in a second",
        retry_safe=True,
    )
