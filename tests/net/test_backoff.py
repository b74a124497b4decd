from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bybitd.net.backoff import CAP_S, STABLE_S, Backoff, ConnectBudget, staggered


def highest(_low: float, high: float) -> float:
    return high


def lowest(low: float, _high: float) -> float:
    return low


def test_delays_double_up_to_the_cap_and_never_stop() -> None:
    backoff = Backoff(highest)
    delays = [backoff.next_delay_s() for _ in range(2000)]
    assert delays[:4] == [0.25, 0.5, 1.0, 2.0]
    assert delays[-1] == CAP_S == max(delays)


def test_the_jitter_takes_at_most_half_of_the_delay() -> None:
    high, low = Backoff(highest), Backoff(lowest)
    assert all(low.next_delay_s() * 2 == high.next_delay_s() for _ in range(20))


def test_a_stable_connection_starts_the_delays_anew_and_a_short_one_does_not() -> None:
    backoff = Backoff(highest)
    for _ in range(5):
        backoff.next_delay_s()
    backoff.ended(0.1)
    assert backoff.next_delay_s() > 1
    backoff.ended(STABLE_S)
    assert backoff.next_delay_s() == 0.25


def test_what_a_connection_lived_counts_as_waited_already() -> None:
    backoff = Backoff(highest)
    for _ in range(7):
        backoff.next_delay_s()
    backoff.ended(CAP_S - 2)
    assert backoff.next_delay_s() == 2
    assert backoff.next_delay_s() == CAP_S  # the connection after that did not even open
    backoff.ended(CAP_S + 1)
    assert backoff.next_delay_s() == 0.25


def test_a_quick_return_is_for_once_and_does_not_make_up_for_failures() -> None:
    backoff = Backoff(highest)
    for _ in range(5):
        backoff.next_delay_s()
    backoff.ended(1.0, quick=True)
    assert backoff.next_delay_s() == 0.25
    backoff.ended(1.0)
    assert backoff.next_delay_s() == 15.0


def test_connections_that_stand_in_for_each_other_never_draw_the_same_delay() -> None:
    first = [Backoff(staggered(each, 0, 2)).next_delay_s() for each in (lowest, highest)]
    second = [Backoff(staggered(each, 1, 2)).next_delay_s() for each in (lowest, highest)]
    assert first == [0.125, 0.1875]
    assert second == [0.1875, 0.25]


def test_a_budget_is_ample_until_most_of_it_is_spent_and_again_after_the_window() -> None:
    budget = ConnectBudget(limit=10, window_s=100)
    for attempt in range(8):
        assert budget.is_ample(float(attempt))
        budget.spend(float(attempt))
    assert not budget.is_ample(8.0)
    assert budget.is_ample(101.0)


@given(st.lists(st.integers(0, 50), max_size=200))
def test_no_window_ever_holds_more_attempts_than_the_budget(gaps: list[int]) -> None:
    budget, now_s, attempts = ConnectBudget(limit=5, window_s=10), 0.0, []
    for gap in gaps:
        now_s += gap
        now_s += budget.wait_s(now_s)
        budget.spend(now_s)
        attempts.append(now_s)
    for at in attempts:
        assert sum(at - 10 < other <= at for other in attempts) <= 5
