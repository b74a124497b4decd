"""order-execution-<account>: composes journal, ledger, trade socket and REST, and runs."""

from __future__ import annotations

import logging
from typing import Any, Final

from bybitd.errors import StartError
from bybitd.net.ip_budget import Purpose
from bybitd.net.rest import RestWorker
from bybitd.order_execution import restart
from bybitd.order_execution.announcer import Announcer
from bybitd.order_execution.checks import Checks
from bybitd.order_execution.departures import Departures
from bybitd.order_execution.desk import Desk
from bybitd.order_execution.errors import JournalError
from bybitd.order_execution.flights import Flights
from bybitd.order_execution.housekeeping import PERIOD_S, Housekeeper
from bybitd.order_execution.instrument_gate import InstrumentGate
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.link_ids import LinkIds
from bybitd.order_execution.outcomes import Outcomes
from bybitd.order_execution.private_events import PrivateEvents
from bybitd.order_execution.queries import Queries
from bybitd.order_execution.rate_budget import SOCKET_PER_S, RateBudget
from bybitd.order_execution.resender import Resender
from bybitd.order_execution.safety.account_events import AccountEvents, monotonic_ms
from bybitd.order_execution.safety.account_state import AccountState
from bybitd.order_execution.safety.kill_desk import KillDesk
from bybitd.order_execution.safety.kill_switch import KillSwitch
from bybitd.order_execution.safety.lease_desk import LeaseDesk
from bybitd.order_execution.safety.limit_gate import LimitGate
from bybitd.order_execution.safety.pace_gate import PaceGate
from bybitd.order_execution.safety.prices import Prices
from bybitd.order_execution.safety.sight_gate import SightGate
from bybitd.order_execution.safety.sweep import Sweeper
from bybitd.order_execution.searcher import Searcher
from bybitd.order_execution.transport import Transport
from bybitd.runtime.account_access import AccountAccess
from bybitd.runtime.exchange import endpoints
from bybitd.runtime.placed_here import journal_path
from bybitd.runtime.program import Program
from bybitd.settings import Settings

PREFIX: Final = "order-execution-"
_TICK_S: Final = 0.1
_CATCH_UP_S: Final = 1.0
log = logging.getLogger(__name__)


def main(program: Program) -> None:
    """Trade one account until told to stop."""
    account = program.name.removeprefix(PREFIX)
    loop, settings = program.loop, program.settings
    path = journal_path(program.state_dir, account)
    try:
        journal = Journal(path, account, settings.journal.sync)
    except JournalError as error:
        raise StartError(str(error)) from None

    announcer = Announcer(program, account, journal)
    orders, actions = announcer.orders, announcer.actions
    access = AccountAccess(settings, account, program.run_dir, loop, program.ip_gate)
    look_ups = RestWorker(loop.call_soon_threadsafe, threads=1)
    fetches = RestWorker(loop.call_soon_threadsafe, threads=1)

    searcher = Searcher(access, look_ups, orders, actions)
    flights = Flights()
    outcomes = Outcomes(orders, actions, flights, searcher, access.doubt_clock)
    budget = RateBudget(max(1, SOCKET_PER_S // len(settings.accounts)))

    def by_rest(op: str) -> bool:
        return transport.way(op) == "rest"

    departures = Departures(
        *(loop, budget, outcomes, by_rest),
        exchange_ms=access.exchange_ms,
        banned_until_ms=program.ip_gate.banned_until_ms,
    )

    def show_state() -> None:
        if journal.problem:
            program.set_state("degraded", f"the journal can not be written: {journal.problem}")
        elif access.read_only:
            program.set_state("degraded", "the key is read-only: the exchange takes no orders")
        elif switch.killed is not None:
            program.set_state("degraded", f"the account is stopped: {switch.killed.reason}")
        elif not state.reconciled:
            program.set_state("starting", "the account was not compared with the exchange yet")
        elif transport.link.ready:
            program.set_state("ready")
        elif not transport.rest_ready:
            program.set_state("starting", "no connection to the exchange yet")
        elif access.has_trade_socket:
            program.set_state("degraded", "the trade socket is down: orders go over REST")
        else:
            program.set_state("ready")

    switch = KillSwitch(program.state_dir, account)
    transport = Transport(access, loop, departures, show_state, switch.stops)
    ids = LinkIds("bd", journal.next_epoch(program.started_ns // 1000))
    rules = InstrumentGate(
        *(loop, fetches, lambda: endpoints(settings, program.run_dir)),
        *(program.ip_gate.of(Purpose.ACCOUNT), access.exchange_ms, orders),
        *(program.state_dir, settings.environment),
    )
    state, prices = AccountState(), Prices(program.context, program.run_dir)
    limited = settings.accounts[account]
    limits = LimitGate(account, limited, orders, actions, state, prices, monotonic_ms)
    pace = PaceGate(account, limited)
    checks = Checks(rules, (switch, SightGate(state, account), limits), pace)
    changed = announcer.order
    desk = Desk(access, transport, departures, checks, orders, actions, flights, ids, changed)
    outcomes.next_round = desk.next_round
    outcomes.again = Resender(
        *(loop, access, transport, departures, orders, actions, flights, ids, switch.stops),
    ).again

    def look_up_all(why: str) -> None:
        log.info("< %s: %d orders are looked up", why, len(orders.live))
        for order in list(orders.live.values()):
            searcher.check(order)

    sweeper = Sweeper(
        *(desk.serve, look_ups, lambda: access.client),
        *(orders.live.values, look_up_all, loop.call_later),
        lambda: kills.swept(),
    )
    kills = KillDesk(program, account, switch, sweeper)
    leases = LeaseDesk(program, account, desk.serve, orders.live.values)
    heard = AccountEvents(searcher, state, look_up_all)
    events = PrivateEvents(program.context, program.run_dir, account, heard)
    housekeeper = Housekeeper(journal, loop.call_soon_threadsafe, settings.journal.keep_days)

    def tick() -> None:
        transport.tick()
        searcher.tick()
        kills.tick()
        leases.tick()
        show_state()

    def configure(settings: Settings) -> None:
        limits.configure(settings.accounts[account])
        pace.settings = settings.accounts[account]

    def details() -> dict[str, Any]:
        program.counters.update(
            journal_writes=journal.writes,
            over_rest=transport.over_rest,
            waited=departures.waited,
            rate_limited=departures.refused,
            bad_frames=transport.link.bad_frames,
            private_events=events.received,
            private_holes=events.holes,
        )
        return {
            "connections": transport.link.describe(),
            "clock": access.describe(),
            "key": access.describe_key(),
            "orders": {
                "live": len(orders.live),
                "in_flight": len(flights),
                "unsettled": len(searcher.settling),
                "alarm": searcher.alarmed,
            },
            "rate": departures.describe(),
            "reconciled": state.reconciled,
            "prices": prices.describe(),
            "instruments": rules.describe(),
            "journal": {
                "path": str(path),
                "sync": settings.journal.sync,
                "problem": journal.problem,
                "forgotten": housekeeper.forgotten,
            },
            **kills.describe(),
            **leases.describe(),
        }

    program.handle(desk.handlers() | kills.handlers() | leases.handlers())
    program.reload.on_change(configure)
    program.handle({"order.status": Queries(orders, journal).status})
    program.details = details
    loop.add_reader(events.socket, events.read)
    loop.add_reader(prices.socket, prices.read)
    loop.call_every(_TICK_S, tick)
    loop.call_every(_CATCH_UP_S, journal.catch_up)
    loop.call_every(PERIOD_S, housekeeper.turn)
    restart.take_over(orders, actions, searcher)
    access.start()
    kills.start()
    closing = [departures.close, transport.close, look_ups.close, fetches.close, access.close]
    program.run(closing=[*closing, events.close, prices.close, housekeeper.close, journal.close])
