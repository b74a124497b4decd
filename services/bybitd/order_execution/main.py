"""order-execution-<account>: composes journal, ledger, trade socket and REST, and runs."""

from __future__ import annotations

from typing import Final

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
from bybitd.order_execution.queries import Queries
from bybitd.order_execution.rate_budget import SOCKET_PER_S, RateBudget
from bybitd.order_execution.resender import Resender
from bybitd.order_execution.safety.guard import Guard
from bybitd.order_execution.searcher import Searcher
from bybitd.order_execution.status import Status
from bybitd.order_execution.transport import Transport
from bybitd.runtime.account_access import AccountAccess
from bybitd.runtime.exchange import endpoints
from bybitd.runtime.placed_here import journal_path
from bybitd.runtime.program import Program

PREFIX: Final = "order-execution-"
_TICK_S: Final = 0.1
_CATCH_UP_S: Final = 1.0


def main(program: Program) -> None:
    """Trade one account until told to stop."""
    account = program.name.removeprefix(PREFIX)
    loop, settings = program.loop, program.settings
    path = journal_path(program.state_dir, account)
    try:
        journal = Journal(path, account, settings.journal.sync)
    except JournalError as error:
        raise StartError(str(error)) from None
    housekeeper = Housekeeper(journal, loop.call_soon_threadsafe, settings.journal.keep_days)
    announcer = Announcer(program, account, journal)
    orders, actions, flights = announcer.orders, announcer.actions, Flights()
    ids = LinkIds("bd", journal.next_epoch(program.started_ns // 1000))

    access = AccountAccess(settings, account, program.run_dir, loop, program.ip_gate)
    look_ups = RestWorker(loop.call_soon_threadsafe, threads=1)
    fetches = RestWorker(loop.call_soon_threadsafe, threads=1)
    searcher = Searcher(access, look_ups, orders, actions)
    guard = Guard(
        *(program, account, announcer, searcher, look_ups),
        client=lambda: access.client,
        act=lambda call: desk.serve(call),
    )
    rules = InstrumentGate(
        *(loop, fetches, lambda: endpoints(settings, program.run_dir)),
        *(program.ip_gate.of(Purpose.ACCOUNT), access.exchange_ms, orders),
        *(program.state_dir, settings.environment),
    )

    outcomes = Outcomes(orders, actions, flights, searcher, access.doubt_clock)
    departures = Departures(
        loop,
        RateBudget(max(1, SOCKET_PER_S // len(settings.accounts))),
        outcomes,
        by_rest=lambda op: transport.way(op) == "rest",
        exchange_ms=access.exchange_ms,
        banned_until_ms=program.ip_gate.banned_until_ms,
    )
    stops = guard.switch.stops
    transport = Transport(access, loop, departures, lambda: status.show(), stops)
    checks, changed = Checks(rules, guard.gates, guard.pace), announcer.order
    desk = Desk(access, transport, departures, checks, orders, actions, flights, ids, changed)
    resender = Resender(loop, access, transport, departures, orders, actions, flights, ids, stops)
    outcomes.next_round, outcomes.again = desk.next_round, resender.again

    status = Status(
        program=program,
        journal=journal,
        housekeeper=housekeeper,
        access=access,
        orders=orders,
        flights=flights,
        searcher=searcher,
        departures=departures,
        transport=transport,
        rules=rules,
        guard=guard,
    )

    def tick() -> None:
        transport.tick()
        searcher.tick()
        guard.tick()
        status.show()

    program.handle(desk.handlers() | guard.handlers())
    program.handle({"order.status": Queries(orders, journal).status})
    program.reload.on_change(guard.configure)
    program.details = status.details
    loop.call_every(_TICK_S, tick)
    loop.call_every(_CATCH_UP_S, journal.catch_up)
    loop.call_every(PERIOD_S, housekeeper.turn)
    restart.take_over(orders, actions, searcher)
    access.start()
    guard.start()
    closing = [departures.close, transport.close, look_ups.close, fetches.close, access.close]
    program.run(closing=[*closing, guard.close, housekeeper.close, journal.close])
