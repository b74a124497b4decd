"""What a client is told: the exchange's answer, or none, as a result or an error of the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from bybitbus.codes import Code, Origin, Outcome
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.server import Call
from bybitd.order_execution.actions import Action
from bybitd.order_execution.errors import NotJournaled
from bybitd.order_execution.ledger import Basis, Order, State
from bybitd.venue.errors import FieldError, MissingField, UnknownField
from bybitd.venue.retcodes import Reaction, explain

LOOK_UP_HINT: Final = (
    "do not send it under another orderLinkId: the gateway is finding out and publishes the answer "
    "on gateway.order.<account>.; order.status tells what is known"
)


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer as the journal keeps it: a result or an error."""

    result: dict[str, Any] | None = None
    error: ErrorBody | None = None


_decode = msgspec.json.Decoder(Kept).decode
_encode = msgspec.json.Encoder().encode


def arguments(order: Order) -> dict[str, Any]:
    """Return the arguments that an order was made with."""
    found: dict[str, Any] = msgspec.json.decode(order.args)
    return found


def kept(answer: dict[str, Any] | ErrorBody) -> str:
    """Return an answer as text for the journal."""
    body = Kept(error=answer) if isinstance(answer, ErrorBody) else Kept(result=answer)
    return _encode(body).decode()


def recall(text: str) -> dict[str, Any] | ErrorBody:
    """Return an answer from the journal."""
    body = _decode(text)
    return body.error if body.error is not None else body.result or {}


def give(call: Call, answer: dict[str, Any] | ErrorBody) -> None:
    """Answer a call."""
    if isinstance(answer, ErrorBody):
        call.fail(answer)
    else:
        call.succeed(answer)


def created(order: Order) -> dict[str, Any]:
    """Return the result of an order that was accepted."""
    return {"orderId": order.order_id, "orderLinkId": order.link_id}


def of_order(order: Order) -> dict[str, Any] | ErrorBody:
    """Return the answer to the request for an order, by what is known of it now."""
    if order.outcome is Outcome.ACCEPTED:
        return created(order)
    if order.outcome is Outcome.UNKNOWN:
        return no_answer("order.create", order.reason)
    if order.basis is Basis.REFUSED or order.basis is Basis.DUPLICATE:
        return refused("order.create", order.ret_code or 0, order.ret_msg)
    if order.state is State.REJECTED and order.basis is Basis.EXCHANGE:
        return created(order)  # it was taken, and rejected by the matching later: the events tell
    return gateway_error(Code.UNAVAILABLE, f"order.create: {order.reason}")


def bad_field(error: FieldError) -> ErrorBody:
    """Return the error for an argument that was refused here."""
    if isinstance(error, UnknownField):
        code = Code.UNKNOWN_FIELD
    else:
        code = Code.MISSING_FIELD if isinstance(error, MissingField) else Code.BAD_FIELD
    return gateway_error(code, str(error))


def refused(
    op: str,
    code: int,
    message: str,
    extra: Mapping[str, Any] | None = None,
    *,
    batch: bool = False,
    retry_after_ms: int = 0,
) -> ErrorBody:
    """Return the error for an answer with a retCode other than 0.

    What it says of the outcome is decided by the code; of a whole batch only a definite refusal
    before processing is believed. `retry_after_ms` is 0 where it is not known.
    """
    meaning = explain(code)
    exchange: dict[str, Any] = {"retCode": code, "retMsg": message, "retExtInfo": dict(extra or {})}
    if is_undecided(code, batch=batch):
        return ErrorBody(
            code=Code.NO_ANSWER,
            message=f"{op}: the exchange's answer decides nothing: {code} {message} "
            f"({meaning.meaning})",
            origin=Origin.EXCHANGE,
            outcome=Outcome.UNKNOWN,
            retry_safe=False,
            hint=LOOK_UP_HINT,
            exchange=exchange,
        )
    words = {
        Reaction.WAIT: (Code.RATE_LIMITED, "ask again later, under a new orderLinkId"),
        Reaction.DUPLICATE: (
            Code.ID_REUSED,
            "the id stands for an order that was not made through this journal; choose another",
        ),
        Reaction.LOOK_UP: (Code.NOT_FOUND, "look at its final state: order.status, account.orders"),
        Reaction.CLOCK: (Code.EXCHANGE_REFUSED, "the clock is being measured again; ask again"),
        Reaction.FATAL: (Code.EXCHANGE_REFUSED, "key, permissions, region or account need a human"),
    }
    kind, hint = words.get(meaning.reaction, (Code.EXCHANGE_REFUSED, ""))
    after_ms = retry_after_ms or None if kind is Code.RATE_LIMITED else None
    if after_ms is not None:
        hint = f"ask again in {after_ms} ms, under a new orderLinkId"
    return ErrorBody(
        code=kind,
        message=f"{op}: the exchange refused: {code} {message} ({meaning.meaning})",
        origin=Origin.EXCHANGE,
        outcome=Outcome.REJECTED,
        retry_safe=meaning.retry_safe,
        hint=hint,
        exchange=exchange,
        retry_after_ms=after_ms,
    )


def is_undecided(code: int, *, batch: bool = False) -> bool:
    """Tell whether an answer leaves open what became of the request.

    A duplicate orderLinkId decides: an id goes out once, so the order behind it is another one.
    """
    reaction = explain(code).reaction
    if batch and reaction is Reaction.LOOK_UP:
        return True
    return reaction is Reaction.UNKNOWN


def basis_of(code: int) -> Basis:
    """Return on what a definite refusal rests."""
    return Basis.DUPLICATE if explain(code).reaction is Reaction.DUPLICATE else Basis.REFUSED


def batch(given: Sequence[dict[str, Any] | ErrorBody], link_ids: Sequence[str]) -> dict[str, Any]:
    """Return the answers of a batch's items in the shape of the exchange's own."""
    listed: list[dict[str, Any]] = []
    codes: list[dict[str, Any]] = []
    for answer, link_id in zip(given, link_ids, strict=True):
        if isinstance(answer, ErrorBody):
            exchange = answer.exchange or {}
            listed.append({"orderId": "", "orderLinkId": link_id})
            codes.append(
                {
                    "code": exchange.get("retCode", -1),
                    "msg": exchange.get("retMsg", answer.message),
                    "outcome": answer.outcome.value,
                    "error": answer.code.value,
                }
            )
        else:
            listed.append(answer)
            codes.append({"code": 0, "msg": "OK", "outcome": "accepted"})
    return {"list": listed, "retExtInfo": {"list": codes}}


def cancelled(gone: list[dict[str, Any]], *, complete: bool) -> dict[str, Any]:
    """Return the result of a cancel-all; not `complete` where there was no time for the rest."""
    return {"list": gone, "success": "1", "complete": complete}


def unread(op: str, why: str) -> ErrorBody:
    """Return the error for a question that got no usable answer: nothing was to be changed."""
    return ErrorBody(
        code=Code.NO_ANSWER,
        message=f"{op}: asked, but without a usable answer: {why}",
        origin=Origin.NETWORK,
        outcome=Outcome.REJECTED,
        retry_safe=True,
        hint="it changes nothing; ask again",
    )


def no_answer(op: str, why: str) -> ErrorBody:
    """Return the error for a request that was sent and got no usable answer."""
    return ErrorBody(
        code=Code.NO_ANSWER,
        message=f"{op}: sent, but without a usable answer: {why}",
        origin=Origin.NETWORK,
        outcome=Outcome.UNKNOWN,
        retry_safe=False,
        hint=LOOK_UP_HINT,
    )


def unavailable(op: str, why: str, retry_after_ms: int = 0) -> ErrorBody:
    """Return the error for a request of which certainly nothing was sent. `retry_after_ms`: it was
    held back here by a budget, which has room then.
    """
    if retry_after_ms > 0:
        return gateway_error(
            Code.RATE_LIMITED,
            f"{op}: not sent: {why}",
            hint=f"ask again in {retry_after_ms} ms, under a new orderLinkId",
            retry_safe=True,
            retry_after_ms=retry_after_ms,
        )
    return ErrorBody(
        code=Code.UNAVAILABLE,
        message=f"{op}: not sent: {why}",
        origin=Origin.NETWORK,
        outcome=Outcome.REJECTED,
        retry_safe=True,
        hint="nothing reached the exchange; ask again, under a new orderLinkId",
    )


def not_journaled(op: str, error: NotJournaled) -> ErrorBody:
    """Return the error for a request that was not sent because it can not be written down."""
    return gateway_error(
        Code.UNAVAILABLE,
        f"{op}: not sent: {error}",
        hint="nothing reached the exchange, and the orderLinkId is not used up; cancels still pass",
        retry_safe=True,
    )


def report(order: Order) -> dict[str, Any]:
    """Return what is published and told of an order (`ipc/PROTOCOL.md`, "Life of an order")."""
    body: dict[str, Any] = {
        "op": "order.create",
        "orderLinkId": order.link_id,
        "orderId": order.order_id,
        "category": order.category,
        "symbol": order.symbol,
        "client": order.client,
        "state": order.state.value,
        "outcome": order.outcome.value,
        "basis": order.basis.value,
        "reason": order.reason,
        "orderStatus": order.status,
        "price": order.price,
        "qty": order.qty,
        "cumExecQty": order.cum_exec_qty,
        "leavesQty": order.leaves_qty,
        "avgPrice": order.avg_price,
        "retCode": order.ret_code,
        "retMsg": order.ret_msg,
        "t": stamps(order),
    }
    return _present(body)


def report_action(action: Action, order: Order | None) -> dict[str, Any]:
    """Return what is published and told of an amend, a cancel or the like.

    `outcome` is the action's own, `state` that of the order it aims at, where that was placed
    here.
    """
    body: dict[str, Any] = {
        "op": action.op,
        "orderLinkId": action.link_id or (order.link_id if order else ""),
        "orderId": action.order_id or (order.order_id if order else ""),
        "category": action.category,
        "symbol": action.symbol,
        "client": action.client,
        "state": order.state.value if order else "",
        "outcome": action.outcome.value,
        "settled": action.settled,
        "reason": action.reason,
        "retCode": action.ret_code,
        "retMsg": action.ret_msg,
        "t": stamps(action),
    }
    return _present(body)


def _present(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value not in ("", None)}


def stamps(thing: Order | Action) -> dict[str, int]:
    """Return the moments that are known, Unix ns."""
    moments = {
        "received": thing.received_ns,
        "sent": thing.sent_ns,
        "acknowledged": thing.acknowledged_ns,
        "changed": thing.changed_ns,
    }
    return {name: at for name, at in moments.items() if at}
