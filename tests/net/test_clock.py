from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bybitd.net.clock import ClockOffset

MS = 1_000_000
START_NS = 1_700_000_000_000 * MS


@given(
    st.integers(-5_000, 5_000),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=20),
)
def test_the_true_offset_lies_within_the_stated_error(
    offset_ms: int, ways: list[tuple[int, int]]
) -> None:
    clock = ClockOffset()
    for there_ms, back_ms in ways:
        server_ms = START_NS // MS + there_ms + offset_ms
        clock.add(START_NS, START_NS + (there_ms + back_ms) * MS, server_ms)
    assert abs(clock.offset_ms - offset_ms) <= clock.error_ms
    assert clock.exchange_ms(1000) == 1000 + clock.offset_ms


def test_the_shortest_round_trip_is_believed() -> None:
    clock = ClockOffset()
    clock.add(START_NS, START_NS + 900 * MS, START_NS // MS + 900)
    clock.add(START_NS, START_NS + 2 * MS, START_NS // MS + 101)
    assert clock.offset_ms == 100
    assert not clock.warns


def test_a_clock_half_a_second_off_is_warned_of_and_can_be_forgotten() -> None:
    clock = ClockOffset()
    assert not clock.known
    clock.add(START_NS, START_NS, START_NS // MS - 500)
    assert clock.warns
    clock.forget()
    assert not clock.known
    assert clock.offset_ms == -500  # doubted, but the best there is
    clock.add(START_NS, START_NS, START_NS // MS + 3)
    assert clock.offset_ms == 3


def test_a_reading_across_a_step_of_our_own_clock_is_passed_over() -> None:
    clock = ClockOffset()
    clock.add(START_NS, START_NS - 5 * MS, START_NS // MS)
    assert not clock.known
