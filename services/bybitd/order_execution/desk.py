"""The order desk: takes the requests of the bus, journals them, sends them.

What they must be is `checks`, when they leave `departures`, what the answers of the exchange mean
for orders and clients `outcomes`; what was never answered is `searcher`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.server import Call
from bybitd.net.clock import now_ms
from bybitd.order_execution import actions as acts
from bybitd.order_execution import answers, ledger
from bybitd.order_execution.actions import Action
from bybitd.order_execution.checks import Checks
from bybitd.order_execution.departures import Departures, Ticket
from bybitd.order_execution.errors import LinkIdUsed, NotJournaled
from bybitd.order_execution.flights import Flight, Flights
from bybitd.order_execution.gates import BATCH, Ask
from bybitd.order_execution.ledger import Order, State
from bybitd.order_execution.link_ids import LinkIds
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.rate_budget import units
from bybitd.order_execution.repeats import Repeats, reused
from bybitd.order_execution.transport import Transport
from bybitd.runtime.account_access import AccountAccess
from bybitd.venue.operations import OPERATIONS

# Sorted keys: what is in the journal is what goes out, and equal arguments are equal text.
_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Desk:
    """Serves the writing ops. `changed` is told of an order that was just sent.

    Each handler takes `held`: the call was held while instruments were fetched, and comes again.
    """

    def __init__(
        self,
        access: AccountAccess,
        transport: Transport,
        departures: Departures,
        checks: Checks,
        orders: OrderStore,
        actions: ActionStore,
        flights: Flights,
        ids: LinkIds,
        changed: Callable[[Order], None],
    ) -> None:
        self._access = access
        self._transport = transport
        self._departures = departures
        self._checks = checks
        self._orders = orders
        self._actions = actions
        self._flights = flights
        self._ids = ids
        self._changed = changed
        self._repeats = Repeats(orders, flights)
        self._timeout_ms = access.settings.accounts[access.account].order_timeout_ms

    def handlers(self) -> dict[str, Callable[[Call], None]]:
        """Return what serves each op."""
        return {
            "order.create": self.create,
            "order.create-batch": self.create_batch,
            "order.amend-batch": self.act_batch,
            "order.cancel-batch": self.act_batch,
            "order.pre-check": self.pre_check,
            "order.validate": self.validate,
            **dict.fromkeys(("order.amend", "order.cancel", "order.cancel-all"), self.act),
            **{op: self.act for op in OPERATIONS if op.startswith("position.")},
        }

    def serve(self, call: Call) -> None:
        """Take a request that the gateway makes itself (`own_call`)."""
        self.handlers()[call.request.op](call)

    def create(self, call: Call, held: bool = False) -> None:
        """Place one order."""
        args = self._checks.shape(call, call.request.op, call.request.args)
        if args is not None:
            order = self._order(call, str(args["category"]), args)
            resume = None if held else lambda: self.create(call, held=True)
            self._depart(call, args, order.args, resume, orders=[order])

    def create_batch(self, call: Call, held: bool = False) -> None:
        """Place several orders at once."""
        args = self._checks.shape(call, call.request.op, call.request.args)
        if args is not None:
            orders = [self._order(call, str(args["category"]), item) for item in args["request"]]
            resume = None if held else lambda: self.create_batch(call, held=True)
            self._depart(call, args, _encode(args).decode(), resume, orders=orders)

    def act(self, call: Call, held: bool = False) -> None:
        """Amend or cancel one order, cancel all, or change a setting of a position."""
        args = self._checks.shape(call, call.request.op, call.request.args)
        if args is not None:
            text = _encode(args).decode()
            action = self._action(call, args, args, text)
            resume = None if held else lambda: self.act(call, held=True)
            self._depart(call, args, text, resume, actions=[action])

    def act_batch(self, call: Call, held: bool = False) -> None:
        """Amend or cancel several orders at once."""
        args = self._checks.shape(call, call.request.op, call.request.args)
        if args is not None:
            actions = [
                self._action(call, args, item, _encode(item).decode()) for item in args["request"]
            ]
            resume = None if held else lambda: self.act_batch(call, held=True)
            self._depart(call, args, _encode(args).decode(), resume, actions=actions)

    def pre_check(self, call: Call, held: bool = False) -> None:
        """Ask what an order would do to the margin. Changes nothing and is not journaled."""
        args = self._checks.shape(call, call.request.op, call.request.args)
        if args is not None:
            if args["category"] == "option":
                args.setdefault("orderLinkId", self._ids.next())
            resume = None if held else lambda: self.pre_check(call, held=True)
            self._depart(call, args, _encode(args).decode(), resume)

    def validate(self, call: Call, held: bool = False) -> None:
        """Check a request as its op would, and send nothing. `op` in its arguments says which."""
        args = dict(call.request.args)
        op = args.pop("op", "order.create-batch" if "request" in args else "order.create")
        if not isinstance(op, str) or op not in OPERATIONS or OPERATIONS[op].method != "POST":
            writing = ", ".join(op for op, how in OPERATIONS.items() if how.method == "POST")
            problem = f"order.validate: op can not be {op!r:.60} (one of {writing})"
            call.fail(gateway_error(Code.BAD_FIELD, problem))
            return
        checked = self._checks.shape(call, op, args)
        if checked is None:
            return
        ask = Ask(op=op, client=call.request.client, args=checked)
        by_rules = self._checks.by_rules(ask)
        refusal = by_rules or self._checks.by_gates(ask) or self._taken(op, checked)
        if by_rules is not None and not held:
            held = self._checks.hold(ask, call, lambda: self.validate(call, held=True))
            if held:
                return
        if refusal is None:
            call.succeed(checked)
        else:
            call.fail(refusal)

    def _taken(self, op: str, args: Mapping[str, Any]) -> ErrorBody | None:
        if not op.startswith("order.create"):
            return None
        named = [item.get("orderLinkId") for item in args.get("request", [args])]
        taken = [link_id for link_id in named if link_id and self._repeats.is_taken(link_id)]
        return reused(taken) if taken else None

    # What the answers ask for

    def next_round(self, flight: Flight, gone: list[dict[str, Any]]) -> bool:
        """Cancel what one call to cancel all has left; False if there is no time to."""
        if now_ms() >= flight.due_ms:
            return False
        call = flight.calls[0]
        args = msgspec.json.decode(flight.text)
        ticket = Ticket(
            op=flight.op,
            client=flight.client,
            category=flight.category,
            units=flight.units,
            due_ms=flight.due_ms,
            text=flight.text,
            calls=flight.calls,
            launch=self._launch,
            actions=[self._action(call, args, args, flight.text)],
            gathered=gone,
        )
        if self._departures.open(ticket.op, ticket.category, ticket.units):
            self._launch(ticket, waited=False)
            return True
        return self._departures.wait(ticket) is None

    # The way out

    def _order(self, call: Call, category: str, args: dict[str, Any]) -> Order:
        # The id goes into the arguments themselves, which are the request's own copy.
        link_id = args.get("orderLinkId")
        if not link_id:
            link_id = args["orderLinkId"] = self._ids.next()
        return Order(
            link_id=link_id,
            client=call.request.client,
            category=category,
            symbol=args["symbol"],
            args=_encode({**args, "category": category}).decode(),
            received_ns=call.received_ns,
        )

    def _action(
        self, call: Call, request: Mapping[str, Any], args: Mapping[str, Any], text: str
    ) -> Action:
        return Action(
            id=self._ids.next(),
            op=call.request.op.removesuffix(BATCH),
            client=call.request.client,
            category=str(request["category"]),
            symbol=args.get("symbol", ""),
            order_id=args.get("orderId", ""),
            link_id=args.get("orderLinkId", ""),
            args=text,
            received_ns=call.received_ns,
        )

    def _depart(
        self,
        call: Call,
        args: Mapping[str, Any],
        text: str,
        resume: Callable[[], None] | None,
        *,
        orders: list[Order] | None = None,
        actions: list[Action] | None = None,
    ) -> None:
        """Let a request leave at once, or wait for its turn, or say why it may not.

        `resume` lets it begin again after it was held; None if it was.
        """
        op, at_ms = call.request.op, now_ms()
        due_ms = self._due_ms(call, at_ms)
        ask = Ask(op=op, client=call.request.client, args=args)
        by_rules = self._checks.by_rules(ask)
        refusal = by_rules or self._checks.by_gates(ask)
        if refusal is None and not self._transport.ready:
            refusal = _no_way(op)
        if refusal is None and due_ms <= at_ms:
            refusal = _too_late(op, at_ms - due_ms)
        if refusal is None:
            refusal = self._checks.by_pace(ask)
        if refusal is not None:
            # What was asked for before is answered as it was then, whatever holds now.
            if orders and self._repeats.answer(call, orders):
                return
            if not (by_rules and resume and self._checks.hold(ask, call, resume)):
                call.fail(refusal)
            return
        ticket = Ticket(
            op=op,
            client=call.request.client,
            category=str(args["category"]),
            units=units(op, args),
            due_ms=due_ms,
            text=text,
            calls=[call],
            launch=self._launch,
            dropped=self._repeats.forget,
            orders=orders or [],
            actions=actions or [],
        )
        if self._departures.open(op, ticket.category, ticket.units):
            self._launch(ticket, waited=False)
        elif not (orders and self._repeats.answer(call, orders)):
            refusal = self._departures.wait(ticket)
            if refusal is None:
                self._repeats.wait(ticket)
            else:
                call.fail(refusal)

    def _launch(self, ticket: Ticket, waited: bool) -> None:
        """Journal, sign and send a request whose turn it is."""
        if waited:
            self._repeats.forget(ticket)
            refusal = self._no_longer(ticket)
            if refusal is not None:
                ticket.refuse(refusal)
                return
        req_id = self._ids.next()
        at_ns, timestamp_ms = time.time_ns(), self._access.exchange_ms()
        valid_until_ms = self._transport.valid_until_ms(timestamp_ms)
        if ticket.orders:
            self._place(ticket, req_id, at_ns, timestamp_ms, valid_until_ms)
            return
        sent = [
            acts.sent(
                action,
                timestamp_ms=timestamp_ms,
                valid_until_ms=valid_until_ms,
                now_ns=at_ns,
                req_id=req_id,
                transport=self._transport.way(ticket.op),
            )
            for action in ticket.actions
        ]
        try:
            if sent:
                self._actions.add(sent)
        except NotJournaled as error:
            ticket.refuse(answers.not_journaled(ticket.op, error))
            return
        self._send(ticket, req_id, tuple(action.id for action in sent), timestamp_ms)

    def _no_longer(self, ticket: Ticket) -> ErrorBody | None:
        if not self._transport.ready:
            return _no_way(ticket.op)
        args = msgspec.json.decode(ticket.text)
        return self._checks.by_gates(Ask(op=ticket.op, client=ticket.client, args=args))

    def _place(
        self, ticket: Ticket, req_id: str, at_ns: int, timestamp_ms: int, valid_until_ms: int
    ) -> None:
        window_ms = valid_until_ms - timestamp_ms
        orders = [
            ledger.sent(
                order,
                timestamp_ms=timestamp_ms,
                recv_window_ms=window_ms,
                now_ns=at_ns,
                req_id=req_id,
                transport=self._transport.way(ticket.op),
            )
            for order in ticket.orders
        ]
        try:
            self._orders.add(orders)
        except LinkIdUsed:
            for call in ticket.calls:
                self._repeats.answer(call, orders)
            return
        except NotJournaled as error:
            ticket.refuse(answers.not_journaled(ticket.op, error))
            return
        keys = tuple(order.link_id for order in orders)
        self._send(ticket, req_id, keys, timestamp_ms)
        for key in keys:
            order = self._orders.get(key)
            if order is not None and order.state is State.SENT:
                self._changed(order)

    def _send(self, ticket: Ticket, req_id: str, keys: tuple[str, ...], timestamp_ms: int) -> None:
        flight = Flight(
            op=ticket.op,
            client=ticket.client,
            category=ticket.category,
            units=ticket.units,
            text=ticket.text,
            due_ms=ticket.due_ms,
            keys=keys,
            creates=bool(ticket.orders),
            batch=ticket.op.endswith(BATCH),
            calls=ticket.calls,
            gathered=ticket.gathered,
        )
        self._flights.add(req_id, flight)
        at_ns = time.time_ns()
        for call in ticket.calls:
            call.stamp("sent", at_ns)
        self._departures.left(req_id, flight.op, flight.category, flight.units)
        self._transport.send(flight.op, req_id, flight.text, timestamp_ms, flight.due_ms)

    def _due_ms(self, call: Call, at_ms: int) -> int:
        """Return when an answer is no longer waited for, Unix ms."""
        due_ms = at_ms + self._timeout_ms
        deadline_ms = call.request.deadline_at_ms(call.received_ns // 1_000_000)
        return due_ms if deadline_ms is None else min(due_ms, deadline_ms)


def _no_way(op: str) -> ErrorBody:
    return gateway_error(
        Code.NOT_READY,
        f"{op}: there is no connection to the exchange yet; nothing was sent",
        hint="gateway.status tells why; try again",
        retry_safe=True,
    )


def _too_late(op: str, late_ms: int) -> ErrorBody:
    return gateway_error(
        Code.DEADLINE_PASSED,
        f"{op}: its deadline passed {late_ms} ms before it could be signed; nothing was sent",
        hint="send it again with a later deadline_ms",
    )
