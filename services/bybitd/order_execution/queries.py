"""What the journal knows, for those who ask: `order.status`, and the orders for late joiners."""

from __future__ import annotations

from typing import Any, Final

from bybitbus.codes import Code
from bybitbus.messages import gateway_error
from bybitbus.server import Call
from bybitd.order_execution import answers
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.ledger import Order
from bybitd.order_execution.order_store import OrderStore
from bybitd.runtime.arguments import Argument, wrong

_FIELDS: Final = {"orderLinkId": Argument(str, filled=True), "orderId": Argument(str, filled=True)}


class Queries:
    """Answers from the journal; asks nobody."""

    def __init__(self, orders: OrderStore, journal: Journal) -> None:
        self._orders = orders
        self._journal = journal

    def status(self, call: Call) -> None:
        """Tell what is known of one order, and what was asked of it."""
        args = call.request.args
        error = wrong(call.request.op, args, _FIELDS)
        if error is None and not args:
            problem = "order.status: orderLinkId or orderId is missing"
            error = gateway_error(Code.MISSING_FIELD, problem)
        if error is not None:
            call.fail(error)
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
