from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bybitd.order_execution.settling import ABSENCES, DELAYS_MS, SLACK_MS, Settling

VALID_UNTIL = 10_000
PROOF = VALID_UNTIL + SLACK_MS


def searching(now_ms: int = 0) -> Settling:
    settling = Settling()
    settling.begin("a", VALID_UNTIL, now_ms)
    return settling


def test_what_is_asked_about_is_not_asked_again_until_the_answer_is_there() -> None:
    settling = searching()
    assert settling.due(0, most=5) == ["a"]
    assert settling.due(99_999, most=5) == []
    settling.undecided("a", 0)
    assert settling.due(DELAYS_MS[0] - 1, most=5) == []
    assert settling.due(DELAYS_MS[0], most=5) == ["a"]


def test_absence_before_the_request_expired_proves_nothing_however_often() -> None:
    settling = searching()
    for now in range(0, PROOF, 500):
        settling.due(now, most=1)
        assert not settling.absent("a", PROOF - 1, now)


def test_absence_counts_by_when_it_was_asked_and_not_by_when_the_answer_came() -> None:
    settling = searching()
    for _ in range(ABSENCES + 1):
        settling.due(PROOF + 60_000, most=1)
        assert not settling.absent("a", asked_ms=PROOF - 1, now_ms=PROOF + 5000)


def test_absence_twice_in_a_row_after_the_request_expired_is_the_proof() -> None:
    settling = searching()
    verdicts = [settling.absent("a", PROOF + number, PROOF + number) for number in range(ABSENCES)]
    assert verdicts == [False] * (ABSENCES - 1) + [True]


def test_the_delays_grow_up_to_a_limit() -> None:
    settling = Settling()
    settling.begin("a", -SLACK_MS, 0)
    now, waits = 0, []
    for _ in range(12):
        settling.due(now, most=1)
        settling.undecided("a", now)
        due = settling.next_due_ms()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == sorted(waits)
    assert waits[-1] == DELAYS_MS[-1]


@given(st.integers(0, PROOF), st.integers(0, 20))
def test_a_question_falls_on_the_moment_from_which_absence_counts(began: int, asked: int) -> None:
    settling = searching(began)
    now, times = began, []
    for _ in range(asked + len(DELAYS_MS) + 4):
        settling.due(now, most=1)
        settling.undecided("a", now)
        now = settling.next_due_ms() or 0
        times.append(now)
    assert PROOF in times or began >= PROOF


def test_only_so_many_are_asked_about_at_once() -> None:
    settling = Settling()
    for number in range(9):
        settling.begin(str(number), VALID_UNTIL, 0)
    assert len(settling.due(0, most=4)) == 4
    assert len(settling.due(0, most=9)) == 5


def test_what_was_found_is_not_looked_for_any_more() -> None:
    settling = searching()
    settling.due(0, most=1)
    settling.end("a")
    settling.undecided("a", 5)
    assert (len(settling), settling.next_due_ms()) == (0, None)


def test_a_search_that_takes_long_is_counted() -> None:
    settling = searching()
    assert (settling.overdue(29_999), settling.overdue(30_000)) == (0, 1)
