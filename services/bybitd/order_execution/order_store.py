"""The orders of this account that were made here: in memory while they live, in the journal for
ever. A change goes to the journal first, then to those who listen.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from bybitd.order_execution.actions import Action, ActionState
from bybitd.order_execution.errors import NotJournaled
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.ledger import Order

_CANCELS: Final = ("order.cancel", "order.cancel-all")
_RECENT: Final = 5000  # orders that are over, kept for the messages that still come
_SHOWS_WITHIN_NS: Final = 5_000_000_000  # what was acknowledged shows on the stream by then


class OrderStore:
    """Finds orders by either id, and keeps what becomes of them.

    `changed` is told of each change after it is in the journal.
    """

    def __init__(self, journal: Journal, changed: Callable[[Order], None]) -> None:
        self._journal = journal
        self._changed = changed
        self._live: dict[str, Order] = {}
        self._recent: OrderedDict[str, Order] = OrderedDict()
        self._by_id: dict[str, str] = {}

    def load(self) -> list[Order]:
        """Take every order that was not over when the last run ended, and return them."""
        orders = self._journal.unfinished_orders()
        for order in orders:
            self._remember(order)
        return orders

    @property
    def live(self) -> Mapping[str, Order]:
        """Return the orders that are not over, by orderLinkId."""
        return self._live

    def add(self, orders: Sequence[Order]) -> None:
        """Journal new orders, all or none.

        Raises:
            LinkIdUsed: one has an orderLinkId that the journal holds already.
            NotJournaled: the journal takes nothing now.
        """
        self._journal.insert(orders)
        for order in orders:
            self._remember(order)

    def put(self, order: Order) -> bool:
        """Keep a change of an order, if it is one, and tell of it, if it is news. False if it
        could not be journaled yet.
        """
        before = self.get(order.link_id)
        if order is before:
            return True
        written = self._journal.update([order])
        self._remember(order)
        if before is None or before.news != order.news:
            self._changed(order)
        return written

    def get(self, link_id: str) -> Order | None:
        """Return the order of an orderLinkId."""
        found = self._live.get(link_id) or self._recent.get(link_id)
        return found or (self._journal.order(link_id) if link_id else None)

    def find(self, order_id: str, link_id: str) -> Order | None:
        """Return the order that either id names; the exchange's wins, as it does there."""
        if order_id:
            known = self._by_id.get(order_id)
            found = self.get(known) if known else self._journal.order_by_id(order_id)
            if found is not None:
                return found
        return self.get(link_id)

    def find_live(self, order_id: str, link_id: str) -> Order | None:
        """Return the order that either id names, if it is not over; asks the journal nothing."""
        return self._live.get(self._by_id.get(order_id, "")) or self._live.get(link_id)

    def of_record(self, record: Mapping[str, Any]) -> Order | None:
        """Return the order that a record of the exchange is about, None if it is not from here."""
        return self.find(str(record.get("orderId", "")), str(record.get("orderLinkId", "")))

    def _remember(self, order: Order) -> None:
        if order.order_id:
            self._by_id[order.order_id] = order.link_id
        if not order.is_over:
            self._recent.pop(order.link_id, None)
            self._live[order.link_id] = order
            return
        self._live.pop(order.link_id, None)
        self._recent[order.link_id] = order
        if len(self._recent) > _RECENT:
            _, oldest = self._recent.popitem(last=False)
            self._by_id.pop(oldest.order_id, None)


class ActionStore:
    """The actions of which more may be found out; all of them are in the journal."""

    def __init__(self, journal: Journal, changed: Callable[[Action], None]) -> None:
        self._journal = journal
        self._changed = changed
        self._open: dict[str, Action] = {}
        self._done_amends: deque[Action] = deque()

    def load(self) -> list[Action]:
        """Take every action that was not settled when the last run ended, and return them."""
        actions = self._journal.unfinished_actions()
        self._open = {action.id: action for action in actions}
        return actions

    def add(self, actions: Sequence[Action]) -> None:
        """Journal new actions, all or none. A cancel does not wait for a journal that is full.

        Raises:
            NotJournaled: the journal takes nothing now, and it is more than a cancel.
        """
        try:
            self._journal.insert(actions=actions)
        except NotJournaled:
            if not all(action.op in _CANCELS for action in actions):
                raise
            self._journal.keep(actions=actions)
        for action in actions:
            self._open[action.id] = action

    def put(self, action: Action) -> bool:
        """Keep a change of an action, if it is one, and tell of it. False if it could not be
        journaled yet.
        """
        if action is self._open.get(action.id):
            return True
        written = self._journal.update(actions=[action])
        self._open[action.id] = action
        if action.settled:
            del self._open[action.id]
            if action.op == "order.amend" and action.state is ActionState.DONE:
                self._done_amends.append(action)
        self._changed(action)
        return written

    def get(self, action_id: str) -> Action | None:
        """Return an action of which more may be found out."""
        return self._open.get(action_id)

    def amends(self, now_ns: int) -> Iterator[Action]:
        """Yield the amends that the record of their order may not show yet: those of which it is
        not known whether they were done, and for a while those that were (`now_ns` is Unix time).
        """
        done = self._done_amends
        while done and not 0 <= now_ns - done[0].changed_ns < _SHOWS_WITHIN_NS:
            done.popleft()
        yield from done
        yield from (action for action in self._open.values() if action.op == "order.amend")

    def overtaken(self, action: Action, link_id: str, order_id: str) -> bool:
        """Tell whether another change of the same thing may have gone out after it: of the order
        with these ids.
        """
        return any(
            (link_id and other.link_id == link_id) or (order_id and other.order_id == order_id)
            for other in self._journal.changes_since(action)
        )

    def setting_overtaken(self, action: Action) -> bool:
        """Tell whether the same setting of the symbol was changed again, or may have been."""
        return self._journal.has_later_setting(action)
