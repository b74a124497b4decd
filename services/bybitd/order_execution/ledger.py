"""The life of an order: every state, every legal transition, and what each message may change.

The rule behind all of it: what is known better already is never given up. A message of the
exchange may come late, early, twice or out of order (Bybit V5, "Order" stream; "Enums
Definitions", orderStatus), so it is weighed against what the order shows by now: the state only
rises in rank, the executed quantity never falls, and what is over stays over.

Two kinds of ends exist. The exchange's own record of an order that is over is final. An end that
we concluded ourselves, because the request was refused or the order was provably absent, gives way
to one thing only: the exchange showing that very order. It must not happen; if it does, calling a
living order rejected would be the worse lie.

Pure: orders are values, a change is a new value, time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from bybitbus.codes import Outcome
from bybitd.order_execution.errors import IllegalTransition
from bybitd.order_execution.order_record import decimal, is_older, read_updated_ms, text, why
from bybitd.venue.enums import OrderStatus


class State(StrEnum):
    """Where an order is, as far as it is known here."""

    RECEIVED = "received"  # journaled; certainly not sent
    SENT = "sent"  # marked before the bytes leave: they may have left
    UNKNOWN = "unknown"  # sent, no answer; being looked for
    ACKNOWLEDGED = "acknowledged"  # the exchange took the request, which is not yet an order
    OPEN = "open"
    PART_FILLED = "part-filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


_ENDS: Final = frozenset({State.FILLED, State.CANCELLED, State.REJECTED})
_SEEN: Final = frozenset({State.OPEN, State.PART_FILLED}) | _ENDS

# The one table. Whatever is not in it is an error, never a silent change.
TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.RECEIVED: frozenset({State.SENT, State.REJECTED}),
    State.SENT: frozenset({State.UNKNOWN, State.ACKNOWLEDGED}) | _SEEN,
    State.UNKNOWN: frozenset({State.ACKNOWLEDGED}) | _SEEN,
    State.ACKNOWLEDGED: _SEEN,
    State.OPEN: _SEEN - {State.OPEN},
    State.PART_FILLED: frozenset({State.FILLED, State.CANCELLED}),
    State.FILLED: frozenset(),
    State.CANCELLED: frozenset(),
    State.REJECTED: frozenset(),
}
# The exchange's evidence against an end that was only our conclusion.
REFUTATIONS: Final = frozenset(
    {State.ACKNOWLEDGED, State.OPEN, State.PART_FILLED, State.FILLED, State.CANCELLED}
)

_RANK: Final = {
    State.RECEIVED: 0,
    State.SENT: 1,
    State.UNKNOWN: 1,
    State.ACKNOWLEDGED: 2,
    State.OPEN: 3,
    State.PART_FILLED: 4,
    State.FILLED: 5,
    State.CANCELLED: 5,
    State.REJECTED: 5,
}


class Basis(StrEnum):
    """Why an order is where it is, where its state alone does not say."""

    NONE = ""
    EXCHANGE = "exchange"  # the exchange's own record says so
    REFUSED = "refused"  # the request was refused with a definite retCode
    DUPLICATE = "duplicate"  # refused: the id stands for an order that was not made here
    NOT_SENT = "not_sent"  # nothing left this machine
    ABSENT = "absent"  # looked for after its request could no longer be accepted, and not found
    GONE = "gone"  # neither open nor filled, and too old for the exchange to say more


_CONCLUDED: Final = frozenset({Basis.REFUSED, Basis.ABSENT, Basis.GONE})


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order that was made here. Its fields are the columns of the journal, in this order.

    `args` is the JSON of what goes out, with sorted keys: equal text means equal arguments.
    `answer` is the JSON of what the client was told, "" before that. `timestamp_ms` is what the
    request was stamped with (the exchange's clock); after `valid_until_ms` the exchange can not
    accept it any more. `req_id` and `transport` (`ws`, `rest`) say by what request it was to go
    out. Quantities are decimal strings, `*_ns` Unix ns, 0 for "not yet".
    """

    link_id: str
    client: str
    category: str
    symbol: str
    args: str
    state: State = State.RECEIVED
    basis: Basis = Basis.NONE
    order_id: str = ""
    status: str = ""
    reason: str = ""
    cum_exec_qty: str = "0"
    leaves_qty: str = ""
    avg_price: str = ""
    price: str = ""
    qty: str = ""
    updated_ms: int = 0
    ret_code: int | None = None
    ret_msg: str = ""
    timestamp_ms: int = 0
    valid_until_ms: int = 0
    req_id: str = ""
    transport: str = ""
    received_ns: int
    sent_ns: int = 0
    acknowledged_ns: int = 0
    changed_ns: int = 0
    answer: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.state in _ENDS

    @property
    def exists(self) -> bool:
        """Whether the exchange has shown it: a request that was only acknowledged is not yet it."""
        return self.status != ""

    @property
    def news(self) -> tuple[object, ...]:
        """What others want to hear of; a change of anything else is no news."""
        return (
            *(self.state, self.order_id, self.status, self.reason, self.cum_exec_qty),
            *(self.leaves_qty, self.avg_price, self.price, self.qty),
        )

    @property
    def outcome(self) -> Outcome:
        """What is known of the request to create it."""
        if self.state is State.REJECTED:
            return Outcome.REJECTED
        if self.state in (State.RECEIVED, State.SENT, State.UNKNOWN):
            return Outcome.UNKNOWN
        return Outcome.ACCEPTED


def sent(
    order: Order,
    *,
    timestamp_ms: int,
    recv_window_ms: int,
    now_ns: int,
    req_id: str = "",
    transport: str = "",
) -> Order:
    """Mark it sent. This must be in the journal before a byte leaves."""
    return _advance(
        order,
        State.SENT,
        now_ns,
        timestamp_ms=timestamp_ms,
        valid_until_ms=timestamp_ms + recv_window_ms,
        req_id=req_id,
        transport=transport,
        sent_ns=now_ns,
    )


def sent_again(
    order: Order,
    *,
    timestamp_ms: int,
    recv_window_ms: int,
    now_ns: int,
    req_id: str = "",
    transport: str = "",
) -> Order:
    """Stamp it anew, because the exchange refused its timestamp before looking at the rest.

    This must be in the journal before a byte leaves.
    """
    if order.state is not State.SENT:
        raise IllegalTransition(order.link_id, order.state, State.SENT)
    return msgspec.structs.replace(
        order,
        timestamp_ms=timestamp_ms,
        valid_until_ms=timestamp_ms + recv_window_ms,
        req_id=req_id,
        transport=transport,
        sent_ns=now_ns,
        changed_ns=now_ns,
    )


def not_sent(order: Order, why: str, now_ns: int) -> Order:
    """Give up an order of which certainly nothing left: it was only received, or the transport
    proved that it took nothing.
    """
    if order.exists:
        return order
    return _advance(order, State.REJECTED, now_ns, basis=Basis.NOT_SENT, reason=why)


def acknowledged(order: Order, order_id: str, now_ns: int) -> Order:
    """Take the acknowledgement. It may come after the order's first events, which know better."""
    known: dict[str, Any] = {
        "order_id": order.order_id or order_id,
        "acknowledged_ns": order.acknowledged_ns or now_ns,
        "ret_code": 0,
    }
    if _may_rise(order, State.ACKNOWLEDGED):
        return _advance(order, State.ACKNOWLEDGED, now_ns, basis=Basis.NONE, reason="", **known)
    if order.acknowledged_ns:
        return order
    return msgspec.structs.replace(order, **known, changed_ns=now_ns)


def refused(order: Order, ret_code: int, ret_msg: str, basis: Basis, now_ns: int) -> Order:
    """Take a definite refusal. An order that the exchange has shown is not undone by it."""
    if order.exists or order.is_over:
        return order
    return _advance(
        order, State.REJECTED, now_ns, basis=basis, ret_code=ret_code, ret_msg=ret_msg,
        reason=ret_msg, acknowledged_ns=now_ns,
    )  # fmt: skip


def unanswered(order: Order, why: str, now_ns: int) -> Order:
    """Note that no usable answer will come: unknown, unless its events have told more already."""
    if order.state is not State.SENT:
        return order
    return _advance(order, State.UNKNOWN, now_ns, reason=why)


def absent(order: Order, now_ns: int, *, asked_ms: int = 0, hidden: bool = False) -> Order:
    """Conclude from proven absence, as of `asked_ms`. The proof is the caller's (`settling`).

    `hidden`: so long ago that the exchange no longer lists what ended without a fill, or the
    order was known to it before: then it is over without more fills, whether it ever rested or
    not.
    """
    if order.is_over:
        return order
    if order.state in (State.RECEIVED, State.SENT):
        # The first has nothing to be looked for; the second still waits for its answer.
        raise IllegalTransition(order.link_id, order.state, "absent")
    if order.state is State.UNKNOWN and not hidden:
        return _advance(
            order, State.REJECTED, now_ns, basis=Basis.ABSENT,
            reason="it never came to exist: not found after its request had expired",
        )  # fmt: skip
    return _advance(
        order, State.CANCELLED, now_ns, basis=Basis.GONE,
        updated_ms=max(asked_ms, order.updated_ms),
        reason="neither open nor filled any more, and too old for the exchange to say why",
    )  # fmt: skip


def observe(order: Order, record: Mapping[str, Any], now_ns: int) -> Order:
    """Weigh the exchange's record of it, from the stream or from a look-up.

    Returns the same object where it tells nothing new: late, repeated, or of another order that
    has the same orderLinkId.
    """
    order_id = text(record, "orderId")
    if order.order_id and order_id and order.order_id != order_id:
        return order
    if order.basis in (Basis.NOT_SENT, Basis.DUPLICATE):
        return order  # whatever carries its id was not made by this request
    if not order.order_id and is_older(record, order.timestamp_ms):
        return order
    if order.state is State.RECEIVED:
        return order  # nothing was sent: somebody else's order
    record_qty, known_qty = decimal(record, "cumExecQty"), Decimal(order.cum_exec_qty)
    filled = max(record_qty, known_qty)
    state = _state_of(OrderStatus.parse(text(record, "orderStatus")), filled)
    updated_ms = read_updated_ms(record)
    rises = _may_rise(order, state)
    if order.basis is Basis.GONE and state not in _ENDS and updated_ms <= order.updated_ms:
        rises = False  # that it was open before it was gone is no news
    # Within one state the newer record counts (an amended price); a terminal one only for fills.
    newer = record_qty > known_qty or (
        not order.is_over
        and _RANK[state] >= _RANK[order.state]
        and updated_ms > order.updated_ms
        and record_qty == known_qty
    )
    if not rises and not newer:
        return order
    details: dict[str, Any] = {"order_id": order_id or order.order_id}
    if record_qty > known_qty:
        details["cum_exec_qty"] = text(record, "cumExecQty")
        details["avg_price"] = text(record, "avgPrice")
    if rises or (updated_ms >= order.updated_ms and not order.is_over):
        details |= {
            "status": text(record, "orderStatus") or OrderStatus.UNKNOWN.value,
            "leaves_qty": text(record, "leavesQty"),
            "avg_price": text(record, "avgPrice") or order.avg_price,
            "price": text(record, "price"),
            "qty": text(record, "qty"),
            "updated_ms": max(updated_ms, order.updated_ms),
            "reason": why(record),
            "basis": Basis.EXCHANGE,
        }
    if rises and state is not order.state:
        return _advance(order, state, now_ns, **details)
    return msgspec.structs.replace(order, **details, changed_ns=now_ns)


def is_legal(before: str | None, before_basis: str | None, state: str, basis: str) -> bool:
    """Tell whether the table lets an order be where it is after where it was (None: nowhere).

    It takes what stands in the journal, whoever may have written that.
    """
    try:
        to, _ = State(state), Basis(basis)
        if before is None:
            return True
        known, known_basis = State(before), Basis(before_basis or "")
    except ValueError:
        return False
    return to is known or to in _after(known, known_basis)


def answered(order: Order, answer: str) -> Order:
    """Keep what the client was told, to tell the same again."""
    return msgspec.structs.replace(order, answer=answer)


def _advance(order: Order, to: State, now_ns: int, **changes: Any) -> Order:
    if to not in _next(order):
        raise IllegalTransition(order.link_id, order.state, to)
    return msgspec.structs.replace(order, state=to, changed_ns=now_ns, **changes)


def _next(order: Order) -> frozenset[State]:
    return _after(order.state, order.basis)


def _after(state: State, basis: Basis) -> frozenset[State]:
    return REFUTATIONS if state in _ENDS and basis in _CONCLUDED else TRANSITIONS[state]


def _may_rise(order: Order, to: State) -> bool:
    concluded = order.is_over and order.basis in _CONCLUDED
    return to in _next(order) and (concluded or _RANK[to] > _RANK[order.state])


def _state_of(status: OrderStatus, filled: Decimal) -> State:
    match status:
        case OrderStatus.FILLED:
            return State.FILLED
        case OrderStatus.REJECTED if not filled:
            return State.REJECTED
        case _ if status.is_terminal:
            return State.CANCELLED  # a `Rejected` with fills has been seen: it did live
        case OrderStatus.PARTIALLY_FILLED:
            return State.PART_FILLED
    # An unknown word is no end: treating it as open keeps the order watched.
    return State.PART_FILLED if filled else State.OPEN
