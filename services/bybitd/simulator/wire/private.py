"""The private sockets: account topics only, no orders (Bybit V5 WebSocket "Private")."""

import asyncio
from typing import Any

import msgspec

from bybitd.simulator.exchange import Exchange
from bybitd.simulator.refusal import Refusal
from bybitd.simulator.wire import acknowledgements as acks
from bybitd.simulator.wire import frames, order_faults
from bybitd.simulator.wire.auth import KeyRing
from bybitd.simulator.wire.clock import ServerClock
from bybitd.simulator.wire.connection import Connection
from bybitd.simulator.wire.faults import Faults

Told = tuple[int, str, dict[str, Any]]
_WITH_OPTION = ("spot", "linear", "inverse", "option")
_CATEGORIES = {
    "order": _WITH_OPTION,
    "execution": _WITH_OPTION,
    "execution.fast": _WITH_OPTION,
    "position": ("linear", "inverse", "option"),
}
_PLAIN = ("wallet", "greeks", "strategy", "spread.order", "spread.execution")
# Topic -> product of the disconnection protection that it arms.
_DCP = {"dcp.future": "DERIVATIVES", "dcp.spot": "SPOT", "dcp.option": "OPTIONS"}
# Categorised topic -> its all-in-one topic; the others stand for themselves.
TOPICS: dict[str, str] = {name: name for name in (*_CATEGORIES, *_PLAIN, *_DCP)} | {
    f"{name}.{category}": name
    for name, categories in _CATEGORIES.items()
    for category in categories
}


class PrivateSockets:
    """All private connections, by account."""

    def __init__(
        self, exchange: Exchange, keys: KeyRing, faults: Faults, clock: ServerClock
    ) -> None:
        self.exchange = exchange
        self._keys = keys
        self._faults = faults
        self._clock = clock
        # Messages that the fault `swap_events` keeps until the next of their topic has gone.
        self._swapped: dict[tuple[int, str], dict[str, Any]] = {}
        self._disconnected: dict[tuple[int, str], asyncio.TimerHandle] = {}
        self._by_uid: dict[int, dict[Connection, None]] = {}
        self.messages = 0

    @property
    def disconnected(self) -> list[dict[str, Any]]:
        """The accounts and topics whose disconnection is being timed (DCP)."""
        return [{"uid": uid, "topic": topic} for uid, topic in self._disconnected]

    def receive(self, connection: Connection, data: bytes) -> None:
        """Act on one message of a client."""
        try:
            request = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            request = None
        conn_id = connection.conn_id
        if not isinstance(request, dict):
            text = acks.not_json(data.decode("utf-8", "replace"))
            connection.reply(acks.PRIVATE.error(conn_id, acks.Asked(), text))
            return
        op = request.get("op")
        asked = acks.Asked(op=op if isinstance(op, str) else "", req_id=request.get("req_id"))
        match asked.op:
            case "ping":
                self._alive(connection)
                connection.reply(acks.PRIVATE.pong(conn_id, asked, self._clock.shown_ms()))
            case "auth":
                self._authenticate(connection, asked, request.get("args"))
            case "subscribe" | "unsubscribe":
                self._change(connection, asked, request.get("args"))
            case _:
                connection.reply(acks.PRIVATE.error(conn_id, asked, "error:invalid op"))

    def publish(self) -> None:
        """Send what the exchange has to tell its accounts."""
        for told in self.exchange.take_private():
            now_ms = self._clock.engine_ms()
            for each in self._faults.topics.outgoing("private", told[1], told, now_ms):
                self._pass(each)

    def _pass(self, told: Told) -> None:
        """Send a message now, or when the faults let it go."""
        uid, topic, message = told
        match self._faults.orders.for_event(topic):
            case order_faults.HoldEvents(ms=ms):
                loop = asyncio.get_running_loop()
                loop.call_later(ms / 1_000, self._tell, uid, topic, message)
                return
            case order_faults.SwapEvents(ms=ms) if (uid, topic) not in self._swapped:
                self._swapped[uid, topic] = message
                asyncio.get_running_loop().call_later(ms / 1_000, self._release, uid, topic)
                return
        self._tell(uid, topic, message)
        self._release(uid, topic)
        if topic == "order":
            self._double_filled(uid, message)

    def _release(self, uid: int, topic: str) -> None:
        message = self._swapped.pop((uid, topic), None)
        if message is not None:
            self._tell(uid, topic, message)

    def _double_filled(self, uid: int, message: dict[str, Any]) -> None:
        """Send `Filled` once more, as after a cancel that lost the race (Order stream)."""
        for record in message["data"]:
            if record["orderStatus"] == "Filled" and self._faults.orders.doubles_filled():
                late = {
                    "cancelType": "CancelByUser",
                    "rejectReason": "EC_OrigClOrdIDDoesNotExist",
                }
                again = {"id": f"{message['id']}-2", "data": [record | late]}
                self._tell(uid, "order", message | again)

    def _tell(self, uid: int, topic: str, message: dict[str, Any]) -> None:
        for connection in self._by_uid.get(uid, ()):
            self._deliver(connection, topic, message)

    def forget(self, connection: Connection) -> None:
        """Remove a connection that has ended; it may have been the last that DCP counts."""
        if connection.credential is None:
            return
        uid = connection.credential.uid
        alive = self._by_uid.get(uid, {})
        if connection not in alive:
            return
        del alive[connection]
        for topic in connection.topics & _DCP.keys():
            window_s = self.exchange.dcp_window_s(uid, _DCP[topic])
            if window_s is not None and not any(topic in other.topics for other in alive):
                loop = asyncio.get_running_loop()
                self._disconnected[uid, topic] = loop.call_later(
                    window_s, self._cancel_disconnected, uid, topic
                )

    def _alive(self, connection: Connection) -> None:
        """Stop the clock of DCP: its owner is back, with the topic and a heartbeat."""
        if connection.credential is not None:
            for topic in connection.topics & _DCP.keys():
                timer = self._disconnected.pop((connection.credential.uid, topic), None)
                if timer is not None:
                    timer.cancel()

    def _cancel_disconnected(self, uid: int, topic: str) -> None:
        self._disconnected.pop((uid, topic), None)
        self.exchange.cancel_disconnected(uid, _DCP[topic], self._clock.engine_ms())
        self.publish()

    def _authenticate(self, connection: Connection, asked: acks.Asked, args: Any) -> None:
        try:
            if refused := self._faults.orders.refusal_of_auth():
                raise refused
            credential = self._keys.socket_login(args, self._clock.shown_ms())
        except Refusal as refusal:
            connection.reply(acks.PRIVATE.error(connection.conn_id, asked, refusal.retMsg))
            return
        self.forget(connection)
        connection.credential = credential
        self._by_uid.setdefault(credential.uid, {})[connection] = None
        connection.reply(acks.PRIVATE.success(connection.conn_id, asked))

    def _change(self, connection: Connection, asked: acks.Asked, args: Any) -> None:
        conn_id = connection.conn_id
        if connection.credential is None:
            connection.reply(acks.PRIVATE.error(conn_id, asked, "Request not authorized"))
            return
        if not isinstance(args, list) or not args or not all(isinstance(a, str) for a in args):
            connection.reply(acks.PRIVATE.error(conn_id, asked, "Params Error"))
            return
        if asked.op == "unsubscribe":
            connection.topics.difference_update(args)
            connection.reply(acks.PRIVATE.success(conn_id, asked))
            return
        # A categorised topic beside its all-in-one topic is a conflict within one request.
        failed = [a for a in args if a not in TOPICS or (TOPICS[a] != a and TOPICS[a] in args)]
        done = [a for a in args if a not in failed]
        connection.topics.update(done)
        if failed:
            text = acks.partly_failed(done, failed)
            connection.reply(acks.PRIVATE.error(conn_id, asked, text))
        else:
            connection.reply(acks.PRIVATE.success(conn_id, asked))

    def _deliver(self, connection: Connection, topic: str, message: dict[str, Any]) -> None:
        if topic in connection.topics:
            self._send(connection, message)
            return
        records = message.get("data")
        category = records[0].get("category") if isinstance(records, list) and records else None
        categorised = f"{topic}.{category}"
        if categorised in connection.topics:
            # The name subscribed is the name delivered: the official SDK looks it up by that.
            self._send(connection, message | {"topic": categorised})

    def _send(self, connection: Connection, message: dict[str, Any]) -> None:
        self.messages += 1
        frame = frames.frame(frames.encode(message), window_bits=connection.window_bits)
        connection.write(frame)
