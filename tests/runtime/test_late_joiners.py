from __future__ import annotations

from collections.abc import Callable
from typing import cast

from bybitd.runtime.late_joiners import GATHER_S, LateJoiners
from bybitd.runtime.loop import Loop


class HandTimers:
    """A loop whose timers run when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        self.waiting.append((delay_s, callback))

    def elapse(self) -> None:
        waiting, self.waiting = self.waiting, []
        for _, callback in waiting:
            callback()


def joiners() -> tuple[LateJoiners, HandTimers, list[str]]:
    timers, sent = HandTimers(), []
    return LateJoiners(cast("Loop", timers), sent.append), timers, sent


def test_the_first_joiner_is_answered_at_once() -> None:
    late, timers, sent = joiners()
    late.joined("a.")
    assert sent == ["a."]
    assert [delay_s for delay_s, _ in timers.waiting] == [GATHER_S]


def test_those_who_come_within_the_window_share_one_snapshot_at_its_end() -> None:
    late, timers, sent = joiners()
    for _ in range(5):
        late.joined("a.")
    assert sent == ["a."]
    timers.elapse()
    assert sent == ["a.", "a."]
    timers.elapse()
    assert sent == ["a.", "a."]


def test_topics_have_windows_of_their_own() -> None:
    late, _, sent = joiners()
    late.joined("a.")
    late.joined("b.")
    assert sent == ["a.", "b."]
