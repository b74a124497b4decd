"""The leases of an account on disk: `<account>.leases` in the state folder.

They survive a killed process. How long a lease still holds is kept in Unix time and can not exceed
its own length, whatever was done to the clock meanwhile.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from bybitd.errors import StartError
from bybitd.order_execution.safety.leases import Lapse, Lease, Leases

_SUFFIX: Final = ".leases"


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    held: tuple[Lease, ...] = ()  # here `until_ms` is Unix time
    lapsed: tuple[Lapse, ...] = ()


class LeaseFile:
    """Reads and writes the file. `now_ms` is monotonic, `unix_ms` Unix time."""

    def __init__(self, state_dir: Path, account: str) -> None:
        self._file = state_dir / f"{account}{_SUFFIX}"

    def read(self, now_ms: int, unix_ms: int) -> Leases:
        """Return what the last run left.

        Raises:
            StartError: the file is there and is no use.
        """
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return Leases()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StartError(
                f"{self._file} can not be used: {error}; look whose orders should be cancelled, "
                "then remove it"
            ) from None
        held = [
            Lease(
                client=lease.client,
                ttl_ms=lease.ttl_ms,
                until_ms=now_ms + min(lease.ttl_ms, lease.until_ms - unix_ms),
            )
            for lease in kept.held
        ]
        return Leases(held, kept.lapsed)

    def write(self, leases: Leases, now_ms: int, unix_ms: int) -> None:
        """Write them down; a reader sees the old file or the new one.

        Raises:
            OSError: they could not be written.
        """
        held = tuple(
            msgspec.structs.replace(lease, until_ms=lease.until_ms - now_ms + unix_ms)
            for lease in leases.held
        )
        draft = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        draft.write_bytes(msgspec.json.encode(_Kept(held=held, lapsed=tuple(leases.lapsed))))
        draft.replace(self._file)
