"""A loop that makes no progress is ended: a process that only looks alive helps nobody."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = """
import sys, time
from pathlib import Path
from bybitd.runtime import program as module
from bybitd.settings import Settings

module.WEDGED_AFTER_S, module.STATUS_PERIOD_S = 1.0, 0.05
folder, turn = Path(sys.argv[1]), sys.argv[2]
program = module.Program("test", Settings(), folder, folder)

def never_return():
    time.sleep(1000)

if turn == "wedged":
    program.loop.call_later(0.1, never_return)
else:
    program.loop.call_later(2.5, program.loop.stop)
program.run()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="bb", dir="/tmp"))
    yield made
    shutil.rmtree(made)


def run(folder: Path, turn: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), turn],
        capture_output=True,
        text=True,
        timeout=50,
    )


def test_a_wedged_loop_is_ended_and_the_log_says_where_it_hung(folder: Path) -> None:
    ended = run(folder, "wedged")
    assert ended.returncode == 1, ended.stderr  # which the supervisor restarts: only 78 is final
    assert "never_return" in ended.stderr


def test_a_loop_that_turns_lives_on_past_the_time_and_ends_when_told(folder: Path) -> None:
    ended = run(folder, "turning")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
