"""The gate that every REST call of the daemon passes: the IP budget in a file of the state folder.

The file is mapped into every process that calls, and locked for the microseconds that counting
takes; the kernel gives the lock back should a process be killed meanwhile. A ban is written to the
disk, for it must outlast whatever happens to this machine.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from bybitd.errors import StartError
from bybitd.net.errors import IpBanned, NotSent, OverBudget
from bybitd.net.ip_budget import SIZE, IpBudget, Purpose

FILE: Final = "ip-budget"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Gate(Protocol):
    """What a REST client asks before each call."""

    def enter(self, path: str) -> None:
        """Count a call that is about to leave.

        Raises:
            IpBanned, OverBudget: it must not leave now.
        """

    def banned(self) -> None:
        """Note that the exchange has banned this IP address."""


class IpGate:
    """The budget of this machine's address, shared by all processes of one state folder.

    Thread-safe. `limit` calls in any 5 s, of which some purposes may use a part only.

    Raises:
        StartError: the file can not be used.
    """

    def __init__(self, state_dir: Path, limit: int, *, name: str = FILE) -> None:
        file = state_dir / name
        try:
            self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.posix_fallocate(self._fd, 0, SIZE)
            self._map = mmap.mmap(self._fd, SIZE)
        except OSError as error:
            raise StartError(
                f"can not use {file}: {error.strerror}; make the state folder writable, or choose "
                "another (--state-dir)"
            ) from None
        self._view = memoryview(self._map)
        self._thread_lock = threading.Lock()  # flock does not part the threads of one process
        self._budget = IpBudget(self._view, limit)
        with self._locked():
            self._budget.adopt(_boot(), _boot_ns(), time.time_ns())

    def of(self, purpose: Purpose) -> Gate:
        """Return the gate for calls of one kind."""
        return _PurposeGate(self, purpose)

    def enter(self, purpose: Purpose, path: str) -> None:
        """Count a call that is about to leave.

        Raises:
            IpBanned, OverBudget: it must not leave now.
        """
        with self._locked():
            now_ns = _boot_ns()
            wait_ns = self._budget.take(purpose, now_ns)
            banned = bool(wait_ns) and bool(self._budget.banned_ns(now_ns))
        if wait_ns:
            until_ms = -(-(time.time_ns() + wait_ns) // 1_000_000)
            raise (IpBanned if banned else OverBudget)(path, until_ms)

    def banned(self) -> None:
        """Let no call leave for as long as a ban lasts, whatever happens to this process."""
        with self._locked():
            self._budget.ban(_boot_ns(), time.time_ns())
            self._map.flush()

    def banned_until_ms(self) -> int:
        """Return until when nothing may leave, Unix ms; 0 without a ban."""
        left_ns = self._budget.banned_ns(_boot_ns())
        return (time.time_ns() + left_ns) // 1_000_000 if left_ns else 0

    def used(self) -> int:
        """Return how many calls of all processes left within the last 5 s."""
        with self._locked():
            return self._budget.used(_boot_ns())

    def close(self) -> None:
        """Release the file."""
        with self._thread_lock:
            if self._fd >= 0:
                self._view.release()
                self._map.close()
                os.close(self._fd)
                self._fd = -1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._thread_lock:
            if self._fd < 0:
                raise NotSent("the program stops")
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)


class _PurposeGate:
    def __init__(self, gate: IpGate, purpose: Purpose) -> None:
        self._gate = gate
        self._purpose = purpose

    def enter(self, path: str) -> None:
        self._gate.enter(self._purpose, path)

    def banned(self) -> None:
        self._gate.banned()


def _boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _boot() -> int:
    """Return what identifies this boot: half of the kernel's random id."""
    return int(_BOOT_ID.read_text(encoding="ascii").replace("-", "")[:16], 16)
