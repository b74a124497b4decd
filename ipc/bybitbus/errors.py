"""Everything that this package raises.

    BusError
    +-- CodecError          bytes that are not a message of this wire
    +-- TopicError          a topic that breaks the grammar
    +-- EndpointError       an address that can not be used
    |   +-- PathTooLong     a unix socket path over the system's limit
    |   +-- AddressInUse    another live process holds the address
    +-- RequestError        a request without a good answer
        +-- NoAnswer        nothing came back in time: the outcome is unknown
        +-- Refused         the answer is an error (see its fields)

Errors carry fields; the sentence is built from them. This module imports nothing of ours but
the names of the codes.
"""

from __future__ import annotations

import os

from bybitbus.codes import Outcome


class BusError(Exception):
    """Root of this package's errors."""


class CodecError(BusError):
    """Raised for bytes that are no message of this wire: what is wrong, and where."""

    def __init__(self, problem: str, *, field: str = "") -> None:
        self.problem = problem
        self.field = field
        super().__init__(f"{field}: {problem}" if field else problem)


class TopicError(BusError):
    """Raised for a topic that breaks the grammar of the protocol ("Topics")."""

    def __init__(self, topic: str, problem: str) -> None:
        self.topic = topic
        self.problem = problem
        super().__init__(f"topic {topic!r}: {problem}")


class EndpointError(BusError):
    """Raised for an address that can not be bound or reached."""


class PathTooLong(EndpointError):
    """Raised when a socket path would exceed what the system allows."""

    def __init__(self, path: str, limit: int) -> None:
        self.path = path
        self.limit = limit
        super().__init__(
            f"socket path {path} has {len(os.fsencode(path))} bytes and at most {limit} fit; "
            "choose a shorter run folder (--run-dir or $BYBITD_RUN_DIR)"
        )


class AddressInUse(EndpointError):
    """Raised when a live process holds the address."""

    def __init__(self, path: str, holder: str) -> None:
        self.path = path
        self.holder = holder
        super().__init__(
            f"{path} is in use by {holder}; stop it, or choose another run folder "
            "(--run-dir or $BYBITD_RUN_DIR)"
        )


class RequestError(BusError):
    """Raised for a request that got no good answer. `outcome` says what is known."""

    outcome: Outcome


class NoAnswer(RequestError):
    """Raised when no reply came in time. A write may or may not have happened: look it up."""

    outcome = Outcome.UNKNOWN

    def __init__(self, op: str, request_id: str, waited_ms: int) -> None:
        self.op = op
        self.request_id = request_id
        self.waited_ms = waited_ms
        super().__init__(f"{op} (id {request_id}): no reply within {waited_ms} ms")


class Refused(RequestError):
    """Raised for a reply that is an error; the fields are those of the wire's error map."""

    def __init__(
        self,
        op: str,
        *,
        code: str,
        message: str,
        origin: str,
        outcome: Outcome,
        retry_safe: bool,
        hint: str = "",
        exchange: dict[str, object] | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        self.op = op
        self.code = code
        self.message = message
        self.origin = origin
        self.outcome = outcome
        self.retry_safe = retry_safe
        self.hint = hint
        self.exchange = exchange
        self.retry_after_ms = retry_after_ms
        said = message if message.startswith(f"{op}: ") else f"{op}: {message}"
        super().__init__(said + (f" ({hint})" if hint else ""))
