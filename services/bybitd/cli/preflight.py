"""What must be right before the daemon starts: secrets, folders, addresses.

Everything wrong is said before anything starts, and costs nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from bybitbus.endpoints import MAX_SOCKET_PATH_BYTES, BinderLock, events_path, requests_path
from bybitbus.errors import PathTooLong
from bybitd.cli.place import Place
from bybitd.errors import ConfigError, StartError
from bybitd.runtime import credentials, exchange
from bybitd.venue.errors import HostError

# supervisor binds "<socket>.<its process id>" first, and the longest process id has 7 digits.
_SUPERVISOR_SOCKET = "supervisor.sock.4194304"
_UNWRITABLE_IN_INI = re.compile(r"[%;#\"'\r\n]")


def check_configuration(place: Place) -> None:
    """Check what a look at the configuration, the secrets' files and the folders' names tells.

    Raises:
        ConfigError: what is wrong, where, and what to do.
        PathTooLong: the run folder's name is too long for a socket in it.
    """
    check_paths(place)
    try:
        exchange.endpoints(place.settings, place.run_dir)
    except HostError as error:
        raise ConfigError(str(error), where="region") from None
    credentials.check(place.settings)


def check_paths(place: Place) -> None:
    """Check the names of the two folders.

    Raises:
        ConfigError: a name that supervisor's configuration can not hold.
        PathTooLong: the run folder's name is too long for a socket in it.
    """
    for name in place.settings.programs():
        events_path(place.run_dir, name)
        requests_path(place.run_dir, name)
    socket = place.run_dir / _SUPERVISOR_SOCKET
    if len(os.fsencode(socket)) > MAX_SOCKET_PATH_BYTES:
        raise PathTooLong(str(socket), MAX_SOCKET_PATH_BYTES)
    for folder in (place.run_dir, place.state_dir, place.config):
        if folder and _UNWRITABLE_IN_INI.search(str(folder)):
            raise ConfigError(
                f"the path {str(folder)!r} holds one of % ; # quotes or line breaks",
                hint="choose another",
            )


def prepare_folders(place: Place) -> None:
    """Make the run folder (0750) and the state folder (0700), or check those that are there.

    Raises:
        StartError: one is no folder, not ours, or open to others.
    """
    _prepare(place.run_dir, 0o750, "--run-dir")
    _prepare(place.state_dir, 0o700, "--state-dir")
    (place.state_dir / "log").mkdir(mode=0o700, exist_ok=True)


def check_addresses(place: Place) -> None:
    """Check that no process holds an address of ours, one that was started by hand for instance.

    Raises:
        AddressInUse: one does.
    """
    for name in place.settings.programs():
        BinderLock(place.run_dir, name).close()


def _prepare(folder: Path, mode: int, option: str) -> None:
    another = f"choose another folder ({option})"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir(mode=mode)
        except FileExistsError:
            pass
        status = folder.stat()
        if not folder.is_dir():
            raise StartError(f"{folder} is no folder; {another}")
        if status.st_uid != os.geteuid():
            raise StartError(f"{folder} belongs to user {status.st_uid}, not to us; {another}")
        if not any(folder.iterdir()):
            folder.chmod(mode)  # new, or nothing that anybody relies on: our mode, not the umask's
        elif status.st_mode & 0o022:
            raise StartError(
                f"others can write to {folder} (mode {status.st_mode & 0o7777:o}); "
                f"run `chmod {mode:o} {folder}`, or {another}"
            )
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise StartError(f"{folder} is not writable; {another}")
    except OSError as error:
        raise StartError(f"can not use {folder}: {error.strerror}; {another}") from None
