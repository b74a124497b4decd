"""How long a program that keeps dying waits before it starts again.

supervisor's own back-off does not fit: it counts only exits within `startsecs`, for those it
ignores `exitcodes` (so a wrong configuration would be retried), it gives up after `startretries`,
and its pause grows without a limit. So `startsecs` is 0 there, every exit but 78 is restarted at
once, and the program itself pauses here, before it has touched anything.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

SHORT_LIFE_S = 10.0
AT_ONCE = 3  # so many short lives in a row cost no pause
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


class Start(NamedTuple):
    """One start: when (seconds since boot), after how many short lives in a row."""

    at_s: float
    short_lives: int


def next_start(previous: Start | None, now_s: float) -> Start:
    """Return when to start, `now_s` or later, given the start before."""
    # A start in the future was noted before the machine booted.
    if previous is None or previous.at_s > now_s or now_s - previous.at_s >= SHORT_LIFE_S:
        return Start(now_s, 0)
    short_lives = previous.short_lives + 1
    beyond = short_lives - AT_ONCE - 1
    if beyond < 0:
        return Start(now_s, short_lives)
    pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(beyond, 16))
    return Start(now_s + pause_s, short_lives)


def boot_clock_s() -> float:
    """Return the seconds since boot, which every process agrees on."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def path(run_dir: Path, program: str) -> Path:
    """Return the file that keeps the last start of `program`."""
    return run_dir / f"{program}.start"


def read(file: Path) -> Start | None:
    """Return the start that `write` noted, None without a good one."""
    try:
        at, short_lives = file.read_text(encoding="ascii").split()
        return Start(float(at), int(short_lives))
    except (OSError, ValueError):
        return None


def write(file: Path, start: Start) -> None:
    """Note a start for the next one."""
    file.write_text(f"{start.at_s!r} {start.short_lives}\n", encoding="ascii")
