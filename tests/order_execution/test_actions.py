from __future__ import annotations

import pytest

from bybitbus.codes import Outcome
from bybitd.order_execution import actions
from bybitd.order_execution.actions import Action, ActionState
from bybitd.order_execution.errors import IllegalTransition
from tests.order_execution.records import record

NOW = 7


def action(op: str = "order.cancel", args: str = "{}") -> Action:
    return Action(
        id="x-1",
        op=op,
        client="grid",
        category="linear",
        symbol="BTCUSDT",
        order_id="",
        link_id="a-1",
        args=args,
        received_ns=1,
    )


def unknown(op: str = "order.cancel", args: str = "{}") -> Action:
    return actions.unanswered(action(op, args), "timeout", NOW)


def judge(asked: Action, row: dict[str, object], expired: bool = False) -> Action:
    return actions.judge(asked, row, NOW, expired=expired, overtaken=False)


def test_an_answered_action_is_settled() -> None:
    done = actions.answered(action(), 0, "OK", done=True, now_ns=NOW)
    assert (done.outcome, done.settled) == (Outcome.ACCEPTED, True)
    refused = actions.answered(action(), 110001, "too late", done=False, now_ns=NOW)
    assert (refused.outcome, refused.reason) == (Outcome.REJECTED, "too late")


def test_a_late_answer_settles_an_unknown_action_and_a_second_one_changes_nothing() -> None:
    done = actions.answered(unknown(), 0, "OK", done=True, now_ns=NOW)
    assert done.state is ActionState.DONE
    assert actions.answered(done, 110001, "too late", done=False, now_ns=NOW) is done


def test_an_action_that_was_answered_can_not_be_taken_back() -> None:
    done = actions.answered(action(), 0, "OK", done=True, now_ns=NOW)
    with pytest.raises(IllegalTransition):
        actions.not_sent(done, "no connection", NOW)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Cancelled", ActionState.DONE),
        ("PartiallyFilledCanceled", ActionState.DONE),
        ("Deactivated", ActionState.DONE),
        ("Filled", ActionState.REJECTED),
        ("New", ActionState.UNKNOWN),
    ],
)
def test_the_order_tells_what_became_of_a_cancel(status: str, state: ActionState) -> None:
    assert judge(unknown(), record(status)).state is state


def test_a_cancel_is_rejected_when_the_order_rests_after_it_could_have_been_accepted() -> None:
    assert judge(unknown(), record("New"), expired=True).state is ActionState.REJECTED


def test_an_amend_was_done_when_the_order_shows_every_new_value() -> None:
    amend = unknown("order.amend", '{"qty":"2.0","price":"99.50"}')
    assert judge(amend, record("New", qty="2", price="99.5")).state is ActionState.DONE
    assert judge(amend, record("New", qty="1", price="99.5")) is amend
    late = judge(amend, record("New", qty="1", price="99.5"), expired=True)
    assert late.state is ActionState.REJECTED


def test_no_stop_loss_is_the_same_in_each_of_its_spellings() -> None:
    amend = unknown("order.amend", '{"stopLoss":"0"}')
    assert judge(amend, record("New", stopLoss="")).state is ActionState.DONE


def test_an_amend_that_a_later_one_overtook_stays_unknown_for_good() -> None:
    amend = unknown("order.amend", '{"price":"99"}')
    left = actions.judge(amend, record("New", price="98"), NOW, expired=True, overtaken=True)
    assert (left.state, left.settled) == (ActionState.UNKNOWN, True)
    assert judge(left, record("New", price="99")) is left


def test_what_no_single_order_can_tell_is_not_looked_for() -> None:
    lost = actions.unanswered(
        Action(
            id="x-2",
            op="order.cancel-all",
            client="",
            category="linear",
            symbol="",
            order_id="",
            link_id="",
            args="{}",
            received_ns=1,
        ),
        "timeout",
        NOW,
    )
    assert (lost.outcome, lost.settled) == (Outcome.UNKNOWN, True)
