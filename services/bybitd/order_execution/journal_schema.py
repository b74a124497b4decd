"""The tables of the order journal: how they are made, brought up to date and checked.

`orders` and `actions` hold what is known now, one row each. `entries` is the audit: one row for
each change of either, written by triggers, so in the transaction of the change itself, and kept
from being altered by another. `meta` holds the version, the owner, the last run's epoch, and since
when every order of this journal's owner is in it (`began_ms`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from bybitd.order_execution import ledger
from bybitd.order_execution.actions import TRANSITIONS as ACTION_TRANSITIONS
from bybitd.order_execution.actions import Action, ActionState
from bybitd.order_execution.errors import JournalError
from bybitd.order_execution.ledger import Order, State

VERSION: Final = 2
ORDER: Final = Order.__struct_fields__
ACTION: Final = Action.__struct_fields__
OVER: Final = (State.FILLED, State.CANCELLED, State.REJECTED)
# What an entry takes from an order or action; where one of them changes, there is an entry.
_ENTRY: Final = (
    *("state", "basis", "reason", "order_id", "status", "cum_exec_qty", "price", "qty"),
    *("ret_code", "ret_msg", "req_id", "transport"),
)
_INTEGERS: Final = frozenset({"ret_code", "settled", "number"})
_KEYS: Final = {"orders": "link_id", "actions": "id"}
_NEWEST_CHECKED: Final = 500
T = TypeVar("T", Order, Action)


def prepare(db: sqlite3.Connection, path: Path, account: str) -> None:
    """Make the tables, or bring those of an earlier version up to date, all or nothing.

    Raises:
        JournalError: damaged, of a newer version, or of another account.
    """
    verdict = [str(row[0]) for row in db.execute("PRAGMA quick_check(3)")]
    if verdict != ["ok"]:
        raise damaged(path, "; ".join(verdict).replace("\n", "; "))
    db.execute("BEGIN IMMEDIATE")
    try:
        _prepare(db, path, account)
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _prepare(db: sqlite3.Connection, path: Path, account: str) -> None:
    db.execute("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT)")
    version = int(meta(db, "version") or VERSION)
    if version not in (1, VERSION):
        raise JournalError(
            str(path),
            f"has schema {version} and this program knows {VERSION}",
            "run the version of bybitd that wrote it",
        )
    owner = meta(db, "account") or account
    if owner != account:
        raise JournalError(
            str(path),
            f"belongs to the account {owner!r}, not to {account!r}",
            "give each account its own name, or each daemon its own state folder",
        )
    if version == 1:
        _from_1(db)
    set_meta(db, "version", str(VERSION))
    set_meta(db, "account", account)
    if meta(db, "began_ms") is None:
        set_meta(db, "began_ms", str(time.time_ns() // 1_000_000))
    _make(db)


def _from_1(db: sqlite3.Connection) -> None:
    # Version 2 knows how each request left, and has the entries.
    for table in _KEYS:
        for column in ("req_id", "transport"):
            db.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")


def _make(db: sqlite3.Connection) -> None:
    db.execute(_create("orders", ORDER))
    db.execute(_create("actions", ACTION))
    db.execute("CREATE INDEX IF NOT EXISTS orders_by_id ON orders(order_id) WHERE order_id != ''")
    for column in ("link_id", "order_id"):
        db.execute(
            f"CREATE INDEX IF NOT EXISTS actions_on_{column} ON actions({column}) "
            f"WHERE {column} != ''"
        )
    db.execute("CREATE INDEX IF NOT EXISTS actions_open ON actions(settled) WHERE settled = 0")
    columns = ", ".join(map(_column, _ENTRY))
    # Without rowid: the entries of one order lie together, and one tree is all there is to write.
    db.execute(
        f"CREATE TABLE IF NOT EXISTS entries (kind TEXT, subject TEXT, number INTEGER, "
        f"at_ns INTEGER, {columns}, PRIMARY KEY (kind, subject, number)) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TRIGGER IF NOT EXISTS entries_stay BEFORE UPDATE ON entries "
        "BEGIN SELECT RAISE(ABORT, 'an entry is never altered'); END"
    )
    for table, key in _KEYS.items():
        for trigger in _triggers(table, key, ORDER if table == "orders" else ACTION):
            db.execute(trigger)


def _triggers(table: str, key: str, columns: Sequence[str]) -> list[str]:
    kind = table.removesuffix("s")
    shared = [name for name in _ENTRY if name in columns]
    names = f"kind, subject, number, at_ns, {', '.join(shared)}"

    def values(number: str) -> str:
        new = ", ".join(f"new.{name}" for name in shared)
        at_ns = "max(new.changed_ns, new.received_ns)"
        return (
            f"INSERT INTO entries ({names}) VALUES ('{kind}', new.{key}, {number}, {at_ns}, {new})"  # noqa: S608
        )

    last = f"(SELECT max(number) FROM entries WHERE kind = '{kind}' AND subject = new.{key})"  # noqa: S608
    old, new = (", ".join(f"{when}.{name}" for name in shared) for when in ("old", "new"))
    forget = f"DELETE FROM entries WHERE kind = '{kind}' AND subject = old.{key}"  # noqa: S608
    return [
        f"CREATE TRIGGER IF NOT EXISTS {kind}_made AFTER INSERT ON {table} "
        f"BEGIN {values('1')}; END",
        f"CREATE TRIGGER IF NOT EXISTS {kind}_changed AFTER UPDATE ON {table} "
        f"WHEN ({old}) IS NOT ({new}) BEGIN {values(f'1 + ifnull({last}, 0)')}; END",
        f"CREATE TRIGGER IF NOT EXISTS {kind}_forgotten AFTER DELETE ON {table} "
        f"BEGIN {forget}; END",
    ]


def check_states(db: sqlite3.Connection, path: Path) -> None:
    """See that the newest orders and all that are not over went only where the table lets them.

    Raises:
        JournalError: one did not; whoever wrote that was no working gateway.
    """
    marks = ",".join("?" * len(OVER))
    chosen = (
        f"SELECT link_id FROM orders WHERE state NOT IN ({marks}) OR rowid > "  # noqa: S608
        "(SELECT ifnull(max(rowid), 0) FROM orders) - ?"
    )
    rows = db.execute(
        "SELECT subject, state, basis, lag(state) OVER w, lag(basis) OVER w FROM entries "  # noqa: S608
        f"WHERE kind = 'order' AND subject IN ({chosen}) WINDOW w AS "
        "(PARTITION BY subject ORDER BY number)",
        (*OVER, _NEWEST_CHECKED),
    )
    for subject, state, basis, before, before_basis in rows:
        if not ledger.is_legal(before, before_basis, state, basis):
            raise damaged(path, f"order {subject} is {state!r} ({basis}) after {before!r}")
    rows = db.execute(
        "SELECT subject, state, lag(state) OVER w FROM entries WHERE kind = 'action' AND subject "
        "IN (SELECT id FROM actions WHERE settled = 0) WINDOW w AS "
        "(PARTITION BY subject ORDER BY number)"
    )
    for subject, state, before in rows:
        if not _is_legal_action(before, state):
            raise damaged(path, f"request {subject} is {state!r} after {before!r}")


def _is_legal_action(before: str | None, state: str) -> bool:
    try:
        to = ActionState(state)
        known = ActionState(before) if before is not None else to
    except ValueError:
        return False
    return to is known or to in ACTION_TRANSITIONS[known]


def meta(db: sqlite3.Connection, key: str) -> str | None:
    """Return a value of the journal as a whole."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else None


def set_meta(db: sqlite3.Connection, key: str, value: str) -> None:
    """Set a value of the journal as a whole."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def insert(table: str, columns: Sequence[str]) -> str:
    """Return the statement that writes a new row."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({','.join('?' * len(columns))})"  # noqa: S608


def update(table: str, columns: Sequence[str]) -> str:
    """Return the statement that writes what may change; what never does stands before `state`."""
    changes = ", ".join(f"{name} = ?" for name in columns[columns.index("state") :])
    return f"UPDATE {table} SET {changes} WHERE {_KEYS[table]} = ?"  # noqa: S608


def select(table: str, columns: Sequence[str]) -> str:
    """Return the beginning of a query for whole rows, in the order of `columns`."""
    return f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608


def build(kind: type[T], columns: Sequence[str], row: Sequence[Any]) -> T:
    """Return the order or action of a row.

    Raises:
        msgspec.ValidationError: it is none.
    """
    fields = dict(zip(columns, row, strict=True))
    if "settled" in fields:
        fields["settled"] = bool(fields["settled"])
    return msgspec.convert(fields, kind)


def damaged(path: Path, problem: str) -> JournalError:
    """Return the error for a journal whose content can not be trusted; it says what to do."""
    return JournalError(
        str(path),
        f"is damaged: {problem}",
        "move it (and its -wal and -shm files) away and start again; first compare the account's "
        "open orders with what you expect, for what the journal knew of them is lost",
    )


def _create(table: str, columns: Iterable[str]) -> str:
    key = _KEYS[table]
    made = ", ".join(_column(name) + (" PRIMARY KEY" if name == key else "") for name in columns)
    return f"CREATE TABLE IF NOT EXISTS {table} ({made})"


def _column(name: str) -> str:
    integer = name in _INTEGERS or name.endswith(("_ns", "_ms"))
    return f"{name} {'INTEGER' if integer else 'TEXT'}"
