"""Where the sockets are, and who may bind them.

Every address is `ipc://<run>/<program>.events` or `.requests`. Exactly one process binds each:
it holds a lock file beside the socket for as long as it lives, so a stale socket left by a killed
process is told from a live one without guessing (`ipc/PROTOCOL.md`, "Sockets").
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from bybitbus.closing import Closing
from bybitbus.errors import AddressInUse, EndpointError, PathTooLong

MAX_SOCKET_PATH_BYTES = 107  # sun_path is 108 bytes with its closing zero


def default_run_dir(environ: dict[str, str] | os._Environ[str] = os.environ) -> Path:
    """Return the run folder that the daemon and its clients agree on without configuration."""
    if explicit := environ.get("BYBITD_RUN_DIR"):
        return Path(explicit).expanduser().absolute()
    if given := environ.get("RUNTIME_DIRECTORY"):
        return Path(given.split(":")[0])  # systemd lists several with colons
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "bybitd"
    return Path(f"/tmp/bybitd-{os.getuid()}")  # noqa: S108  the mode is checked when it is made


def events_path(run_dir: Path, program: str = "bus") -> Path:
    """Return the socket file on which `program` publishes."""
    return _checked(run_dir / f"{program}.events")


def requests_path(run_dir: Path, program: str = "bus") -> Path:
    """Return the socket file on which `program` answers requests."""
    return _checked(run_dir / f"{program}.requests")


def events_address(run_dir: Path, program: str = "bus") -> str:
    """Return the ZeroMQ address on which `program` publishes."""
    return f"ipc://{events_path(run_dir, program)}"


def requests_address(run_dir: Path, program: str = "bus") -> str:
    """Return the ZeroMQ address on which `program` answers requests."""
    return f"ipc://{requests_path(run_dir, program)}"


def resolve(where: Path | str | None, address: Callable[[Path], str]) -> str:
    """Return the address that a client's `where` means.

    `where` is an address already, a run folder, or None for the default one; `address` is
    `events_address` or `requests_address`.
    """
    if isinstance(where, str) and "://" in where:
        return where
    return address(default_run_dir() if where is None else Path(where))


def _checked(path: Path) -> Path:
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise PathTooLong(str(path), MAX_SOCKET_PATH_BYTES)
    return path


class BinderLock(Closing):
    """The right to bind the sockets of one program in one run folder.

    Held by a lock on `<run>/<program>.lock` which the kernel drops with the process, however it
    ends. Taking it removes socket files that a killed holder left behind.

    Raises:
        AddressInUse: a live process holds it.
        PathTooLong: a socket of the program would have too long a path.
        EndpointError: the folder can not be written.
    """

    def __init__(self, run_dir: Path, program: str) -> None:
        events, requests = events_path(run_dir, program), requests_path(run_dir, program)
        self.path = run_dir / f"{program}.lock"
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise EndpointError(
                f"can not write {self.path}: {error.strerror}; make the run folder writable for "
                "this user or choose another (--run-dir)"
            ) from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise AddressInUse(str(events), f"process {holder or '?'}") from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        for stale in (events, requests):
            stale.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the right up. The lock file stays: removing it would race with the next holder."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
