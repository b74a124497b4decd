"""The moments on an order's way at which a process can be made to die, exactly there.

Nothing of the product knows of them: `child` puts them round the methods that an order passes. A
point is armed by a file that holds its name; whoever reaches it first takes the file away and is
killed by its own hand, as by `kill -9`: nothing is flushed, nobody is told.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ARM: Final = "CHAOS_ARM"  # the variable that names the file
Fits = Callable[..., bool]

# In the order of the way.
ORDER_EXECUTION: Final = (
    "received",
    "journaling",
    "journaled",
    "sending",
    "sent",
    "posting",
    "posted",
    "acknowledged",
    "acknowledgement taken",
    "publishing",
    "published",
    "replying",
    "replied",
)
PRIVATE_STREAM: Final = ("event received", "event published")
BUS: Final = ("routing", "routed")


def reach(point: str) -> None:
    """Die here if this point is armed."""
    file = Path(os.environ[ARM])
    try:
        if file.read_text() != point:
            return
        file.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def put_round(
    owner: type, method: str, before: str = "", after: str = "", fits: Fits | None = None
) -> None:
    """Make points of the moments before and after a method, for the calls that fit."""
    original = getattr(owner, method)

    @functools.wraps(original)
    def passed(*args: Any, **kwargs: Any) -> Any:
        counts = fits is None or fits(*args, **kwargs)
        if counts and before:
            reach(before)
        result = original(*args, **kwargs)
        if counts and after:
            reach(after)
        return result

    setattr(owner, method, passed)


def install(program: str) -> None:
    """Put the points of a program in place."""
    if program.startswith("order-execution-"):
        _order_execution()
    elif program.startswith("private-stream-"):
        from bybitd.private_stream.account import Account

        put_round(Account, "message", "event received", "event published", _is_order_event)
    elif program == "bus":
        from bybitd.bus.router import Router

        put_round(Router, "admit", "routing", "routed", lambda _self, _waiter, request, *_: (
            _writes_orders(request.op)
        ))  # fmt: skip


def _order_execution() -> None:
    from bybitbus.publisher import Publisher
    from bybitbus.server import Call
    from bybitd.net.connection import Connection
    from bybitd.net.rest import RestClient
    from bybitd.order_execution.journal import Journal
    from bybitd.order_execution.outcomes import Outcomes
    from bybitd.runtime.program import Program

    put_round(Program, "serve", "received", fits=lambda _self, call: _writes(call))
    put_round(Journal, "insert", "journaling", "journaled")
    put_round(Connection, "send", "sending", "sent", lambda _self, frame: b'"op":"order.' in frame)
    put_round(RestClient, "post", "posting", "posted")
    put_round(Outcomes, "answered", "acknowledged", "acknowledgement taken")
    put_round(Publisher, "publish", "publishing", "published", lambda _self, topic, *_, **__: (
        topic.startswith("gateway.order.")
    ))  # fmt: skip
    for name in ("succeed", "fail"):
        put_round(Call, name, "replying", "replied", lambda call, *_: _writes(call))


def _writes(call: Any) -> bool:
    return _writes_orders(call.request.op)


def _writes_orders(op: str) -> bool:
    return op.startswith("order.") and op not in ("order.status", "order.validate")


def _is_order_event(_self: object, message: dict[str, Any], *_: object) -> bool:
    return str(message.get("topic", "")).startswith("order")
