"""Which executions were published already: by `execId`, over restarts.

An execution is noted after it was published. A process killed in between publishes it once more in
its next run: a repetition can be told by its `execId`, a loss by nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bybitd.errors import StartError

OVERLAP_MS: Final = 60_000  # executions of one moment come in no order
_KEPT_MS: Final = 24 * 3600 * 1000
_PRUNE_EVERY: Final = 1000


class Fills:
    """The executions of the last day, in memory and on disk.

    `last_ms` is the moment (the exchange's clock) up to which nothing is missing; None before the
    first run has looked.

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
        self._seen: dict[str, int] = {str(exec_id): int(exec_ms) for exec_id, exec_ms in rows}
        known = [*self._seen.values(), *([int(complete[0])] if complete else ())]
        self.last_ms: int | None = max(known, default=None)
        self._since_prune = 0

    def _prepare(self) -> tuple[list[tuple[str, int]], tuple[int] | None]:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS fills (exec_id TEXT PRIMARY KEY, exec_ms INTEGER)"
        )
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS complete (one INTEGER PRIMARY KEY, until_ms INTEGER)"
        )
        rows = self._db.execute("SELECT exec_id, exec_ms FROM fills").fetchall()
        return rows, self._db.execute("SELECT until_ms FROM complete").fetchone()

    def __len__(self) -> int:
        return len(self._seen)

    def __contains__(self, exec_id: object) -> bool:
        return exec_id in self._seen

    def new(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the executions among `rows` that were not noted yet, each once."""
        fresh: dict[str, Mapping[str, Any]] = {}
        for row in rows:
            exec_id = str(row.get("execId", ""))
            if exec_id not in self._seen:
                fresh.setdefault(exec_id, row)
        return list(fresh.values())

    def note(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Note executions as published."""
        noted = [(str(row.get("execId", "")), exec_ms(row)) for row in rows]
        if not noted:
            return
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO fills VALUES (?, ?)", noted)
        self._db.execute("COMMIT")
        self._seen.update(noted)
        self.last_ms = max(self.last_ms or 0, *(at_ms for _, at_ms in noted))
        self._since_prune += len(noted)
        if self._since_prune >= _PRUNE_EVERY:
            self._prune(self.last_ms - _KEPT_MS)

    def complete(self, until_ms: int) -> None:
        """Note that every execution before `until_ms` was published, if there was any."""
        self._db.execute("INSERT OR REPLACE INTO complete VALUES (1, ?)", (until_ms,))
        self.last_ms = max(self.last_ms or 0, until_ms)

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def _prune(self, before_ms: int) -> None:
        self._since_prune = 0
        self._db.execute("DELETE FROM fills WHERE exec_ms < ?", (before_ms,))
        self._seen = {exec_id: at for exec_id, at in self._seen.items() if at >= before_ms}


def exec_ms(row: Mapping[str, Any]) -> int:
    """Return when an execution happened, 0 if it does not say."""
    text = str(row.get("execTime") or "")
    return int(text) if text.isdigit() else 0


def in_order(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return executions as they happened; REST lists them newest first, ties in any order."""
    return sorted(rows, key=lambda row: (exec_ms(row), str(row.get("execId", ""))))
