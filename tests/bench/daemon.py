"""Start single programs of the daemon, or all of them, for a measurement."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bybitbus.client import Client
from bybitbus.endpoints import requests_address
from bybitbus.errors import RequestError

START_S = 30.0


@contextlib.contextmanager
def folders(config: str = "") -> Iterator[Path]:
    """Yield a short temporary folder with `run`, `state` and `bybitd.yaml`; remove it after."""
    root = Path(tempfile.mkdtemp(prefix="bbd-"))
    (root / "run").mkdir(mode=0o750)
    (root / "state").mkdir(mode=0o750)
    (root / "bybitd.yaml").write_text(config)
    try:
        yield root
    finally:
        shutil.rmtree(root)


@contextlib.contextmanager
def programs(root: Path, *names: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run these programs without a supervisor; their log goes to `<root>/<name>.log`."""
    running = {}
    try:
        for name in names:
            command = [sys.executable, "-m", "bybitd.cli.main", "run", name]
            command += ["--run-dir", str(root / "run"), "--state-dir", str(root / "state")]
            command += ["--config", str(root / "bybitd.yaml")]
            with open(root / f"{name}.log", "wb") as log:
                running[name] = subprocess.Popen(
                    command, stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"}
                )
        yield running
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_ready(root: Path, program: str, states: tuple[str, ...] = ("ready",)) -> dict[str, Any]:
    """Wait until a program answers and is in one of `states`; return its status."""
    deadline_s = time.monotonic() + START_S
    status: dict[str, Any] = {}
    while time.monotonic() < deadline_s:
        if (root / "run" / f"{program}.requests").exists():
            with Client(requests_address(root / "run", program)) as client:
                try:
                    status = client.request("gateway.status", {"program": program}, timeout_ms=1000)
                except RequestError:
                    continue
            if status["state"] in states:
                return status
        time.sleep(0.05)
    log = (root / f"{program}.log").read_text()[-2000:]
    raise TimeoutError(
        f"{program} is not ready: {status.get('state')} {status.get('reason')}\n{log}"
    )
