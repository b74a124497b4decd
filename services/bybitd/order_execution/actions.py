"""What is asked of orders that exist: amend, cancel, cancel-all, and the settings of positions.

Their outcome is tracked apart from the state of the order they aim at: a lost answer to a cancel
leaves the cancel unknown, not the order. Pure: actions are values, time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

import msgspec

from bybitbus.codes import Outcome
from bybitd.order_execution.errors import IllegalTransition
from bybitd.venue.enums import OrderStatus


class ActionState(StrEnum):
    """Where an action is."""

    SENT = "sent"
    UNKNOWN = "unknown"  # sent, no answer; the order it aims at is being looked at
    DONE = "done"
    REJECTED = "rejected"


TRANSITIONS: Final[dict[ActionState, frozenset[ActionState]]] = {
    ActionState.SENT: frozenset({ActionState.UNKNOWN, ActionState.DONE, ActionState.REJECTED}),
    ActionState.UNKNOWN: frozenset({ActionState.DONE, ActionState.REJECTED}),
    ActionState.DONE: frozenset(),
    ActionState.REJECTED: frozenset(),
}

# What an amend may change, and where the order's record shows it.
_AMENDED: Final = (
    "qty",
    "price",
    "triggerPrice",
    "orderIv",
    "takeProfit",
    "stopLoss",
    "tpLimitPrice",
    "slLimitPrice",
)
_STOPS: Final = ("takeProfit", "stopLoss", "trailingStop")  # as a position's record has them
_HEDGE: Final = 3

_SHOWN_BY_ORDER: Final = ("order.amend", "order.cancel")


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One action. Its fields are the columns of the journal, in this order.

    `order_id` and `link_id` say which order is meant, as the client wrote them. `settled` is set
    when nothing more will be found out: an `unknown` may stay one (`reason` says why).
    """

    id: str
    op: str
    client: str
    category: str
    symbol: str
    order_id: str
    link_id: str
    args: str
    state: ActionState = ActionState.SENT
    settled: bool = False
    reason: str = ""
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

    @property
    def outcome(self) -> Outcome:
        """What is known of it."""
        if self.state is ActionState.DONE:
            return Outcome.ACCEPTED
        return Outcome.REJECTED if self.state is ActionState.REJECTED else Outcome.UNKNOWN

    @property
    def is_of_position(self) -> bool:
        """Whether it changes a setting of positions."""
        return self.op.startswith("position.")

    @property
    def can_be_settled(self) -> bool:
        """Whether looking at one order, or at the positions of one symbol, tells what became of it.

        A partial take profit or stop loss adds orders, which the position's record does not show;
        a mode switched by coin is shown by no one symbol.
        """
        if not self.is_of_position:
            return bool(self.order_id or self.link_id) and self.op in _SHOWN_BY_ORDER
        partial = self.op == "position.trading-stop" and '"Partial"' in self.args
        return bool(self.symbol) and not partial


def answered(action: Action, ret_code: int, ret_msg: str, *, done: bool, now_ns: int) -> Action:
    """Take the exchange's answer. A late one still settles an unknown action."""
    if action.state not in (ActionState.SENT, ActionState.UNKNOWN):
        return action
    to = ActionState.DONE if done else ActionState.REJECTED
    return _advance(
        action,
        to,
        now_ns,
        ret_code=ret_code,
        ret_msg=ret_msg,
        acknowledged_ns=now_ns,
        settled=True,
        reason="" if done else ret_msg,
    )


def sent(
    action: Action,
    *,
    timestamp_ms: int,
    valid_until_ms: int,
    now_ns: int,
    req_id: str = "",
    transport: str = "",
) -> Action:
    """Stamp it, the first time or anew because the exchange refused its timestamp.

    This must be in the journal before a byte leaves.
    """
    if action.state is not ActionState.SENT:
        raise IllegalTransition(f"action {action.id}", action.state, ActionState.SENT)
    return msgspec.structs.replace(
        action,
        timestamp_ms=timestamp_ms,
        valid_until_ms=valid_until_ms,
        req_id=req_id,
        transport=transport,
        sent_ns=now_ns,
        changed_ns=now_ns,
    )


def not_sent(action: Action, why: str, now_ns: int) -> Action:
    """Give up an action of which certainly nothing left."""
    return _advance(action, ActionState.REJECTED, now_ns, reason=why, settled=True)


def unanswered(action: Action, why: str, now_ns: int) -> Action:
    """Note that no usable answer will come."""
    if action.state is not ActionState.SENT:
        return action
    return _advance(
        action, ActionState.UNKNOWN, now_ns, reason=why, settled=not action.can_be_settled
    )


def judge(
    action: Action, record: Mapping[str, Any], now_ns: int, *, expired: bool, overtaken: bool
) -> Action:
    """Say what the order's record tells of an unknown action; the same object if nothing yet.

    `expired`: the record was read after the exchange could no longer accept the action.
    `overtaken`: a later amend of the same order went out, so its values prove nothing.
    """
    if action.state is not ActionState.UNKNOWN or action.settled:
        return action
    status = OrderStatus.parse(str(record.get("orderStatus", "")))
    if action.op == "order.cancel":
        if status in (OrderStatus.FILLED, OrderStatus.REJECTED):
            return _settle(action, ActionState.REJECTED, f"the order is {status}", now_ns)
        if status.is_terminal:
            return _settle(action, ActionState.DONE, "", now_ns)
        if expired:
            return _settle(action, ActionState.REJECTED, "the order is still open", now_ns)
        return action
    if _shows(msgspec.json.decode(action.args), record):
        return _settle(action, ActionState.DONE, "", now_ns)
    if not (expired or status.is_terminal):
        return action
    if overtaken:
        return msgspec.structs.replace(
            action, settled=True, reason="a later amend hides what this one did", changed_ns=now_ns
        )
    return _settle(action, ActionState.REJECTED, "the order does not show the change", now_ns)


def judge_position(
    action: Action,
    rows: Sequence[Mapping[str, Any]],
    now_ns: int,
    *,
    expired: bool,
    overtaken: bool,
) -> Action:
    """Say what the positions of its symbol tell of an unknown action; the same object if nothing.

    `rows` are the exchange's, also of a flat position; otherwise as `judge`.
    """
    if action.state is not ActionState.UNKNOWN or action.settled:
        return action
    args = msgspec.json.decode(action.args)
    meant = [row for row in rows if args.get("positionIdx") in (None, row.get("positionIdx"))]
    if meant and all(_shows_setting(action.op, args, row) for row in meant):
        return _settle(action, ActionState.DONE, "", now_ns)
    if not expired:
        return action
    if overtaken or not meant:
        why = "a later change hides what this one did" if overtaken else "no position shows it"
        return msgspec.structs.replace(action, settled=True, reason=why, changed_ns=now_ns)
    return _settle(action, ActionState.REJECTED, "the position does not show the change", now_ns)


def _shows_setting(op: str, args: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    if op == "position.switch-mode":
        hedge = row.get("positionIdx") in (1, 2)
        return bool(hedge == (args["mode"] == _HEDGE))
    if op == "position.set-leverage":
        # Both rows of a hedged symbol say their own side; the one of a one-way symbol either.
        name = "sellLeverage" if row.get("positionIdx") == 2 else "buyLeverage"
        return _number(row.get("leverage")) == _number(args[name])
    if op == "position.set-auto-add-margin":
        return bool(row.get("autoAddMargin") == args["autoAddMargin"])
    wanted = {name: args[name] for name in _STOPS if name in args}
    return bool(wanted) and all(
        _number(value) == _number(row.get(name)) for name, value in wanted.items()
    )


def nothing_found(action: Action, now_ns: int, *, hidden: bool = False) -> Action:
    """Conclude that there was no such order when the action could no longer be accepted.

    `hidden`: so long ago that the exchange may have forgotten how the order ended.
    """
    if action.state is not ActionState.UNKNOWN or action.settled:
        return action
    if hidden:
        reason = "the order is gone, and it is too long ago for the exchange to say how"
        return msgspec.structs.replace(action, settled=True, reason=reason, changed_ns=now_ns)
    return _settle(action, ActionState.REJECTED, "there is no such order", now_ns)


def _shows(args: dict[str, Any], record: Mapping[str, Any]) -> bool:
    wanted = {name: args[name] for name in _AMENDED if name in args}
    return bool(wanted) and all(
        _number(value) == _number(record.get(name)) for name, value in wanted.items()
    )


def _number(value: object) -> Decimal:
    # "", "0" and "0.00" all mean none.
    try:
        return Decimal(str(value or 0))
    except InvalidOperation:
        return Decimal("NaN")


def _settle(action: Action, to: ActionState, reason: str, now_ns: int) -> Action:
    return _advance(action, to, now_ns, reason=reason, settled=True)


def _advance(action: Action, to: ActionState, now_ns: int, **changes: Any) -> Action:
    if to not in TRANSITIONS[action.state]:
        raise IllegalTransition(f"action {action.id}", action.state, to)
    return msgspec.structs.replace(action, state=to, changed_ns=now_ns, **changes)
