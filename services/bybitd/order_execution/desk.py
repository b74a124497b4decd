"""The order desk: takes the requests of the bus, journals them, sends them, tells what came of it.

What the answers of the exchange mean for orders and clients is `outcomes`; what was never answered
is `searcher`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.server import Call
from bybitd.net.clock import now_ms
from bybitd.order_execution import answers, ledger
from bybitd.order_execution.actions import Action
from bybitd.order_execution.errors import LinkIdUsed
from bybitd.order_execution.flights import Flight, Flights
from bybitd.order_execution.gates import BATCH, Ask, Gate
from bybitd.order_execution.ledger import Order, State
from bybitd.order_execution.link_ids import LinkIds
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.transport import Transport
from bybitd.runtime.account_access import AccountAccess
from bybitd.venue import orders as venue_orders
from bybitd.venue.errors import FieldError

# Sorted keys: what is in the journal is what goes out, and equal arguments are equal text.
_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Desk:
    """Serves the writing ops. `changed` is told of an order that was just sent.

    A request passes the `gates` in their order; the first that refuses it answers it.
    """

    def __init__(
        self,
        access: AccountAccess,
        transport: Transport,
        orders: OrderStore,
        actions: ActionStore,
        flights: Flights,
        ids: LinkIds,
        changed: Callable[[Order], None],
        gates: Sequence[Gate] = (),
    ) -> None:
        self._access = access
        self._gates = tuple(gates)
        self._transport = transport
        self._orders = orders
        self._actions = actions
        self._flights = flights
        self._ids = ids
        self._changed = changed
        self._timeout_ms = access.settings.accounts[access.account].order_timeout_ms

    def create(self, call: Call) -> None:
        """Place one order."""
        args = self._checked(call)
        if args is None:
            return
        order = self._order(call, str(args["category"]), args)
        self._place(call, [order], order.args)

    def create_batch(self, call: Call) -> None:
        """Place several orders at once."""
        args = self._checked(call)
        if args is None:
            return
        category, items = str(args["category"]), args["request"]
        orders = [self._order(call, category, item) for item in items]
        self._place(call, orders, _encode(args).decode())

    def act(self, call: Call) -> None:
        """Amend or cancel one order, or cancel all."""
        args = self._checked(call)
        if args is not None:
            text = _encode(args).decode()
            self._do(call, [self._action(call, str(args["category"]), args, text)], text)

    def act_batch(self, call: Call) -> None:
        """Amend or cancel several orders at once."""
        args = self._checked(call)
        if args is None:
            return
        category = str(args["category"])
        actions = [
            self._action(call, category, item, _encode(item).decode()) for item in args["request"]
        ]
        self._do(call, actions, _encode(args).decode())

    def validate(self, call: Call) -> None:
        """Check an order as `order.create` would, and send nothing."""
        args = self._allowed(call, "order.create")
        if args is None:
            return
        link_id = args.get("orderLinkId")
        if link_id and self._orders.get(link_id) is not None:
            call.fail(_reused([link_id]))
            return
        call.succeed(args)

    def _checked(self, call: Call) -> dict[str, Any] | None:
        """Return the arguments of a request that may go out now, None if it was answered."""
        request = call.request
        args = self._allowed(call, request.op)
        if args is not None and not self._transport.ready:
            call.fail(
                gateway_error(
                    Code.NOT_READY,
                    f"{request.op}: there is no connection to the exchange yet; nothing was sent",
                    hint="gateway.status tells why; try again",
                    retry_safe=True,
                )
            )
            return None
        return args

    def _allowed(self, call: Call, op: str) -> dict[str, Any] | None:
        """Return the arguments of a request that passes every check, None if it was answered."""
        try:
            args = venue_orders.check(op, call.request.args)
        except FieldError as error:
            call.fail(answers.bad_field(error))
            return None
        ask = Ask(op=op, client=call.request.client, args=args)
        for gate in self._gates:
            if (refusal := gate.refusal(ask)) is not None:
                call.fail(refusal)
                return None
        return args

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

    def _action(self, call: Call, category: str, args: Mapping[str, Any], text: str) -> Action:
        return Action(
            id=self._ids.next(),
            op=call.request.op.removesuffix(BATCH),
            client=call.request.client,
            category=category,
            symbol=args.get("symbol", ""),
            order_id=args.get("orderId", ""),
            link_id=args.get("orderLinkId", ""),
            args=text,
            received_ns=call.received_ns,
        )

    def _place(self, call: Call, orders: list[Order], text: str) -> None:
        due_ms = self._due_ms(call)
        if due_ms is None:
            return
        at_ns, timestamp_ms = time.time_ns(), self._access.exchange_ms()
        window_ms = self._transport.valid_until_ms(timestamp_ms) - timestamp_ms
        orders = [
            ledger.sent(order, timestamp_ms=timestamp_ms, recv_window_ms=window_ms, now_ns=at_ns)
            for order in orders
        ]
        try:
            self._orders.add(orders)
        except LinkIdUsed:
            self._asked_again(call, orders)
            return
        keys = tuple(order.link_id for order in orders)
        flight = Flight(
            op=call.request.op,
            keys=keys,
            creates=True,
            batch=call.request.op.endswith(BATCH),
            calls=[call],
        )
        self._send(call, flight, text, timestamp_ms, due_ms)
        for key in keys:
            order = self._orders.get(key)
            if order is not None and order.state is State.SENT:
                self._changed(order)

    def _do(self, call: Call, actions: list[Action], text: str) -> None:
        due_ms = self._due_ms(call)
        if due_ms is None:
            return
        at_ns, timestamp_ms = time.time_ns(), self._access.exchange_ms()
        valid_until_ms = self._transport.valid_until_ms(timestamp_ms)
        sent = [
            msgspec.structs.replace(
                action,
                timestamp_ms=timestamp_ms,
                valid_until_ms=valid_until_ms,
                sent_ns=at_ns,
                changed_ns=at_ns,
            )
            for action in actions
        ]
        self._actions.add(sent)
        flight = Flight(
            op=call.request.op,
            keys=tuple(action.id for action in sent),
            creates=False,
            batch=call.request.op.endswith(BATCH),
            calls=[call],
        )
        self._send(call, flight, text, timestamp_ms, due_ms)

    def _send(self, call: Call, flight: Flight, text: str, timestamp_ms: int, due_ms: int) -> None:
        req_id = self._ids.next()
        self._flights.add(req_id, flight)
        call.stamp("sent", time.time_ns())
        self._transport.send(flight.op, req_id, text, timestamp_ms, due_ms)

    def _due_ms(self, call: Call) -> int | None:
        at_ms = now_ms()
        due_ms = at_ms + self._timeout_ms
        deadline_ms = call.request.deadline_at_ms(call.received_ns // 1_000_000)
        if deadline_ms is None:
            return due_ms
        if deadline_ms <= at_ms:
            call.fail(
                gateway_error(
                    Code.DEADLINE_PASSED,
                    f"{call.request.op}: its deadline passed {at_ms - deadline_ms} ms before it "
                    "could be signed; nothing was sent",
                    hint="send it again with a later deadline_ms",
                )
            )
            return None
        return min(due_ms, deadline_ms)

    def _asked_again(self, call: Call, orders: list[Order]) -> None:
        """Answer a request whose orderLinkIds are used: as the first time, if it is the same."""
        known = [self._orders.get(order.link_id) for order in orders]
        same = [
            old is not None and (old.client, old.args) == (new.client, new.args)
            for old, new in zip(known, orders, strict=True)
        ]
        if not all(same):
            pairs = zip(known, same, strict=True)
            used = [old.link_id for old, equal in pairs if old is not None and not equal]
            call.fail(_reused(used or [old.link_id for old in known if old is not None]))
            return
        flight = self._flights.carrying(orders[0].link_id)
        if flight is not None:
            if flight.keys == tuple(order.link_id for order in orders):
                flight.calls.append(call)
            else:
                call.fail(_reused([orders[0].link_id]))
            return
        given = [self._first_answer(old) for old in known if old is not None]
        if call.request.op.endswith(BATCH):
            call.succeed(rows(given, [order.link_id for order in orders]))
        else:
            answers.give(call, given[0])

    @staticmethod
    def _first_answer(order: Order) -> dict[str, Any] | ErrorBody:
        return answers.recall(order.answer) if order.answer else answers.of_order(order)


def rows(given: list[dict[str, Any] | ErrorBody], keys: list[str]) -> dict[str, Any]:
    """Return the answers of a batch's items in the shape of the exchange's own."""
    listed: list[dict[str, Any]] = []
    codes: list[dict[str, Any]] = []
    for answer, link_id in zip(given, keys, strict=True):
        if isinstance(answer, ErrorBody):
            exchange = answer.exchange or {}
            listed.append({"orderId": "", "orderLinkId": link_id})
            codes.append(
                {
                    "code": exchange.get("retCode", -1),
                    "msg": exchange.get("retMsg", answer.message),
                    "outcome": answer.outcome.value,
                }
            )
        else:
            listed.append(answer)
            codes.append({"code": 0, "msg": "OK", "outcome": "accepted"})
    return {"list": listed, "retExtInfo": {"list": codes}}


def _reused(link_ids: list[str]) -> ErrorBody:
    return gateway_error(
        Code.ID_REUSED,
        f"orderLinkId {', '.join(link_ids)} stands for another order: other arguments, or another "
        "client; nothing was sent",
        hint="choose another orderLinkId; order.status tells what it stands for",
    )
