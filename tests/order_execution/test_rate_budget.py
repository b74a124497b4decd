from __future__ import annotations

import heapq

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bybitd.order_execution.rate_budget import SPAN_MS, Bucket, RateBudget, Shown, shown, units
from bybitd.simulator.wire.limits import RollingWindow

CREATE = "order.create"


def fits(budget: RateBudget, bucket: Bucket, now_ms: float, *, urgent: bool = False) -> bool:
    return budget.fits(bucket, 1, now_ms, rest=False, urgent=urgent)


@settings(max_examples=200, deadline=None)
@given(
    limit=st.integers(1, 12),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=60),
    data=st.data(),
)
def test_the_exchange_never_sees_more_than_its_limit_however_the_network_stretches_times(
    limit: int, sizes: list[int], data: st.DataObject
) -> None:
    bucket, window = Bucket("b", limit), RollingWindow(limit)
    arrivals: list[tuple[float, int, int, float]] = []
    answers: list[tuple[float, int]] = []
    now = 0.0
    for number, size in enumerate(min(size, limit) for size in sizes):
        while True:
            while arrivals and arrivals[0][0] <= now:
                at, _, amount, back_ms = heapq.heappop(arrivals)
                grant = window.take(amount, int(at))
                assert grant.granted == amount
                heapq.heappush(answers, (at + back_ms, amount))
            while answers and answers[0][0] <= now:
                bucket.answered(heapq.heappop(answers)[1], now)
            if bucket.fits(size, now):
                break
            now += 1
        bucket.take(size)
        there, back = data.draw(st.integers(0, 400)), data.draw(st.integers(0, 400))
        heapq.heappush(arrivals, (now + there, number, size, float(back)))
        now += data.draw(st.integers(0, 50))


def test_the_whole_limit_is_used_in_every_second() -> None:
    bucket, now, sent = Bucket("b", 10), 0.0, 0
    while now < 10_000:
        while bucket.fits(1, now):
            bucket.take(1)
            bucket.answered(1, now + 2)
            sent += 1
        now += 1
    assert sent == 100


def test_what_did_not_leave_is_given_back() -> None:
    bucket = Bucket("b", 1)
    bucket.take(1)
    assert not bucket.fits(1, 0)
    bucket.give_back(1)
    assert bucket.fits(1, 0)


def test_a_batch_above_the_limit_leaves_when_everything_is_free() -> None:
    bucket = Bucket("b", 10)
    bucket.take(1)
    assert not bucket.fits(20, 0)
    bucket.answered(1, 0)
    assert not bucket.fits(20, SPAN_MS - 1)
    assert bucket.fits(20, SPAN_MS)


def test_it_tells_about_when_there_will_be_room() -> None:
    bucket = Bucket("b", 2)
    assert bucket.when(1, 0) == 0
    for at in (0, 100):
        bucket.take(1)
        bucket.answered(1, at)
    assert bucket.when(1, 200) == SPAN_MS
    assert bucket.when(2, 200) == 100 + SPAN_MS
    assert bucket.when(3, 200) == SPAN_MS + SPAN_MS
    bucket.take(1)
    assert bucket.when(3, 200) == pytest.approx(100 + SPAN_MS + SPAN_MS)


def test_the_limit_of_the_headers_counts_and_not_that_of_the_tables() -> None:
    bucket = RateBudget().bucket(CREATE, "linear")
    assert bucket.limit == 10
    bucket.learn(Shown(200, 199, 0), 0)
    assert bucket.limit == 200
    assert bucket.fits(199, 0)


def test_what_somebody_else_uses_of_the_same_account_is_counted() -> None:
    bucket = Bucket("b", 10)
    bucket.take(1)
    bucket.answered(1, 0)
    bucket.learn(Shown(10, 3, 0), 0)  # seven are gone, and only one of them was ours
    assert (bucket.fits(3, 0), bucket.fits(4, 0)) == (True, False)
    bucket.learn(Shown(10, 3, 0), 1)  # the same six once more, not six others
    assert bucket.fits(3, 1)
    assert bucket.fits(10, 1 + SPAN_MS)


def test_headers_that_do_not_know_of_what_is_on_its_way_yet_change_nothing() -> None:
    bucket = Bucket("b", 10)
    bucket.take(5)
    bucket.learn(Shown(10, 9, 0), 0)
    assert (bucket.fits(5, 0), bucket.fits(6, 0)) == (True, False)


def test_linear_and_inverse_share_a_bucket_and_nobody_else_does() -> None:
    budget = RateBudget()
    bucket = budget.bucket(CREATE, "linear")
    assert budget.bucket(CREATE, "inverse") is bucket
    for op, category in (
        (CREATE, "spot"),
        (CREATE, "option"),
        ("order.cancel", "linear"),
        ("order.create-batch", "linear"),
    ):
        assert budget.bucket(op, category) is not bucket
    assert budget.bucket(CREATE, "spot").limit == 20
    assert budget.bucket("order.cancel-all", "option").limit == 1


def test_a_batch_takes_one_unit_for_each_order_but_on_options_one_altogether() -> None:
    batch = {"request": [{}, {}, {}]}
    assert units("order.create-batch", {"category": "spot", **batch}) == 3
    assert units("order.cancel-batch", {"category": "option", **batch}) == 1
    assert units(CREATE, {"category": "linear"}) == 1


def test_10006_stops_its_bucket_until_the_reset_and_longer_each_time_it_comes_again() -> None:
    budget = RateBudget()
    bucket, other = budget.bucket(CREATE, "linear"), budget.bucket("order.cancel", "linear")
    budget.judge(bucket, 10006, 300, 0, rest=False)
    assert (fits(budget, bucket, 299), fits(budget, bucket, 300)) == (False, True)
    assert fits(budget, other, 0)
    waits = []
    for _ in range(12):
        now = bucket.blocked_ms
        budget.judge(bucket, 10006, 0, now, rest=False)
        waits.append(bucket.blocked_ms - now)
    assert waits == sorted(waits)
    assert waits[0] < waits[1]
    assert waits[-1] < 10_000
    budget.judge(bucket, 0, 0, bucket.blocked_ms, rest=False)
    now = bucket.blocked_ms
    budget.judge(bucket, 10006, 50, now, rest=False)
    assert bucket.blocked_ms == now + 50


@pytest.mark.parametrize("code", [10018, 10403, 20003])
def test_a_socket_that_is_too_fast_pauses_everything_on_it_and_leaves_rest_alone(code: int) -> None:
    budget = RateBudget()
    bucket = budget.bucket(CREATE, "linear")
    budget.judge(bucket, code, 0, 0, rest=False)
    assert not fits(budget, budget.bucket("order.cancel", "spot"), 999, urgent=True)
    assert budget.fits(bucket, 1, 0, rest=True, urgent=False)
    assert fits(budget, bucket, 1000)
    budget.judge(bucket, code, 0, 5000, rest=True)  # of REST it says nothing about the socket
    assert fits(budget, bucket, 5000)


@pytest.mark.parametrize("code", [170005, 170222])
def test_the_matching_of_spot_pauses_its_own_bucket(code: int) -> None:
    budget = RateBudget()
    spot = budget.bucket(CREATE, "spot")
    budget.judge(spot, code, 0, 0, rest=False)
    assert (fits(budget, spot, 999), fits(budget, spot, 1000)) == (False, True)
    assert fits(budget, budget.bucket(CREATE, "linear"), 0)


@pytest.mark.parametrize("code", [429, 10429])
def test_an_overloaded_exchange_gets_longer_and_longer_pauses_from_everything(code: int) -> None:
    budget = RateBudget()
    bucket, other = budget.bucket(CREATE, "linear"), budget.bucket("order.cancel", "spot")
    pauses = []
    for number in range(8):
        start = number * 10_000.0
        budget.judge(bucket, code, 0, start, rest=False)
        pauses.append(budget.when(other, 1, start, rest=True) - start)
    assert pauses == [50, 100, 200, 400, 800, 1000, 1000, 1000]
    budget.judge(other, 0, 0, 90_000, rest=False)
    budget.judge(bucket, code, 0, 90_000, rest=False)
    assert (fits(budget, other, 90_049), fits(budget, other, 90_050)) == (False, True)


def test_a_part_of_the_socket_s_limit_is_for_cancels_alone() -> None:
    budget = RateBudget(socket_per_s=100)
    create, cancel = budget.bucket(CREATE, "linear"), budget.bucket("order.cancel", "linear")
    for bucket in (create, cancel):
        bucket.learn(Shown(1000, 1000, 0), 0)
    sent = 0
    while fits(budget, create, 0):
        create.take(1)
        budget.socket.take(1)
        sent += 1
    assert sent == 90
    assert fits(budget, cancel, 0, urgent=True)


def test_the_limit_headers_are_found_in_whatever_case_they_come() -> None:
    header = {
        "x-bapi-LIMIT": "10",
        "X-BAPI-LIMIT-STATUS": "3",
        "x-bapi-limit-reset-timestamp": "1700000000500",
    }
    seen = Shown(10, 3, 500.0)
    assert shown({"header": header}, 1_700_000_000_000) == seen
    usual = {
        "X-Bapi-Limit": "10",
        "X-Bapi-Limit-Status": "3",
        "X-Bapi-Limit-Reset-Timestamp": "1700000000500",
    }
    assert shown({"header": usual}, 1_700_000_000_000) == seen
    assert shown({"header": usual}, 1_700_000_000_900) == Shown(10, 3, 0.0)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"header": None},
        {"header": {}},
        {"header": {"X-Bapi-Limit": "ten", "X-Bapi-Limit-Status": "3"}},
        {"header": {"X-Bapi-Limit": "10"}},
        {"header": {"X-Bapi-Limit": 10, "X-Bapi-Limit-Status": 3}},
    ],
)
def test_headers_that_are_not_there_teach_nothing(message: dict[str, object]) -> None:
    assert shown(message, 0) is None
