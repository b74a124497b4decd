"""The whole daemon, as a user brings it up, in a folder that is gone afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bybitbus.client import Client

UP_S = 90


@dataclass(frozen=True)
class Daemon:
    """One running daemon."""

    folder: Path

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def config(self) -> Path:
        return self.folder / "bybitd.yaml"

    def cli(self, *words: str, timeout_s: float = UP_S) -> subprocess.CompletedProcess[str]:
        """Run a verb on this daemon."""
        return bybitd(*words, "--run-dir", str(self.run_dir), timeout_s=timeout_s)

    def up(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Bring it up and wait until it is ready."""
        folders = ("--state-dir", str(self.state_dir), "--config", str(self.config))
        return self.cli("up", "-d", *folders, *words)

    def programs(self) -> dict[str, dict[str, Any]]:
        """Return the status of every program, from the bus."""
        with Client(self.run_dir) as client:
            listed: dict[str, dict[str, Any]] = client.request("gateway.status")["programs"]
        return listed

    def processes(self) -> list[int]:
        """Return the processes whose command line names this daemon's folder."""
        return processes_naming(self.folder)

    def logs(self) -> str:
        """Return the end of every log, for the report of a failed test."""
        files = sorted(self.state_dir.glob("log/*.log"))
        return "\n".join(f"--- {file.name}\n{file.read_text()[-1500:]}" for file in files)


def bybitd(*words: str, timeout_s: float = UP_S) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run(
        [sys.executable, "-m", "bybitd.cli.main", *words],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
    )


def processes_naming(folder: Path) -> list[int]:
    """Return the processes, zombies aside, whose command line names `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue  # it ended meanwhile
    return found


@contextmanager
def running(configuration: str = "environment: sim\n") -> Iterator[Daemon]:
    """Bring a daemon up; at the end take it down and see that nothing of it is left running."""
    folder = Path(tempfile.mkdtemp(prefix="bb", dir="/tmp"))
    daemon = Daemon(folder)
    daemon.config.write_text(configuration)
    try:
        up = daemon.up()
        assert up.returncode == 0, up.stdout + up.stderr + daemon.logs()
        yield daemon
    finally:
        down = daemon.cli("down")
        left = daemon.processes()
        shutil.rmtree(folder)
    assert down.returncode == 0, down.stdout + down.stderr
    assert left == []


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """A daemon that the tests of one file share."""
    with running() as started:
        yield started


@pytest.fixture
def bring_up() -> Iterator[Callable[..., Daemon]]:
    """Return what brings up one more daemon, which goes down with the test."""
    with ExitStack() as daemons:
        yield lambda *arguments: daemons.enter_context(running(*arguments))


def status_of(daemon: Daemon) -> dict[str, Any]:
    """Return what `bybitd status --json` says."""
    document: dict[str, Any] = json.loads(daemon.cli("status", "--json").stdout)
    return document
