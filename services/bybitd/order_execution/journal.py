"""The order journal: what was asked, what left this machine and what came back, on disk.

An order is written before its bytes leave, so that whatever happens to this process, the next one
knows what may exist at the exchange. SQLite in WAL mode with one writer.

`process`: a commit hands the pages to the kernel, which keeps them when the process is killed. No
commit waits for the disk: the log is copied into the database by `Housekeeper`, in a thread with a
connection of its own, and the one sync that SQLite needs when the log starts anew is paid there and
then by `begin_log`, in an idle moment. A power cut may lose the last moments, never the file.
`disk`: every commit waits until the disk has it.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TypeVar

import msgspec

from bybitd.order_execution.actions import Action, ActionState
from bybitd.order_execution.errors import JournalError, LinkIdUsed
from bybitd.order_execution.ledger import Order, State

SCHEMA_VERSION: Final = 1
CHECKPOINT_PERIOD_S: Final = 5.0
_ORDER: Final = Order.__struct_fields__
_ACTION: Final = Action.__struct_fields__
_INTEGERS: Final = frozenset({"ret_code", "settled"})
# What never changes stands first and is left out of updates.
_CHANGES_FROM: Final = {"orders": _ORDER.index("state"), "actions": _ACTION.index("state")}
_OVER: Final = (State.FILLED, State.CANCELLED, State.REJECTED)
T = TypeVar("T", Order, Action)


class Journal:
    """The journal of one account. Everything here belongs to one thread.

    Raises:
        JournalError: in use by another process, damaged, of another account or a newer schema.
    """

    def __init__(self, path: Path, account: str, sync: Literal["process", "disk"]) -> None:
        self.path = path
        self.writes = 0
        self._lock = _lock(path)
        try:
            self._db = _open(path, "FULL" if sync == "disk" else "NORMAL")
            try:
                self._prepare(account)
            except BaseException:
                self._db.close()
                raise
        except sqlite3.DatabaseError as error:
            self._release()
            raise _damaged(path, str(error)) from None
        except JournalError:
            self._release()
            raise
        self._insert_order = _insert("orders", _ORDER)
        self._insert_action = _insert("actions", _ACTION)
        self._update_order = _update("orders", "link_id", _ORDER)
        self._update_action = _update("actions", "id", _ACTION)

    def insert(self, orders: Sequence[Order] = (), actions: Sequence[Action] = ()) -> None:
        """Write new orders and actions, all or none. On return they survive a killed process.

        Raises:
            LinkIdUsed: an orderLinkId is there already; nothing was written.
        """
        if len(orders) == 1 and not actions:
            self._execute_new(orders[0])
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for order in orders:
                self._execute_new(order)
            for action in actions:
                self._db.execute(self._insert_action, msgspec.structs.astuple(action))
                self.writes += 1
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def update(self, orders: Sequence[Order] = (), actions: Sequence[Action] = ()) -> None:
        """Write what has changed, all or none."""
        several = len(orders) + len(actions) > 1
        if several:
            self._db.execute("BEGIN IMMEDIATE")
        for order in orders:
            changes = msgspec.structs.astuple(order)[_CHANGES_FROM["orders"] :]
            self._db.execute(self._update_order, (*changes, order.link_id))
        for action in actions:
            changes = msgspec.structs.astuple(action)[_CHANGES_FROM["actions"] :]
            self._db.execute(self._update_action, (*changes, action.id))
        if several:
            self._db.execute("COMMIT")
        self.writes += len(orders) + len(actions)

    def order(self, link_id: str) -> Order | None:
        """Return the order of an orderLinkId."""
        return self._one("link_id = ?", link_id)

    def order_by_id(self, order_id: str) -> Order | None:
        """Return the order of an orderId."""
        return self._one("order_id = ?", order_id) if order_id else None

    def unfinished_orders(self) -> list[Order]:
        """Return every order that is not over, oldest first."""
        marks = ",".join("?" * len(_OVER))
        query = f"SELECT * FROM orders WHERE state NOT IN ({marks}) ORDER BY received_ns"  # noqa: S608
        return [_build(Order, _ORDER, row) for row in self._db.execute(query, _OVER)]

    def unfinished_actions(self) -> list[Action]:
        """Return every action of which more may be found out, oldest first."""
        query = "SELECT * FROM actions WHERE settled = 0 ORDER BY received_ns"
        return [_build(Action, _ACTION, row) for row in self._db.execute(query)]

    def actions_on(self, link_id: str, order_id: str, most: int = 50) -> list[Action]:
        """Return what was asked of an order, newest first."""
        query = (
            "SELECT * FROM actions WHERE (link_id = ? AND link_id != '') "
            "OR (order_id = ? AND order_id != '') ORDER BY received_ns DESC LIMIT ?"
        )
        rows = self._db.execute(query, (link_id, order_id, most))
        return [_build(Action, _ACTION, row) for row in rows]

    def has_later_setting(self, action: Action) -> bool:
        """Tell whether the setting that an action changes was changed again, or may have been."""
        query = (
            "SELECT 1 FROM actions WHERE op = ? AND category = ? AND symbol = ? "
            "AND received_ns >= ? AND id != ? AND state != ? LIMIT 1"
        )
        named = (action.op, action.category, action.symbol, action.received_ns, action.id)
        return bool(self._db.execute(query, (*named, ActionState.REJECTED)).fetchone())

    def count(self) -> int:
        """Return how many orders are kept."""
        return int(self._db.execute("SELECT count(*) FROM orders").fetchone()[0])

    def next_epoch(self, now_us: int) -> int:
        """Return a number that no earlier run got, also if the clock was set back meanwhile."""
        last = int(self._meta("epoch") or 0)
        epoch = max(now_us, last + 1)
        self._set_meta("epoch", str(epoch))
        return epoch

    def begin_log(self) -> None:
        """Start the log anew if it was copied, and pay for the sync that this takes."""
        self._set_meta("checkpointed", str(self.writes))

    def close(self) -> None:
        """Copy the log into the database and release both."""
        self._db.close()
        self._release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _execute_new(self, order: Order) -> None:
        try:
            self._db.execute(self._insert_order, msgspec.structs.astuple(order))
        except sqlite3.IntegrityError:
            raise LinkIdUsed(order.link_id) from None
        self.writes += 1

    def _one(self, condition: str, value: str) -> Order | None:
        # The condition is one of two constants above.
        row = self._db.execute(f"SELECT * FROM orders WHERE {condition}", (value,)).fetchone()  # noqa: S608
        return _build(Order, _ORDER, row) if row else None

    def _prepare(self, account: str) -> None:
        verdict = [str(row[0]) for row in self._db.execute("PRAGMA quick_check(3)")]
        if verdict != ["ok"]:
            raise _damaged(self.path, "; ".join(verdict).replace("\n", "; "))
        self._db.execute("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT)")
        version = int(self._meta("version") or SCHEMA_VERSION)
        if version != SCHEMA_VERSION:
            raise JournalError(
                str(self.path),
                f"has schema {version} and this program knows {SCHEMA_VERSION}",
                "run the version of bybitd that wrote it",
            )
        owner = self._meta("account") or account
        if owner != account:
            raise JournalError(
                str(self.path),
                f"belongs to the account {owner!r}, not to {account!r}",
                "give each account its own name, or each daemon its own state folder",
            )
        self._set_meta("version", str(SCHEMA_VERSION))
        self._set_meta("account", account)
        self._db.execute(_create("orders", "link_id", _ORDER))
        self._db.execute(_create("actions", "id", _ACTION))
        self._db.execute(
            "CREATE INDEX IF NOT EXISTS orders_by_id ON orders(order_id) WHERE order_id != ''"
        )
        for column in ("link_id", "order_id"):
            self._db.execute(
                f"CREATE INDEX IF NOT EXISTS actions_on_{column} ON actions({column}) "
                f"WHERE {column} != ''"
            )
        self._db.execute(
            "CREATE INDEX IF NOT EXISTS actions_open ON actions(settled) WHERE settled = 0"
        )

    def _meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _release(self) -> None:
        os.close(self._lock)


class Housekeeper:
    """Copies the log into the database now and then, without holding up the writer.

    `post` runs a callback in the writer's thread.
    """

    def __init__(self, journal: Journal, post: Callable[[Callable[[], None]], None]) -> None:
        self._journal = journal
        self._post = post
        self._done_writes = 0
        self._thread: threading.Thread | None = None

    def turn(self) -> None:
        """Begin a round if there is something to copy and none is under way."""
        busy = self._thread is not None and self._thread.is_alive()
        if busy or self._journal.writes == self._done_writes:
            return
        self._done_writes = self._journal.writes
        self._thread = threading.Thread(target=self._copy, name="checkpoint", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for a round that is under way."""
        if self._thread is not None:
            self._thread.join(10.0)

    def _copy(self) -> None:
        try:
            db = sqlite3.connect(self._journal.path, timeout=1.0)
            try:
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            finally:
                db.close()
        except sqlite3.OperationalError:
            return  # busy: the next round will do
        self._post(self._journal.begin_log)


def _lock(path: Path) -> int:
    lock_path = path.with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(
            str(path), f"can not be opened: {error.strerror}", "make its folder writable"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise JournalError(
            str(path),
            "is in use by another process",
            "two daemons must not trade one account; stop the other, or use another state folder",
        ) from None
    return lock


def _open(path: Path, synchronous: str) -> sqlite3.Connection:
    # Made first by us: SQLite would make it readable by everybody, and its log likewise.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=5.0, cached_statements=64)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("PRAGMA wal_autocheckpoint = 0")
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db


def _create(table: str, key: str, columns: Iterable[str]) -> str:
    def column(name: str) -> str:
        if name == key:
            return f"{name} TEXT PRIMARY KEY"
        integer = name in _INTEGERS or name.endswith(("_ns", "_ms"))
        return f"{name} {'INTEGER' if integer else 'TEXT'}"

    return f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(map(column, columns))})"


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} VALUES ({','.join('?' * len(columns))})"  # noqa: S608


def _update(table: str, key: str, columns: Sequence[str]) -> str:
    changes = ", ".join(f"{name} = ?" for name in columns[_CHANGES_FROM[table] :])
    return f"UPDATE {table} SET {changes} WHERE {key} = ?"  # noqa: S608


def _build(kind: type[T], columns: Sequence[str], row: Sequence[Any]) -> T:
    fields = dict(zip(columns, row, strict=True))
    if "settled" in fields:
        fields["settled"] = bool(fields["settled"])
    return msgspec.convert(fields, kind)


def _damaged(path: Path, problem: str) -> JournalError:
    return JournalError(
        str(path),
        f"is damaged: {problem}",
        "move it (and its -wal and -shm files) away and start again; first compare the account's "
        "open orders with what you expect, for what the journal knew of them is lost",
    )
