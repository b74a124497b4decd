"""What the bus says of programs that speak, fall silent, end and come back."""

from __future__ import annotations

from typing import Any

from bybitd.bus.roster import LAST_WORDS_S, SILENT_S, Roster

NAMES = ("bus", "public-feed-linear")


def status(run: int = 1, state: str = "ready") -> dict[str, Any]:
    return {"program": "public-feed-linear", "state": state, "reason": "", "started_ns": run}


def state(roster: Roster, now_s: float) -> str:
    return roster.states(now_s)["public-feed-linear"]


def test_a_program_that_never_spoke_is_down() -> None:
    roster = Roster(NAMES)
    entry = roster.view(0.0)["public-feed-linear"]
    assert entry["state"] == "down"
    assert entry["reason"]


def test_the_last_word_of_a_program_counts_while_it_speaks() -> None:
    roster = Roster(NAMES)
    roster.heard("public-feed-linear", status(state="degraded"), 10.0)
    roster.heard("public-feed-linear", status(), 11.0)
    assert roster.view(11.0 + SILENT_S)["public-feed-linear"] == status()


def test_a_program_that_stops_speaking_is_silent_whatever_it_said() -> None:
    roster = Roster(NAMES)
    roster.heard("public-feed-linear", status(), 10.0)
    entry = roster.view(10.5 + SILENT_S)["public-feed-linear"]
    assert entry["state"] == "silent"
    assert "3 s" in entry["reason"]
    roster.heard("public-feed-linear", status(), 20.0)
    assert state(roster, 20.0) == "ready"


def test_a_program_that_ended_is_down_at_once_and_back_with_its_next_run() -> None:
    roster = Roster(NAMES)
    roster.heard("public-feed-linear", status(run=1), 10.0)
    roster.gone("public-feed-linear", 10.1)
    assert state(roster, 10.1) == "down"
    roster.heard("public-feed-linear", status(run=2, state="starting"), 10.2)
    assert state(roster, 10.2) == "starting"


def test_last_words_that_arrive_after_the_end_do_not_bring_a_program_back() -> None:
    roster = Roster(NAMES)
    roster.heard("public-feed-linear", status(run=1), 10.0)
    roster.gone("public-feed-linear", 10.1)
    roster.heard("public-feed-linear", status(run=1), 10.2)
    assert state(roster, 10.2) == "down"
    # It goes on speaking: only its connection had broken.
    roster.heard("public-feed-linear", status(run=1), 10.1 + LAST_WORDS_S)
    assert state(roster, 10.1 + LAST_WORDS_S) == "ready"


def test_a_program_that_ended_before_it_spoke_is_down() -> None:
    roster = Roster(NAMES)
    roster.gone("public-feed-linear", 1.0)
    assert state(roster, 1.0) == "down"
    roster.heard("public-feed-linear", status(), 1.1)
    assert state(roster, 1.1) == "ready"


def test_a_program_that_is_not_configured_does_not_appear() -> None:
    roster = Roster(NAMES)
    roster.heard("stranger", status(), 1.0)
    assert set(roster.view(1.0)) == set(NAMES)
