"""The trade socket: order operations and nothing else (Bybit V5 WebSocket "Trade")."""

from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec

from bybitd.simulator.refusal import Refusal
from bybitd.simulator.wire import acknowledgements as acks
from bybitd.simulator.wire.auth import KeyRing, check_window
from bybitd.simulator.wire.clock import ServerClock
from bybitd.simulator.wire.connection import Connection
from bybitd.simulator.wire.desk import RESTARTING, Answer, Desk, refused
from bybitd.simulator.wire.limits import RateBook
from bybitd.simulator.wire.order_faults import OrderFaults

PATHS = {
    f"order.{name}": f"/v5/order/{name}"
    for name in ("create", "amend", "cancel", "create-batch", "amend-batch", "cancel-batch")
}
_MAX_REQ_ID = 36
# How many reqIds a connection remembers: days of a busy one, yet not memory without end.
_REMEMBERED_REQ_IDS = 200_000

_decode = msgspec.json.Decoder().decode
_traces = count(1)


class TradeSockets:
    """Turn the frames of the trade sockets into requests of the order desk."""

    def __init__(
        self,
        desk: Desk,
        keys: KeyRing,
        rates: RateBook,
        faults: OrderFaults,
        clock: ServerClock,
        publish: Callable[[], None],
        *,
        ack_first: bool,
    ) -> None:
        self._faults = faults
        self._desk = desk
        self._keys = keys
        self._rates = rates
        self._clock = clock
        self._publish = publish
        self._ack_first = ack_first
        self.requests = 0

    def receive(self, connection: Connection, data: bytes) -> None:
        """Act on one message of a client."""
        try:
            request = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            request = None
        if not isinstance(request, dict):
            text = acks.not_json(data.decode("utf-8", "replace"))
            self._refuse(connection, "", None, Refusal(10001, text))
            return
        op, req_id = request.get("op"), request.get("reqId")
        op = op if isinstance(op, str) else ""
        if op in PATHS:
            self._order(connection, op, req_id, request)
        elif op == "ping":
            connection.reply(acks.trade_pong(connection.conn_id, self._clock.shown_ms()))
        elif op == "auth":
            self._authenticate(connection, req_id, request.get("args"))
        else:
            connection.reply(acks.trade_unknown_op(connection.conn_id, op=op, req_id=req_id))

    def _authenticate(self, connection: Connection, req_id: Any, args: Any) -> None:
        if connection.credential is not None:
            self._refuse(connection, "auth", req_id, Refusal(20001, "Repeat auth"))
            return
        try:
            if refused := self._faults.refusal_of_auth():
                raise refused
            connection.credential = self._keys.socket_login(args, self._clock.shown_ms())
        except Refusal as refusal:
            self._refuse(connection, "auth", req_id, refusal)
            return
        connection.reply(
            acks.trade_reply(connection.conn_id, op="auth", ret_code=0, ret_msg="OK", req_id=req_id)
        )

    def _order(self, connection: Connection, op: str, req_id: Any, request: dict[str, Any]) -> None:
        self.requests += 1
        who = connection.credential
        if who is None:
            # Refusals of this class come without the reqId, on the real exchange too.
            self._refuse(connection, op, None, Refusal(10005, "Request not authorized"))
            return
        now_ms = self._clock.engine_ms()
        try:
            body = _body(request.get("args"))
            self._desk.arrived(who, PATHS[op], body)
            if connection.retiring:
                raise Refusal(10019, RESTARTING)
            if not self._rates.take_trade(now_ms):
                raise Refusal(10403, "Exceeded IP rate limit.")
            self._check_req_id(connection, req_id)
            header = request.get("header")
            if not isinstance(header, dict):
                raise Refusal(10001, "Params Error")
            check_window(
                header.get("X-BAPI-TIMESTAMP"),
                header.get("X-BAPI-RECV-WINDOW"),
                self._clock.shown_ms(),
            )
        except Refusal as refusal:
            self._reply(connection, op, req_id, refused(refusal))
            return
        answer = self._desk.act(who, PATHS[op], body, now_ms)
        if not self._ack_first:
            self._publish()
        if not answer.lost:
            self._reply(connection, op, req_id if answer.req_id else None, answer)
        if answer.cut:
            connection.cut_after_sending("fault")
        self._publish()

    @staticmethod
    def _check_req_id(connection: Connection, req_id: Any) -> None:
        if req_id is None:
            return
        if not isinstance(req_id, str) or len(req_id) > _MAX_REQ_ID:
            raise Refusal(10001, "Params Error")
        seen = connection.req_ids
        if req_id in seen:
            raise Refusal(20006, "Duplicate reqId")
        seen[req_id] = None
        if len(seen) > _REMEMBERED_REQ_IDS:
            del seen[next(iter(seen))]

    def _refuse(self, connection: Connection, op: str, req_id: Any, refusal: Refusal) -> None:
        reply = acks.trade_reply(
            connection.conn_id,
            op=op,
            ret_code=refusal.retCode,
            ret_msg=refusal.retMsg,
            req_id=req_id,
        )
        connection.reply(reply)

    def _reply(self, connection: Connection, op: str, req_id: Any, answer: Answer) -> None:
        reply: dict[str, Any] = {} if req_id is None else {"reqId": req_id}
        reply["retCode"] = answer.retCode
        reply["retMsg"] = answer.retMsg
        reply["op"] = op
        reply["data"] = answer.result
        reply["retExtInfo"] = answer.retExtInfo
        reply["header"] = limit_headers(answer, self._clock)
        reply["connId"] = connection.conn_id
        if answer.hold_ms:
            connection.reply_later(reply, answer.hold_ms / 1_000)
        else:
            connection.reply(reply)


def _body(args: Any) -> dict[str, Any]:
    """Read the one object that `args` must hold. Raises Refusal."""
    match args:
        case [dict(body)]:
            return body
        case _:
            raise Refusal(10001, "Params Error")


def limit_headers(answer: Answer, clock: ServerClock) -> dict[str, str]:
    """Make the limit headers of a reply, for both transports; times are in ms."""
    headers: dict[str, str] = {}
    grant = answer.grant
    if grant is not None:
        headers["X-Bapi-Limit"] = str(grant.limit)
        headers["X-Bapi-Limit-Status"] = str(grant.left)
        headers["X-Bapi-Limit-Reset-Timestamp"] = str(grant.reset_ms + clock.skew_ms)
    headers["Traceid"] = f"{next(_traces):032x}"
    headers["Timenow"] = str(clock.shown_ms())
    return headers
