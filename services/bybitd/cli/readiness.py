"""Wait until the whole daemon is ready, or say what is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bybitbus.client import Client
from bybitbus.errors import RequestError

_PATIENCE_MS = 1000
_BEAT_S = 0.1


def statuses(client: Client, timeout_ms: int = _PATIENCE_MS) -> dict[str, dict[str, Any]] | None:
    """Return the status of every program as the bus knows it; None when the bus does not answer."""
    try:
        programs: dict[str, dict[str, Any]] = client.request(
            "gateway.status", timeout_ms=timeout_ms
        )["programs"]
    except RequestError:
        return None
    return programs


def not_ready(programs: dict[str, dict[str, Any]] | None) -> dict[str, str]:
    """Return why each program that is not ready is not; empty when all are."""
    if programs is None:
        return {"bus": "does not answer"}
    return {
        name: ": ".join(filter(None, (status["state"], status.get("reason", ""))))
        for name, status in programs.items()
        if status["state"] != "ready"
    }


def wait(run_dir: Path, timeout_s: float, hopeless: Callable[[], bool]) -> dict[str, str]:
    """Wait until every program is ready; return why those that are not are not.

    Ends early when `hopeless()`.
    """
    due_s = time.monotonic() + timeout_s
    with Client(run_dir, client="bybitd-cli") as client:
        while True:
            missing = not_ready(statuses(client))
            if not missing or hopeless() or time.monotonic() >= due_s:
                return missing
            time.sleep(_BEAT_S)
