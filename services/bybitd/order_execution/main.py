"""order-execution-<account>: composes journal, ledger, trade socket and REST, and runs."""

from __future__ import annotations

import logging
from typing import Any, Final

from bybitd.errors import StartError
from bybitd.net.rest import RestWorker
from bybitd.order_execution import restart
from bybitd.order_execution.announcer import Announcer
from bybitd.order_execution.desk import Desk
from bybitd.order_execution.errors import JournalError
from bybitd.order_execution.flights import Flights
from bybitd.order_execution.journal import CHECKPOINT_PERIOD_S, Housekeeper, Journal
from bybitd.order_execution.link_ids import LinkIds
from bybitd.order_execution.outcomes import Outcomes
from bybitd.order_execution.private_events import PrivateEvents
from bybitd.order_execution.queries import Queries
from bybitd.order_execution.searcher import Searcher
from bybitd.order_execution.transport import Transport
from bybitd.runtime.account_access import AccountAccess
from bybitd.runtime.program import Program

PREFIX: Final = "order-execution-"
_TICK_S: Final = 0.1
log = logging.getLogger(__name__)


def main(program: Program) -> None:
    """Trade one account until told to stop."""
    account = program.name.removeprefix(PREFIX)
    loop, settings = program.loop, program.settings
    path = program.state_dir / f"{account}.journal.db"
    try:
        journal = Journal(path, account, settings.journal.sync)
    except JournalError as error:
        raise StartError(str(error)) from None

    announcer = Announcer(program, account, journal)
    orders, actions = announcer.orders, announcer.actions
    access = AccountAccess(settings, account, program.run_dir, loop, program.ip_gate)
    look_ups = RestWorker(loop.call_soon_threadsafe, threads=1)
    searcher = Searcher(access, look_ups, orders, actions)
    flights = Flights()
    outcomes = Outcomes(orders, actions, flights, searcher, access.doubt_clock)

    def show_state() -> None:
        if transport.link.ready:
            program.set_state("ready")
        elif not transport.rest_ready:
            program.set_state("starting", "no connection to the exchange yet")
        elif access.has_trade_socket:
            program.set_state("degraded", "the trade socket is down: orders go over REST")
        else:
            program.set_state("ready")

    transport = Transport(access, loop, outcomes, show_state)
    ids = LinkIds("bd", journal.next_epoch(program.started_ns // 1000))
    desk = Desk(access, transport, orders, actions, flights, ids, announcer.order)

    def look_up_all(why: str) -> None:
        log.info("< %s: %d orders are looked up", why, len(orders.live))
        for order in list(orders.live.values()):
            if flights.carrying(order.link_id) is None:
                searcher.order(order)

    events = PrivateEvents(program.context, program.run_dir, account, searcher.observe, look_up_all)
    housekeeper = Housekeeper(journal, loop.call_soon_threadsafe)

    def tick() -> None:
        transport.tick()
        searcher.tick()
        show_state()

    def details() -> dict[str, Any]:
        program.counters.update(
            journal_writes=journal.writes,
            over_rest=transport.over_rest,
            bad_frames=transport.link.bad_frames,
            private_events=events.received,
            private_holes=events.holes,
        )
        return {
            "connections": transport.link.describe(),
            "clock": access.describe(),
            "orders": {
                "live": len(orders.live),
                "in_flight": len(flights),
                "unsettled": len(searcher.settling),
                "alarm": searcher.alarmed,
            },
            "journal": {"path": str(path), "sync": settings.journal.sync},
        }

    program.handle(
        {
            "order.create": desk.create,
            "order.create-batch": desk.create_batch,
            "order.amend": desk.act,
            "order.cancel": desk.act,
            "order.cancel-all": desk.act,
            "order.amend-batch": desk.act_batch,
            "order.cancel-batch": desk.act_batch,
            "order.validate": desk.validate,
            "order.status": Queries(orders, journal).status,
        }
    )
    program.details = details
    loop.add_reader(events.socket, events.read)
    loop.call_every(_TICK_S, tick)
    loop.call_every(CHECKPOINT_PERIOD_S, housekeeper.turn)
    restart.take_over(orders, actions, searcher)
    access.start()
    closing = [transport.close, look_ups.close, access.close, events.close]
    program.run(closing=[*closing, housekeeper.close, journal.close])
