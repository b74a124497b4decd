"""The frame that every process of the daemon stands in: sockets, status, signals, requests.

A process composes one `Program`, hands it what is its own (ops, subscriptions, status) and runs
it. The frame answers the ops that every process knows and publishes its status once a second.
A loop that makes no progress any more is ended, so that the supervisor starts it anew.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq

from bybitbus import topics
from bybitbus.codes import Code, Origin, Outcome
from bybitbus.endpoints import BinderLock, events_address, requests_address
from bybitbus.errors import TopicError
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.ops import OPS
from bybitbus.publisher import Publisher
from bybitbus.server import Call, Server
from bybitd.nearest import nearest
from bybitd.runtime import reload
from bybitd.runtime.config_file import ConfigFile
from bybitd.runtime.late_joiners import LateJoiners
from bybitd.runtime.loop import Loop
from bybitd.runtime.process import resident_bytes
from bybitd.runtime.reload import Reload
from bybitd.settings import Settings

if TYPE_CHECKING:
    from bybitd.net.ip_gate import IpGate

STATUS_PERIOD_S = 1.0
WEDGED_AFTER_S = 30.0  # far above any turn of a healthy loop, also on a busy machine
Handler = Callable[[Call], None]
log = logging.getLogger(__name__)


class Program:
    """One process of the daemon.

    Attributes set by its owner: `state` (`starting`, `ready`, `degraded`, with `reason`),
    `counters` (name to count, shown in the status) and `details` (returns more status keys).
    `events` is where its publisher binds, if not at the program's own public address; `config` is
    the file that the settings came from.

    Raises:
        AddressInUse: another process already runs this program in this run folder.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        run_dir: Path,
        state_dir: Path,
        *,
        events: str | None = None,
        config: ConfigFile | None = None,
    ) -> None:
        self.name = name
        self.reload = Reload(name, settings, config)
        self.run_dir = run_dir
        self.state_dir = state_dir
        self.state = "starting"
        self.reason = ""
        self.counters: dict[str, int] = {}
        self.details: Callable[[], Mapping[str, Any]] = dict
        self.started_ns = time.time_ns()
        self._lock = BinderLock(run_dir, name)
        self.loop = Loop()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.publisher = Publisher(
            self.context,
            events or events_address(run_dir, name),
            epoch=self.started_ns // 1000,
            high_water_mark=settings.bus.high_water_mark,
        )
        self.server = Server(self.context, requests_address(run_dir, name))
        self._handlers: dict[str, Handler] = {
            "gateway.ping": lambda call: call.succeed({"program": self.name}),
            "gateway.status": lambda call: call.succeed(self.status()),
            "gateway.subscriptions": lambda call: call.succeed({"topics": sorted(self.topics)}),
            reload.OP: self.reload.serve,
        }
        self._joined: list[Callable[[topics.Topic, str], None]] = []
        self._left: list[Callable[[topics.Topic, str], None]] = []
        self._no_topic: list[Callable[[str, TopicError], None]] = []
        self.topics: set[str] = set()  # what subscribers ask this process for, as they wrote it
        self._status_topic = topics.join("gateway", f"status.{name}")
        self._joiners = LateJoiners(self.loop, lambda _topic: self.publish_status())

    @property
    def settings(self) -> Settings:
        """The settings that are in force."""
        return self.reload.settings

    @cached_property
    def ip_gate(self) -> IpGate:
        """What every REST call of this process must pass.

        Raises:
            StartError: its file in the state folder can not be used.
        """
        from bybitd.net.ip_gate import FILE, IpGate  # the bus needs none of it

        # What the simulator thinks of us says nothing about the exchange.
        name = f"{FILE}.sim" if self.settings.environment == "sim" else FILE
        return IpGate(self.state_dir, self.settings.rest.calls_per_5s, name=name)

    # What a process adds to its frame

    def handle(self, ops: Mapping[str, Handler]) -> None:
        """Serve these ops. A handler answers its call, now or later; it must not block."""
        unknown = ops.keys() - OPS.keys()
        if unknown:
            raise ValueError(f"not in the protocol: {sorted(unknown)}")
        self._handlers.update(ops)

    def on_subscription(
        self,
        joined: Callable[[topics.Topic, str], None],
        left: Callable[[topics.Topic, str], None] | None = None,
        no_topic: Callable[[str, TopicError], None] | None = None,
    ) -> None:
        """Call `joined(topic, as_written)` on each subscription, also the second to a topic, and
        `left` when the last subscriber of it has gone. Whatever is no topic goes to `no_topic`
        alone: a prefix such as "linear." or "", which sees what flows, or nonsense.
        """
        self._joined.append(joined)
        if left is not None:
            self._left.append(left)
        if no_topic is not None:
            self._no_topic.append(no_topic)

    def set_state(self, state: str, reason: str = "") -> None:
        """Change the state; a change is logged and published at once."""
        if (state, reason) == (self.state, self.reason):
            return
        self.state, self.reason = state, reason
        log.info("= %s%s", state, f": {reason}" if reason else "")
        self.publish_status()

    def reject_topic(self, topic: str, problem: str, hint: str = "") -> None:
        """Say on `gateway.rejected.<topic>` and in the log that a topic can not exist."""
        log.warning("< subscription to %s refused: %s", topic, problem)
        bare = topic.removesuffix(".")
        body = {"topic": topic, "reason": problem, "hint": hint, "program": self.name}
        self.publisher.publish(topics.join("gateway", f"rejected.{bare}"), body)

    # What the frame does

    def status(self) -> dict[str, Any]:
        """Return the status map (`ipc/PROTOCOL.md`, "Status")."""
        details = self.details()  # first: it may bring the counters up to date
        banned_until_ms = self._banned_until_ms()
        state, reason = self._shown(banned_until_ms)
        return {
            "program": self.name,
            "state": state,
            "reason": reason,
            "environment": self.settings.environment,
            "pid": os.getpid(),
            "started_ns": self.started_ns,
            "turns": self.loop.turns,
            "lag_us": int(self.loop.lag_s * 1_000_000),
            "rss_bytes": resident_bytes(),
            "counters": {
                "published": self.publisher.published,
                "answered": self.server.answered,
                "malformed": self.server.malformed,
                "undeliverable": self.server.undeliverable,
                **self.counters,
            },
            **({"rest_banned_until_ms": banned_until_ms} if banned_until_ms else {}),
            **self.reload.describe(),
            **details,
        }

    def _banned_until_ms(self) -> int:
        gate: IpGate | None = self.__dict__.get("ip_gate")  # not opened by those who need none
        return 0 if gate is None else gate.banned_until_ms()

    def _shown(self, banned_until_ms: int) -> tuple[str, str]:
        """Return state and reason with what concerns every program that uses REST."""
        if not banned_until_ms:
            return self.state, self.reason
        until = time.strftime("%H:%M:%S", time.gmtime(-(-banned_until_ms // 1000)))
        ban = f"the exchange has banned this IP address: no REST call leaves until {until} UTC"
        reason = f"{self.reason}; {ban}" if self.reason else ban
        return "degraded" if self.state == "ready" else self.state, reason

    def publish_status(self) -> None:
        """Publish the status now; it also goes out once a second."""
        self.publisher.publish(self._status_topic, self.status())

    def run(self, closing: Iterable[Callable[[], None]] = ()) -> None:
        """Run until told to stop, then call `closing` in order and release everything."""
        self.loop.stop_on_signals()
        self.loop.add_reader(self.publisher.socket, self._take_subscriptions)
        self.loop.add_reader(self.server.socket, self._take_calls)
        self.loop.call_every(STATUS_PERIOD_S, self.publish_status)
        self.loop.call_every(STATUS_PERIOD_S, expect_progress)
        log.info("= up, epoch %d", self.publisher.epoch)
        self.publish_status()
        expect_progress()
        try:
            self.loop.run()
        finally:
            faulthandler.cancel_dump_traceback_later()
            for close in closing:
                close()
            self.close()
        log.info("= down")

    def close(self) -> None:
        """Release sockets, loop and lock."""
        self.publisher.close()
        self.server.close()
        self.loop.close()
        self.context.destroy(linger=0)
        if "ip_gate" in self.__dict__:
            self.ip_gate.close()
        self._lock.close()

    def _take_calls(self) -> None:
        for call in self.server.calls():
            self.serve(call)

    def serve(self, call: Call) -> None:
        """Answer one call by its handler; a defect in it costs this call, not the process."""
        handler = self._handlers.get(call.request.op)
        if handler is None:
            call.fail(self.unknown_op(call.request.op))
            return
        try:
            handler(call)
        except Exception:
            log.exception("= defect while serving %s", call.request.op)
            if not call.answered:
                call.fail(internal(call.request.op))

    def unknown_op(self, op: str) -> ErrorBody:
        """Return the error for an op that this program does not serve."""
        if op in OPS:
            return gateway_error(
                Code.UNKNOWN_OP,
                f"{self.name} does not serve {op}",
                hint=f"send it to the bus, which routes it to {OPS[op].route.value}",
            )
        near = nearest(op, OPS)
        hint = f"did you mean {near}?" if near else f"known: {', '.join(sorted(OPS))}"
        return gateway_error(Code.UNKNOWN_OP, f"there is no op {op!r}", hint=hint)

    def _take_subscriptions(self) -> None:
        for prefix, joined in self.publisher.subscriptions():
            try:
                topic = topics.split(prefix)
            except TopicError as error:
                if joined:
                    for refuse in self._no_topic:
                        refuse(prefix, error)
                continue
            if joined:
                self.topics.add(prefix)
            else:
                self.topics.discard(prefix)
            if joined and prefix == self._status_topic:
                self._joiners.joined(prefix)
            for callback in self._joined if joined else self._left:
                callback(topic, prefix)


def expect_progress() -> None:
    """End this process, with the stacks of its threads in the log, unless called again in time.

    The interpreter's own watchdog waits in a thread of C: neither a callback that never returns nor
    an extension that keeps the interpreter's lock can hold it up.
    """
    faulthandler.dump_traceback_later(WEDGED_AFTER_S, exit=True, file=2)


def internal(op: str) -> ErrorBody:
    """Return the error for a defect of ours: of a write nobody knows what became of it."""
    wrote = op in OPS and OPS[op].writes
    return ErrorBody(
        code=Code.INTERNAL,
        message=f"a defect of the gateway stopped {op}; its log has the details",
        origin=Origin.GATEWAY,
        outcome=Outcome.UNKNOWN if wrote else Outcome.REJECTED,
        retry_safe=not wrote,
        hint="look the order up (order.status) before doing anything else" if wrote else "",
    )
