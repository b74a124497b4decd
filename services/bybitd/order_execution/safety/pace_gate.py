"""New orders and amends per second, of the account and of each client."""

from __future__ import annotations

import time
from typing import Final

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitd.order_execution.gates import Ask
from bybitd.order_execution.safety.pace import Pace
from bybitd.settings import Account, ClientLimits

_COUNTED: Final = frozenset(
    {"order.create", "order.create-batch", "order.amend", "order.amend-batch"}
)


class PaceGate:
    """Counts what passes. `settings` may be replaced at any time."""

    def __init__(self, account: str, settings: Account) -> None:
        self.settings = settings
        self._account = account
        self._of_account = Pace()
        self._of_clients: dict[str, Pace] = {}

    def refusal(self, ask: Ask) -> ErrorBody | None:
        """Count a request, or return why it comes too soon."""
        if ask.op not in _COUNTED:
            return None
        limits = self.settings.clients.get(ask.client)
        if limits is not None and limits.orders_per_s is not None:
            pace = self._of_clients.setdefault(ask.client, Pace())
            where = f"accounts.{self._account}.clients.{ask.client}"
            if (refusal := _refusal(ask, pace, limits, where)) is not None:
                return refusal
        if self.settings.limits.orders_per_s is None:
            return None
        where = f"accounts.{self._account}.limits"
        return _refusal(ask, self._of_account, self.settings.limits, where)


def _refusal(ask: Ask, pace: Pace, limits: ClientLimits, where: str) -> ErrorBody | None:
    most, orders = limits.orders_per_s, len(ask.items)
    assert most is not None
    wait_ms = pace.take(orders, most, time.monotonic_ns() // 1_000_000)
    if not wait_ms:
        return None
    if wait_ms < 0:
        problem = f"{ask.op}: orders_per_s: {orders} orders at once; {most} a second are allowed"
        hint = f"send fewer at once, or change {where}.orders_per_s"
        return gateway_error(Code.RISK_REFUSED, problem, hint=hint)
    return gateway_error(
        Code.RISK_REFUSED,
        f"{ask.op}: orders_per_s: {most} a second are allowed, and used up; nothing was sent",
        hint=f"try again in {wait_ms} ms, or change {where}.orders_per_s",
        retry_safe=True,
        retry_after_ms=wait_ms,
    )
