"""What a new run makes of the last one's journal, for each step at which that may have died."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bybitd.order_execution import actions as acts
from bybitd.order_execution import answers, ledger, restart
from bybitd.order_execution.actions import Action, ActionState
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.ledger import Basis, Order, State
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.searcher import Searcher
from tests.order_execution.records import T_MS, received, record, sent
from tests.order_execution.test_journal import cancel

NOW = T_MS * 1_000_000


class NextRun:
    """A run that finds this in the journal."""

    def __init__(self, journal: Journal) -> None:
        self.told: list[Order | Action] = []
        self.orders = OrderStore(journal, self.told.append)
        self.actions = ActionStore(journal, self.told.append)
        access: Any = SimpleNamespace(exchange_ms=lambda: T_MS, client=None)
        self.searcher = Searcher(access, cast("Any", None), self.orders, self.actions)
        restart.take_over(self.orders, self.actions, self.searcher)

    def found(self) -> Order:
        order = self.orders.get("a-1")
        assert order is not None
        return order


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "main.journal.db", "main", "process") as opened:
        yield opened


def test_an_order_that_was_only_received_was_certainly_not_sent(journal: Journal) -> None:
    journal.insert([received()])
    run = NextRun(journal)
    assert (run.found().state, run.found().basis) == (State.REJECTED, Basis.NOT_SENT)
    assert len(run.searcher.settling) == 0
    assert [order.state for order in run.told if isinstance(order, Order)] == [State.REJECTED]


def test_an_order_that_may_have_been_sent_is_unknown_and_looked_for(journal: Journal) -> None:
    journal.insert([sent()])
    run = NextRun(journal)
    assert run.found().state is State.UNKNOWN
    assert "order:a-1" in run.searcher.settling
    assert journal.order("a-1") == run.found()


@pytest.mark.parametrize("status", ["New", "PartiallyFilled"])
def test_an_order_that_rested_is_looked_up(journal: Journal, status: str) -> None:
    order = ledger.observe(sent(), record(status, "0.1"), NOW)
    journal.insert([order])
    run = NextRun(journal)
    assert run.found().state is order.state
    assert "check:a-1" in run.searcher.settling
    assert answers.recall(run.found().answer) == {"orderId": "ex-1", "orderLinkId": "a-1"}


def test_an_order_that_is_over_is_left_alone(journal: Journal) -> None:
    order = ledger.observe(sent(), record("Filled", "1"), NOW)
    journal.insert([order])
    run = NextRun(journal)
    assert (run.told, len(run.searcher.settling)) == ([], 0)
    assert run.orders.find("ex-1", "") == order


def test_an_action_without_an_answer_is_unknown_and_looked_into(journal: Journal) -> None:
    journal.insert(actions=[cancel(1)])
    run = NextRun(journal)
    action = run.actions.get("x-1")
    assert action is not None
    assert action.state is ActionState.UNKNOWN
    assert "action:x-1" in run.searcher.settling


def test_the_settled_answer_is_given_from_then_on(journal: Journal) -> None:
    journal.insert([sent()])
    run = NextRun(journal)
    run.searcher.observe(record("New"))
    assert run.found().state is State.OPEN
    assert answers.recall(run.found().answer) == {"orderId": "ex-1", "orderLinkId": "a-1"}
    assert len(run.searcher.settling) == 0


def amend(name: str, sent_ns: int, **named: str) -> Action:
    return Action(
        id=name,
        op="order.amend",
        client="",
        category="linear",
        symbol="BTCUSDT",
        order_id=named.get("order_id", ""),
        link_id=named.get("link_id", ""),
        args='{"price":"1"}',
        received_ns=1,
        sent_ns=sent_ns,
    )


def test_a_later_amend_overtakes_an_earlier_one_whichever_id_it_names_and_over_restarts(
    journal: Journal,
) -> None:
    first, second = amend("x-1", 1, link_id="a-1"), amend("x-2", 2, order_id="ex-1")
    run = NextRun(journal)
    run.actions.add([first])
    assert not run.actions.overtaken(first, "a-1", "ex-1")
    run.actions.add([second])
    for _ in range(2):
        assert run.actions.overtaken(first, "a-1", "ex-1")
        assert not run.actions.overtaken(second, "a-1", "ex-1")
        run = NextRun(journal)


def test_an_amend_that_was_refused_overtakes_nothing(journal: Journal) -> None:
    run = NextRun(journal)
    first, second = amend("x-1", 1, link_id="a-1"), amend("x-2", 2, link_id="a-1")
    run.actions.add([first, second])
    run.actions.put(acts.answered(second, 110001, "no", done=False, now_ns=NOW))
    assert not run.actions.overtaken(first, "a-1", "ex-1")
