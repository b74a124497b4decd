"""The messages of the request sockets (`ipc/PROTOCOL.md`, "Requests").

Events are not modelled: their body is the exchange's own map plus our keys, see `codec`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bybitbus.codes import Code, Origin, Outcome
from bybitbus.errors import Refused

# A deadline smaller than this (3 March 1973 as Unix ms) is a duration, not a moment.
_ABSOLUTE_FROM_MS = 100_000_000_000


class Request(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One request.

    `deadline_ms` is a moment (Unix ms) or, when small, a duration from receipt in ms. `client`
    is the strategy's name, for ownership and limits.
    """

    id: str
    op: str
    args: dict[str, Any] = {}
    account: str = "main"
    client: str = ""
    deadline_ms: int | None = None

    def deadline_at_ms(self, received_ms: int) -> int | None:
        """Return the deadline as Unix ms, given when the request came in; None without one."""
        if self.deadline_ms is None:
            return None
        if self.deadline_ms < _ABSOLUTE_FROM_MS:
            return received_ms + self.deadline_ms
        return self.deadline_ms


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why it failed, what is known of the outcome, and whether asking again is harmless.

    `exchange` carries `retCode`, `retMsg` and `retExtInfo` where the exchange said no,
    `retry_after_ms` in how many ms it is worth asking again, where that is known.
    """

    code: Code
    message: str
    origin: Origin
    outcome: Outcome
    retry_safe: bool
    hint: str = ""
    exchange: dict[str, Any] | None = None
    retry_after_ms: int | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reply: `result` when `ok`, else `error`. `t` maps stages of the way to Unix ns."""

    id: str
    ok: bool
    result: Any = None
    error: ErrorBody | None = None
    t: dict[str, int] = {}

    def unwrap(self, op: str) -> Any:
        """Return the result.

        Raises:
            Refused: the reply is an error; its fields tell what is known of the outcome.
        """
        if self.ok:
            return self.result
        error = self.error or ErrorBody(
            code=Code.INTERNAL,
            message="the reply is an error without a body",
            origin=Origin.GATEWAY,
            outcome=Outcome.UNKNOWN,
            retry_safe=False,
        )
        raise Refused(
            op,
            code=error.code,
            message=error.message,
            origin=error.origin,
            outcome=error.outcome,
            retry_safe=error.retry_safe,
            hint=error.hint,
            exchange=error.exchange,
            retry_after_ms=error.retry_after_ms,
        )


def gateway_error(
    code: Code,
    message: str,
    *,
    hint: str = "",
    retry_safe: bool = False,
    retry_after_ms: int | None = None,
) -> ErrorBody:
    """Return an error of the gateway itself for something that was certainly not done."""
    return ErrorBody(
        code=code,
        message=message,
        origin=Origin.GATEWAY,
        outcome=Outcome.REJECTED,
        retry_safe=retry_safe,
        hint=hint,
        retry_after_ms=retry_after_ms,
    )
