"""What holds of every verb of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from bybitd.cli.main import _parser

PLACE = {"--config", "--run-dir", "--state-dir"}
NO_DAEMON = {"sim"}  # alone, in no folder


def verbs(
    parser: argparse.ArgumentParser, name: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield every verb that does something, with its actions."""
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not below:
        yield name, parser
    for action in below:
        for word, child in action.choices.items():
            yield from verbs(child, f"{name} {word}".strip())


ALL = dict(verbs(_parser()))


@pytest.mark.parametrize("name", ALL)
def test_it_takes_json_and_where_the_daemon_is(name: str) -> None:
    options = {"--json"} if name in NO_DAEMON else {"--json", *PLACE}
    assert ALL[name]._option_string_actions.keys() >= options


@pytest.mark.parametrize("name", ALL)
def test_its_help_is_written(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _parser().parse_args([*name.split(), "--help"])
    assert ended.value.code == 0
    assert f"usage: bybitd {name}" in capsys.readouterr().out


def test_writes_that_could_cost_money_can_be_confirmed_beforehand() -> None:
    writing = {f"order {verb}" for verb in ("create", "amend", "cancel", "cancel-all")}
    writing |= {name for name in ALL if name.startswith("position ")}
    assert len(writing) == 8
    for name in (*writing, "unkill"):
        assert "--yes" in ALL[name]._option_string_actions, name
