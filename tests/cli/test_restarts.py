"""When a program that keeps dying may start again."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bybitd.cli import restarts
from bybitd.cli.restarts import AT_ONCE, LONGEST_PAUSE_S, SHORT_LIFE_S, Start, next_start


def pauses(lives_s: list[float]) -> list[float]:
    """Return the pause before each start after the first, given how long each run lasted."""
    start, found = next_start(None, 100.0), []
    for life_s in lives_s:
        now_s = start.at_s + life_s
        start = next_start(start, now_s)
        found.append(start.at_s - now_s)
    return found


def test_the_first_restarts_are_immediate_and_then_the_pause_doubles_up_to_its_cap() -> None:
    found = pauses([1.0] * 12)
    assert found[:AT_ONCE] == [0.0] * AT_ONCE
    assert found[AT_ONCE : AT_ONCE + 4] == [0.5, 1.0, 2.0, 4.0]
    assert found[-1] == LONGEST_PAUSE_S


def test_a_long_life_is_forgiven() -> None:
    assert pauses([0.1] * 6 + [SHORT_LIFE_S] + [0.1] * AT_ONCE)[6:] == [0.0] * (AT_ONCE + 1)


def test_a_start_from_before_the_machine_booted_counts_for_nothing() -> None:
    assert next_start(Start(at_s=5000.0, short_lives=9), 20.0) == Start(20.0, 0)


@given(st.lists(st.floats(0, 30), max_size=60))
def test_a_pause_is_never_negative_nor_above_its_cap(lives_s: list[float]) -> None:
    # A fraction more: sums of floats.
    assert all(0 <= pause_s <= LONGEST_PAUSE_S + 1e-6 for pause_s in pauses(lives_s))


def test_the_last_start_is_kept_in_a_file(tmp_path: Path) -> None:
    file = restarts.path(tmp_path, "bus")
    assert restarts.read(file) is None
    restarts.write(file, Start(12.25, 3))
    assert restarts.read(file) == Start(12.25, 3)


def test_a_broken_file_is_no_start(tmp_path: Path) -> None:
    file = tmp_path / "bus.start"
    for text in ("", "x", "1", "1 x", "nan nan 1", "é"):
        file.write_text(text)
        assert restarts.read(file) is None
