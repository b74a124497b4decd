"""The error of every verb that finds no daemon."""

from __future__ import annotations

from pathlib import Path

from bybitd.errors import BybitdError


class Unreachable(BybitdError):
    """Raised when no daemon answers in a run folder; nothing was done."""

    def __init__(self, run_dir: Path, problem: str = "no daemon is running") -> None:
        self.run_dir = run_dir
        super().__init__(
            f"{problem} in {run_dir}; start one with `bybitd up`, or name its folder (--run-dir)"
        )
