"""Which executions were published already: by `execId`, over restarts.

An execution is noted after it was published. A process killed in between publishes it once more in
its next run, marked `resend`: a repetition can be told by its `execId`, a loss by nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bybitd.errors import StartError

OVERLAP_MS: Final = 60_000  # executions of one moment come in no order
_KEPT_MS: Final = 24 * 3600 * 1000
_PRUNE_EVERY: Final = 1000
Row = Mapping[str, Any]


class Fills:
    """The executions of the last day, in memory and on disk.

    Some are known from `execution.fast` only: those are still to come in full. `complete_ms` is
    the moment (the exchange's clock) up to which none is missing; None before the first run has
    looked.

    Raises:
        StartError: the file can not be used.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None)
            try:
                rows, complete = self._prepare()
            except sqlite3.DatabaseError:
                self._db.close()
                raise
        except (OSError, sqlite3.DatabaseError) as error:
            raise StartError(
                f"the list of published executions {path} can not be used: {error}; move it away "
                "and start again: executions that were missed meanwhile will not be published"
            ) from None
        self._seen = {str(exec_id): int(at_ms) for exec_id, at_ms, fast in rows if not fast}
        self._fast = {str(exec_id): int(at_ms) for exec_id, at_ms, fast in rows if fast}
        self.complete_ms: int | None = int(complete[0]) if complete else None
        self._since_prune = 0

    def _prepare(self) -> tuple[list[tuple[str, int, int]], tuple[int] | None]:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS fills (exec_id TEXT PRIMARY KEY, exec_ms INTEGER)"
        )
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS complete (one INTEGER PRIMARY KEY, until_ms INTEGER)"
        )
        with suppress(sqlite3.OperationalError):  # it is there already
            self._db.execute("ALTER TABLE fills ADD COLUMN fast INTEGER NOT NULL DEFAULT 0")
        rows = self._db.execute("SELECT exec_id, exec_ms, fast FROM fills").fetchall()
        return rows, self._db.execute("SELECT until_ms FROM complete").fetchone()

    def __len__(self) -> int:
        return len(self._seen)

    def __contains__(self, exec_id: object) -> bool:
        return exec_id in self._seen

    def new(self, rows: Iterable[Row]) -> list[Row]:
        """Return the executions among `rows` that were not told in full yet, each once."""
        fresh: dict[str, Row] = {}
        for row in rows:
            exec_id = str(row.get("execId", ""))
            if exec_id not in self._seen:
                fresh.setdefault(exec_id, row)
        return list(fresh.values())

    def new_fast(self, rows: Iterable[Row]) -> list[Row]:
        """Return the executions among `rows` of which nothing was told yet, each once."""
        return [row for row in self.new(rows) if not self.was_fast(row)]

    def was_fast(self, row: Row) -> bool:
        """Tell whether an execution was told on `execution.fast` and not in full."""
        return str(row.get("execId", "")) in self._fast

    def note(self, rows: Iterable[Row], *, complete: bool = False) -> None:
        """Note executions as told in full; `complete` if nothing before the last is missing."""
        noted = _noted(rows)
        if not noted:
            return
        until_ms = max(at_ms for _, at_ms in noted) if complete else 0
        self._write(noted, fast=False, until_ms=until_ms)
        self._seen.update(noted)
        for exec_id, _ in noted:
            self._fast.pop(exec_id, None)
        self._since_prune += len(noted)
        if self._since_prune >= _PRUNE_EVERY:
            self._prune()

    def note_fast(self, rows: Iterable[Row]) -> None:
        """Note executions as told on `execution.fast`."""
        noted = _noted(rows)
        if noted:
            self._write(noted, fast=True)
            self._fast.update(noted)

    def complete(self, until_ms: int) -> None:
        """Note that every execution before `until_ms` was published, if there was any."""
        self._write([], fast=False, until_ms=until_ms)

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def _write(self, noted: list[tuple[str, int]], *, fast: bool, until_ms: int = 0) -> None:
        self._db.execute("BEGIN")
        for exec_id, at_ms in noted:
            self._db.execute(
                "INSERT OR REPLACE INTO fills (exec_id, exec_ms, fast) VALUES (?, ?, ?)",
                (exec_id, at_ms, fast),
            )
        if until_ms > (self.complete_ms or 0):
            self._db.execute("INSERT OR REPLACE INTO complete VALUES (1, ?)", (until_ms,))
            self.complete_ms = until_ms
        self._db.execute("COMMIT")

    def _prune(self) -> None:
        # Never what the next comparison with the exchange may list once more.
        self._since_prune = 0
        before_ms = (self.complete_ms or 0) - _KEPT_MS
        self._db.execute("DELETE FROM fills WHERE exec_ms < ?", (before_ms,))
        self._seen = {exec_id: at for exec_id, at in self._seen.items() if at >= before_ms}
        self._fast = {exec_id: at for exec_id, at in self._fast.items() if at >= before_ms}


def _noted(rows: Iterable[Row]) -> list[tuple[str, int]]:
    return [(str(row.get("execId", "")), exec_ms(row)) for row in rows]


def exec_ms(row: Row) -> int:
    """Return when an execution happened, 0 if it does not say."""
    text = str(row.get("execTime") or "")
    return int(text) if text.isdigit() else 0


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return executions as they happened; REST lists them newest first, ties in any order."""
    return sorted(rows, key=lambda row: (exec_ms(row), str(row.get("execId", ""))))
