from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.net.ip_budget import BAN_NS, LIMIT, SIZE, WINDOW_NS, IpBudget, Purpose

SECOND = 1_000_000_000
BOOT, NOW, UNIX = 7, 100 * SECOND, 1_700_000_000 * SECOND


def budget(limit: int = 10, memory: bytearray | None = None) -> IpBudget:
    made = IpBudget(memory if memory is not None else bytearray(SIZE), limit)
    made.adopt(BOOT, NOW, UNIX)
    return made


def test_a_call_over_the_limit_waits_until_the_oldest_leaves_the_window() -> None:
    it = budget(3)
    assert [it.take(Purpose.ESSENTIAL, NOW + n * SECOND) for n in range(3)] == [0, 0, 0]
    assert it.take(Purpose.ESSENTIAL, NOW + 3 * SECOND) == 2 * SECOND
    assert it.take(Purpose.ESSENTIAL, NOW + WINDOW_NS) == 0
    assert it.take(Purpose.ESSENTIAL, NOW + WINDOW_NS) == SECOND


def test_a_call_that_has_to_wait_is_not_counted() -> None:
    it = budget(2)
    for _ in range(20):
        it.take(Purpose.ESSENTIAL, NOW)
    assert it.used(NOW) == 2
    assert it.used(NOW + WINDOW_NS) == 0


def test_public_data_can_not_use_up_what_orders_need() -> None:
    it = budget(10)
    assert [it.take(Purpose.MARKET, NOW) for _ in range(9)].count(0) == 5
    assert [it.take(Purpose.ACCOUNT, NOW) for _ in range(9)].count(0) == 3
    assert [it.take(Purpose.ESSENTIAL, NOW) for _ in range(9)].count(0) == 2


@given(
    limit=st.integers(1, LIMIT),
    steps=st.lists(
        st.tuples(st.sampled_from(Purpose), st.integers(0, SECOND), st.integers(1, 40)), max_size=60
    ),
)
def test_no_five_seconds_ever_hold_more_than_the_limit(
    limit: int, steps: list[tuple[Purpose, int, int]]
) -> None:
    it, now, left = budget(limit), NOW, []
    for purpose, pause, calls in steps:
        now += pause
        left += [now for _ in range(calls) if it.take(purpose, now) == 0]
    for start in left:
        assert sum(start <= at < start + WINDOW_NS for at in left) <= limit


def test_a_ban_holds_every_purpose_back_for_ten_minutes() -> None:
    it = budget()
    it.ban(NOW, UNIX)
    assert {it.take(purpose, NOW + 599 * SECOND) for purpose in Purpose} == {SECOND}
    assert it.take(Purpose.MARKET, NOW + 600 * SECOND) == 0


def test_a_second_ban_only_ever_makes_the_first_longer() -> None:
    it = budget()
    it.ban(NOW, UNIX)
    it.ban(NOW + SECOND, UNIX + SECOND, 5 * SECOND)
    assert it.banned_ns(NOW) == BAN_NS
    it.ban(NOW + SECOND, UNIX + SECOND)
    assert it.banned_ns(NOW) == BAN_NS + SECOND


def test_what_another_process_counted_counts() -> None:
    memory = bytearray(SIZE)
    budget(2, memory).take(Purpose.ESSENTIAL, NOW)
    other = budget(2, memory)
    other.take(Purpose.ESSENTIAL, NOW)
    assert other.take(Purpose.ESSENTIAL, NOW) == WINDOW_NS


def test_a_ban_outlasts_a_boot_whose_clock_begins_anew() -> None:
    memory = bytearray(SIZE)
    budget(10, memory).ban(NOW, UNIX)
    later = IpBudget(memory, 10)
    later.adopt(BOOT + 1, 3 * SECOND, UNIX + 60 * SECOND)
    assert later.banned_ns(3 * SECOND) == 540 * SECOND
    again = IpBudget(memory, 10)
    again.adopt(BOOT + 2, SECOND, UNIX + 120 * SECOND)
    assert again.banned_ns(SECOND) == 480 * SECOND


def test_a_wall_clock_that_was_set_back_over_a_boot_makes_no_ban_longer_than_one() -> None:
    memory = bytearray(SIZE)
    budget(10, memory).ban(NOW, UNIX)
    later = IpBudget(memory, 10)
    later.adopt(BOOT + 1, SECOND, UNIX - 10**6 * SECOND)
    assert later.banned_ns(SECOND) == BAN_NS


def test_calls_before_a_boot_do_not_count() -> None:
    memory = bytearray(SIZE)
    budget(1, memory).take(Purpose.ESSENTIAL, NOW)
    later = IpBudget(memory, 1)
    later.adopt(BOOT + 1, NOW + 1, UNIX)
    assert later.take(Purpose.ESSENTIAL, NOW + 1) == 0


@given(st.binary(max_size=64))
def test_a_file_of_rubbish_is_an_empty_budget(rubbish: bytes) -> None:
    it = budget(3, bytearray((rubbish or b"x") * SIZE)[:SIZE])
    assert it.banned_ns(NOW) == 0
    assert [it.take(Purpose.ESSENTIAL, NOW) for _ in range(4)] == [0, 0, 0, WINDOW_NS]


@pytest.mark.parametrize("limit", [0, 601])
def test_a_limit_that_the_exchange_does_not_grant_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="1 to 600"):
        IpBudget(bytearray(SIZE), limit)
