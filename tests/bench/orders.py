"""Order round trips: through the daemon's direct door, against the bare parts it is made of, and
what the journal costs of it.

A round trip goes through the checks of the instrument, the rate budget and the journal, whose
cost stands by itself for each of its modes: what is written of one order before it leaves, when it
is acknowledged and when it is seen on the book.

All against the same simulator in the same run, in alternating blocks: a bare WebSocket round trip
to its trade socket, a bare ZeroMQ round trip, the daemon, and the official SDK over HTTP and over
WebSocket.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
import queue
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import msgspec
import websocket
import zmq

from bybitbus.client import Client
from bybitbus.endpoints import requests_address
from bybitd.order_execution import ledger
from bybitd.order_execution.journal import Journal
from bybitd.runtime.exchange import SimulatorKey, read_endpoint, read_keys
from tests.bench import daemon
from tests.bench.figures import child, expect, percentile

BLOCKS = 50
PER_BLOCK = 10
ACCOUNT = "order-execution-main"
_CONFIG = "simulator: {rate_per_s: 1, rate_limits: false}\n"
_PRICE = "1000.00"  # far below the market: it rests
Place = Callable[[int], bool | None]  # False where no answer came
_numbers = itertools.count(1)


def order(number: int) -> dict[str, str]:
    """Return the arguments of one resting order."""
    return {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Limit",
        "qty": "0.010",
        "price": _PRICE,
        "orderLinkId": f"bench-{number}",
    }


def _echo(pipe: Connection, address: str) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.bind(address)
    pipe.send("ready")
    while True:
        router.send_multipart(router.recv_multipart())


@contextlib.contextmanager
def bare_zmq(root: Path) -> Iterator[Place]:
    """Yield a round trip of an order's bytes to an echo in another process."""
    address = f"ipc://{root}/echo"
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    with child(_echo, address) as pipe:
        expect(pipe, "echo")
        dealer.connect(address)

        def place(number: int) -> None:
            dealer.send(msgspec.msgpack.encode({"op": "order.create", "args": order(number)}))
            dealer.recv()

        yield place
    dealer.close(0)
    context.term()


@contextlib.contextmanager
def bare_websocket(ws_url: str, key: SimulatorKey) -> Iterator[Place]:
    """Yield an order over the trade socket with websocket-client and nothing else."""
    link = websocket.create_connection(
        f"{ws_url}/v5/trade", sockopt=((6, 1, 1),), enable_multithread=False
    )
    expires = int(time.time() * 1000) + 10_000
    signature = hmac.new(
        key.api_secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256
    ).hexdigest()
    auth = {"op": "auth", "args": [key.api_key, expires, signature]}
    link.send(msgspec.json.encode(auth).decode())
    assert msgspec.json.decode(link.recv())["retCode"] == 0

    def place(number: int) -> None:
        request = {
            "reqId": f"bare-{number}",
            "header": {"X-BAPI-TIMESTAMP": str(int(time.time() * 1000))},
            "op": "order.create",
            "args": [order(number)],
        }
        link.send(msgspec.json.encode(request).decode())
        reply = msgspec.json.decode(link.recv())
        assert reply["retCode"] == 0, reply

    yield place
    link.close()


@contextlib.contextmanager
def through_daemon(root: Path) -> Iterator[Place]:
    """Yield an order through the direct door of order-execution."""
    with Client(requests_address(root / "run", ACCOUNT)) as client:
        yield lambda number: client.request("order.create", order(number), timeout_ms=10_000)


@contextlib.contextmanager
def through_pybit(ws_url: str, rest_url: str, key: SimulatorKey) -> Iterator[tuple[Place, Place]]:
    """Yield an order of the official SDK: over HTTP, and over its trade WebSocket."""
    from pybit import _websocket_trading, unified_trading

    keys = {"testnet": True, "api_key": key.api_key, "api_secret": key.api_secret}
    http = unified_trading.HTTP(**keys)
    http.endpoint = rest_url
    _websocket_trading.TRADE_WSS = f"{ws_url}/v5/trade"
    # Its stream looks only so often whether it was closed; ten seconds unless told.
    socket = unified_trading.WebSocketTrading(**keys, ping_timeout=1)
    answers: queue.Queue[dict[str, object]] = queue.Queue()

    def by_http(number: int) -> None:
        http.place_order(**order(number))

    def by_websocket(number: int) -> bool:
        socket.place_order(answers.put, **order(number))
        try:
            answers.get(timeout=1)
        except queue.Empty:
            # It sends before it registers who waits: an answer that comes at once is lost to it.
            return False
        return True

    try:
        yield by_http, by_websocket
    finally:
        socket.exit()
        http.client.close()


def _block(place: Place, root: Path) -> list[float]:
    samples = []
    for number in itertools.islice(_numbers, PER_BLOCK):
        begin = time.perf_counter()
        if place(number) is not False:
            samples.append((time.perf_counter() - begin) * 1e6)
    with Client(requests_address(root / "run", ACCOUNT)) as client:
        client.request("order.cancel-all", {"category": "linear", "symbol": "BTCUSDT"})
    return samples


def _journal(sync: Literal["process", "disk"], orders: int = 300) -> dict[str, float]:
    """Return what the journal of one mode costs an order, in microseconds.

    In the working folder and not in a temporary one, which may be no disk at all.
    """
    Path("build").mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir="build") as folder,
        Journal(Path(folder) / "bench.db", "bench", sync) as journal,
    ):
        before, altogether = [], []
        for number in range(orders):
            args = order(number)
            kept = ledger.Order(
                link_id=args["orderLinkId"],
                client="bench",
                category=args["category"],
                symbol=args["symbol"],
                args=msgspec.json.encode(args).decode(),
                received_ns=number,
            )
            begin = time.perf_counter()
            kept = ledger.sent(kept, timestamp_ms=number, recv_window_ms=5000, now_ns=number)
            journal.insert([kept])
            before.append((time.perf_counter() - begin) * 1e6)
            kept = ledger.acknowledged(kept, f"id-{number}", number)
            journal.update([kept])
            record = {"orderId": f"id-{number}", "orderStatus": "New", "updatedTime": "1"}
            journal.update([ledger.observe(kept, record, number)])
            altogether.append((time.perf_counter() - begin) * 1e6)
    return {
        f"journal_{sync}_{part}_p{rank}_us": percentile(values, rank)
        for part, values in (("before_sending", before), ("per_order", altogether))
        for rank in (50, 99)
    }


def measure(blocks: int = BLOCKS) -> dict[str, float]:
    """Return round trips in microseconds, the ratio of ours to the sum of the bare parts, and what
    the journal costs.
    """
    samples: dict[str, list[float]] = {}
    with (
        daemon.folders(_CONFIG) as root,
        daemon.programs(root, "simulator", "private-stream-main", ACCOUNT),
    ):
        daemon.wait_ready(root, ACCOUNT)
        endpoint = read_endpoint(root / "run")
        assert endpoint is not None
        key = read_keys(root / "run")[0]
        ws_url, rest_url = f"ws://{endpoint.netloc}", f"http://{endpoint.netloc}"
        with (
            bare_zmq(root) as zmq_trip,
            bare_websocket(ws_url, key) as websocket_trip,
            through_daemon(root) as ours,
            through_pybit(ws_url, rest_url, key) as (sdk_http, sdk_websocket),
        ):
            ways = {
                "order_rtt": ours,
                "bare_websocket": websocket_trip,
                "bare_zmq": zmq_trip,
                "pybit_http": sdk_http,
                "pybit_websocket": sdk_websocket,
            }
            for place in ways.values():
                _block(place, root)  # warm up
            for _ in range(blocks):
                for name, place in ways.items():
                    samples.setdefault(name, []).extend(_block(place, root))
    bare_p50 = sum(percentile(samples[name], 50) for name in ("bare_websocket", "bare_zmq"))
    figures = {
        f"{name}_p{rank}_us": percentile(values, rank)
        for name, values in samples.items()
        for rank in (50, 99)
    }
    lost = PER_BLOCK * blocks - len(samples["pybit_websocket"])
    figures["pybit_websocket_lost"] = lost
    figures |= _journal("process") | _journal("disk")
    bare_p99 = sum(percentile(samples[name], 99) for name in ("bare_websocket", "bare_zmq"))
    return {
        **figures,
        "order_rtt_p50_ratio": figures["order_rtt_p50_us"] / bare_p50,
        "order_rtt_p99_ratio": figures["order_rtt_p99_us"] / bare_p99,
    }
