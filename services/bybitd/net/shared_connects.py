"""The connection attempts of all programs of a daemon, counted together in one file.

The exchange counts the attempts of an address, whichever program makes them. The file holds the
moments of the last ones, on the clock that all processes of a machine share; it lies in the run
folder, which no boot survives.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bybitd.errors import StartError
from bybitd.net.backoff import AMPLE, MAX_CONNECTS, WINDOW_S

FILE: Final = "connects"


class SharedConnects:
    """At most `limit` attempts in any `window_s`, by all who use this file (`backoff.Connects`).

    Times are those of `time.monotonic`.

    Raises:
        StartError: the file can not be used.
    """

    def __init__(self, file: Path, limit: int = MAX_CONNECTS, window_s: float = WINDOW_S) -> None:
        self._limit = limit
        self._window_s = window_s
        self._moments = struct.Struct(f"{limit}d")
        try:
            self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            problem = f"can not use {file}: {error.strerror}; make the run folder writable"
            raise StartError(problem) from None

    def wait_s(self, now_s: float) -> float:
        """Return how long to wait until an attempt is within the limit; 0 for now."""
        recent = self._recent(now_s)
        if len(recent) < self._limit:
            return 0.0
        return max(0.0, min(recent) + self._window_s - now_s)

    def is_ample(self, now_s: float) -> bool:
        """Tell whether there is so much left that attempts need not be spared."""
        return len(self._recent(now_s)) < AMPLE * self._limit

    def spend(self, now_s: float) -> None:
        """Note an attempt."""

        def note(moments: list[float]) -> None:
            # What lies ahead is of another boot, and would never be pushed out.
            known = [0.0 if at_s > now_s else at_s for at_s in moments]
            os.pwrite(self._fd, self._moments.pack(*sorted(known)[1:], now_s), 0)

        self._locked(note)

    def close(self) -> None:
        """Release the file."""
        os.close(self._fd)

    def _recent(self, now_s: float) -> list[float]:
        found: list[float] = []
        self._locked(found.extend)
        return [at_s for at_s in found if now_s - self._window_s < at_s <= now_s]

    def _locked(self, use: Callable[[list[float]], None]) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            written = os.pread(self._fd, self._moments.size, 0)
            # Zero is the boot: no attempt, or one that is long past.
            use(list(self._moments.unpack(written.ljust(self._moments.size, b"\0"))))
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
