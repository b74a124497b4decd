"""The public sockets: who listens to what, and one encoding for all of them.

Source: Bybit V5 WebSocket "Connect" and the public topics. Refusals differ by category: linear and
inverse refuse a request as a whole and name its first bad topic, option confirms everything.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from bybitd.simulator.exchange import Exchange
from bybitd.simulator.refusal import UnknownTopic
from bybitd.simulator.wire import acknowledgements as acks
from bybitd.simulator.wire import frames
from bybitd.simulator.wire.clock import ServerClock
from bybitd.simulator.wire.connection import Connection
from bybitd.simulator.wire.faults import Faults

# Path below /v5/public -> kind of connection.
KINDS = {
    "spot": "spot",
    "linear": "linear",
    "inverse": "inverse",
    "option": "option",
    "spread": "spread",
    "misc/status": "status",
}
_DIALECTS: dict[str, acks.Dialect] = {
    "spot": acks.SPOT,
    "status": acks.SPOT,
    "linear": acks.FUTURES,
    "inverse": acks.FUTURES,
    "option": acks.OPTION,
    "spread": acks.OPTION,
}
MAX_ARGS_CHARACTERS = 21_000
MAX_SPOT_ARGS = 10
MAX_OPTION_TOPICS = 2_000
STATUS_TOPIC = "system.status"

Topic = tuple[str, str]


class PublicSockets:
    """All public connections and their subscriptions."""

    def __init__(
        self,
        exchange: Exchange,
        faults: Faults,
        clock: ServerClock,
        publish: Callable[[], None],
    ) -> None:
        self.exchange = exchange
        self._faults = faults
        self._clock = clock
        self._publish = publish
        self._listeners: dict[Topic, dict[Connection, None]] = {}
        self._delayed: dict[tuple[Connection, str], asyncio.TimerHandle] = {}
        self.messages = 0

    @property
    def topics(self) -> dict[Topic, int]:
        """The open topics with the number of their listeners."""
        return {topic: len(listeners) for topic, listeners in self._listeners.items()}

    def receive(self, connection: Connection, data: bytes) -> None:
        """Act on one message of a client."""
        dialect = _DIALECTS[connection.kind]
        try:
            request = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            request = None
        if not isinstance(request, dict):
            text = acks.not_json(data.decode("utf-8", "replace"))
            connection.reply(dialect.error(connection.conn_id, acks.Asked(), text))
            return
        op, req_id = request.get("op"), request.get("req_id")
        asked = acks.Asked(op=op if isinstance(op, str) else "", req_id=req_id)
        if asked.op == "ping":
            now_ms = self._clock.shown_ms()
            connection.reply(dialect.pong(connection.conn_id, asked, now_ms))
            return
        if asked.op not in ("subscribe", "unsubscribe"):
            connection.reply(dialect.error(connection.conn_id, asked, "error:invalid op"))
            return
        args = request.get("args")
        if not isinstance(args, list) or not args or not all(isinstance(a, str) for a in args):
            connection.reply(dialect.error(connection.conn_id, asked, "Params Error"))
            return
        asked = acks.Asked(op=asked.op, req_id=req_id, args=tuple(args))
        if asked.op == "unsubscribe":
            for topic in asked.args:
                self._leave(connection, topic)
            connection.reply(dialect.success(connection.conn_id, asked))
        elif dialect is acks.OPTION:
            self._subscribe_each(connection, asked)
        else:
            self._subscribe_all_or_nothing(connection, asked, dialect)

    def publish(self) -> None:
        """Send what the exchange has produced to those who listen."""
        reached: set[Connection] = set()
        for category, topic, message in self.exchange.take_public():
            listeners = self._listeners.get((category, topic))
            if listeners:
                self._fan_out(category, topic, message, listeners)
                reached.update(listeners)
        for connection in reached:
            connection.flush()

    def announce(self, message: dict[str, Any]) -> None:
        """Send a `system.status` message to the status sockets."""
        listeners = self._listeners.get(("status", STATUS_TOPIC), {})
        self._fan_out("status", STATUS_TOPIC, message, listeners)
        for connection in listeners:
            connection.flush()

    def forget(self, connection: Connection) -> None:
        """Remove a connection that has ended."""
        for topic in tuple(connection.topics):
            self._leave(connection, topic)

    def _fan_out(
        self,
        category: str,
        topic: str,
        message: dict[str, Any],
        listeners: dict[Connection, None],
    ) -> None:
        made = frames.encode(message)
        for payload in self._faults.topics.outgoing(category, topic, made, self._now_ms()):
            self.messages += 1
            by_window: dict[int, bytes] = {}
            for connection in listeners:
                window = connection.window_bits
                frame = by_window.get(window)
                if frame is None:
                    frame = by_window[window] = frames.frame(payload, window_bits=window)
                connection.queue(frame)

    def _subscribe_all_or_nothing(
        self, connection: Connection, asked: acks.Asked, dialect: acks.Dialect
    ) -> None:
        error = self._first_error(connection, asked)
        if error:
            connection.reply(dialect.error(connection.conn_id, asked, error))
            return
        connection.reply(dialect.success(connection.conn_id, asked))
        for topic in asked.args:
            self._join(connection, topic)
        self._publish()

    def _first_error(self, connection: Connection, asked: acks.Asked) -> str:
        """Open the topics of a request; on the first bad one close them again and name it."""
        category = connection.kind
        spot_like = category in ("spot", "status")
        if category == "spot" and len(asked.args) > MAX_SPOT_ARGS:
            return f"args size >{MAX_SPOT_ARGS}"
        if _characters(connection, asked.args) > MAX_ARGS_CHARACTERS:
            return f"args size >{MAX_ARGS_CHARACTERS}"
        seen: set[str] = set()
        opened: list[str] = []
        error = ""
        for topic in asked.args:
            # Spot says nothing of topics that are there already; futures call it an error.
            if not spot_like and (topic in connection.topics or topic in seen):
                error = f"error:already subscribed,topic:{topic}"
                break
            seen.add(topic)
            if not self._open(category, topic):
                error = f"error:handler not found,topic:{topic}"
                if spot_like:
                    error = f"Invalid symbol :[{topic}]"
                break
            opened.append(topic)
        if error:
            for topic in opened:
                self._close_if_unheard(category, topic)
        return error

    def _subscribe_each(self, connection: Connection, asked: acks.Asked) -> None:
        """Confirm everything, as the option socket does, even topics that never deliver."""
        room = MAX_OPTION_TOPICS - len(connection.topics)
        if _characters(connection, asked.args) > MAX_ARGS_CHARACTERS:
            room = 0
        done, failed = asked.args[: max(room, 0)], asked.args[max(room, 0) :]
        connection.reply(acks.OPTION.command_response(connection.conn_id, done, failed))
        for topic in done:
            if self._open(connection.kind, topic):
                self._join(connection, topic)
            else:
                connection.topics.add(topic)
        self._publish()

    def _open(self, category: str, topic: str) -> bool:
        if self._faults.topics.refuses(category, topic, self._now_ms()):
            return False
        if category == "status":
            return topic == STATUS_TOPIC
        if (category, topic) in self._listeners:
            return True
        try:
            self.exchange.open_topic(category, topic)
        except UnknownTopic:
            return False
        return True

    def _join(self, connection: Connection, topic: str) -> None:
        """Add a listener at the point of the stream that its first message describes."""
        if topic in connection.topics and connection in self._listeners.get(
            (connection.kind, topic), ()
        ):
            return
        connection.topics.add(topic)
        delay = self._faults.topics.delay_of_first(connection.kind, topic)
        if delay is None:
            self._begin(connection, topic)
            return
        if delay.changes:
            self._listeners.setdefault((connection.kind, topic), {})[connection] = None
        self._delayed[connection, topic] = asyncio.get_running_loop().call_later(
            delay.ms / 1_000, lambda: self._begin(connection, topic)
        )

    def _begin(self, connection: Connection, topic: str) -> None:
        self._delayed.pop((connection, topic), None)
        # It may have been closed since it was subscribed to.
        if not self._open(connection.kind, topic):
            return
        # What is under way belongs to those who listen already: the snapshot includes it.
        self._publish()
        first = None
        if connection.kind != "status":
            first = self.exchange.initial(connection.kind, topic, self._clock.engine_ms())
        self._listeners.setdefault((connection.kind, topic), {})[connection] = None
        muted = self._faults.topics.muted(connection.kind, topic, self._now_ms())
        if first is not None and not muted:
            self.messages += 1
            payload = frames.encode(first)
            connection.write(frames.frame(payload, window_bits=connection.window_bits))

    def _leave(self, connection: Connection, topic: str) -> None:
        connection.topics.discard(topic)
        if (timer := self._delayed.pop((connection, topic), None)) is not None:
            timer.cancel()
        listeners = self._listeners.get((connection.kind, topic))
        if listeners is not None:
            listeners.pop(connection, None)
        self._close_if_unheard(connection.kind, topic)

    def _close_if_unheard(self, category: str, topic: str) -> None:
        if self._listeners.get((category, topic)):
            return
        self._listeners.pop((category, topic), None)
        if category != "status":
            self.exchange.close_topic(category, topic)

    def _now_ms(self) -> int:
        return self._clock.engine_ms()


def _characters(connection: Connection, args: tuple[str, ...]) -> int:
    """Count the characters of all topics that a connection would have."""
    return sum(map(len, connection.topics.union(args)))
