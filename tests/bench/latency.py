"""One-way latency at a fixed rate: sent by the exchange to decoded in another process.

The baseline is the least that any gateway of two processes needs: one TCP hop into a process that
does nothing but pass the bytes on over ZeroMQ.
"""

from __future__ import annotations

import socket
import time
from multiprocessing.connection import Connection
from typing import Any

import msgspec
import zmq

from bybitbus.endpoints import events_address
from tests.bench import daemon, flood, messages
from tests.bench.feed import PROGRAM, point_at
from tests.bench.figures import child, expect, percentile

RATE_PER_S = 5_000
COUNT = 40_000
_WARM_UP = 2_000
_RECORD_BYTES = 300


def _receive_bus(pipe: Connection, address: str, count: int) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    subscriber = context.socket(zmq.SUB)
    subscriber.rcvhwm = 200_000
    for topic in messages.topics():
        subscriber.subscribe(f"linear.{topic}.")
    subscriber.connect(address)
    decode, delays = msgspec.msgpack.Decoder(dict[str, Any]).decode, []
    while len(delays) < count:
        topic, body = subscriber.recv_multipart()
        if not topic.startswith(b"linear.publicTrade."):
            continue
        sent_ns = int(decode(body)["data"][0]["i"])
        delays.append(time.time_ns() - sent_ns)
    pipe.send(delays[_WARM_UP:])
    subscriber.close()
    context.term()


def _bare_source(pipe: Connection, count: int) -> None:
    """Send records of fixed length at the rate, each beginning with the ns of its sending."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pipe.send(listener.getsockname()[1])
        peer, _ = listener.accept()
        with peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pipe.recv()
            begin_ns, period_ns = time.monotonic_ns(), 1_000_000_000 // RATE_PER_S
            for number in range(count):
                while (wait_ns := begin_ns + number * period_ns - time.monotonic_ns()) > 0:
                    time.sleep(wait_ns / 1e9)
                peer.sendall(b"%020d" % time.time_ns() + b"x" * (_RECORD_BYTES - 20))
            pipe.poll(30)


def _bare_relay(pipe: Connection, port: int, address: str) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    publisher = context.socket(zmq.PUB)
    publisher.bind(address)
    link = socket.create_connection(("127.0.0.1", port))
    pipe.send("ready")
    buffer = b""
    while piece := link.recv(1 << 16):
        buffer += piece
        whole = len(buffer) // _RECORD_BYTES * _RECORD_BYTES
        for start in range(0, whole, _RECORD_BYTES):
            publisher.send(buffer[start : start + _RECORD_BYTES])
        buffer = buffer[whole:]


def _bare_receive(pipe: Connection, address: str, count: int) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    subscriber = context.socket(zmq.SUB)
    subscriber.rcvhwm = 200_000
    subscriber.subscribe(b"")
    subscriber.connect(address)
    monitor = time.monotonic() + 0.5  # a PUB socket tells nobody when a subscriber has arrived
    while time.monotonic() < monitor:
        subscriber.poll(50)
    pipe.send("ready")
    delays = []
    while len(delays) < count:
        record = subscriber.recv()
        delays.append(time.time_ns() - int(record[:20]))
    pipe.send(delays[_WARM_UP:])
    subscriber.close()
    context.term()


def _bare_delays(count: int) -> list[int]:
    with daemon.folders() as root, child(_bare_source, count) as source:
        address = f"ipc://{root}/bare"
        with child(_bare_relay, expect(source, "port"), address) as relay:
            expect(relay, "relay")
            with child(_bare_receive, address, count) as receiver:
                expect(receiver, "subscriber")
                source.send("go")
                delays: list[int] = expect(receiver, "delays")
                return delays


def _bus_delays(count: int) -> list[int]:
    with child(flood.serve, "paced", count, RATE_PER_S) as source, daemon.folders() as root:
        point_at(root, expect(source, "port"))
        address = events_address(root / "run", PROGRAM)
        with (
            daemon.programs(root, PROGRAM),
            child(_receive_bus, address, count) as receiver,
        ):
            expect(source, "subscribed")
            source.send("go")
            delays: list[int] = expect(receiver, "delays")
            return delays


def measure(count: int = COUNT) -> dict[str, float]:
    """Return latencies in microseconds beside the baseline's, and the ratio of the p99."""
    bare, ours = [], []
    for _ in range(2):  # interleaved, since the machine's mood changes
        bare += _bare_delays(count // 2)
        ours += _bus_delays(count // 2)
    return {
        "feed_latency_p50_us": percentile(ours, 50) / 1000,
        "feed_latency_p99_us": percentile(ours, 99) / 1000,
        "feed_latency_baseline_p50_us": percentile(bare, 50) / 1000,
        "feed_latency_baseline_p99_us": percentile(bare, 99) / 1000,
        "feed_latency_p99_ratio": percentile(ours, 99) / percentile(bare, 99),
    }
