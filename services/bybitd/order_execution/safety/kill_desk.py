"""Serves `gateway.kill` and `gateway.unkill` of one account, and keeps at it while it is killed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from bybitbus import topics
from bybitbus.codes import Code
from bybitbus.messages import gateway_error
from bybitbus.server import Call
from bybitd.net.clock import now_ms
from bybitd.order_execution.safety.kill_switch import KillSwitch
from bybitd.order_execution.safety.sweep import Sweeper
from bybitd.runtime.arguments import Argument, wrong
from bybitd.runtime.late_joiners import LateJoiners
from bybitd.runtime.program import Program

_WAIT_MS: Final = 10_000
_EARLIER_MS: Final = 200  # than the caller's deadline, so that the answer is in time
_REASON: Final = "no reason was given"
_FIELDS: Final = {"account": Argument(str), "reason": Argument(str)}
log = logging.getLogger(__name__)


class KillDesk:
    """Stops the account and lets it go. A kill is answered when nothing is open any more, or with
    what is known when its time is up; the sweep goes on then.
    """

    def __init__(
        self, program: Program, account: str, switch: KillSwitch, sweeper: Sweeper
    ) -> None:
        self._program = program
        self._account = account
        self._switch = switch
        self._sweeper = sweeper
        self._waiting: list[tuple[int, Call]] = []
        self._unwritten = ""
        self._topic = topics.join("gateway", f"kill.{account}")
        self._joiners = LateJoiners(program.loop, self._resend)
        program.on_subscription(self._joined)

    def handlers(self) -> dict[str, Callable[[Call], None]]:
        """Return the ops and who serves them."""
        return {"gateway.kill": self.kill, "gateway.unkill": self.unkill}

    def start(self) -> None:
        """Go on with what an earlier run, or somebody else, has begun."""
        if self._switch.killed is not None:
            log.error("= the account is stopped: %s", self._switch.killed.reason)
            self._sweeper.begin()
            self._publish()

    def tick(self) -> None:
        """Look for a kill from outside, for orders that live after all, for answers that are due.
        To be called every 100 ms or so.
        """
        if self._switch.look():
            self.start()
        if self._switch.killed is not None:
            self._sweeper.look()
        at_ms = now_ms()
        for due_ms, call in list(self._waiting):
            if at_ms >= due_ms:
                self._waiting.remove((due_ms, call))
                call.succeed(self._report())

    def kill(self, call: Call) -> None:
        """Stop the account first, then cancel, then answer."""
        if not self._is_meant(call):
            return
        reason = call.request.args.get("reason") or _REASON
        try:
            self._switch.kill(reason, call.request.client)
        except OSError as error:
            # It is stopped all the same, as long as this process lives.
            self._unwritten = f"it is not written down and ends with this program: {error}"
            log.error("= the kill could not be written down: %s", error)
        else:
            self._unwritten = ""
        log.error("= the account is stopped: %s", reason)
        self._sweeper.begin()
        self._publish()
        deadline_ms = call.request.deadline_at_ms(call.received_ns // 1_000_000)
        due_ms = now_ms() + _WAIT_MS
        if deadline_ms is not None:
            due_ms = min(due_ms, deadline_ms - _EARLIER_MS)
        self._waiting.append((due_ms, call))

    def unkill(self, call: Call) -> None:
        """Let the account trade again."""
        if not self._is_meant(call):
            return
        try:
            self._switch.unkill()
        except OSError as error:
            problem = f"the account stays stopped: its kill file can not be removed: {error}"
            call.fail(gateway_error(Code.UNAVAILABLE, problem, retry_safe=True))
            return
        self._unwritten = ""
        log.warning("= the account may trade again: %s", call.request.client)
        self._sweeper.end()
        self._answer_all()
        self._publish()
        call.succeed(self._report())

    def swept(self) -> None:
        """Answer those who wait: nothing is open any more."""
        self._answer_all()
        self._publish()

    def describe(self) -> dict[str, Any]:
        """Return what the status shows: nothing while the account may trade."""
        return {"kill": self._report()} if self._switch.killed is not None else {}

    def _is_meant(self, call: Call) -> bool:
        op, args = call.request.op, call.request.args
        error = wrong(op, args, _FIELDS)
        if error is None and args.get("account", self._account) != self._account:
            error = gateway_error(
                Code.UNKNOWN_ACCOUNT,
                f"args.account: {args['account']!r} is not served here, {self._account!r} is",
                hint="send it to the bus",
            )
        if error is not None:
            call.fail(error)
        return error is None

    def _answer_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for _, call in waiting:
            call.succeed(self._report())

    def _report(self) -> dict[str, Any]:
        """Return what is so now (`ipc/PROTOCOL.md`, "Kill switch")."""
        killed, progress = self._switch.killed, self._sweeper.progress
        if killed is None:
            return {"account": self._account, "killed": False}
        return {
            "account": self._account,
            "killed": True,
            "reason": killed.reason,
            "by": killed.by,
            "at_ns": killed.at_ns,
            "complete": progress.complete,
            "open": progress.open,
            "problem": "; ".join(filter(None, (self._unwritten, progress.problem))),
            "cancelled": [
                {"orderId": order_id, "orderLinkId": link_id}
                for order_id, link_id in progress.cancelled.items()
            ],
        }

    def _publish(self) -> None:
        self._program.publisher.publish(self._topic, self._report())

    def _joined(self, topic: topics.Topic, _written: str) -> None:
        if str(topic) == self._topic:
            self._joiners.joined(self._topic)

    def _resend(self, _topic: str) -> None:
        self._program.publisher.resend(self._topic, self._report())
