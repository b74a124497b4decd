"""The ledger against a model of the exchange that does what it may, whenever it may.

`make ledger` runs it for longer; a failure prints the steps that lead to it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bybitbus.codes import Outcome
from bybitbus.messages import ErrorBody
from bybitd.order_execution.actions import Action, ActionState
from bybitd.order_execution.ledger import Basis, Order, State
from bybitd.order_execution.settling import ABSENCES, SLACK_MS
from tests.order_execution.model import Call, Exchange, Gateway, Real
from tests.order_execution.records import WINDOW_MS

EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "60"))
STEPS = int(os.environ.get("LEDGER_STEPS", "60"))
RANK = [State.SENT, State.UNKNOWN, State.ACKNOWLEDGED, State.OPEN, State.PART_FILLED]
index = st.integers(0, 9)


class LedgerMachine(RuleBasedStateMachine):
    """Rules are what may happen next; the invariants are what may never be said."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="bd", dir="/tmp"))
        self.told: dict[str, Order] = {}
        self.calls: dict[str, Call] = {}
        self.acts: dict[str, Action] = {}
        self.created = 0
        self.acted = 0
        self.missed = False

    @initialize(lag_ms=st.sampled_from([0, 400, SLACK_MS - 1]), closed=st.booleans())
    def begin(self, lag_ms: int, closed: bool) -> None:
        self.exchange = Exchange(lag_ms=lag_ms, closed_in_realtime=closed)
        self.gateway = self.start()

    def start(self) -> Gateway:
        return Gateway(self.folder / "main.journal.db", self.exchange, self.hear)

    # What is said, whenever it is said

    def hear(self, thing: Order | Action) -> None:
        if isinstance(thing, Action):
            self.acts[thing.id] = thing
            return
        before = self.told.get(thing.link_id)
        if before is not None:
            assert Decimal(thing.cum_exec_qty) >= Decimal(before.cum_exec_qty), (before, thing)
            assert not before.is_over or thing.is_over, f"revived: {before} {thing}"
            if not before.is_over and not thing.is_over:
                assert RANK.index(thing.state) >= RANK.index(before.state), (before, thing)
            assert not before.order_id or thing.order_id == before.order_id
        self.told[thing.link_id] = thing

    @invariant()
    def nothing_false_is_said(self) -> None:
        if not hasattr(self, "gateway"):
            return
        for link_id, order in self.told.items():
            real = self.exchange.orders.get(link_id)
            if order.state is State.REJECTED:
                assert real is None or real.status == "Rejected", f"it lives: {order} {real}"
            elif order.is_over:
                assert real is None or real.over, f"it is open: {order} {real}"
            if real is not None:
                assert Decimal(order.cum_exec_qty) <= real.filled
        for link_id, call in self.calls.items():
            real = self.exchange.orders.get(link_id)
            if isinstance(call.answer, ErrorBody) and call.answer.outcome is Outcome.REJECTED:
                assert real is None, f"refused, and it lives: {call.answer} {real}"
            elif isinstance(call.answer, dict):
                assert real is not None, f"accepted, and there is none: {call.answer}"
                assert call.answer["orderId"] == real.order_id

    # What clients do

    @rule(leaves=st.sampled_from([True, True, True, False]))
    def create(self, leaves: bool) -> None:
        self.created += 1
        link_id = f"a-{self.created}"
        self.calls[link_id] = self.gateway.create(link_id, leaves=leaves)

    @rule(ms=st.sampled_from([0, WINDOW_MS + SLACK_MS]), ends=st.booleans())
    def create_and_hear_nothing(self, ms: int, ends: bool) -> None:
        wire, told = list(self.exchange.wire), list(self.exchange.events)
        self.exchange.wire.clear()
        self.create(leaves=True)
        self.exchange.take(0, answer=False)
        self.exchange.now_ms += ms
        if ends:
            self.exchange.change(self.exchange.orders[f"a-{self.created}"], "Cancelled")
        self.exchange.wire, self.exchange.events = wire, told
        self.missed = True

    @precondition(lambda self: self.created)
    @rule(
        which=index,
        op=st.sampled_from(["order.cancel", "order.amend", "order.amend"]),
        by_id=st.booleans(),
        price=st.sampled_from(["100", "101", "102"]),
    )
    def act(self, which: int, op: str, by_id: bool, price: str) -> None:
        link_id = f"a-{1 + which % self.created}"
        order = self.gateway.orders.get(link_id)
        assert order is not None
        named = {"orderLinkId": link_id}
        if by_id and order.order_id:
            named = {"orderId": order.order_id}
        self.acted += 1
        self.gateway.act(op, self.acted, named, price)

    # What the exchange and the wire do

    @precondition(lambda self: self.exchange.wire)
    @rule(
        which=index,
        code=st.sampled_from([0, 0, 0, 0, 110007, 10016]),
        then=st.sampled_from(["New", "New", "New", "Filled", "Cancelled", "Rejected"]),
        answer=st.booleans(),
    )
    def arrives(self, which: int, code: int, then: str, answer: bool) -> None:
        self.exchange.take(which, code, then, answer=answer)

    @precondition(lambda self: self.exchange.wire)
    @rule(which=index)
    def is_lost_on_the_way(self, which: int) -> None:
        self.exchange.wire.pop(which % len(self.exchange.wire))

    def open_orders(self) -> list[Real]:
        return [real for real in self.exchange.orders.values() if not real.over]

    @precondition(lambda self: self.open_orders())
    @rule(which=index, status=st.sampled_from(["PartiallyFilled", "Filled", "Cancelled"]))
    def matching(self, which: int, status: str) -> None:
        real = self.open_orders()[which % len(self.open_orders())]
        filled = real.filled + (1 - real.filled) / 2 if status == "PartiallyFilled" else real.filled
        self.exchange.change(real, status, str(filled))

    # What comes back

    @precondition(lambda self: self.exchange.replies)
    @rule(which=index, lost=st.booleans())
    def answer(self, which: int, lost: bool) -> None:
        reply = self.exchange.replies.pop(which % len(self.exchange.replies))
        if not lost:
            self.gateway.hear(*reply)

    @precondition(lambda self: self.gateway.waited_for)
    @rule(which=index)
    def time_out(self, which: int) -> None:
        self.gateway.give_up(which)

    @precondition(lambda self: self.exchange.events)
    @rule(which=index, fate=st.sampled_from(["once", "once", "again", "lost"]))
    def event(self, which: int, fate: str) -> None:
        at = which % len(self.exchange.events)
        record = self.exchange.events[at]
        if fate != "again":
            del self.exchange.events[at]
        if fate == "lost":
            self.missed = True
        else:
            self.gateway.searcher.observe(record)

    @precondition(lambda self: self.missed)
    @rule()
    def hole_is_noticed(self) -> None:
        self.missed = False
        self.gateway.look_up_all()

    # Time, looking up, and the death of the gateway

    @rule(ms=st.sampled_from([1, 100, 500, 1000, WINDOW_MS, WINDOW_MS + SLACK_MS, 70_000]))
    def time_passes(self, ms: int) -> None:
        self.exchange.now_ms += ms
        self.gateway.searcher.tick()

    @rule()
    def tick(self) -> None:
        self.gateway.searcher.tick()

    @precondition(lambda self: len(self.gateway.searcher.settling))
    @rule()
    def next_look_up(self) -> None:
        due_ms = self.gateway.searcher.settling.next_due_ms()
        self.exchange.now_ms = max(self.exchange.now_ms, due_ms or 0)
        self.gateway.searcher.tick()
        self.ask_and_answer()

    def ask_and_answer(self) -> None:
        worker = self.gateway.worker
        while worker.waiting or worker.asked:
            if worker.waiting:
                worker.ask()
            if worker.asked:
                worker.answer()

    @precondition(lambda self: self.gateway.worker.waiting)
    @rule(fails=st.sampled_from([False, False, False, True]))
    def look_up_is_asked(self, fails: bool) -> None:
        self.gateway.worker.ask(fails=fails)

    @precondition(lambda self: self.gateway.worker.asked)
    @rule(which=index)
    def look_up_is_answered(self, which: int) -> None:
        self.gateway.worker.answer(which)

    @rule(down_ms=st.sampled_from([0, 0, 0, 3000, 90_000_000]))
    def restart(self, down_ms: int) -> None:
        self.gateway.close()
        self.exchange.now_ms += down_ms
        self.gateway = self.start()
        self.calls = {key: call for key, call in self.calls.items() if call.answered}

    # And then the world goes quiet

    def teardown(self) -> None:
        try:
            if hasattr(self, "gateway"):
                self.quieten()
                self.everything_is_settled()
                self.gateway.close()
        finally:
            shutil.rmtree(self.folder)

    def quieten(self) -> None:
        gateway, exchange = self.gateway, self.exchange
        exchange.wire.clear()
        for reply in exchange.replies:
            gateway.hear(*reply)
        exchange.replies.clear()
        while gateway.waited_for:
            gateway.give_up(0)
        for record in exchange.events:
            gateway.searcher.observe(record)
        exchange.events.clear()
        if self.missed:
            gateway.look_up_all()
        for _ in range(2000):
            self.ask_and_answer()
            if not len(gateway.searcher.settling):
                break
            exchange.now_ms += 500
            gateway.searcher.tick()
            self.nothing_false_is_said()

    def everything_is_settled(self) -> None:
        gateway, exchange = self.gateway, self.exchange
        assert len(gateway.searcher.settling) == 0, gateway.searcher.settling
        for link_id in [f"a-{number}" for number in range(1, self.created + 1)]:
            order, real = gateway.orders.get(link_id), exchange.orders.get(link_id)
            assert order is not None
            if real is None:
                gone = order.basis is Basis.GONE  # asked too late for the exchange to know
                assert order.state is State.REJECTED or gone, order
                continue
            if order.basis is not Basis.GONE:
                # A flat conclusion is all there is when the exchange has forgotten how it ended.
                assert order.order_id == real.order_id
                assert order.status == real.status, (order, real)
                assert order.price == real.price, (order, real)
            assert Decimal(order.cum_exec_qty) == real.filled, (order, real)
            assert order.is_over == real.over
            assert order == gateway.journal.order(link_id)
        for action in self.acts.values():
            assert action.settled, action
            if action.state is ActionState.REJECTED:
                assert action.id not in exchange.acted, action
            elif action.state is ActionState.DONE and action.op == "order.amend":
                assert action.id in exchange.acted or self.shows(action), action

    def shows(self, action: Action) -> bool:
        # An amend to what is there already may be called done: the order is as it was wanted.
        real = self.exchange.orders.get(action.link_id) or next(
            (r for r in self.exchange.orders.values() if r.order_id == action.order_id), None
        )
        return real is not None


@pytest.mark.timeout(0 if EXAMPLES > 100 else 60)
def test_the_ledger_never_says_what_is_not_so_and_settles_everything() -> None:
    assert ABSENCES == 2
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=EXAMPLES <= 100,
            suppress_health_check=list(HealthCheck),
        ),
    )
