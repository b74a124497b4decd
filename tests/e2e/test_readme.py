"""The README's program, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Daemon

ROOT = Path(__file__).parents[2]
PLAIN = ROOT / "ipc/clients/python/plain.py"


def example() -> str:
    text = (ROOT / "README.md").read_text()
    found = re.search(r"<!-- example: plain\.py -->\n```python\n(.*?)```", text, re.DOTALL)
    assert found, "the README has lost its example"
    return found[1]


def test_the_example_is_the_shipped_client_to_the_letter() -> None:
    assert example() == PLAIN.read_text()


def test_the_example_needs_nothing_but_zmq_and_msgpack() -> None:
    modules = set(re.findall(r"^(?:import|from) (\w+)", example(), re.MULTILINE))
    assert modules - sys.stdlib_module_names == {"zmq", "msgpack"}


@pytest.mark.e2e
def test_the_example_sees_snapshot_deltas_trades_the_reply_and_the_orders_events(
    daemon: Daemon, tmp_path: Path
) -> None:
    script = tmp_path / "example.py"
    script.write_text(example())
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "BYBITD_RUN_DIR": str(daemon.run_dir)},
        capture_output=True,
        text=True,
        timeout=45,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("snapshot", "delta", "trade", "reply", "order"):
        assert word in done.stdout.lower(), done.stdout
    assert "hole" not in done.stdout.lower(), done.stdout
