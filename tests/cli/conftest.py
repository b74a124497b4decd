"""Places for verbs to work in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bybitd.cli.place import Place
from bybitd.settings import Settings


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets in it."""
    made = Path(tempfile.mkdtemp(prefix="bb", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def here(folder: Path) -> Place:
    """A place with the built-in defaults, whose folders are not there yet."""
    return Place(
        settings=Settings(), config=None, run_dir=folder / "run", state_dir=folder / "state"
    )


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nothing of the machine decides what a verb finds."""
    for name in ("BYBITD_CONFIG", "BYBITD_RUN_DIR", "BYBITD_STATE_DIR", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "XDG_RUNTIME_DIR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder)
