"""Tells the bus what becomes of orders: `gateway.order.<account>.` (`ipc/PROTOCOL.md`, "Life of an
order").
"""

from __future__ import annotations

from bybitbus import topics
from bybitd.order_execution import answers
from bybitd.order_execution.actions import Action
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.ledger import Order
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.runtime.late_joiners import LateJoiners
from bybitd.runtime.program import Program


class Announcer:
    """Publishes each change, and the living orders to those who join later.

    It owns the two stores, since it is their changes that it tells of.
    """

    def __init__(self, program: Program, account: str, journal: Journal) -> None:
        self.topic = topics.join("gateway", f"order.{account}")
        self.orders = OrderStore(journal, self.order)
        self.actions = ActionStore(journal, self.action)
        self._publisher = program.publisher
        self._joiners = LateJoiners(program.loop, self._resend)
        program.on_subscription(self._joined)

    def order(self, order: Order) -> None:
        """Publish what an order is now."""
        self._publisher.publish(self.topic, answers.report(order))

    def action(self, action: Action) -> None:
        """Publish what is known of an action now."""
        order = self.orders.find(action.order_id, action.link_id)
        self._publisher.publish(self.topic, answers.report_action(action, order))

    def _joined(self, topic: topics.Topic, _written: str) -> None:
        if str(topic) == self.topic:
            self._joiners.joined(self.topic)

    def _resend(self, _topic: str) -> None:
        for order in list(self.orders.live.values()):
            self._publisher.resend(self.topic, answers.report(order))
