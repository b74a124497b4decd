"""Following files that grow and are renamed away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bybitd.cli.exits import FAILED, OK
from bybitd.cli.logs import Tail
from bybitd.cli.main import main


@pytest.fixture
def opened() -> Iterator[Callable[[Path], Tail]]:
    with ExitStack() as tails:
        yield lambda file: tails.enter_context(closing(Tail(file)))


def test_the_last_lines_come_first_and_then_what_is_added(
    tmp_path: Path, opened: Callable[[Path], Tail]
) -> None:
    file = tmp_path / "bus.log"
    file.write_text("1\n2\n3\n")
    tail = opened(file)
    assert tail.last(2) == [("bus", "2"), ("bus", "3")]
    assert tail.new() == []
    with file.open("a") as out:
        out.write("4\nhal")
    assert tail.new() == [("bus", "4")]
    with file.open("a") as out:
        out.write("f\n")
    assert tail.new() == [("bus", "half")]


def test_a_full_log_is_read_to_its_end_and_the_new_one_from_its_beginning(
    tmp_path: Path, opened: Callable[[Path], Tail]
) -> None:
    file = tmp_path / "bus.log"
    file.write_text("1\n")
    tail = opened(file)
    tail.last(10)
    with file.open("a") as out:
        out.write("2\n")
    file.rename(tmp_path / "bus.log.1")
    assert tail.new() == [("bus", "2")]  # the new file is not there yet
    file.write_text("3\n")
    assert tail.new() == [("bus", "3")]


def test_bytes_that_are_no_text_do_not_end_it(
    tmp_path: Path, opened: Callable[[Path], Tail]
) -> None:
    file = tmp_path / "bus.log"
    file.write_bytes(b"a\xff\n")
    assert opened(file).last(5) == [("bus", "a\ufffd")]


def test_the_verb_shows_all_logs_or_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = folder / "state/log"
    logs.mkdir(parents=True)
    (logs / "bus.log").write_text("2026-01-01T00:00:02 bus\n")
    (logs / "simulator.log").write_text("2026-01-01T00:00:01 simulator\n")
    place = ["--run-dir", str(folder), "--state-dir", str(folder / "state")]
    assert main(["logs", *place]) == OK
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == [
        "simulator",
        "bus",
    ]
    assert main(["logs", "bus", "--json", *place]) == OK
    assert capsys.readouterr().out == '{"program":"bus","line":"2026-01-01T00:00:02 bus"}\n'
    assert main(["logs", "nobody", *place]) == FAILED
    assert "bus, simulator" in capsys.readouterr().err
