"""Figures: percentiles, and children that are asked to start and waited for."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

_spawn = multiprocessing.get_context("spawn")
DEADLINE_S = 60.0


def percentile(samples: Sequence[float], rank: float) -> float:
    """Return the value below which `rank` percent of the samples lie."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * rank / 100))]


def median(samples: Sequence[float]) -> float:
    """Return the middle value."""
    return percentile(samples, 50)


@contextlib.contextmanager
def child(target: Callable[..., None], *args: Any) -> Iterator[Connection]:
    """Run `target(pipe, *args)` in a process of its own; yield our end of the pipe."""
    ours, theirs = _spawn.Pipe()
    process = _spawn.Process(target=target, args=(theirs, *args), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.terminate()
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()


def expect(pipe: Connection, what: str) -> Any:
    """Return the next thing that a child says, or fail saying what was waited for."""
    if not pipe.poll(DEADLINE_S):
        raise TimeoutError(f"no {what} within {DEADLINE_S:.0f} s")
    return pipe.recv()
