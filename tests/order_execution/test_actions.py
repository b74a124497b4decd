from __future__ import annotations

import msgspec
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


def setting(op: str, args: str, symbol: str = "BTCUSDT") -> Action:
    asked = msgspec.structs.replace(action(op, args), link_id="", symbol=symbol)
    return actions.unanswered(asked, "timeout", NOW)


def by_position(
    asked: Action, *rows: dict[str, object], expired: bool = False, overtaken: bool = False
) -> Action:
    return actions.judge_position(asked, rows, NOW, expired=expired, overtaken=overtaken)


SETTINGS = [
    (
        "position.set-leverage",
        '{"buyLeverage":"5","sellLeverage":"5"}',
        {"positionIdx": 0, "leverage": "5.0"},
        {"positionIdx": 0, "leverage": "4"},
    ),
    (
        "position.set-leverage",
        '{"buyLeverage":"5","sellLeverage":"7"}',
        {"positionIdx": 2, "leverage": "7"},
        {"positionIdx": 2, "leverage": "5"},
    ),
    ("position.switch-mode", '{"mode":3}', {"positionIdx": 1}, {"positionIdx": 0}),
    ("position.switch-mode", '{"mode":0}', {"positionIdx": 0}, {"positionIdx": 1}),
    (
        "position.set-auto-add-margin",
        '{"autoAddMargin":1}',
        {"autoAddMargin": 1},
        {"autoAddMargin": 0},
    ),
    (
        "position.trading-stop",
        '{"tpslMode":"Full","positionIdx":0,"takeProfit":"70000","stopLoss":"0"}',
        {"positionIdx": 0, "takeProfit": "70000.00", "stopLoss": ""},
        {"positionIdx": 0, "takeProfit": "70000.00", "stopLoss": "60000"},
    ),
]


@pytest.mark.parametrize(("op", "args", "shows", "lacks"), SETTINGS)
def test_the_positions_tell_what_became_of_a_setting(
    op: str, args: str, shows: dict[str, object], lacks: dict[str, object]
) -> None:
    asked = setting(op, args)
    assert not asked.settled
    assert by_position(asked, shows).state is ActionState.DONE
    assert by_position(asked, lacks) is asked
    assert by_position(asked, shows, lacks) is asked
    gone = by_position(asked, lacks, expired=True)
    assert (gone.state, gone.settled) == (ActionState.REJECTED, True)
    hidden = by_position(asked, lacks, expired=True, overtaken=True)
    assert (hidden.state, hidden.settled) == (ActionState.UNKNOWN, True)
    nothing = by_position(asked, expired=True)
    assert (nothing.state, nothing.settled) == (ActionState.UNKNOWN, True)


def test_a_setting_of_one_side_is_not_judged_by_the_other() -> None:
    asked = setting("position.set-auto-add-margin", '{"autoAddMargin":1,"positionIdx":1}')
    assert by_position(asked, {"positionIdx": 2, "autoAddMargin": 1}) is asked
    shown = by_position(
        asked, {"positionIdx": 1, "autoAddMargin": 1}, {"positionIdx": 2, "autoAddMargin": 0}
    )
    assert shown.state is ActionState.DONE


@pytest.mark.parametrize(
    ("op", "args", "symbol"),
    [
        ("position.trading-stop", '{"tpslMode":"Partial","takeProfit":"70000"}', "BTCUSDT"),
        ("position.switch-mode", '{"coin":"USDT","mode":3}', ""),
    ],
)
def test_a_setting_that_no_position_shows_stays_unknown_for_good(
    op: str, args: str, symbol: str
) -> None:
    asked = setting(op, args, symbol)
    assert (asked.outcome, asked.settled) == (Outcome.UNKNOWN, True)


def test_an_action_is_stamped_anew_only_while_it_waits_for_its_answer() -> None:
    again = actions.sent(action(), timestamp_ms=5, valid_until_ms=9, now_ns=NOW)
    assert (again.timestamp_ms, again.valid_until_ms, again.sent_ns) == (5, 9, NOW)
    with pytest.raises(IllegalTransition):
        actions.sent(unknown(), timestamp_ms=5, valid_until_ms=9, now_ns=NOW)


def test_of_a_cancel_of_long_ago_nothing_is_concluded_from_an_order_that_is_gone() -> None:
    lost = unknown()
    judged = actions.nothing_found(lost, NOW, hidden=True)
    assert (judged.state, judged.settled) == (ActionState.UNKNOWN, True)
    assert judged.outcome is Outcome.UNKNOWN
    assert actions.nothing_found(lost, NOW).state is ActionState.REJECTED
