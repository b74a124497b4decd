from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bybitbus.sequence import Checked, Sequences, Verdict

BOOK = "linear.orderbook.50.BTCUSDT."


def judged(*messages: tuple[int, int] | tuple[int, int, bool]) -> list[Checked]:
    sequences = Sequences()
    return [sequences.check(BOOK, *message) for message in messages]


def test_numbers_that_follow_each_other_are_next() -> None:
    assert judged((9, 5), (9, 6), (9, 7)) == [
        (Verdict.FIRST, 0),
        (Verdict.NEXT, 0),
        (Verdict.NEXT, 0),
    ]


def test_a_jump_is_a_hole_of_as_many_as_are_missing_and_reading_goes_on_behind_it() -> None:
    assert judged((9, 5), (9, 9), (9, 10))[1:] == [(Verdict.HOLE, 3), (Verdict.NEXT, 0)]


def test_what_is_not_newer_is_a_repeat_and_changes_nothing() -> None:
    assert judged((9, 5), (9, 5), (9, 2), (9, 6))[1:] == [
        (Verdict.REPEAT, 0),
        (Verdict.REPEAT, 0),
        (Verdict.NEXT, 0),
    ]


def test_a_resend_counts_nothing() -> None:
    assert judged((9, 5), (9, 5, True), (9, 6))[1:] == [(Verdict.RESEND, 0), (Verdict.NEXT, 0)]


def test_a_resend_that_is_ahead_tells_what_was_lost_and_reading_goes_on_behind_it() -> None:
    assert judged((9, 5), (9, 8, True), (9, 9))[1:] == [(Verdict.RESEND, 3), (Verdict.NEXT, 0)]


def test_a_resend_that_is_behind_is_a_repeat() -> None:
    assert judged((9, 5), (9, 4, True))[1:] == [(Verdict.REPEAT, 0)]


def test_a_joiner_may_begin_with_a_resend_even_before_the_first_counted_message() -> None:
    assert judged((9, 0, True), (9, 1)) == [(Verdict.RESEND, 0), (Verdict.NEXT, 0)]


def test_another_epoch_starts_anew_whatever_its_number_and_mark() -> None:
    for epoch in (8, 10):
        for resend in (False, True):
            assert judged((9, 5), (epoch, 3, resend), (epoch, 4))[1:] == [
                (Verdict.NEW_EPOCH, 0),
                (Verdict.NEXT, 0),
            ]


def test_topics_are_counted_apart() -> None:
    sequences = Sequences()
    assert sequences.check("a.b.", 9, 5) == (Verdict.FIRST, 0)
    assert sequences.check("a.c.", 9, 50) == (Verdict.FIRST, 0)
    assert sequences.check("a.b.", 9, 6) == (Verdict.NEXT, 0)
    assert sequences.seq("a.b.") == 6
    assert sequences.seq("a.d.") is None


def test_what_was_forgotten_starts_anew_and_what_is_still_asked_for_is_kept() -> None:
    sequences = Sequences()
    for topic in ("a.b.", "a.c.", "d.e."):
        sequences.check(topic, 9, 1)
    sequences.forget("a.", but=["a.c."])
    assert [sequences.seq(topic) for topic in ("a.b.", "a.c.", "d.e.")] == [None, 1, 1]


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_the_holes_add_up_to_exactly_what_was_lost(arrives: list[bool]) -> None:
    sequences = Sequences()
    sequences.check(BOOK, 1, 0, True)
    delivered = [number for number, kept in enumerate(arrives, start=1) if kept]
    missing = sum(sequences.check(BOOK, 1, number).missing for number in delivered)
    last = delivered[-1] if delivered else 0
    assert missing == last - len(delivered)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 12), st.booleans()), min_size=2),
)
def test_next_is_said_only_of_the_number_that_follows_in_the_same_epoch(
    messages: list[tuple[int, int, bool]],
) -> None:
    sequences = Sequences()
    last: tuple[int, int] | None = None
    for epoch, seq, resend in messages:
        verdict, missing = sequences.check(BOOK, epoch, seq, resend)
        if verdict is Verdict.NEXT:
            assert last == (epoch, seq - 1)
            assert not resend
        assert (missing > 0) == (
            verdict is Verdict.HOLE
            or (verdict is Verdict.RESEND and last is not None and seq > last[1])
        )
        if verdict is not Verdict.REPEAT:
            last = (epoch, seq)
        assert sequences.seq(BOOK) == (last[1] if last else None)
