"""The shapes in which each socket answers control messages (Bybit V5, WebSocket "Connect").

No two families of sockets agree on how they say pong, yes and no. Each family is a `Dialect`; the
socket code asks the dialect and knows no shape. The key order is that of the real frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a reply repeats of the request: its `op`, its `req_id`, its topics."""

    op: str = ""
    req_id: Any = None
    args: tuple[str, ...] = ()


class Dialect(Protocol):
    """How one family of sockets answers."""

    def pong(self, conn_id: str, asked: Asked, now_ms: int) -> Message:
        """Answer `{"op":"ping"}`."""

    def success(self, conn_id: str, asked: Asked) -> Message:
        """Acknowledge subscribe or unsubscribe."""

    def error(self, conn_id: str, asked: Asked, text: str) -> Message:
        """Refuse a control message."""


class FuturesDialect:
    """Linear and inverse: `req_id` is always there, empty when none was sent."""

    def pong(self, conn_id: str, asked: Asked, now_ms: int) -> Message:
        return self._reply(True, "pong", conn_id, asked)

    def success(self, conn_id: str, asked: Asked) -> Message:
        return self._reply(True, "", conn_id, asked)

    def error(self, conn_id: str, asked: Asked, text: str) -> Message:
        return self._reply(False, text, conn_id, asked)

    @staticmethod
    def _reply(success: bool, text: str, conn_id: str, asked: Asked) -> Message:
        return {
            "success": success,
            "ret_msg": text,
            "conn_id": conn_id,
            "req_id": "" if asked.req_id is None else asked.req_id,
            "op": asked.op,
        }


class SpotDialect(FuturesDialect):
    """Spot (and the status socket): the acknowledgement's text is the name of the operation."""

    def pong(self, conn_id: str, asked: Asked, now_ms: int) -> Message:
        reply = super().pong(conn_id, asked, now_ms)
        if asked.req_id is None:
            del reply["req_id"]
        return reply

    def success(self, conn_id: str, asked: Asked) -> Message:
        return self._reply(True, asked.op, conn_id, asked)


class OptionDialect(FuturesDialect):
    """Option and spread: COMMAND_RESP, which carries neither `op` nor `req_id`.

    Errors of these sockets are not documented; they take the shape of the futures sockets.
    """

    def pong(self, conn_id: str, asked: Asked, now_ms: int) -> Message:
        return {"args": [str(now_ms)], "op": "pong"}

    def success(self, conn_id: str, asked: Asked) -> Message:
        return self.command_response(conn_id, asked.args, ())

    @staticmethod
    def command_response(conn_id: str, done: Sequence[str], failed: Sequence[str]) -> Message:
        return {
            "success": not failed,
            "conn_id": conn_id,
            "data": {"failTopics": list(failed), "successTopics": list(done)},
            "type": "COMMAND_RESP",
        }


class PrivateDialect:
    """The private socket: `req_id` comes back only if it was sent."""

    def pong(self, conn_id: str, asked: Asked, now_ms: int) -> Message:
        reply: Message = {} if asked.req_id is None else {"req_id": asked.req_id}
        return reply | {"op": "pong", "args": [str(now_ms)], "conn_id": conn_id}

    def success(self, conn_id: str, asked: Asked) -> Message:
        return self._reply(True, "", conn_id, asked)

    def error(self, conn_id: str, asked: Asked, text: str) -> Message:
        return self._reply(False, text, conn_id, asked)

    @staticmethod
    def _reply(success: bool, text: str, conn_id: str, asked: Asked) -> Message:
        reply: Message = {"success": success, "ret_msg": text, "op": asked.op, "conn_id": conn_id}
        if asked.req_id is not None:
            reply["req_id"] = asked.req_id
        return reply


SPOT = SpotDialect()
FUTURES = FuturesDialect()
OPTION = OptionDialect()
PRIVATE = PrivateDialect()


def trade_reply(
    conn_id: str, *, op: str, ret_code: int, ret_msg: str, req_id: Any = None
) -> Message:
    """Make a short reply of the trade socket: authentication, and refusals before any order."""
    reply: Message = {} if req_id is None else {"reqId": req_id}
    return reply | {"retCode": ret_code, "retMsg": ret_msg, "op": op, "connId": conn_id}


def trade_unknown_op(conn_id: str, *, op: str, req_id: Any = None) -> Message:
    """Refuse an operation that the trade socket does not have; `op` comes first here."""
    reply: Message = {"op": op}
    if req_id is not None:
        reply["reqId"] = req_id
    return reply | {"retCode": 10404, "retMsg": "", "connId": conn_id}


def trade_pong(conn_id: str, now_ms: int) -> Message:
    """Answer `{"op":"ping"}` on the trade socket."""
    return {
        "retCode": 0,
        "retMsg": "OK",
        "op": "pong",
        "data": [str(now_ms)],
        "connId": conn_id,
    }


def not_json(text: str) -> str:
    """Describe text that is not a JSON object, in the words of the exchange's decoder."""
    start = text[:1]
    return (
        f"Failed to decode incoming data:readObjectStart: expect {{ or n, but found {start}, "
        f"error found in #1 byte of ...|{text[:10]}|..., bigger context ...|{text[:50]}|..."
    )


def partly_failed(done: Sequence[str], failed: Sequence[str]) -> str:
    """Describe a subscription of which some topics do not exist (private socket)."""
    return (
        "Batch subscription partially succeeded and partially failed."
        f"Successful subscriptions are as follows:[{','.join(done)}]. "
        "Subscription to the following topics failed because the topic does not exist or "
        f"there is a subscription conflict:[{','.join(failed)}]."
    )
