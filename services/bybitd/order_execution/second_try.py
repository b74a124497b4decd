"""Sending once more, newly stamped, what the exchange refused for its timestamp alone.

It looks at the timestamp before anything else, so nothing came of the first try. That is the only
case in which anything is sent twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from bybitd.net.clock import now_ms
from bybitd.order_execution import actions as acts
from bybitd.order_execution import ledger
from bybitd.order_execution.departures import Departures
from bybitd.order_execution.flights import Flight, Flights
from bybitd.order_execution.ledger import State
from bybitd.order_execution.link_ids import LinkIds
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.transport import Transport
from bybitd.runtime.account_access import AccountAccess
from bybitd.runtime.loop import Loop

_CLOCK_POLL_S: Final = 0.02


class SecondTry:
    """Waits until the clock has been measured again, and sends."""

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
    ) -> None:
        self._loop = loop
        self._access = access
        self._transport = transport
        self._departures = departures
        self._orders = orders
        self._actions = actions
        self._flights = flights
        self._ids = ids

    def begin(self, flight: Flight, give_up: Callable[[], None]) -> bool:
        """Send a request once more. Calls `give_up` if there is no time left to, or its new stamp
        can not be journaled.

        Returns False, having done nothing, for what was sent twice already, or given up: what is
        looked for must not come to exist later than the journal has it.
        """
        if flight.again or not self._waits(flight):
            return False
        flight.again = True
        req_id = self._ids.next()
        self._flights.add(req_id, flight)  # whoever asks for it again meanwhile waits for it too

        def measured() -> None:
            if now_ms() < flight.due_ms and not self._may_leave(flight):
                self._loop.call_later(_CLOCK_POLL_S, measured)
            elif now_ms() >= flight.due_ms or not self._send(req_id, flight):
                self._flights.land(req_id)
                give_up()

        measured()
        return True

    def _waits(self, flight: Flight) -> bool:
        store = self._orders if flight.creates else self._actions
        things = [store.get(key) for key in flight.keys]
        return all(thing is not None and thing.state == State.SENT for thing in things)

    def _may_leave(self, flight: Flight) -> bool:
        return self._access.clock.known and self._departures.open(
            flight.op, flight.category, flight.units
        )

    def _send(self, req_id: str, flight: Flight) -> bool:
        at_ns, timestamp_ms = time.time_ns(), self._access.exchange_ms()
        valid_until_ms = self._transport.valid_until_ms(timestamp_ms)
        way = self._transport.way(flight.op)
        journaled = True
        for key in flight.keys:
            order = self._orders.get(key) if flight.creates else None
            action = None if flight.creates else self._actions.get(key)
            if order is not None and order.state is State.SENT:
                order = ledger.sent_again(
                    order,
                    timestamp_ms=timestamp_ms,
                    recv_window_ms=valid_until_ms - timestamp_ms,
                    now_ns=at_ns,
                    req_id=req_id,
                    transport=way,
                )
                journaled &= self._orders.put(order)
            elif action is not None:
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
