"""Feed throughput: exchange frame to decoded message in another process, against a loop that
only receives.
"""

from __future__ import annotations

import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import websocket
import zmq

from bybitbus.endpoints import events_address
from bybitd.runtime.exchange import SimulatorEndpoint, endpoint_path, leave
from tests.bench import daemon, flood, messages
from tests.bench.figures import child, expect, median

COUNT = 300_000
ROUNDS = 3
PROGRAM = "public-feed-linear"


def _receive_stock(pipe: Connection, port: int, count: int, validate: bool) -> None:
    """Receive `count` messages with websocket-client's own loop, doing nothing with them.

    Out of the box it checks each text to be UTF-8 in pure Python, which costs several times all the
    rest; the baseline is without that, the figure with it stands beside.
    """
    link = websocket.create_connection(
        f"ws://127.0.0.1:{port}/v5/public/linear", skip_utf8_validation=not validate
    )
    wanted = messages.topics()
    link.send(msgspec.json.encode({"op": "subscribe", "req_id": "b", "args": wanted}).decode())
    for _ in range(1 + len(messages.snapshots())):
        link.recv()
    pipe.send("ready")
    link.recv()
    begin = time.perf_counter()
    for _ in range(count - 1):
        link.recv()
    pipe.send((count - 1) / (time.perf_counter() - begin))
    link.close()


def _receive_bus(pipe: Connection, address: str, count: int) -> None:
    """Subscribe to the feed, decode every message, watch `seq`; say rate and how many were lost."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.rcvhwm = 200_000
    for topic in messages.topics():
        socket.subscribe(f"linear.{topic}.")
    socket.connect(address)
    decode, last, lost = msgspec.msgpack.Decoder(dict[str, Any]).decode, {}, 0
    live = resent = 0
    snapshots = len(messages.snapshots())
    # The snapshots come first, perhaps once more as `resend`; then the flow begins.
    while live < snapshots:
        topic, body = socket.recv_multipart()
        message = decode(body)
        if not message.get("resend"):
            live += 1
            last[topic] = message["seq"]
    pipe.send("ready")
    received, begin = 0, 0.0
    socket.rcvtimeo = 5000
    receive = partial(zmq.backend.Socket.recv, socket)  # pyzmq's wrapper costs more than the call
    while received < count:
        try:
            topic, body = receive(), receive()
        except zmq.Again:
            lost += count - received
            break
        message = decode(body)
        if message.get("resend"):
            resent += 1
            continue
        if not received:
            begin = time.perf_counter()
        hole = message["seq"] - last.get(topic, 0) - 1
        last[topic] = message["seq"]
        lost += hole
        received += 1 + hole
    pipe.send(((received - 1) / (time.perf_counter() - begin), lost))
    socket.close()
    context.term()


def _stock_rate(count: int, validate: bool = False) -> float:
    with child(flood.serve, "flood", count, 0) as source:
        port = expect(source, "port")
        with child(_receive_stock, port, count, validate) as receiver:
            expect(source, "subscribed")
            expect(receiver, "ready")
            source.send("go")
            return float(expect(receiver, "rate"))


def _bus_rate(count: int) -> tuple[float, int]:
    with child(flood.serve, "flood", count, 0) as source, daemon.folders() as root:
        point_at(root, expect(source, "port"))
        address = events_address(root / "run", PROGRAM)
        with (
            daemon.programs(root, PROGRAM),
            child(_receive_bus, address, count) as receiver,
        ):
            expect(source, "subscribed")
            expect(receiver, "ready")
            source.send("go")
            rate, lost = expect(receiver, "rate")
            return float(rate), int(lost)


def point_at(root: Path, port: int) -> None:
    """Tell the programs in `root` that their exchange is on `port`."""
    leave(endpoint_path(root / "run"), SimulatorEndpoint(netloc=f"127.0.0.1:{port}"), 0o640)


def measure(count: int = COUNT, rounds: int = ROUNDS) -> dict[str, float]:
    """Return rates in messages per second, their ratio, and what was lost in all rounds."""
    stock, ours, lost = [], [], 0
    for _ in range(rounds):
        stock.append(_stock_rate(count))
        rate, missing = _bus_rate(count)
        ours.append(rate)
        lost += missing
    return {
        "feed_baseline_msgs_per_s": median(stock),
        "feed_baseline_validating_msgs_per_s": _stock_rate(count // 10, validate=True),
        "feed_msgs_per_s": median(ours),
        "feed_throughput_ratio": median(ours) / median(stock),
        "feed_lost": lost,
    }
