"""What the exchange's answers, or their absence, mean for orders, actions and those who wait.

A client is answered first and the journal is written after that: the journal said `sent` before the
bytes left, so a death in between leaves an order that is looked up, never a lie.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from bybitbus.messages import ErrorBody
from bybitd.order_execution import actions as acts
from bybitd.order_execution import answers, ledger
from bybitd.order_execution.actions import Action
from bybitd.order_execution.flights import Flight, Flights
from bybitd.order_execution.ledger import Order, State
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.searcher import SHOWS_WITHIN_MS, Searcher
from bybitd.venue.enums import FUTURES
from bybitd.venue.retcodes import Reaction, explain

# Bybit V5, "Cancel All Orders": of futures, at most so many with one call.
CANCELLED_AT_MOST: Final = 500
_UNDECIDED: Final = 10000  # the exchange's own word for an outcome that it does not know
_NOT_VISIBLE_YET_MS: Final = 100  # right after its creation an order may be "not found"
log = logging.getLogger(__name__)


class _Answer(NamedTuple):
    """One answer of the exchange: `retCode`, `retMsg`, its data and `retExtInfo`, when it was read
    (Unix ns), and when the budget has room again (0: not known).
    """

    code: int
    text: str
    data: Mapping[str, Any]
    extra: Mapping[str, Any]
    at_ns: int
    retry_after_ms: int

    @property
    def reason(self) -> str:
        """What is written down of an answer that leaves the outcome open."""
        return f"retCode {self.code} {self.text}"


class Outcomes:
    """Receives answers from the transport; calls `on_clock_refused` when one blames the clock.

    Two things that an answer may ask for are set once there is somebody to do them: `again` sends a
    request once more (see `Resender.again`), `next_round` cancels what one call to cancel all has
    left (see `Desk.next_round`).
    """

    again: Callable[[Flight, Callable[[], None]], bool]
    next_round: Callable[[Flight, list[dict[str, Any]]], bool]

    def __init__(
        self,
        orders: OrderStore,
        actions: ActionStore,
        flights: Flights,
        searcher: Searcher,
        on_clock_refused: Callable[[], None],
    ) -> None:
        self._orders = orders
        self._actions = actions
        self._flights = flights
        self._searcher = searcher
        self._on_clock_refused = on_clock_refused

    def answered(
        self, req_id: str, message: dict[str, Any], rx_ns: int, retry_after_ms: int = 0
    ) -> None:
        """Take an answer, in time or late. `retry_after_ms`: when the budget has room again."""
        flight = self._flights.land(req_id)
        if flight is None:
            return
        said = _Answer(
            code=_code(message.get("retCode")),
            text=str(message.get("retMsg", "")),
            data=_map(message, "data"),
            extra=_map(message, "retExtInfo"),
            at_ns=rx_ns,
            retry_after_ms=retry_after_ms,
        )
        if explain(said.code).reaction is Reaction.CLOCK:
            self._on_clock_refused()
            if self.again(flight, lambda: self._judge(flight, said)):
                return
        self._judge(flight, said)

    def _judge(self, flight: Flight, said: _Answer) -> None:
        for call in flight.calls:
            call.stamp("acknowledged", said.at_ns)
        if not flight.keys:
            self._told(flight, said)
        elif flight.batch:
            self._batch(flight, said)
        elif flight.creates:
            self._created(flight, said)
        else:
            self._acted(flight, said)

    def unanswered(self, req_id: str, reason: str) -> None:
        """Take it that no answer will come in time. What became of it will be found out."""
        flight = self._flights.give_up(req_id)
        if flight is None:
            return
        log.warning("< %s %s: no answer: %s", flight.op, " ".join(flight.keys), reason)
        if not flight.keys:
            self._tell(flight, answers.unread(flight.op, reason))
            return
        given = [self._lost(flight, key, reason) for key in flight.keys]
        if flight.batch and any(not isinstance(answer, ErrorBody) for answer in given):
            self._tell(flight, answers.batch(given, self._names(flight)))
        else:
            self._tell(flight, given[0])

    def not_sent(self, req_id: str, reason: str, retry_after_ms: int = 0) -> None:
        """Take it that certainly nothing of it reached the exchange. `retry_after_ms`: it was held
        back here by the budget of the IP address, which has room then.
        """
        flight = self._flights.land(req_id)
        if flight is None:
            return
        for call in flight.calls:
            call.stamps.pop("sent", None)
        answer = answers.unavailable(flight.op, reason, retry_after_ms)
        self._tell(flight, answer)
        at_ns = time.time_ns()
        for key in flight.keys:
            if flight.creates and (order := self._orders.get(key)):
                self._keep(ledger.not_sent(order, reason, at_ns), answer)
            elif action := self._actions.get(key):
                self._actions.put(acts.not_sent(action, reason, at_ns))

    # One order

    def _created(self, flight: Flight, said: _Answer) -> None:
        order, answer = self._judge_order(flight.op, flight.keys[0], said)
        self._tell(flight, answer)
        if order is not None:
            self._keep(order, answer)

    def _judge_order(
        self, op: str, key: str, said: _Answer
    ) -> tuple[Order | None, dict[str, Any] | ErrorBody]:
        order = self._orders.get(key)
        if order is None:
            return None, answers.no_answer(op, "the journal does not know the order any more")
        code, at_ns = said.code, said.at_ns
        if code == 0:
            order = ledger.acknowledged(order, str(said.data.get("orderId", "")), at_ns)
            return order, answers.created(order)
        if answers.is_undecided(code):
            order = ledger.unanswered(order, said.reason, at_ns)
        else:
            order = ledger.refused(order, code, said.text, answers.basis_of(code), at_ns)
        if order.exists:
            return order, answers.created(order)  # its events know better than the refusal
        return order, _refused(op, said)

    def _keep(self, order: Order, answer: dict[str, Any] | ErrorBody) -> None:
        self._orders.put(ledger.answered(order, answers.kept(answer)))
        if order.state is State.UNKNOWN:
            self._searcher.order(order)
            return
        self._searcher.shown(order)  # a search from its time as unknown asks too much now
        if not order.is_over and not order.exists:
            self._searcher.order(order, SHOWS_WITHIN_MS)

    # One action

    def _acted(self, flight: Flight, said: _Answer) -> None:
        action, answer = self._judge_action(flight.op, flight.keys[0], said)
        if flight.op == "order.cancel-all" and isinstance(answer, dict):
            self._cancelled(flight, answer)
        else:
            self._tell(flight, answer)
        self._keep_action(action, said.code)

    def _cancelled(self, flight: Flight, answer: dict[str, Any]) -> None:
        """Go on until the exchange, which cancels so many futures orders at most, cancels fewer."""
        listed = answer.get("list")
        gone = [*flight.gathered, *(listed if isinstance(listed, list) else [])]
        full = flight.category in FUTURES and len(gone) - len(flight.gathered) >= CANCELLED_AT_MOST
        if not full or not self.next_round(flight, gone):
            self._tell(flight, {**answer, "list": gone, "complete": not full})

    def _told(self, flight: Flight, said: _Answer) -> None:
        """Pass on the answer to a question, which has changed nothing."""
        if said.code == 0:
            self._tell(flight, dict(said.data))
        elif answers.is_undecided(said.code):
            self._tell(flight, answers.unread(flight.op, said.reason))
        else:
            self._tell(flight, _refused(flight.op, said))

    def _judge_action(
        self, op: str, key: str, said: _Answer
    ) -> tuple[Action | None, dict[str, Any] | ErrorBody]:
        action = self._actions.get(key)  # None when a look-up has settled it meanwhile
        code, text, at_ns = said.code, said.text, said.at_ns
        done = explain(code).outcome == "accepted"
        if action is not None:
            if answers.is_undecided(code):
                action = acts.unanswered(action, said.reason, at_ns)
            else:
                action = acts.answered(action, code, text, done=done, now_ns=at_ns)
        if done and code != 0:
            return action, {**said.data, "retCode": code, "retMsg": text}  # it was so already
        if done:
            return action, dict(said.data)
        return action, _refused(op, said)

    def _keep_action(self, action: Action | None, code: int) -> None:
        if action is None:
            return
        self._actions.put(action)
        self._searcher.action(action)
        if explain(code).reaction is Reaction.LOOK_UP:
            order = self._orders.find(action.order_id, action.link_id)
            if order is not None and not order.is_over:
                self._searcher.check(order, _NOT_VISIBLE_YET_MS)

    # Batches: each item by itself

    def _batch(self, flight: Flight, said: _Answer) -> None:
        results = [
            self._judge_item(flight, key, _item(index, said))
            for index, key in enumerate(flight.keys)
        ]
        given = [answer for _, answer, _ in results]
        if said.code != 0 and all(isinstance(answer, ErrorBody) for answer in given):
            self._tell(flight, _refused(flight.op, said, batch=True))
        else:
            self._tell(flight, answers.batch(given, self._names(flight)))
        for thing, answer, item_code in results:
            if isinstance(thing, Order):
                self._keep(thing, answer)
            else:
                self._keep_action(thing, item_code)

    def _judge_item(
        self, flight: Flight, key: str, said: _Answer
    ) -> tuple[Order | Action | None, dict[str, Any] | ErrorBody, int]:
        judge = self._judge_order if flight.creates else self._judge_action
        thing, answer = judge(flight.op.removesuffix("-batch"), key, said)
        if isinstance(answer, dict):
            answer = {**said.data, **answer}
        return thing, answer, said.code

    # What all have in common

    def _lost(self, flight: Flight, key: str, reason: str) -> dict[str, Any] | ErrorBody:
        at_ns = time.time_ns()
        answer: dict[str, Any] | ErrorBody = answers.no_answer(flight.op, reason)
        if flight.creates:
            order = self._orders.get(key)
            if order is not None:
                order = ledger.unanswered(order, reason, at_ns)
                if order.exists:
                    answer = answers.created(order)
                self._keep(order, answer)
        elif action := self._actions.get(key):
            action = acts.unanswered(action, reason, at_ns)
            self._actions.put(action)
            self._searcher.action(action)
        return answer

    def _names(self, flight: Flight) -> list[str]:
        if flight.creates:
            return list(flight.keys)
        actions = [self._actions.get(key) for key in flight.keys]
        return [action.link_id if action else "" for action in actions]

    @staticmethod
    def _tell(flight: Flight, answer: dict[str, Any] | ErrorBody) -> None:
        if flight.gathered and isinstance(answer, ErrorBody):
            answer = answers.cancelled(flight.gathered, complete=False)
        for call in flight.calls:
            if not call.answered:
                answers.give(call, answer)


def _refused(op: str, said: _Answer, *, batch: bool = False) -> ErrorBody:
    after_ms = said.retry_after_ms
    return answers.refused(
        op, said.code, said.text, said.extra, batch=batch, retry_after_ms=after_ms
    )


def _item(index: int, said: _Answer) -> _Answer:
    """Return what the answer to a batch says of one item."""
    # A batch that was not taken says so once, for all of its items.
    if said.code != 0:
        whole = answers.is_undecided(said.code, batch=True)
        return said._replace(code=_UNDECIDED if whole else said.code, data={}, extra={})
    listed, codes = said.data.get("list"), said.extra.get("list")
    row = listed[index] if isinstance(listed, list) and index < len(listed) else {}
    verdict = codes[index] if isinstance(codes, list) and index < len(codes) else {}
    if not isinstance(row, dict) or not isinstance(verdict, dict) or "code" not in verdict:
        text = "the answer to the batch lacks this item"
        return said._replace(code=_UNDECIDED, text=text, data={}, extra={})
    code, text = _code(verdict["code"]), str(verdict.get("msg", ""))
    return said._replace(code=code, text=text, data=row, extra={})


def _code(code: Any) -> int:
    # An answer without a code decides nothing.
    return code if isinstance(code, int) and not isinstance(code, bool) else _UNDECIDED


def _map(message: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = message.get(key)
    return value if isinstance(value, dict) else {}
