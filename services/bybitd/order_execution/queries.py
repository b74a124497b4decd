"""What the journal knows, for those who ask: `order.status`, and the orders for late joiners."""

from __future__ import annotations

from typing import Any

from bybitbus.codes import Code
from bybitbus.messages import gateway_error
from bybitbus.server import Call
from bybitd.order_execution import answers
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.ledger import Order
from bybitd.order_execution.order_store import OrderStore

_KNOWN = ("orderLinkId", "orderId")


class Queries:
    """Answers from the journal; asks nobody."""

    def __init__(self, orders: OrderStore, journal: Journal) -> None:
        self._orders = orders
        self._journal = journal

    def status(self, call: Call) -> None:
        """Tell what is known of one order, and what was asked of it."""
        args = call.request.args
        for name, value in args.items():
            if name not in _KNOWN:
                call.fail(
                    gateway_error(
                        Code.UNKNOWN_FIELD,
                        f"order.status: {name} is not known (one of {', '.join(_KNOWN)})",
                    )
                )
                return
            if not isinstance(value, str) or not value:
                call.fail(
                    gateway_error(Code.BAD_FIELD, f"order.status: {name} must be an id, a string")
                )
                return
        if not args:
            call.fail(
                gateway_error(Code.MISSING_FIELD, "order.status: orderLinkId or orderId is missing")
            )
            return
        order = self._orders.find(args.get("orderId", ""), args.get("orderLinkId", ""))
        if order is None:
            call.fail(
                gateway_error(
                    Code.NOT_FOUND,
                    "order.status: no such order was placed through this journal",
                    hint="account.orders shows orders placed elsewhere too",
                )
            )
            return
        call.succeed({**answers.report(order), "actions": self._actions(order)})

    def _actions(self, order: Order) -> list[dict[str, Any]]:
        found = self._journal.actions_on(order.link_id, order.order_id)
        return [answers.report_action(action, order) for action in found]
