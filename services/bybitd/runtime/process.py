"""What the kernel does for a process of ours: it must not outlive its parent, nor give away what it
knows.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal

from bybitd.errors import StartError

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends, however that ends.

    SIGKILL, since a wedged process answers nothing less; every process here may be killed at any
    moment anyway.

    Raises:
        StartError: the parent was gone already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise StartError(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent_pid:
        raise StartError("the parent process ended while this one started")


def keep_secrets() -> None:
    """See that no core dump, debugger or reader of /proc gets at what this process holds.

    Its memory and environment are then for root only; it starts no program that needs more.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise StartError(f"prctl(PR_SET_DUMPABLE): {os.strerror(ctypes.get_errno())}")


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
