"""One account, kept true: publishes what the stream says, and what it could not say while away.

Order of events after each connection: log in, subscribe, read everything by REST, merge by id with
what the stream says meanwhile, publish the difference marked `resend`, then `ready`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from bybitbus import topics
from bybitd.net.errors import RestError
from bybitd.net.rest import RestWorker
from bybitd.private_stream.executions import fast_with_kind, with_kind
from bybitd.private_stream.fills import Fills, in_order
from bybitd.private_stream.reconciliation import Reading, find_missing, read
from bybitd.private_stream.state import Record, State, records
from bybitd.runtime.account_access import AccountAccess
from bybitd.runtime.placed_here import PlacedHere
from bybitd.runtime.program import Program

TOPICS: Final = ("order", "execution", "position", "wallet", "greeks")
FAST: Final = "execution.fast"
_RETRY_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
log = logging.getLogger(__name__)


class Account:
    """The kept state of an account and the topics that it is published on.

    `ready` means that the state is the exchange's, and nothing was missed since.
    """

    def __init__(
        self,
        program: Program,
        name: str,
        access: AccountAccess,
        worker: RestWorker,
        fills: Fills,
        placed: PlacedHere,
    ) -> None:
        self.state = State()
        self.stream = f"private.{name}"
        self.topics: tuple[str, ...] = (*TOPICS, *program.settings.accounts[name].private_topics)
        self.ready = False
        self.compared = 0
        self.repeated_fills = 0
        self.vanished = 0
        self.unread: dict[str, str] = {}
        self._program = program
        self._access = access
        self._worker = worker
        self._fills = fills
        self._placed = placed
        self._generation = 0
        self._failures = 0

    # What the private socket tells

    def message(self, message: dict[str, Any], rx_ns: int) -> None:
        """Merge and publish a message of the stream."""
        topic = str(message.get("topic", ""))
        if topic == FAST:
            self._executed_fast(message, rx_ns)
        elif topic == "execution":
            self._executed(message, rx_ns)
        else:
            if topic == "order":
                self.mark_external(records(message))
            self.state.take(message)
            self._program.publisher.publish(topics.join(self.stream, topic), message, rx_ns)

    def mark_external(self, orders: list[Record]) -> None:
        """Write into each order whether it was placed elsewhere, where that can be told."""
        for record in orders:
            external = self._placed.is_external(record)
            if external is not None:
                record["external"] = external

    def subscribed(self) -> None:
        """Compare notes with the exchange, now that the stream misses nothing any more."""
        self._program.set_state("starting", "comparing the account with the exchange")
        self._compare(self._generation)

    def interrupted(self, reason: str) -> None:
        """Stop vouching for the state."""
        self._generation += 1
        self._failures = 0
        if self.ready:
            self._feed("stale", f"the private socket was lost: {reason}")
        self.ready = False
        self._program.set_state("degraded", f"the private socket was lost: {reason}")

    # What late joiners get

    def snapshot(self, topic: str) -> None:
        """Send the whole state of a topic again; nothing while it can not be vouched for."""
        if not self.ready:
            return
        kind = topic.removeprefix(f"{self.stream}.").removesuffix(".")
        if kind == "order":
            self._resend("order", list(self.state.orders))
        elif kind == "position":
            self._resend("position", self.state.positions.open())
        elif kind == "wallet":
            self._resend("wallet", [self.state.wallet.record()])
        elif kind == "greeks" and self.state.greeks:
            self._resend("greeks", list(self.state.greeks.values()))

    # Executions, each once

    def _executed(self, message: dict[str, Any], rx_ns: int) -> None:
        rows = records(message)
        fresh = self._fills.new(rows)
        self.repeated_fills += len(rows) - len(fresh)
        if not fresh:
            return
        message["data"] = self._told_apart(fresh)
        self._program.publisher.publish(topics.join(self.stream, "execution"), message, rx_ns)
        # Before the comparison something older may be missing still.
        self._fills.note(fresh, complete=self.ready)

    def _executed_fast(self, message: dict[str, Any], rx_ns: int) -> None:
        rows = records(message)
        fresh = self._fills.new_fast(rows)
        self.repeated_fills += len(rows) - len(fresh)
        if fresh:
            message["data"] = [fast_with_kind(row) for row in fresh]
            self._program.publisher.publish(topics.join(self.stream, FAST), message, rx_ns)
            self._fills.note_fast(fresh)

    def _told_apart(self, rows: list[Mapping[str, Any]]) -> list[Record]:
        return [with_kind(row, repeated=self._fills.was_fast(row)) for row in rows]

    # Comparing notes

    def _compare(self, generation: int) -> None:
        client = self._access.client
        if generation != self._generation or client is None:
            return
        since_ms = self._fills.complete_ms

        def job() -> Reading:
            return read(client, self._access.exchange_ms, since_ms)

        def done(reading: Reading | None, error: RestError | None) -> None:
            if generation != self._generation:
                return  # the connection broke meanwhile: what was read may be old by now
            if reading is None:
                self._failed(generation, error)
            else:
                self._merge(generation, reading)

        if not self._worker.submit(job, done):
            self._failed(generation, None)

    def _failed(self, generation: int, error: RestError | None) -> None:
        pause_s = _RETRY_S[min(self._failures, len(_RETRY_S) - 1)]
        self._failures += 1
        self._program.set_state("starting", f"the account could not be read: {error}")
        self._program.loop.call_later(pause_s, lambda: self._compare(generation))

    def _merge(self, generation: int, reading: Reading) -> None:
        self.unread = reading.unread | {
            topic: "what happens while the stream is away is not read"
            for topic in self.topics
            if topic.startswith(("spread.", "strategy"))
        }
        state = self.state
        self.mark_external(reading.orders)
        orders = [row for row in reading.orders if state.orders.merge(row)]
        closed = state.positions.closed(
            reading.positions, reading.position_categories, reading.asked_ms
        )
        positions = [row for row in (*reading.positions, *closed) if state.positions.merge(row)]
        wallet = reading.wallet is not None and state.wallet.merge(
            reading.wallet, reading.wallet_ms, whole=True
        )
        if self.compared:
            self._resend_some("order", orders)
            self._resend_some("position", positions)
            if wallet:
                self._resend("wallet", [state.wallet.record()])
        greeks = reading.greeks is not None and state.merge_greeks(
            reading.greeks, reading.greeks_ms
        )
        if self.compared and greeks:
            self._resend("greeks", list(state.greeks.values()))
        executions = self._fills.new(in_order(reading.executions))
        self._resend_some("execution", self._told_apart(executions))
        self._fills.note(executions)
        self._fills.note(self._fills.new(reading.seeds))
        self._fills.complete(reading.asked_ms)
        listed = (str(row.get("orderId", "")) for row in reading.orders)
        missing = [
            record
            for record in state.orders.missing(listed, reading.asked_ms)
            if record.get("category") in reading.order_categories
        ]
        if missing:
            self._find(generation, missing)
        else:
            self._settled()

    def _find(self, generation: int, missing: list[Record]) -> None:
        client = self._access.client
        assert client is not None

        def done(found: list[Record | None] | None, error: RestError | None) -> None:
            if generation != self._generation:
                return
            if found is None:
                self._failed(generation, error)
                return
            rows = [row for row in found if row is not None]
            self.mark_external(rows)
            self._resend_some("order", [row for row in rows if self.state.orders.merge(row)])
            for record, row in zip(missing, found, strict=True):
                if row is None:
                    # It is not open, and the exchange does not say how it ended: nor do we.
                    self.vanished += 1
                    self.state.orders.forget(str(record["orderId"]))
                    log.error("< order %s is open no more and in no list", record["orderId"])
            self._settled()

        if not self._worker.submit(lambda: find_missing(client, missing), done):
            self._failed(generation, None)

    def _settled(self) -> None:
        first = not self.compared
        self.compared += 1
        self._failures = 0
        self.ready = True
        if first:
            for topic in TOPICS:
                self.snapshot(topics.join(self.stream, topic))
        self._feed("live", "")
        self._program.set_state("ready")

    def _feed(self, state: str, reason: str) -> None:
        for topic in self.topics:
            name = topics.join(self.stream, topic)
            self._program.publisher.publish(
                f"gateway.feed.{name}", {"topic": name, "state": state, "reason": reason}
            )

    def _resend_some(self, topic: str, rows: list[Record]) -> None:
        if rows:
            self._resend(topic, rows)

    def _resend(self, topic: str, rows: list[Record]) -> None:
        body: dict[str, Any] = {
            "id": "",
            "topic": topic,
            "creationTime": time.time_ns() // 1_000_000,
            "data": rows,
        }
        self._program.publisher.resend(topics.join(self.stream, topic), body)


def describe(account: Account) -> Mapping[str, Any]:
    """Return what the status shows of it."""
    return {
        "vouched": account.ready,
        "open_orders": len(account.state.orders),
        "positions": len(account.state.positions.open()),
        "compared": account.compared,
        "unread": account.unread,
    }
