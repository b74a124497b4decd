"""The file that says that an account must not trade: `<account>.killed` in the state folder.

Whoever can write there can stop an account, whatever else is down: the program that trades it, the
bus, the command line, a person with `touch`. Its being there is what counts; what stands in it is
for people. It outlasts processes and power cuts, and only an explicit word takes it away.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import msgspec

from bybitd.errors import StartError

_SUFFIX: Final = ".killed"
_UNREADABLE: Final = "the kill file says no more"


class Killed(msgspec.Struct, frozen=True, kw_only=True):
    """Why an account is stopped. `by` says who asked, `at_ns` (Unix ns) when; "" and 0 where that
    is not known.
    """

    reason: str = _UNREADABLE
    by: str = ""
    at_ns: int = 0


def read(state_dir: Path, account: str) -> Killed | None:
    """Return why the account is stopped, None if it is not. A file that is no use still stops it.

    Raises:
        StartError: whether it is there can not be found out.
    """
    file = _path(state_dir, account)
    try:
        return msgspec.json.decode(file.read_bytes(), type=Killed)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Killed()
    except OSError as error:
        raise StartError(f"{file} can not be read: {error.strerror}; make it readable") from None


def write(state_dir: Path, account: str, killed: Killed) -> Killed:
    """Stop the account; on return that survives a power cut. Who was first stays.

    Raises:
        OSError: it could not be written.
    """
    if (before := read(state_dir, account)) is not None:
        return before
    file = _path(state_dir, account)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(msgspec.json.encode(killed))
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
    _sync_folder(state_dir)
    return killed


def remove(state_dir: Path, account: str) -> None:
    """Let the account trade again.

    Raises:
        OSError: the file could not be taken away.
    """
    with contextlib.suppress(FileNotFoundError):
        _path(state_dir, account).unlink()
        _sync_folder(state_dir)


def _path(state_dir: Path, account: str) -> Path:
    return state_dir / f"{account}{_SUFFIX}"


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
