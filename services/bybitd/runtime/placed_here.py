"""Which orders were placed by this daemon: by the journal, which is read and never written here.

An order is in its account's journal before a byte of it leaves, so whoever hears of an order that
is not in there hears of one that somebody else placed. The journal is a file that may be away, new,
or unreadable; then nothing is said, for taking one of our own orders for a stranger's, or the other
way round, would be worse than not to know.
"""

from __future__ import annotations

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_KEPT: Final = 20_000
# The clocks of the exchange and of this machine differ: what came to be near the journal's
# beginning is left open.
_MARGIN_MS: Final = 60_000


def journal_path(state_dir: Path, account: str) -> Path:
    """Return the file of an account's journal."""
    return state_dir / f"{account}.journal.db"


class PlacedHere:
    """Answers for one account. Nothing here raises, and an answer that is known never changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._began_ms: int | None = None
        self._known: OrderedDict[str, bool] = OrderedDict()

    def is_external(self, record: Mapping[str, Any]) -> bool | None:
        """Tell whether an order of the exchange was placed elsewhere; None if that can not be told.

        An order that the exchange made because of another (a take-profit of it, say) goes by that
        one, where it names it.
        """
        order_id = str(record.get("orderId", ""))
        if (known := self._known.get(order_id)) is not None:
            return known
        found = self._look(record)
        if found is not None and order_id:
            self._known[order_id] = found
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found

    def close(self) -> None:
        """Release the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _look(self, record: Mapping[str, Any]) -> bool | None:
        names = [str(record.get(key, "")) for key in ("orderLinkId", "parentOrderLinkId")]
        try:
            db = self._open()
            if db is None:
                return None
            for name in filter(None, names):
                query = "SELECT 1 FROM orders WHERE link_id = ?"
                if db.execute(query, (name,)).fetchone() is not None:
                    return False
        except (sqlite3.Error, OSError):
            self.close()
            return None
        if record.get("createType", "") not in ("", "CreateByUser"):
            return None  # the exchange made it itself, and does not say because of what
        created = str(record.get("createdTime", ""))
        if not created.isdigit() or self._began_ms is None:
            return None
        # An older journal may have known it.
        return True if int(created) > self._began_ms + _MARGIN_MS else None

    def _open(self) -> sqlite3.Connection | None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            self.close()
            return None
        file = (status.st_dev, status.st_ino)
        if self._db is not None and file == self._file:
            return self._db
        self.close()  # another journal was put in its place
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0.05)
        try:
            row = db.execute("SELECT value FROM meta WHERE key = 'began_ms'").fetchone()
        except sqlite3.Error:
            db.close()
            raise
        self._db, self._file = db, file
        self._began_ms = int(row[0]) if row else None
        return db
