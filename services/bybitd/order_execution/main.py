"""order-execution-<account>: composes journal, ledger, trade socket and REST, and runs."""

from __future__ import annotations

import logging
from typing import Any, Final

from bybitbus import topics
from bybitd.errors import StartError
from bybitd.net.rest import RestWorker
from bybitd.order_execution import answers, restart
from bybitd.order_execution.actions import Action
from bybitd.order_execution.desk import Desk
from bybitd.order_execution.errors import JournalError
from bybitd.order_execution.flights import Flights
from bybitd.order_execution.journal import CHECKPOINT_PERIOD_S, Housekeeper, Journal
from bybitd.order_execution.ledger import Order
from bybitd.order_execution.link_ids import LinkIds
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.outcomes import Outcomes
from bybitd.order_execution.private_events import PrivateEvents
from bybitd.order_execution.queries import Queries
from bybitd.order_execution.searcher import Searcher
from bybitd.order_execution.transport import Transport
from bybitd.runtime.account_access import AccountAccess
from bybitd.runtime.late_joiners import LateJoiners
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

    topic = topics.join("gateway", f"order.{account}")

    def order_changed(order: Order) -> None:
        program.publisher.publish(topic, answers.report(order))

    def action_changed(action: Action) -> None:
        order = orders.find(action.order_id, action.link_id)
        program.publisher.publish(topic, answers.report_action(action, order))

    def resend(_topic: str) -> None:
        for order in list(orders.live.values()):
            program.publisher.resend(topic, answers.report(order))

    access = AccountAccess(settings, account, program.run_dir, loop)
    look_ups = RestWorker(loop.call_soon_threadsafe, threads=1)
    orders = OrderStore(journal, order_changed)
    actions = ActionStore(journal, action_changed)
    searcher = Searcher(access, look_ups, orders, actions)
    flights = Flights()
    outcomes = Outcomes(orders, actions, flights, searcher, access.doubt_clock)

    def state_changed() -> None:
        if transport.link.ready:
            program.set_state("ready")
        elif not transport.rest_ready:
            program.set_state("starting", "no connection to the exchange yet")
        elif access.has_trade_socket:
            program.set_state("degraded", "the trade socket is down: orders go over REST")
        else:
            program.set_state("ready")

    transport = Transport(access, loop, outcomes, state_changed)
    ids = LinkIds("bd", journal.next_epoch(program.started_ns // 1000))
    desk = Desk(access, transport, orders, actions, flights, ids, order_changed)
    queries = Queries(orders, journal)

    def look_up_all(why: str) -> None:
        log.warning("< %s: %d orders are looked up", why, len(orders.live))
        for order in list(orders.live.values()):
            if flights.carrying(order.link_id) is None:
                searcher.order(order)

    external = 0

    def observed(record: dict[str, Any]) -> None:
        nonlocal external
        if searcher.observe(record) is None:
            external += 1

    events = PrivateEvents(program.context, program.run_dir, account, observed, look_up_all)

    def tick() -> None:
        transport.tick()
        searcher.tick()
        state_changed()

    def details() -> dict[str, Any]:
        return {
            "connections": [transport.link.connection.describe()],
            "clock": access.describe(),
            "orders": {
                "live": len(orders.live),
                "in_flight": len(flights),
                "unsettled": len(searcher.settling),
                "alarm": searcher.alarmed,
            },
            "journal": {"path": str(path), "sync": settings.journal.sync},
        }

    def count() -> None:
        program.counters.update(
            journal_writes=journal.writes,
            over_rest=transport.over_rest,
            bad_frames=transport.link.bad_frames,
            external_events=external,
            private_events=events.received,
            private_holes=events.holes,
        )

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
            "order.status": queries.status,
        }
    )
    joiners = LateJoiners(loop, resend)
    program.on_subscription(
        lambda joined, _: joiners.joined(topic) if str(joined) == topic else None
    )
    program.details = details
    housekeeper = Housekeeper(journal, loop.call_soon_threadsafe)
    loop.add_reader(events.socket, events.read)
    loop.call_every(_TICK_S, tick)
    loop.call_every(1.0, count)
    loop.call_every(CHECKPOINT_PERIOD_S, housekeeper.turn)
    restart.take_over(orders, actions, searcher)
    access.start()
    program.run(
        closing=[
            transport.close,
            look_ups.close,
            access.close,
            events.close,
            housekeeper.close,
            journal.close,
        ]
    )
