"""A simulated exchange and the processes that an order passes, which may die anywhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bybitbus.client import Client
from bybitbus.endpoints import events_address, requests_address
from bybitbus.errors import Refused
from bybitbus.subscriber import Subscriber
from bybitd.simulator.exchange import ApiKey, ExchangeConfig
from bybitd.simulator.wire import RateLimits, RunningSimulator, WireConfig, run_simulator
from tests.chaos import points
from tests.chaos.truth import Exchange
from tests.order_execution.gateway import ORDERS, PRIVATE, UID, Gateway

BUS: Final = "bus"
PROGRAMS: Final = (BUS, PRIVATE, ORDERS)
# Short times, so that what can be proven is proven soon.
_CONFIG: Final = """\
environment: sim
accounts: {main: {recv_window_ms: 1000, order_timeout_ms: 300}}
feeds:
  spot: {enabled: false}
  linear: {enabled: false}
  inverse: {enabled: false}
  option: {enabled: false}
  spread: {enabled: false}
"""
_STEP_S: Final = 0.01
_PATIENCE_S: Final = 2.0


class World(Gateway):
    """The gateway, its client, and the truth about what reached the exchange.

    `conditions` are faults that last until they are changed, `way` is the state of order execution
    under them.
    """

    command = (sys.executable, "-m", "tests.chaos.child")

    def __init__(self, folder: Path, simulator: RunningSimulator, key: ApiKey) -> None:
        super().__init__(folder, simulator, key)
        self.config.write_text(_CONFIG)
        self.exchange = Exchange(simulator, key.uid)
        self.conditions: list[tuple[str, dict[str, Any]]] = []
        self.way = "ready"
        self.told: dict[str, list[str]] = defaultdict(list)  # orderLinkId -> states in events
        self.client = Client(requests_address(self.run_dir, BUS), client="chaos")
        self._events = Subscriber(events_address(self.run_dir, BUS), ("gateway.order.main.",))

    def environment(self, program: str) -> dict[str, str]:
        """Return the environment with the file that arms a point of this program."""
        return {**os.environ, points.ARM: str(self._arm(program))}

    def arm(self, program: str, point: str) -> None:
        """Have a program die when it gets to this point next."""
        draft = self._arm(program).with_suffix(".draft")
        draft.write_text(point)
        draft.replace(self._arm(program))

    def disarm(self) -> None:
        """Have nothing happen any more that has not happened yet."""
        for program in PROGRAMS:
            self._arm(program).unlink(missing_ok=True)
        self.exchange.acting = self.exchange.acted = None
        self.exchange.hold_ms = 0
        self.simulator.fault("clear")
        for name, fields in self.conditions:
            self.simulator.fault(name, **fields)

    def strike(self, *programs: str) -> None:
        """Kill these programs now; may be called from the simulator's thread."""
        for program in programs:
            self.processes[program].send_signal(signal.SIGKILL)

    def dead(self) -> list[str]:
        """Return the programs that have ended."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def revive(self) -> None:
        """Start again what has ended, and wait until all is ready."""
        ended = self.dead()
        for program in ended:
            del self.processes[program]
        self.start(*ended, ready=False)
        for program in (PRIVATE, ORDERS):
            if not self._comes_back(program):
                # What was cut often waits for long before it connects again; a new run does not.
                self.kill(program)
                self.start(program, ready=False)
                self.wait_state(program, self.way if program == ORDERS else "ready")
        # The bus has no word of its own for being able to reach the others: ask through it.
        self.wait(lambda: self.known(""), "the bus to reach order execution")

    def _comes_back(self, program: str) -> bool:
        expected = self.way if program == ORDERS else "ready"
        due_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < due_s:
            reply = self.ask(program, "gateway.status")
            if reply is not None and reply.result["state"] == expected:
                return True
            time.sleep(_STEP_S)
        return False

    def request(self, op: str, args: Mapping[str, Any], timeout_s: float) -> str:
        """Send one request through the bus; return the outcome that the reply tells, "" without
        a reply.
        """
        try:
            sent = self.client.send(op, args, timeout_ms=1000, deadline_ms=2000)
        except Refused:
            return "rejected"  # nobody listened; nothing was sent
        due_s = time.monotonic() + timeout_s
        while time.monotonic() < due_s:
            reply = self.client.receive(20)
            self.listen_on()
            if reply is not None and reply.id == sent:
                if reply.ok:
                    return _batch_outcome(reply.result)
                assert reply.error is not None
                return str(reply.error.outcome)
            if self.dead():
                due_s = min(due_s, time.monotonic() + 0.3)  # the bus may still have a word on it
        self.client.give_up(sent)
        return ""

    def known(self, link_id: str) -> tuple[bool, Mapping[str, Any] | None] | None:
        """Return whether the journal knows an order, and what; None if nobody answered."""
        try:
            sent = self.client.send("order.status", {"orderLinkId": link_id or "-"}, timeout_ms=300)
        except Refused:
            return None
        due_s = time.monotonic() + 2.0
        while time.monotonic() < due_s:
            reply = self.client.receive(50)
            if reply is not None and reply.id == sent:
                if reply.ok:
                    return True, reply.result
                assert reply.error is not None
                return (False, None) if reply.error.code == "not_found" else None
        self.client.give_up(sent)
        return None

    def listen_on(self) -> None:
        """Take in what the bus has told of orders."""
        while (event := self._events.receive(0)) is not None:
            if event.body.get("op") == "order.create":
                self.told[event.body["orderLinkId"]].append(event.body["state"])

    def close(self) -> None:
        """End everything."""
        self.disarm()
        self.client.close()
        self._events.close()
        for program in self.dead():
            del self.processes[program]
        super().close()

    def _arm(self, program: str) -> Path:
        return self.run_dir / f"{program}.armed"


def _batch_outcome(result: Any) -> str:
    codes = result.get("retExtInfo", {}).get("list") if isinstance(result, dict) else None
    return str(codes[0]["outcome"]) if codes else "accepted"


@contextlib.contextmanager
def world(seed: int) -> Iterator[World]:
    """Run an exchange and a gateway that is ready."""
    key = ApiKey(key="test-key-main", secret="test-secret-main", uid=UID)
    config = ExchangeConfig(api_keys=(key,), rate_per_s=0.0, seed=seed)
    wire = WireConfig(limits=RateLimits(enabled=False), ack_first=bool(seed % 2))
    folder = Path(tempfile.mkdtemp(prefix="bc", dir="/tmp"))
    try:
        with run_simulator(config, wire=wire) as simulator:
            made = World(folder, simulator, key)
            try:
                made.start(*PROGRAMS, ready=False)
                made.revive()
                yield made
            finally:
                made.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
