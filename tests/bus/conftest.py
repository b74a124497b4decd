"""A bus in a process of its own, and programs played by the test."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from bybitbus.client import Client
from bybitbus.endpoints import BinderLock, events_address, requests_address
from bybitbus.errors import RequestError
from bybitbus.publisher import Publisher, Subscription
from bybitbus.server import Call, Server

WAIT_S = 10.0
CONFIGURATION = """\
feeds:
  spot: {enabled: false}
  inverse: {enabled: false}
  option: {enabled: false}
  spread: {enabled: false}
"""

Context = zmq.Context[zmq.Socket[bytes]]


class FakeProgram:
    """The sockets of one program, played by hand."""

    def __init__(self, context: Context, run_dir: Path, name: str, epoch: int) -> None:
        self.name = name
        self.epoch = epoch
        self._lock = BinderLock(run_dir, name)
        self.publisher = Publisher(context, events_address(run_dir, name), epoch=epoch)
        self.server = Server(context, requests_address(run_dir, name))

    def next_call(self) -> Call:
        """Return the next request."""
        due_s = time.monotonic() + WAIT_S
        while time.monotonic() < due_s:
            if self.server.socket.poll(50):
                for call in self.server.calls():
                    return call
        raise AssertionError(f"{self.name} got no request")

    def next_subscription(self, prefix: str) -> Subscription:
        """Return the next news about a subscription to `prefix`, past all others."""
        due_s = time.monotonic() + WAIT_S
        while time.monotonic() < due_s:
            self.publisher.socket.poll(50)
            for news in self.publisher.subscriptions():
                if news.prefix == prefix:
                    return news
        raise AssertionError(f"{self.name} saw nothing of {prefix}")

    def subscriptions_within(self, prefix: str, seconds: float) -> list[Subscription]:
        """Return all news about `prefix` that come within a time."""
        due_s, seen = time.monotonic() + seconds, []
        while time.monotonic() < due_s:
            self.publisher.socket.poll(20)
            seen += [news for news in self.publisher.subscriptions() if news.prefix == prefix]
        return seen

    def say(self, state: str) -> None:
        """Publish a status."""
        body: dict[str, Any] = {"program": self.name, "state": state, "reason": ""}
        self.publisher.publish(f"gateway.status.{self.name}.", {**body, "started_ns": self.epoch})

    def die(self) -> None:
        """Leave as a killed process does."""
        self.publisher.close()
        self.server.close()
        self._lock.close()


class Bus:
    """A running bus."""

    def __init__(self, run_dir: Path, configuration: str = CONFIGURATION) -> None:
        self.run_dir = run_dir
        self.context: Context = zmq.Context()
        self._epoch = 0
        self._programs: list[FakeProgram] = []
        self._sockets: list[zmq.Socket[bytes]] = []
        self.config = run_dir / "bybitd.yaml"
        self.config.write_text(configuration)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        words = ["-m", "bybitd.cli.main", "run", "bus", "--run-dir", str(self.run_dir)]
        words += ["--state-dir", str(self.run_dir), "--config", str(self.config)]
        process = subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL)
        with self.client() as client:
            wait_for(lambda: answers(client), "the bus")
        return process

    def restart(self) -> None:
        """Kill it and start it again."""
        self.process.kill()
        self.process.wait()
        self.process = self._start()

    def client(self) -> Client:
        """Return a client of its requests."""
        return Client(self.run_dir, context=self.context)

    def subscriber(self, *topics: str) -> zmq.Socket[bytes]:
        """Return a bare SUB socket on its events."""
        socket = self._socket(zmq.SUB, events_address(self.run_dir))
        for topic in topics:
            socket.subscribe(topic)
        return socket

    def requester(self, kind: int) -> zmq.Socket[bytes]:
        """Return a bare REQ or DEALER socket on its requests."""
        return self._socket(kind, requests_address(self.run_dir))

    def _socket(self, kind: int, address: str) -> zmq.Socket[bytes]:
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.connect(address)
        self._sockets.append(socket)
        return socket

    def program(self, name: str) -> FakeProgram:
        """Bind the sockets of a program."""
        self._epoch += 1
        program = FakeProgram(self.context, self.run_dir, name, self._epoch)
        self._programs.append(program)
        return program

    def play(self, name: str) -> FakeProgram:
        """Play a program, and wait until the bus has connected to it."""
        program = self.program(name)
        program.next_subscription("gateway.status.")  # the events' side
        with self.client() as client:  # the requests' side

            def connected() -> bool:
                client.send("gateway.ping", {"program": name})
                due_s = time.monotonic() + 1.0
                while time.monotonic() < due_s:
                    for call in program.server.calls():
                        call.succeed({"program": name})
                    reply = client.receive(20)
                    if reply is not None:
                        return reply.ok
                return False

            wait_for(connected, f"the bus's connection to {name}")
        return program

    def close(self) -> int:
        self.process.terminate()
        code = self.process.wait(WAIT_S)
        for program in self._programs:
            program.die()
        for socket in self._sockets:
            socket.close()
        self.context.destroy(linger=0)
        return code


def answers(client: Client) -> bool:
    try:
        client.request("gateway.ping", timeout_ms=300)
    except RequestError:
        return False
    return True


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds; fail after a while without it."""
    due_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < due_s, f"waited {WAIT_S:g} s for {what}"
        time.sleep(0.01)


@pytest.fixture
def bus() -> Iterator[Bus]:
    folder = Path(tempfile.mkdtemp(prefix="bb", dir="/tmp"))
    started = Bus(folder)
    try:
        yield started
    finally:
        code = started.close()
        shutil.rmtree(folder)
    assert code == 0
