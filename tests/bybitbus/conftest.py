"""Real ipc sockets in a folder whose path is short enough for them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
import zmq.asyncio


@pytest.fixture
def run_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bb", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def async_context() -> Iterator[zmq.asyncio.Context]:
    made = zmq.asyncio.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Return what waits until a condition holds, and fails after 5 s without it."""

    def wait(condition: Callable[[], object]) -> None:
        due_s = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < due_s, "waited 5 s in vain"
            time.sleep(0.002)

    return wait
