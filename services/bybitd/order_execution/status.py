"""What the status of the program says: its state, its counters and the details beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bybitd.order_execution.departures import Departures
from bybitd.order_execution.flights import Flights
from bybitd.order_execution.housekeeping import Housekeeper
from bybitd.order_execution.instrument_gate import InstrumentGate
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.order_store import OrderStore
from bybitd.order_execution.safety.guard import Guard
from bybitd.order_execution.searcher import Searcher
from bybitd.order_execution.transport import Transport
from bybitd.runtime.account_access import AccountAccess
from bybitd.runtime.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Reads the parts of the program; changes none of them."""

    program: Program
    journal: Journal
    housekeeper: Housekeeper
    access: AccountAccess
    orders: OrderStore
    flights: Flights
    searcher: Searcher
    departures: Departures
    transport: Transport
    rules: InstrumentGate
    guard: Guard

    def show(self) -> None:
        """Set the state of the program to what is so now."""
        self.program.set_state(*self._condition())

    def details(self) -> dict[str, Any]:
        """Return what stands beside the state, and bring the counters up to date."""
        journal, departures, link = self.journal, self.departures, self.transport.link
        self.program.counters.update(
            journal_writes=journal.writes,
            over_rest=self.transport.over_rest,
            waited=departures.waited,
            rate_limited=departures.refused,
            bad_frames=link.bad_frames,
            private_events=self.guard.events.received,
            private_holes=self.guard.events.holes,
        )
        return {
            "connections": link.describe(),
            "clock": self.access.describe(),
            "key": self.access.describe_key(),
            "orders": {
                "live": len(self.orders.live),
                "in_flight": len(self.flights),
                "unsettled": len(self.searcher.settling),
                "alarm": self.searcher.alarmed,
            },
            "rate": departures.describe(),
            "instruments": self.rules.describe(),
            "journal": {
                "path": str(journal.path),
                "sync": journal.sync,
                "problem": journal.problem,
                "forgotten": self.housekeeper.forgotten,
            },
            **self.guard.describe(),
        }

    def _condition(self) -> tuple[str, str]:
        """Return the state, and why it is not ready."""
        killed = self.guard.switch.killed
        if self.journal.problem:
            return "degraded", f"the journal can not be written: {self.journal.problem}"
        if self.access.read_only:
            return "degraded", "the key is read-only: the exchange takes no orders"
        if killed is not None:
            return "degraded", f"the account is stopped: {killed.reason}"
        if not self.guard.reconciled:
            return "starting", "the account was not compared with the exchange yet"
        if self.transport.link.ready:
            return "ready", ""
        if not self.transport.rest_ready:
            return "starting", "no connection to the exchange yet"
        if self.access.has_trade_socket:
            return "degraded", "the trade socket is down: orders go over REST"
        return "ready", ""
