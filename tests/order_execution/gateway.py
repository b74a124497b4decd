"""The two processes of an account as child processes, on a simulator in a thread."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import zmq

from bybitbus.client import Client
from bybitbus.endpoints import events_address, requests_address
from bybitbus.errors import Refused
from bybitbus.events import Event
from bybitbus.messages import Reply
from bybitbus.subscriber import Subscriber
from bybitd.cli import restarts
from bybitd.runtime import exchange as contact
from bybitd.simulator.exchange import ApiKey, ExchangeConfig
from bybitd.simulator.wire import RateLimits, RunningSimulator, WireConfig, run_simulator

UID = 101
ORDERS = "order-execution-main"
PRIVATE = "private-stream-main"
TIMEOUT_S = 15.0
FAR = {"side": "Buy", "orderType": "Limit", "qty": "0.010", "price": "1000.00"}


class Gateway:
    """Starts, kills and asks the processes; everything lies in a folder with a short name.

    `command` is what a program's arguments are given to.
    """

    command: tuple[str, ...] = (
        sys.executable,
        "-c",
        "import sys; from bybitd.cli.main import main; sys.exit(main(sys.argv[1:]))",
    )

    def __init__(self, folder: Path, simulator: RunningSimulator, key: ApiKey) -> None:
        self.run_dir = folder / "r"
        self.state_dir = folder / "s"
        self.run_dir.mkdir(mode=0o750)
        self.state_dir.mkdir(mode=0o700)
        self.config = folder / "c.yaml"
        self.config.write_text("environment: sim\n")
        self.simulator = simulator
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.log = folder / "log"
        self.point_at(simulator)
        secret = contact.SimulatorKey(
            account="main", uid=key.uid, api_key=key.key, api_secret=key.secret
        )
        contact.leave(contact.keys_path(self.run_dir), (secret,), 0o600)

    def point_at(self, simulator: RunningSimulator) -> None:
        """Say where the exchange is."""
        endpoint = contact.SimulatorEndpoint(
            netloc=f"127.0.0.1:{simulator.port}",
            trade_socket=simulator.simulator.wire.trade_socket,
        )
        contact.leave(contact.endpoint_path(self.run_dir), endpoint, 0o640)

    def start(self, *programs: str, ready: bool = True) -> None:
        """Start programs, and wait until they say that they are ready."""
        for program in programs:
            # What is killed here on purpose shall not be made to wait as if it kept crashing.
            restarts.path(self.run_dir, program).unlink(missing_ok=True)
            arguments = ["run", program, "--run-dir", str(self.run_dir)]
            arguments += ["--state-dir", str(self.state_dir), "--config", str(self.config)]
            arguments += ["--parent", str(os.getpid())]
            with self.log.open("ab") as log:
                self.processes[program] = subprocess.Popen(
                    [*self.command, *arguments], stderr=log, env=self.environment(program)
                )
        if ready:
            for program in programs:
                self.wait_state(program, "ready")

    def environment(self, program: str) -> dict[str, str]:
        """Return the environment that a program is started with."""
        return dict(os.environ)

    def kill(self, program: str) -> None:
        """End a program as a crash would."""
        process = self.processes.pop(program)
        process.send_signal(signal.SIGKILL)
        process.wait(TIMEOUT_S)

    def stop(self, program: str) -> int:
        """End a program as its supervisor would and return its exit code."""
        process = self.processes.pop(program)
        process.terminate()
        return process.wait(TIMEOUT_S)

    def wait_state(self, program: str, state: str) -> dict[str, Any]:
        """Wait until a program's status shows this state."""

        def shows() -> dict[str, Any] | None:
            reply = self.ask(program, "gateway.status")
            return reply.result if reply and reply.result["state"] == state else None

        return self.wait(shows, f"{program} to be {state}")

    def wait_reached(self, *programs: str) -> None:
        """Wait until the bus has connected to these programs: that they are ready is not enough."""

        def reached(program: str) -> bool:
            reply = self.ask("bus", "gateway.ping", {"program": program})
            return reply is not None and reply.ok

        for program in programs:
            self.wait(lambda program=program: reached(program), f"the bus to reach {program}")

    def wait(self, condition: Callable[[], Any], what: str, timeout_s: float = TIMEOUT_S) -> Any:
        """Wait until a condition holds and return what it returned."""
        due = time.monotonic() + timeout_s
        while time.monotonic() < due:
            if found := condition():
                return found
            time.sleep(0.02)
        raise AssertionError(f"waited in vain for {what}\n{self.log.read_text()[-4000:]}")

    def ask(
        self, program: str, op: str, args: dict[str, Any] | None = None, **more: Any
    ) -> Reply | None:
        """Send a request to a program's own door; None if it is not there."""
        address = requests_address(self.run_dir, program)
        with Client(address, client=more.pop("client", ""), context=self.context) as client:
            return client_reply(client, op, args or {}, **more)

    def order(self, op: str, args: dict[str, Any], **more: Any) -> Reply:
        """Send an order operation and return its reply."""
        reply = self.ask(ORDERS, op, args, **more)
        assert reply is not None, self.log.read_text()[-4000:]
        return reply

    def create(self, link_id: str = "", **changes: Any) -> Reply:
        """Place an order that rests far from the market, unless changed."""
        client = changes.pop("client", "")
        args = {"category": "linear", "symbol": "BTCUSDT", **FAR, **changes}
        if link_id:
            args["orderLinkId"] = link_id
        return self.order("order.create", args, client=client)

    def status(self, link_id: str) -> dict[str, Any]:
        """Return what the journal knows of an order."""
        reply = self.order("order.status", {"orderLinkId": link_id})
        assert reply.ok, reply
        return dict(reply.result)

    def wait_order(self, link_id: str, *states: str, timeout_s: float = TIMEOUT_S) -> Any:
        """Wait until the journal has an order in one of these states."""

        def shows() -> dict[str, Any] | None:
            found = self.status(link_id)
            return found if found["state"] in states else None

        return self.wait(shows, f"{link_id} to be {states}", timeout_s)

    def at_exchange(self, link_id: str) -> list[dict[str, Any]]:
        """Return the exchange's own records with this orderLinkId."""
        found: dict[str, dict[str, Any]] = {}
        for path in ("/v5/order/realtime", "/v5/order/history"):
            params = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": link_id}
            result = self.simulator.call(
                lambda sim, path=path, params=params: sim.exchange.private_get(
                    UID, path, params, sim.clock.engine_ms()
                )
            )
            found |= {row["orderId"]: row for row in result["list"]}
        return list(found.values())

    def trade_requests(self) -> int:
        """Return how many order requests the trade socket has seen."""
        return self.simulator.call(lambda sim: sim._trade.requests)

    @contextlib.contextmanager
    def listen(self, program: str, *topics: str) -> Iterator[Listener]:
        """Subscribe at a program's own door."""
        address = events_address(self.run_dir, program)
        with Subscriber(address, topics, context=self.context) as subscriber:
            yield Listener(subscriber)

    def close(self) -> None:
        """End everything."""
        for program in list(self.processes):
            self.stop(program)
        self.context.destroy(linger=0)


class Listener:
    """Reads events until one fits."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.seen: list[Event] = []

    def wait(self, fits: Callable[[Event], bool], timeout_s: float = TIMEOUT_S) -> Event:
        """Return the first event, new or seen already by an earlier wait, that fits."""
        due = time.monotonic() + timeout_s
        while time.monotonic() < due:
            event = self.subscriber.receive(50)
            if event is not None:
                self.seen.append(event)
                if fits(event):
                    return event
        raise AssertionError(f"no event fits; seen: {[event.body for event in self.seen]}")


def client_reply(
    client: Client, op: str, args: dict[str, Any], *, wait_s: float = TIMEOUT_S, **more: Any
) -> Reply | None:
    """Send one request and return its reply, also if it is an error."""
    try:
        request_id = client.send(op, args, timeout_ms=300, **{"deadline_ms": 15_000, **more})
    except Refused:
        return None
    due = time.monotonic() + wait_s
    while time.monotonic() < due:
        reply = client.receive(50)
        if reply is not None and reply.id == request_id:
            return reply
    return None


@contextlib.contextmanager
def running(
    *programs: str,
    rate_per_s: float = 0.0,
    ack_first: bool = True,
    trade_socket: bool = True,
    limits: bool = False,
    **rights: bool,
) -> Iterator[Gateway]:
    """Run a simulator, with the exchange's rate `limits` or without, and these programs; `rights`
    are those of the account's key.
    """
    key = ApiKey(key="test-key-main", secret="test-secret-main", uid=UID, **rights)
    config = ExchangeConfig(api_keys=(key,), rate_per_s=rate_per_s)
    wire = WireConfig(
        limits=RateLimits(enabled=limits), ack_first=ack_first, trade_socket=trade_socket
    )
    folder = Path(tempfile.mkdtemp(prefix="bd", dir="/tmp"))
    try:
        with run_simulator(config, wire=wire) as simulator:
            gateway = Gateway(folder, simulator, key)
            try:
                gateway.start(*programs)
                yield gateway
            finally:
                gateway.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
