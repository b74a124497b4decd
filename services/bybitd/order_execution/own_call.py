"""A request that the gateway makes itself: it takes the same way as those of clients, journal and
rate budget included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from bybitbus.messages import ErrorBody, Request
from bybitbus.server import Call, Server

Done = Callable[[Any, ErrorBody | None], None]


class OwnCall(Call):
    """A call whose answer goes to `done(result, error)`, one of them None, instead of a socket."""

    __slots__ = ("_done",)

    def __init__(
        self, op: str, args: dict[str, Any], *, client: str, wait_ms: int, done: Done
    ) -> None:
        request = Request(id="", op=op, args=args, client=client, deadline_ms=wait_ms)
        nobody = cast("Server", None)  # what would answer a client is not used
        super().__init__(nobody, [], b"", request, time.time_ns())
        self._done = done

    def _answer(self, ok: bool, result: Any, error: ErrorBody | None) -> None:
        self._once()
        self._done(result, error)
