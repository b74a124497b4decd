"""The simulated exchange on a port of the loopback: REST, every socket, control.

It composes and owns the loop's timers; what is said on the wire is decided in the other modules of
this package, what happens on the markets in the core.
"""

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from bybitd.simulator.exchange import Exchange, ExchangeConfig
from bybitd.simulator.store import AccountStore
from bybitd.simulator.wire import faults as faulty
from bybitd.simulator.wire import frames, order_faults, topic_faults
from bybitd.simulator.wire.arrivals import Arrivals
from bybitd.simulator.wire.auth import KeyRing, parse_active_time
from bybitd.simulator.wire.clock import ServerClock
from bybitd.simulator.wire.connection import Connection
from bybitd.simulator.wire.control import Control
from bybitd.simulator.wire.desk import Desk
from bybitd.simulator.wire.fault import Scope
from bybitd.simulator.wire.limits import RateBook, RateLimits
from bybitd.simulator.wire.private import PrivateSockets
from bybitd.simulator.wire.public import KINDS, STATUS_TOPIC, PublicSockets
from bybitd.simulator.wire.rest import Rest
from bybitd.simulator.wire.tls import make_certificate
from bybitd.simulator.wire.trade import TradeSockets

_log = logging.getLogger("bybitd.simulator")

_MAX_MESSAGE_BYTES = 1 << 20
_STOP_TIMEOUT_S = 2.0

Receive = Callable[[Connection, bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WireConfig:
    """How the simulator listens.

    `port` 0 takes a free one. `tls_dir` switches TLS on: the certificate is made there, clients
    trust its `ca.pem`. `ack_first` sends the acknowledgement of an order before its events, False
    after them; the real exchange promises neither. `idle_cut_s` and `scan_interval_s` are the
    exchange's idle rule; `send_buffer_bytes` is what may wait for a client that does not read.
    Without `trade_socket` its handshake gets HTTP 404, as in demo trading.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls_dir: Path | None = None
    limits: RateLimits = field(default_factory=RateLimits)
    ack_first: bool = True
    trade_socket: bool = True
    idle_cut_s: float = 600.0
    scan_interval_s: float = 30.0
    send_buffer_bytes: int = 8 << 20


class Simulator:
    """A Bybit V5 exchange that unmodified clients can talk to.

    `start` and `stop` belong to one asyncio loop, and so does everything between them. After
    `start`: `port`, `rest_url` (`http://127.0.0.1:PORT`), `ws_url` (`ws://127.0.0.1:PORT`, paths as
    on the exchange) and, with TLS, `authority`, the file that clients must trust.
    """

    def __init__(
        self,
        config: ExchangeConfig,
        wire: WireConfig | None = None,
        store: AccountStore | None = None,
    ) -> None:
        self.wire = wire = wire or WireConfig()
        self.clock = ServerClock()
        self._config = config
        self._store = store or AccountStore()
        self.exchange = Exchange(config, self.clock.engine_ms(), self._store)
        self.faults = faulty.Faults()
        self._arrivals = Arrivals()
        keys, rates = KeyRing(config.api_keys), RateBook(wire.limits)
        self._rates = rates
        self._desk = desk = Desk(
            self.exchange, rates, self.faults.orders, self._arrivals, self._cut_scope
        )
        ack_first = wire.ack_first
        self._public = PublicSockets(self.exchange, self.faults, self.clock, self.publish)
        self._private = PrivateSockets(self.exchange, keys, self.faults, self.clock)
        self._trade = TradeSockets(
            desk, keys, rates, self.faults.orders, self.clock, self.publish, ack_first=ack_first
        )
        self._rest = Rest(
            desk,
            keys,
            rates,
            self.faults,
            self.clock,
            self.publish,
            ack_first=ack_first,
        )
        self._connections: dict[Connection, None] = {}
        self._accepted = 0
        self._runner: web.AppRunner | None = None
        self._tick_timer: asyncio.TimerHandle | None = None
        self._tick_due_ms = 0
        self._scan_timer: asyncio.TimerHandle | None = None
        self._hold_timer: asyncio.TimerHandle | None = None
        self._failure: asyncio.Future[None] | None = None
        self.port = 0
        self.rest_url = ""
        self.ws_url = ""
        self.authority: Path | None = None

    async def start(self) -> None:
        """Listen, and let the markets run. Raises OSError if the port is taken."""
        loop = asyncio.get_running_loop()
        self._failure = loop.create_future()
        context = None
        if self.wire.tls_dir is not None:
            certificate = make_certificate(self.wire.tls_dir)
            context = certificate.server_context()
            self.authority = certificate.authority
        self._runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=_STOP_TIMEOUT_S
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.wire.host, self.wire.port, ssl_context=context)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = int(self._runner.addresses[0][1])
        secure = "s" if context else ""
        self.rest_url = f"http{secure}://{self.wire.host}:{self.port}"
        self.ws_url = f"ws{secure}://{self.wire.host}:{self.port}"
        self._scan_timer = loop.call_later(self.wire.scan_interval_s, self._scan)
        self._schedule_tick()

    async def stop(self) -> None:
        """Cut every connection and free the port."""
        for timer in (self._tick_timer, self._scan_timer, self._hold_timer):
            if timer is not None:
                timer.cancel()
        self.faults.arm(faulty.Clear(), self.clock.engine_ms())
        for connection in tuple(self._connections):
            connection.cut("the simulator stops")
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        # Only now: a request that was under way may have set it again.
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        if self._failure is not None and not self._failure.done():
            self._failure.cancel()

    async def failure(self) -> None:
        """Wait until the markets break, and raise why; nothing restarts them."""
        assert self._failure is not None, "start() comes first"
        await asyncio.shield(self._failure)

    def fault(self, name: str, /, **fields: Any) -> dict[str, Any]:
        """Let something go wrong (see `faults`); return what lasts. Raises FaultError."""
        fault = faulty.parse(name, fields)
        now_ms = self.clock.engine_ms()
        self.faults.arm(fault, now_ms)
        match fault:
            case faulty.Cut(scope=scope, count=count):
                self._cut_scope(scope, count)
            case faulty.Garbage(scope=scope, kind=kind):
                for connection in self._in_scope(scope):
                    connection.write(frames.garbage(kind))
                    if kind == "truncated":
                        connection.cut_after_sending("fault")
            case topic_faults.SkipUpdateId(category=category, topic=topic):
                self._on_exchange(lambda: self.exchange.skip_update_id(category, topic))
            case topic_faults.BadBook(category=category, topic=topic, kind=kind, count=count):
                self._on_exchange(lambda: self.exchange.spoil_book(category, topic, kind, count))
            case topic_faults.RestartBooks(category=category, symbol=symbol):
                self._on_exchange(lambda: self.exchange.restart_books(category, symbol, now_ms))
            case order_faults.RestartTradeNode(seconds=seconds):
                self._restart_trade_node(seconds)
            case order_faults.RestartExchange():
                self._restart_exchange()
            case order_faults.Execution():
                self._on_exchange(lambda: self._execute(fault, now_ms))
        self.clock.skew_ms = self.faults.skew_ms
        self._hold_connections()
        return self.faults.describe(now_ms)

    def orders(self, uid: int | None = None, link_id: str = "") -> list[dict[str, Any]]:
        """List every order and what arrived for it (see `arrivals`), of one account or all."""
        rows = self._arrivals.rows(self.exchange.orders())
        return [
            row for row in rows if uid in (None, row["uid"]) and link_id in ("", row["orderLinkId"])
        ]

    def announce(self, record: dict[str, Any]) -> None:
        """Keep a `system.status` record and send it to the status sockets. Raises FaultError."""
        self._on_exchange(lambda: self.exchange.announce(record))
        now_ms = self.clock.shown_ms()
        self._public.announce({"topic": STATUS_TOPIC, "ts": now_ms, "data": [record]})

    def state(self) -> dict[str, Any]:
        """Describe connections, topics, counters and lasting faults."""
        return {
            "time": self.clock.shown_ms(),
            "connections": dict(Counter(c.kind for c in self._connections)),
            "accepted": self._accepted,
            "topics": [
                {"category": category, "topic": topic, "listeners": listeners}
                for (category, topic), listeners in self._public.topics.items()
            ],
            "sent": {"public": self._public.messages, "private": self._private.messages},
            "received": {"rest": self._rest.requests, "trade": self._trade.requests},
            "limited": self._rates.refused,
            "disconnected": self._private.disconnected,
            "faults": self.faults.describe(self.clock.engine_ms()),
        }

    def publish(self) -> None:
        """Send what the exchange has produced, and see when it wants to go on."""
        self._private.publish()
        self._public.publish()
        self._schedule_tick()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_MAX_MESSAGE_BYTES)
        control = Control(
            lambda name, fields: self.fault(name, **fields),
            self.state,
            self.orders,
            self.announce,
        )
        application.add_routes(control.routes())
        for path, kind in KINDS.items():
            application.router.add_get(
                f"/v5/public/{path}", self._socket(kind, self._public.receive)
            )
        application.router.add_get("/v5/private", self._socket("private", self._private.receive))
        if self.wire.trade_socket:
            application.router.add_get("/v5/trade", self._socket("trade", self._trade.receive))
        application.router.add_route("*", "/v5/{path:.*}", self._rest.handle)
        return application

    def _socket(
        self, kind: str, receive: Receive
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if self.faults.refuses_connect(kind, self.clock.engine_ms()):
                return web.Response(status=503, text="service unavailable")
            socket = web.WebSocketResponse(
                autoping=False, max_msg_size=_MAX_MESSAGE_BYTES, decode_text=False
            )
            await socket.prepare(request)
            if request.transport is None:
                return socket
            connection = self._accept(request, request.transport, kind, int(socket.compress))
            try:
                async for message in socket:
                    if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                        connection.touch()
                        receive(connection, message.data)
                    elif message.type is WSMsgType.PING:
                        connection.pong(message.data)
            except Exception:
                _log.exception("= %s %s: a message broke the simulator", kind, connection.conn_id)
                connection.cut("internal error")
            finally:
                self._connections.pop(connection, None)
                self._forget(connection)
            return socket

        return handle

    def _forget(self, connection: Connection) -> None:
        # Private first: it looks at the topics, which the public side takes away.
        self._private.forget(connection)
        self._public.forget(connection)

    def _accept(
        self, request: web.Request, transport: asyncio.Transport, kind: str, window_bits: int
    ) -> Connection:
        self._accepted += 1
        conn_id = str(uuid.uuid4())
        tunable: list[tuple[str, str]] = []
        if kind in ("private", "trade"):
            conn_id = f"{uuid.uuid4().hex[:20]}-{self._accepted:x}"
            tunable = list(request.query.items())
        connection = Connection(
            transport,
            kind=kind,
            conn_id=conn_id,
            window_bits=window_bits,
            max_active_s=parse_active_time(tunable, self.wire.idle_cut_s),
            buffer_limit=self.wire.send_buffer_bytes,
        )
        self._connections[connection] = None
        self._hold(connection)
        return connection

    def _in_scope(self, scope: Scope) -> list[Connection]:
        return [c for c in self._connections if faulty.covers(scope, c.kind)]

    def _cut_scope(self, scope: Scope, count: int = 0) -> None:
        """Cut the connections of a scope, or so many of them, the oldest first."""
        for connection in self._in_scope(scope)[: count or None]:
            connection.cut("fault")

    def _restart_trade_node(self, seconds: float) -> None:
        """Let the trade sockets that are open refuse new requests, and end them after a while."""
        loop = asyncio.get_running_loop()
        for connection in self._in_scope("trade"):
            connection.retiring = True
            loop.call_later(seconds, connection.cut_after_sending, "fault")

    def _restart_exchange(self) -> None:
        """Begin again from the stored accounts; who was connected has to come back."""
        self._cut_scope("all")
        for connection in tuple(self._connections):
            self._forget(connection)
        self.exchange = Exchange(self._config, self.clock.engine_ms(), self._store)
        for part in (self._desk, self._public, self._private):
            part.exchange = self.exchange
        self.publish()

    def _execute(self, fault: order_faults.Execution, now_ms: int) -> None:
        uid = self._config.api_keys[0].uid if fault.uid is None else fault.uid
        self.exchange.execute(uid, fault.execType, fault.category, fault.symbol, fault.qty, now_ms)

    def _on_exchange(self, change: Callable[[], None]) -> None:
        try:
            change()
        except Exception as error:
            raise faulty.FaultError(str(error)) from error
        self.publish()

    def _hold(self, connection: Connection) -> int | None:
        until_ms = self.faults.stalled_until_ms(connection.kind, self.clock.engine_ms())
        connection.hold(self.faults.delay_ms(connection.kind) / 1_000, until_ms is not None)
        return until_ms

    def _hold_connections(self) -> None:
        """Tell every connection what the faults want of it, and again when the first stall ends."""
        ends = [end for connection in tuple(self._connections) if (end := self._hold(connection))]
        if self._hold_timer is not None:
            self._hold_timer.cancel()
            self._hold_timer = None
        if ends:
            # Far enough for a stall without end, near enough for any clock.
            wait_s = min(3_600.0, (min(ends) - self.clock.engine_ms()) / 1_000)
            loop = asyncio.get_running_loop()
            self._hold_timer = loop.call_later(max(0.001, wait_s), self._hold_connections)

    def _scan(self) -> None:
        """Cut the connections that have been idle for too long, as the exchange's scanner does."""
        for connection in tuple(self._connections):
            if connection.idle_s > connection.max_active_s:
                connection.cut("idle")
        loop = asyncio.get_running_loop()
        self._scan_timer = loop.call_later(self.wire.scan_interval_s, self._scan)

    def _schedule_tick(self) -> None:
        if self._failure is None or self._failure.done():
            return
        due_ms = self.exchange.next_deadline_ms()
        if self._tick_timer is not None:
            if due_ms >= self._tick_due_ms:
                return
            self._tick_timer.cancel()
        self._tick_due_ms = due_ms
        wait_s = max(0.0, (due_ms - self.clock.engine_ms()) / 1_000)
        self._tick_timer = asyncio.get_running_loop().call_later(wait_s, self._tick)

    def _tick(self) -> None:
        self._tick_timer = None
        try:
            self.exchange.tick(self.clock.engine_ms())
            self.publish()
        except Exception as error:
            # Markets that stand still look like quiet ones, so this must reach the owner.
            _log.exception("= the markets broke")
            if self._failure is not None and not self._failure.done():
                self._failure.set_exception(error)
