from __future__ import annotations

import pytest

from bybitbus.codes import Code, Outcome
from bybitbus.messages import ErrorBody
from bybitd.order_execution import answers, ledger
from bybitd.order_execution.ledger import Basis
from bybitd.venue.retcodes import CODES, Reaction
from tests.order_execution.records import received, record, sent

NOW = 5


@pytest.mark.parametrize("code", sorted(code for code in CODES if code != 0))
def test_no_code_that_leaves_a_doubt_is_told_as_rejected(code: int) -> None:
    error = answers.refused("order.create", code, "text")
    doubtful = CODES[code].reaction is Reaction.UNKNOWN
    assert (error.outcome is Outcome.UNKNOWN) == doubtful
    assert not (doubtful and error.retry_safe)
    assert error.exchange == {"retCode": code, "retMsg": "text", "retExtInfo": {}}


def test_a_code_that_nobody_knows_leaves_a_doubt() -> None:
    assert answers.refused("order.create", 987654, "new").outcome is Outcome.UNKNOWN


def test_an_answer_comes_back_from_the_journal_as_it_was_given() -> None:
    for answer in (
        answers.created(sent()),
        answers.refused("order.create", 110007, "no money", {"a": 1}),
        answers.no_answer("order.create", "cut"),
    ):
        assert answers.recall(answers.kept(answer)) == answer


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (ledger.unanswered(sent(), "cut", NOW), Code.NO_ANSWER),
        (ledger.refused(sent(), 110007, "no", Basis.REFUSED, NOW), Code.EXCHANGE_REFUSED),
        (ledger.refused(sent(), 110072, "no", Basis.DUPLICATE, NOW), Code.ID_REUSED),
        (ledger.not_sent(received(), "restarted", NOW), Code.UNAVAILABLE),
        (ledger.absent(ledger.unanswered(sent(), "cut", NOW), NOW), Code.UNAVAILABLE),
    ],
)
def test_the_answer_to_a_request_follows_from_its_order(order: ledger.Order, code: Code) -> None:
    answer = answers.of_order(order)
    assert isinstance(answer, ErrorBody)
    assert answer.code is code
    assert answer.outcome is order.outcome


@pytest.mark.parametrize("status", ["New", "Filled", "Cancelled", "Rejected"])
def test_an_order_that_the_exchange_took_was_accepted_whatever_became_of_it(status: str) -> None:
    order = ledger.observe(sent(), record(status), NOW)
    assert answers.of_order(order) == {"orderId": "ex-1", "orderLinkId": "a-1"}


def test_a_report_leaves_out_what_is_not_known() -> None:
    report = answers.report(sent())
    assert report["state"] == "sent"
    assert report["outcome"] == "unknown"
    assert "orderId" not in report
    assert "retCode" not in report
