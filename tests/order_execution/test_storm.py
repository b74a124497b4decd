from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.order_execution.gateway import ORDERS, PRIVATE, running
from tests.order_execution.storm import Result, storm

CLIENTS = 20


@pytest.fixture(scope="module")
def result() -> Iterator[Result]:
    with running(PRIVATE, ORDERS, limits=True) as gateway:
        yield storm(gateway, CLIENTS, seconds=8.0)


def test_nothing_exceeds_the_limit_at_the_exchange_and_little_of_it_is_wasted(
    result: Result,
) -> None:
    assert result.over_limit == 0
    # Over less than the whole: after the end nothing is asked any more, only answered.
    assert sum(result.placed) >= 0.5 * 10 * result.seconds


def test_every_request_gets_an_answer_by_its_deadline(result: Result) -> None:
    assert result.unanswered == 0
    assert result.latest_ms < 1000  # a loaded machine may be late by itself


def test_no_client_starves(result: Result) -> None:
    assert min(result.placed) > 0
    assert result.jain > 0.8


def test_cancels_overtake_the_creates_that_wait(result: Result) -> None:
    creates, cancels = sorted(result.create_ms), sorted(result.cancel_ms)
    assert creates[len(creates) // 2] > 1000  # they do wait
    assert cancels[len(cancels) // 2] < creates[len(creates) // 2] / 4


def test_what_can_not_leave_in_time_is_told_so_and_nothing_else_goes_wrong(result: Result) -> None:
    assert set(result.outcomes) <= {
        "order.create ok",
        "order.create rate_limited",
        "order.create deadline_passed",
        "order.cancel ok",
        "order.cancel rate_limited",
        "order.cancel deadline_passed",
    }
    assert result.outcomes["order.create rate_limited"] > 0
