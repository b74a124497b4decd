"""Tables for people; colours only where a person looks."""

from __future__ import annotations

import pytest

from bybitd.cli import display


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert display.table([("a", "1234"), ("abc", "")], ("N", "V")) == ["N    V", "a    1234", "abc"]


def test_no_rows_are_a_header() -> None:
    assert display.table([], ("NAME", "STATE")) == ["NAME  STATE"]


def test_states_are_painted_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("bus", "ready", "x"), ("feed", "down", "y")]
    header = ("PROGRAM", "STATE", "REASON")
    plain = display.table(rows, header)
    assert "\x1b" not in "".join(plain)
    monkeypatch.setattr(display, "colourful", lambda: True)
    painted = display.table(rows, header)
    assert "\x1b[32mready\x1b[0m" in painted[1]
    assert "\x1b[31mdown \x1b[0m" in painted[2]


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert display.colourful()
    monkeypatch.setenv(name, value)
    assert not display.colourful()
