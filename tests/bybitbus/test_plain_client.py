"""The client that needs nothing of ours, against a gateway that is nothing but the wire."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from bybitbus.endpoints import events_address, requests_address
from bybitbus.publisher import Publisher
from bybitbus.server import Server

SCRIPT = Path(__file__).parents[2] / "ipc" / "clients" / "python" / "plain.py"
BOOK = "linear.orderbook.50.BTCUSDT."


@contextmanager
def gateway(run_dir: Path, *, lose: bool = False) -> Iterator[None]:
    """Publish a book and trades without end, and answer orders; or leave a message out."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    publisher = Publisher(context, events_address(run_dir), epoch=9)
    server = Server(context, requests_address(run_dir))
    stopping = threading.Event()
    data: dict[str, Any] = {"s": "BTCUSDT", "b": [["1", "1"]], "a": [["2", "1"]]}

    def run() -> None:
        delta = {"type": "delta", "data": data}
        while not stopping.wait(0.002):
            publisher.publish(BOOK, dict(delta))
            publisher.publish("linear.publicTrade.BTCUSDT.", {"type": "snapshot", "data": [{}]})
            if any(topic == BOOK and joined for topic, joined in publisher.subscriptions()):
                publisher.resend(BOOK, {"type": "snapshot", "data": data})
                publisher._topics[BOOK].seq += lose
            for call in server.calls():
                args = call.request.args
                call.succeed({"orderId": "1", "orderLinkId": args["orderLinkId"]})
                row = {"orderLinkId": args["orderLinkId"], "orderStatus": "New"}
                publisher.publish("private.main.order.", {"data": [row]})

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        publisher.close()
        server.close()
        context.destroy(linger=0)


def run_script(run_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT],
        env={**os.environ, "BYBITD_RUN_DIR": str(run_dir)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_script_needs_zmq_and_msgpack_only_and_is_short() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    imported = {
        name.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported - set(sys.stdlib_module_names) == {"zmq", "msgpack"}
    assert len(source.splitlines()) < 45


def test_the_script_sees_everything_and_ends_by_itself(run_dir: Path) -> None:
    with gateway(run_dir):
        done = run_script(run_dir)
    assert (done.returncode, done.stderr) == (0, "")
    kinds = {line.split()[0].rstrip(":") for line in done.stdout.splitlines()}
    assert kinds == {"snapshot", "delta", "trade", "reply", "order"}
    lines = done.stdout.splitlines()
    books = [line.split()[0] for line in lines if line.startswith(("snapshot", "delta"))]
    assert books[0] == "snapshot"


def test_the_script_stops_at_a_hole(run_dir: Path) -> None:
    with gateway(run_dir, lose=True):
        done = run_script(run_dir)
    assert done.returncode == 1
    assert f"{BOOK} has a hole" in done.stderr
