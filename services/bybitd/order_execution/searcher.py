"""Settles what is unknown: asks the exchange when `settling` says so, and concludes.

An order's search ends when the exchange has shown it, an action's when the order it aims at tells
what became of it. What can not be asked stays as it is: unknown.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import msgspec

from bybitd.net.errors import RestError
from bybitd.net.rest import RestWorker
from bybitd.order_execution import actions as acts
from bybitd.order_execution import answers, ledger
from bybitd.order_execution.actions import Action
from bybitd.order_execution.ledger import Order, State
from bybitd.order_execution.look_up import (
    PositionQuestion,
    Question,
    look_up,
    look_up_positions,
)
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.settling import HISTORY_FORGETS_MS, Settling
from bybitd.runtime.account_access import AccountAccess

# An order that was acknowledged shows on the stream at once; if not, somebody must ask.
SHOWS_WITHIN_MS: Final = 3000
# The history lags. What existed must be absent for this long before it counts as over.
HISTORY_LAG_MS: Final = 60_000
_AT_ONCE: Final = 4  # of the exchange's 50 look-ups a second, by the pace of the answers
log = logging.getLogger(__name__)


class Searcher:
    """Looks for orders and for what became of actions."""

    def __init__(
        self, access: AccountAccess, worker: RestWorker, orders: OrderStore, actions: ActionStore
    ) -> None:
        self.settling = Settling()
        self.alarmed = False
        self._access = access
        self._worker = worker
        self._orders = orders
        self._actions = actions
        self._asking = 0

    def order(self, order: Order, delay_ms: int = 0) -> None:
        """Look for an order, from `delay_ms` from now on."""
        now_ms = self._access.exchange_ms()
        valid_until_ms = order.valid_until_ms
        if order.state is not State.UNKNOWN:
            valid_until_ms = now_ms + HISTORY_LAG_MS
        self.settling.begin(_order_key(order.link_id), valid_until_ms, now_ms, delay_ms)

    def check(self, order: Order, delay_ms: int = 0) -> None:
        """Ask what an order is by now: something that was said of it may have been missed.

        Whatever else is heard of it meanwhile may be older than what was missed, so only the
        answer ends this.
        """
        now_ms = self._access.exchange_ms()
        self.settling.begin(_check_key(order.link_id), now_ms + HISTORY_LAG_MS, now_ms, delay_ms)

    def check_all(self, why: str) -> None:
        """Ask what every order is by now that may live."""
        log.info("< %s: %d orders are looked up", why, len(self._orders.live))
        for order in list(self._orders.live.values()):
            self.check(order)

    def shown(self, order: Order) -> None:
        """Stop looking for an order that the exchange has shown."""
        self.settling.end(_order_key(order.link_id))

    def action(self, action: Action) -> None:
        """Look for what became of an action."""
        if not action.settled:
            now_ms = self._access.exchange_ms()
            self.settling.begin(_action_key(action.id), action.valid_until_ms, now_ms)

    def tick(self) -> None:
        """Ask what is due. To be called every 100 ms or so."""
        if self._access.client is None or not len(self.settling):
            return
        now_ms = self._access.exchange_ms()
        for key in self.settling.due(now_ms, _AT_ONCE - self._asking):
            question = self._question(key)
            if question is None:
                self.settling.end(key)
            else:
                self._ask(key, question, now_ms)
        overdue = self.settling.overdue(now_ms)
        if bool(overdue) != self.alarmed:
            self.alarmed = bool(overdue)
            if overdue:
                log.error("= %d orders or actions are still looked for", overdue)

    def _question(self, key: str) -> Question | PositionQuestion | None:
        kind, _, name = key.partition(":")
        if kind != "action":
            order = self._orders.get(name)
            return _about(order) if order is not None and not order.is_over else None
        action = self._actions.get(name)
        if action is None or action.settled:
            return None
        if action.is_of_position:
            return PositionQuestion(category=action.category, symbol=action.symbol)
        return Question(
            category=action.category,
            symbol=action.symbol,
            order_id=action.order_id,
            link_id=action.link_id,
            args=msgspec.json.decode(action.args),
        )

    def _ask(self, key: str, question: Question | PositionQuestion, asked_ms: int) -> None:
        client = self._access.client
        assert client is not None

        def ask() -> Any:
            if isinstance(question, PositionQuestion):
                return look_up_positions(client, question)
            return look_up(client, question)

        def done(record: Any, error: RestError | None) -> None:
            self._asking -= 1
            if error is not None:
                log.warning("< look-up of %s: %s", key, error)
                self.settling.undecided(key, self._access.exchange_ms())
            elif isinstance(question, PositionQuestion):
                self._found_positions(key, record, asked_ms)
            elif record is not None:
                self._found(key, record, asked_ms)
            elif self.settling.absent(key, asked_ms, self._access.exchange_ms()):
                self._absent(key, asked_ms)

        self._asking += 1
        if not self._worker.submit(ask, done):
            self._asking -= 1
            self.settling.undecided(key, asked_ms)

    def _found(self, key: str, record: dict[str, Any], asked_ms: int) -> None:
        expired = self.settling.expired(key, asked_ms)
        self.observe(record)
        kind, _, name = key.partition(":")
        if kind != "action":
            self.settling.end(key)
            return
        action = self._actions.get(name)
        if action is None:
            self.settling.end(key)
            return
        overtaken = self._overtaken(action, record)
        self._conclude(
            key,
            acts.judge(action, record, time.time_ns(), expired=expired, overtaken=overtaken),
        )

    def _found_positions(self, key: str, rows: list[dict[str, Any]], asked_ms: int) -> None:
        expired = self.settling.expired(key, asked_ms)
        action = self._actions.get(key.partition(":")[2])
        if action is None:
            self.settling.end(key)
            return
        overtaken = self._actions.setting_overtaken(action)
        self._conclude(
            key,
            acts.judge_position(action, rows, time.time_ns(), expired=expired, overtaken=overtaken),
        )

    def _conclude(self, key: str, judged: Action) -> None:
        self._actions.put(judged)
        if judged.settled:
            about = judged.link_id or judged.order_id or judged.symbol
            log.info("= %s %s: %s", judged.op, about, judged.outcome)
            self.settling.end(key)
        else:
            self.settling.undecided(key, self._access.exchange_ms())

    def _overtaken(self, action: Action, record: dict[str, Any]) -> bool:
        link_id = action.link_id or str(record.get("orderLinkId", ""))
        order_id = action.order_id or str(record.get("orderId", ""))
        return self._actions.overtaken(action, link_id, order_id)

    def observe(self, record: dict[str, Any]) -> Order | None:
        """Weigh a record of the exchange. Returns the order it is about, None if not from here."""
        order = self._orders.of_record(record)
        if order is None:
            return None
        self._keep(order, ledger.observe(order, record, time.time_ns()))
        current = self._orders.get(order.link_id)
        if current is not None and current.exists:
            self.shown(current)
        return current

    def _absent(self, key: str, asked_ms: int) -> None:
        kind, _, name = key.partition(":")
        at_ns = time.time_ns()
        if kind == "action":
            self.settling.end(key)
            action = self._actions.get(name)
            if action is not None:
                hidden = asked_ms - action.timestamp_ms > HISTORY_FORGETS_MS
                self._actions.put(acts.nothing_found(action, at_ns, hidden=hidden))
            return
        order = self._orders.get(name)
        if order is not None and order.state is State.SENT:
            self.settling.undecided(key, self._access.exchange_ms())
            return  # its answer is still waited for
        self.settling.end(key)
        if order is None or order.is_over:
            return
        hidden = asked_ms - order.timestamp_ms > HISTORY_FORGETS_MS
        self._keep(order, ledger.absent(order, at_ns, asked_ms=asked_ms, hidden=hidden))

    def _keep(self, before: Order, after: Order) -> None:
        if after is before:
            return
        if before.state is State.UNKNOWN:
            # The same request again gets the settled answer from now on.
            after = ledger.answered(after, answers.kept(answers.of_order(after)))
            log.info("= order %s is settled: %s", after.link_id, after.state)
        elif before.is_over and after.state is not before.state:
            log.error(
                "= order %s was %s (%s) here and the exchange shows it %s",
                *(after.link_id, before.state, before.basis, after.status),
            )
        self._orders.put(after)


def _about(order: Order) -> Question:
    return Question(
        category=order.category,
        symbol=order.symbol,
        order_id=order.order_id,
        link_id=order.link_id,
        args=msgspec.json.decode(order.args),
        timestamp_ms=order.timestamp_ms,
    )


def _order_key(link_id: str) -> str:
    return f"order:{link_id}"


def _check_key(link_id: str) -> str:
    return f"check:{link_id}"


def _action_key(action_id: str) -> str:
    return f"action:{action_id}"
