"""Requests in flight and the replies that belong to them (`ipc/PROTOCOL.md`, "Requests").

Pure: makes the bytes of requests, and matches the bytes that come back by `id`. What was given up
is remembered nowhere, so a late reply to it matches nothing and is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bybitbus import codec
from bybitbus.codes import Code, Origin, Outcome
from bybitbus.errors import CodecError, Refused
from bybitbus.messages import Reply, Request

DEFAULT_TIMEOUT_MS = 5000
# The gateway may work for this part of a caller's patience; the rest is for its answer to arrive,
# since "unknown, sent at ..." from the gateway tells more than silence.
_GATEWAY_SHARE = 0.9


class Correlation:
    """The requests of one client that wait for a reply.

    `prefix` makes the ids unique among clients, `client` is the strategy's name on each request.
    Attributes: `late` (replies to requests given up before), `malformed` (frames that are none).
    """

    def __init__(self, prefix: str, client: str = "") -> None:
        self.late = 0
        self.malformed = 0
        self._prefix = prefix
        self._client = client
        self._made = 0
        self._ops: dict[str, str] = {}  # id -> op

    def __len__(self) -> int:
        return len(self._ops)

    def compose(
        self, op: str, args: Mapping[str, Any] | None, account: str, deadline_ms: int | None
    ) -> tuple[str, bytes]:
        """Return the id and the bytes of a new request; from now on its reply is waited for.

        Raises:
            CodecError: `args` hold something that MessagePack has no form for.
            Refused: larger than the gateway reads (`too_large`); nothing was sent.
        """
        self._made += 1
        request = Request(
            id=f"{self._prefix}-{self._made}",
            op=op,
            args=dict(args or {}),
            account=account,
            client=self._client,
            deadline_ms=deadline_ms,
        )
        try:
            body = codec.encode(request)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise CodecError(str(error), field="args") from None
        if len(body) > codec.MAX_REQUEST_BYTES:
            raise Refused(
                op,
                code=Code.TOO_LARGE,
                message=f"the request has {len(body)} bytes and at most "
                f"{codec.MAX_REQUEST_BYTES} are read",
                origin=Origin.GATEWAY,
                outcome=Outcome.REJECTED,
                retry_safe=False,
                hint="split it into smaller requests",
            )
        self._ops[request.id] = op
        return request.id, body

    def match(self, body: bytes) -> Reply | None:
        """Return the reply in `body` if somebody waits for it, else count it and return None."""
        try:
            reply = codec.decode_reply(body)
        except CodecError:
            self.malformed += 1
            return None
        if self._ops.pop(reply.id, None) is None:
            self.late += 1
            return None
        return reply

    def give_up(self, request_id: str) -> None:
        """Wait for this reply no longer."""
        self._ops.pop(request_id, None)


def deadline_for(timeout_ms: int, now_ms: int) -> int:
    """Return the deadline (Unix ms) that goes with a caller who waits `timeout_ms` from now.

    A moment and not a duration: should the request wait in a queue for the gateway to come back,
    it is then dropped there, and not executed after its caller has given up.
    """
    return now_ms + round(timeout_ms * _GATEWAY_SHARE)


def not_sent(op: str, address: str, waited_ms: int) -> Refused:
    """Return the error for a request that never left, since nobody listened."""
    return Refused(
        op,
        code=Code.UNAVAILABLE,
        message=f"nothing answered at {address} for {waited_ms} ms; the request was not sent",
        origin=Origin.NETWORK,
        outcome=Outcome.REJECTED,
        retry_safe=True,
        hint="is the daemon up, and is this its run folder ($BYBITD_RUN_DIR)?",
    )
