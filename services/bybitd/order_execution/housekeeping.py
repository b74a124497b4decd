"""Keeps the journal small without holding up its writer: in a thread, with a connection of its own.

Each round copies the log into the database. Now and then it also forgets what has been over for
longer than `journal.keep_days`, a few rows at a time, so that the writer never waits for more than
one small transaction. What is not over is never forgotten, however old.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Final

from bybitd.order_execution.journal import Journal
from bybitd.order_execution.journal_schema import OVER

PERIOD_S: Final = 5.0
DAY_NS: Final = 24 * 3600 * 10**9
_FORGET_EVERY_S: Final = 600.0
_PORTION: Final = 50
_PAGE: Final = 500
_BREATH_S: Final = 0.01
_OVER: Final = ",".join(f"'{state}'" for state in OVER)
_FINISHED: Final = {
    "orders": f"changed_ns < ? AND state IN ({_OVER})",
    "actions": "changed_ns < ? AND settled = 1",
}


class Housekeeper:
    """`post` runs a callback in the writer's thread; `keep_days` 0 keeps everything."""

    def __init__(
        self,
        journal: Journal,
        post: Callable[[Callable[[], None]], None],
        keep_days: int = 0,
    ) -> None:
        self.forgotten = 0
        self._journal = journal
        self._post = post
        self._keep_ns = keep_days * DAY_NS
        self._done_writes = 0
        self._forget_at_s = time.monotonic()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def turn(self) -> None:
        """Begin a round if there is something to do and none is under way."""
        if self._thread is not None and self._thread.is_alive():
            return
        forget = bool(self._keep_ns) and time.monotonic() >= self._forget_at_s
        if self._journal.writes == self._done_writes and not forget:
            return
        self._done_writes = self._journal.writes
        if forget:
            self._forget_at_s = time.monotonic() + _FORGET_EVERY_S
        before_ns = time.time_ns() - self._keep_ns if forget else 0
        self._thread = threading.Thread(
            target=self._round, args=(before_ns,), name="housekeeping", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Wait for a round that is under way."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(10.0)

    def _round(self, before_ns: int) -> None:
        try:
            db = sqlite3.connect(self._journal.path, timeout=1.0, isolation_level=None)
            try:
                # What is forgotten may come back by a power cut: no reason to wait for the disk.
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("PRAGMA wal_autocheckpoint = 0")
                if before_ns:
                    for table in _FINISHED:
                        self._forget(db, table, before_ns)
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            finally:
                db.close()
        except sqlite3.OperationalError:
            return  # busy, or the disk is full: the next round will do
        self._post(self._journal.begin_log)

    def _forget(self, db: sqlite3.Connection, table: str, before_ns: int) -> None:
        finished = _FINISHED[table]
        # Rows stand in the order in which they came: behind one that is too young are no older.
        query = (
            f"SELECT rowid, received_ns, {finished} FROM {table} "  # noqa: S608
            "WHERE rowid > ? ORDER BY rowid LIMIT ?"
        )
        last = 0
        while not self._closing.is_set():
            page = db.execute(query, (before_ns, last, _PAGE)).fetchall()
            old = [row_id for row_id, _, is_old in page if is_old]
            for start in range(0, len(old), _PORTION):
                portion = old[start : start + _PORTION]
                marks = ",".join("?" * len(portion))
                done = db.execute(
                    f"DELETE FROM {table} WHERE {finished} AND rowid IN ({marks})",  # noqa: S608
                    (before_ns, *portion),
                )
                self.forgotten += done.rowcount
                if self._closing.wait(_BREATH_S):
                    return
            if len(page) < _PAGE or page[-1][1] >= before_ns:
                return
            last = page[-1][0]
