"""What a client is told of a read over REST, first of all where it did not give what was asked."""

from __future__ import annotations

from bybitbus.codes import Code, Origin, Outcome
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.server import Call
from bybitd.net.errors import OverBudget, RestError
from bybitd.net.rest import RestReply
from bybitd.venue.retcodes import Reaction, explain


def take(call: Call, reply: RestReply | None, error: RestError | None) -> RestReply | None:
    """Return the answer that a call can be given; None if there is none, and it was told so.

    The call is stamped with when its question went out and was answered.
    """
    op = call.request.op
    if reply is None:
        call.fail(unanswered(op, error))
        return None
    call.stamp("sent", reply.sent_ns)
    call.stamp("acknowledged", reply.received_ns)
    if reply.ret_code:
        call.fail(refused(op, reply))
        return None
    return reply


def refused(op: str, reply: RestReply) -> ErrorBody:
    """Return the error for an answer with a retCode other than 0."""
    meaning = explain(reply.ret_code)
    limited = meaning.reaction is Reaction.WAIT
    return ErrorBody(
        code=Code.RATE_LIMITED if limited else Code.EXCHANGE_REFUSED,
        message=f"{op}: the exchange refused: {reply.ret_code} {reply.ret_msg} ({meaning.meaning})",
        origin=Origin.EXCHANGE,
        outcome=Outcome.REJECTED,
        retry_safe=limited or meaning.reaction is Reaction.UNKNOWN,
        hint=f"try again after {reply.reset_ms} (Unix ms)" if limited and reply.reset_ms else "",
        exchange={
            "retCode": reply.ret_code,
            "retMsg": reply.ret_msg,
            "retExtInfo": reply.ret_ext_info,
        },
    )


def unanswered(op: str, error: RestError | None) -> ErrorBody:
    """Return the error for a call without a valid answer, or one that must not leave now."""
    if isinstance(error, OverBudget):
        hint = f"try again after {error.until_ms} (Unix ms)"
        return gateway_error(Code.RATE_LIMITED, f"{op}: {error.why}", hint=hint, retry_safe=True)
    return ErrorBody(
        code=Code.NO_ANSWER if error is None or error.sent else Code.UNAVAILABLE,
        message=f"{op}: the exchange did not answer: {error}",
        origin=Origin.NETWORK,
        outcome=Outcome.REJECTED,
        retry_safe=True,
        hint="reading changes nothing: ask again",
    )
