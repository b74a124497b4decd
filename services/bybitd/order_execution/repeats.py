"""The same order asked for again: answered as the first time, or refused where it is another one.

The journal is what decides (`LinkIdUsed`); what waits for the rate budget is not in it yet.
"""

from __future__ import annotations

from typing import Any

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.server import Call
from bybitd.order_execution import answers
from bybitd.order_execution.departures import Ticket
from bybitd.order_execution.flights import Flights
from bybitd.order_execution.gates import BATCH
from bybitd.order_execution.ledger import Order
from bybitd.order_execution.order_store import OrderStore


class Repeats:
    """Knows which orderLinkIds are taken, and by what."""

    def __init__(self, orders: OrderStore, flights: Flights) -> None:
        self._orders = orders
        self._flights = flights
        self._waiting: dict[str, Ticket] = {}

    def wait(self, ticket: Ticket) -> None:
        """Note that a request waits, with the ids of its orders."""
        for order in ticket.orders:
            self._waiting[order.link_id] = ticket

    def forget(self, ticket: Ticket) -> None:
        """Note that a request waits no more. Harmless if it never did."""
        for order in ticket.orders:
            self._waiting.pop(order.link_id, None)

    def is_taken(self, link_id: str) -> bool:
        """Tell whether an orderLinkId stands for an order, or for one that waits."""
        return link_id in self._waiting or self._orders.get(link_id) is not None

    def answer(self, call: Call, orders: list[Order]) -> bool:
        """Answer a request for orders of which one is there already; False if none is."""
        waiting = self._waiting.get(orders[0].link_id)
        if waiting is not None and _same(waiting.orders, orders):
            waiting.calls.append(call)
            return True
        taken = [order.link_id for order in orders if order.link_id in self._waiting]
        known = [self._orders.get(order.link_id) for order in orders]
        if not taken and not any(known):
            return False
        pairs = zip(known, orders, strict=True)
        other = [new.link_id for old, new in pairs if old is None or _what(old) != _what(new)]
        if taken or other:
            used = [old.link_id for old in known if old is not None]
            call.fail(reused(taken or [key for key in used if key in other] or used))
            return True
        self._as_before(call, [old for old in known if old is not None])
        return True

    def _as_before(self, call: Call, orders: list[Order]) -> None:
        flight = self._flights.carrying(orders[0].link_id)
        keys = tuple(order.link_id for order in orders)
        if flight is not None:
            if flight.keys == keys:
                flight.calls.append(call)
            else:
                call.fail(reused([orders[0].link_id]))
            return
        given = [_first_answer(order) for order in orders]
        if call.request.op.endswith(BATCH):
            call.succeed(answers.batch(given, keys))
        else:
            answers.give(call, given[0])


def reused(link_ids: list[str]) -> ErrorBody:
    """Return the error for ids that stand for other orders."""
    return gateway_error(
        Code.ID_REUSED,
        f"orderLinkId {', '.join(link_ids)} stands for another order: other arguments, or another "
        "client; nothing was sent",
        hint="choose another orderLinkId; order.status tells what it stands for",
    )


def _what(order: Order) -> tuple[str, str, str]:
    return order.link_id, order.client, order.args


def _same(ones: list[Order], others: list[Order]) -> bool:
    return list(map(_what, ones)) == list(map(_what, others))


def _first_answer(order: Order) -> dict[str, Any] | ErrorBody:
    return answers.recall(order.answer) if order.answer else answers.of_order(order)
