"""Sending once more what was refused for its timestamp alone.

The exchange looks at the timestamp before anything else, so such a request certainly did nothing
(Bybit V5, "Error Codes", 10002). It goes out again under the same orderLinkId once the clock has
been measured anew, stamped anew in the journal before its bytes leave. Nothing else is ever sent
twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from bybitd.net.clock import now_ms
from bybitd.order_execution import actions as acts
from bybitd.order_execution import ledger
from bybitd.order_execution.actions import ActionState
from bybitd.order_execution.departures import Departures
from bybitd.order_execution.flights import Flight, Flights
from bybitd.order_execution.ledger import State
from bybitd.order_execution.link_ids import LinkIds
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.transport import Transport
from bybitd.runtime.account_access import AccountAccess
from bybitd.runtime.loop import Loop

_CLOCK_POLL_S: Final = 0.02


class Resender:
    """Waits for the clock, and sends again, unless the account was stopped meanwhile: `stopped(op)`
    tells whether an operation may not leave any more.
    """

    def __init__(
        self,
        loop: Loop,
        access: AccountAccess,
        transport: Transport,
        departures: Departures,
        orders: OrderStore,
        actions: ActionStore,
        flights: Flights,
        ids: LinkIds,
        stopped: Callable[[str], bool],
    ) -> None:
        self._stopped = stopped
        self._loop = loop
        self._access = access
        self._transport = transport
        self._departures = departures
        self._orders = orders
        self._actions = actions
        self._flights = flights
        self._ids = ids

    def again(self, flight: Flight, give_up: Callable[[], None]) -> bool:
        """Send a request once more, or call `give_up` if that can not be.

        Returns False, having done nothing, for what was sent twice already.
        """
        if flight.again:
            return False
        flight.again = True
        req_id = self._ids.next()
        self._flights.add(req_id, flight)  # whoever asks for it again meanwhile waits for it too

        def measured() -> None:
            if now_ms() >= flight.due_ms or not self._may_go_again(flight):
                self._flights.land(req_id)
                give_up()
            elif self._access.clock.known and self._departures.open(
                flight.op, flight.category, flight.units
            ):
                if not self._send_again(req_id, flight):
                    self._flights.land(req_id)
                    give_up()
            else:
                self._loop.call_later(_CLOCK_POLL_S, measured)

        measured()
        return True

    def _may_go_again(self, flight: Flight) -> bool:
        """Tell whether nothing has been concluded of it meanwhile, and the account may trade."""
        if self._stopped(flight.op):
            return False
        if not flight.creates:
            actions = [self._actions.get(key) for key in flight.keys]
            return all(act is not None and act.state is ActionState.SENT for act in actions)
        orders = [self._orders.get(key) for key in flight.keys]
        return all(order is not None and order.state is State.SENT for order in orders)

    def _send_again(self, req_id: str, flight: Flight) -> bool:
        """Send it, unless its new stamp can not be journaled before."""
        at_ns, timestamp_ms = time.time_ns(), self._access.exchange_ms()
        valid_until_ms = self._transport.valid_until_ms(timestamp_ms)
        way = self._transport.way(flight.op)
        journaled = True
        for key in flight.keys:
            if flight.creates and (order := self._orders.get(key)) is not None:
                order = ledger.sent_again(
                    order,
                    timestamp_ms=timestamp_ms,
                    recv_window_ms=valid_until_ms - timestamp_ms,
                    now_ns=at_ns,
                    req_id=req_id,
                    transport=way,
                )
                journaled &= self._orders.put(order)
            elif (action := self._actions.get(key)) is not None:
                action = acts.sent(
                    action,
                    timestamp_ms=timestamp_ms,
                    valid_until_ms=valid_until_ms,
                    now_ns=at_ns,
                    req_id=req_id,
                    transport=way,
                )
                journaled &= self._actions.put(action)
        if not journaled:
            return False
        for call in flight.calls:
            call.stamp("sent", at_ns)
        self._departures.left(req_id, flight.op, flight.category, flight.units)
        self._transport.send(flight.op, req_id, flight.text, timestamp_ms, flight.due_ms)
        return True
