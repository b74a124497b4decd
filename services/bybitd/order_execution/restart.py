"""What a new run makes of what the last one left in the journal. Nothing is ever sent again.

`received`: the mark `sent` is written before the bytes leave, so certainly nothing left.
`sent`: the bytes may have left; it is unknown and looked for.
Whatever rested is looked up too: it may have ended meanwhile.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from bybitd.order_execution import actions as acts
from bybitd.order_execution import answers, ledger
from bybitd.order_execution.ledger import State
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.searcher import Searcher

WHY: Final = "the gateway was restarted before the answer came"
log = logging.getLogger(__name__)


def take_over(orders: OrderStore, actions: ActionStore, searcher: Searcher) -> None:
    """Bring every order and action of the last run into a state that tells no lie, and settle."""
    at_ns = time.time_ns()
    found = orders.load()
    for order in found:
        if order.state is State.RECEIVED:
            order = ledger.not_sent(order, "the gateway was restarted before it was sent", at_ns)
        elif order.state is State.SENT:
            order = ledger.unanswered(order, WHY, at_ns)
        if not order.answer and order.state is not State.ACKNOWLEDGED:
            order = ledger.answered(order, answers.kept(answers.of_order(order)))
        orders.put(order)
        if order.exists and not order.is_over:
            searcher.check(order)
        elif not order.is_over:
            searcher.order(order)
    left = actions.load()
    for action in left:
        lost = acts.unanswered(action, WHY, at_ns)
        actions.put(lost)
        searcher.action(lost)
    if found or left:
        log.info("= taken over from the last run: %d orders, %d actions", len(found), len(left))
