"""Serves `gateway.lease`, and cancels the orders of strategies that have gone silent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from bybitbus import topics
from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.server import Call
from bybitd.net.clock import now_ms as unix_ms
from bybitd.order_execution.ledger import Order
from bybitd.order_execution.own_call import OwnCall
from bybitd.order_execution.safety.lease_file import LeaseFile
from bybitd.order_execution.safety.leases import LONGEST_MS, SHORTEST_MS, Lapse
from bybitd.order_execution.safety.sweep import WAIT_MS, of_ours
from bybitd.runtime.arguments import Argument, wrong
from bybitd.runtime.program import Program

CLIENT: Final = "lease"  # in whose name orders are cancelled
_AGAIN_MS: Final = 3000  # an order that still lives is cancelled again
_FIELDS: Final = {"ttl_ms": Argument(int, required=True, bounds=(0, LONGEST_MS))}
log = logging.getLogger(__name__)


class LeaseDesk:
    """Keeps the leases of one account. `act` takes a request of ours, `alive` returns the orders of
    ours that may live.

    Raises:
        StartError: the leases of the last run can not be read.
    """

    def __init__(
        self,
        program: Program,
        account: str,
        act: Callable[[Call], None],
        alive: Callable[[], Iterable[Order]],
    ) -> None:
        self._program = program
        self._act = act
        self._alive = alive
        self._file = LeaseFile(program.state_dir, account)
        self._leases = self._file.read(_now_ms(), unix_ms())
        self._topic = topics.join("gateway", f"lease.{account}")
        self._asked: dict[str, int] = {}  # orderLinkId -> when it was cancelled last
        self._cancelled: dict[str, set[str]] = {}  # client -> the orders of its lapse

    def handlers(self) -> dict[str, Callable[[Call], None]]:
        """Return the op and who serves it."""
        return {"gateway.lease": self.lease}

    def lease(self, call: Call) -> None:
        """Take, renew or release the lease of the client that asks."""
        request = call.request
        error = wrong(request.op, request.args, _FIELDS)
        if error is None and not request.client:
            error = gateway_error(
                Code.MISSING_FIELD,
                "client: gateway.lease is about the orders of one strategy, which must have a name",
                hint="send the same client with its orders and its lease",
            )
        ttl_ms = request.args.get("ttl_ms", 0)
        if error is None and 0 < ttl_ms < SHORTEST_MS:
            hint = "0 releases the lease"
            problem = f"args.ttl_ms: must be at least {SHORTEST_MS}"
            error = gateway_error(Code.BAD_FIELD, problem, hint=hint)
        if error is not None:
            call.fail(error)
            return
        if ttl_ms:
            lease = self._leases.renew(request.client, ttl_ms, _now_ms())
            until_ms = unix_ms() + ttl_ms
            result = {"client": lease.client, "ttl_ms": ttl_ms, "until_ms": until_ms}
        else:
            self._leases.release(request.client)
            result = {"client": request.client, "ttl_ms": 0}
        try:
            self._write()
        except OSError as problem:
            call.fail(_unwritten(problem))
            return
        call.succeed(result)

    def tick(self) -> None:
        """Let leases lapse, and cancel what has to go. To be called every 100 ms or so."""
        lapsed = self._leases.lapse(_now_ms(), time.time_ns())
        if lapsed:
            self._keep()
        for lapse in lapsed:
            log.error("= %s has gone silent: its orders are cancelled", lapse.client)
            self._cancelled[lapse.client] = set()
            self._publish(lapse, "lapsed")
        for lapse in self._leases.lapsed:
            self._deal_with(lapse)

    def describe(self) -> dict[str, Any]:
        """Return what the status shows."""
        at_ms = _now_ms()
        return {
            "leases": {lease.client: lease.until_ms - at_ms for lease in self._leases.held},
            "lapsed": [lapse.client for lapse in self._leases.lapsed],
        }

    def _deal_with(self, lapse: Lapse) -> None:
        living = [
            order
            for order in self._alive()
            if order.client == lapse.client and order.received_ns <= lapse.at_ns
        ]
        gone = self._cancelled.setdefault(lapse.client, set())
        if not living:
            self._leases.done(lapse)
            self._keep()
            self._publish(lapse, "over")
            for link_id in self._cancelled.pop(lapse.client):
                self._asked.pop(link_id, None)
            return
        at_ms = _now_ms()
        for order in living:
            if at_ms - self._asked.get(order.link_id, -_AGAIN_MS) < _AGAIN_MS:
                continue
            self._asked[order.link_id] = at_ms
            gone.add(order.link_id)
            for op, args in of_ours([order]):
                self._act(OwnCall(op, args, client=CLIENT, wait_ms=WAIT_MS, done=_noted))

    def _publish(self, lapse: Lapse, state: str) -> None:
        body = {
            "client": lapse.client,
            "state": state,
            "at_ns": lapse.at_ns,
            "orders": sorted(self._cancelled.get(lapse.client, ())),
        }
        self._program.publisher.publish(self._topic, body)

    def _keep(self) -> None:
        try:
            self._write()
        except OSError as error:
            log.error("= the leases could not be written down: %s", error)

    def _write(self) -> None:
        self._file.write(self._leases, _now_ms(), unix_ms())


def _noted(_result: Any, error: ErrorBody | None) -> None:
    if error is not None:
        # Filled meanwhile, or without an answer: the order itself tells, and is asked for again.
        log.info("= cancel of a lapsed lease: %s", error.message)


def _unwritten(error: OSError) -> ErrorBody:
    problem = f"gateway.lease: it can not be written down, and would not survive a restart: {error}"
    return gateway_error(Code.UNAVAILABLE, problem, retry_safe=True)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
