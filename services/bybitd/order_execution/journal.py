"""The order journal: what was asked, what left this machine and what came back, on disk.

An order is written before its bytes leave, so that whatever happens to this process, the next one
knows what may exist at the exchange. SQLite in WAL mode with one writer.

`process`: a commit hands the pages to the kernel, which keeps them when the process is killed. No
commit waits for the disk: the log is copied into the database by `housekeeping`, in a thread with a
connection of its own, and the one sync that SQLite needs when the log starts anew is paid there and
then by `begin_log`, in an idle moment. A power cut may lose the last moments, never the file.
`disk`: every commit waits until the disk has it.

What can not be written, because the disk is full for instance: a new order is refused. A change is
kept in memory and written as soon as that is possible; should the process end before, the next one
finds an older state and looks the order up.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from bybitbus.closing import Closing
from bybitd.order_execution import journal_schema as schema
from bybitd.order_execution.actions import Action, ActionState
from bybitd.order_execution.errors import JournalError, LinkIdUsed, NotJournaled
from bybitd.order_execution.journal_schema import ACTION, ORDER, OVER
from bybitd.order_execution.ledger import Order

_INSERT_ORDER: Final = schema.insert("orders", ORDER)
_INSERT_ACTION: Final = schema.insert("actions", ACTION)
_UPDATE_ORDER: Final = schema.update("orders", ORDER)
_UPDATE_ACTION: Final = schema.update("actions", ACTION)
_SELECT_ORDER: Final = schema.select("orders", ORDER)
_SELECT_ACTION: Final = schema.select("actions", ACTION)
_ORDER_CHANGES: Final = ORDER.index("state")
_ACTION_CHANGES: Final = ACTION.index("state")
_BATCH: Final = 50  # more than the exchange takes in one
log = logging.getLogger(__name__)


class Journal(Closing):
    """The journal of one account. Everything here belongs to one thread.

    `problem` says why the last write failed, "" while all is well.

    Raises:
        JournalError: in use by another process, damaged, of another account or a newer schema.
    """

    def __init__(self, path: Path, account: str, sync: Literal["process", "disk"]) -> None:
        self.path = path
        self.sync = sync
        self.writes = 0
        self.problem = ""
        self._unwritten: dict[tuple[str, str], Order | Action] = {}
        self._lock = _lock(path)
        try:
            self._db = _open(path, "FULL" if sync == "disk" else "NORMAL")
            try:
                schema.prepare(self._db, path, account)
                schema.check_states(self._db, path)
            except BaseException:
                self._db.close()
                raise
        except sqlite3.OperationalError as error:
            self._release()
            raise JournalError(str(path), f"can not be used: {error}") from None
        except sqlite3.DatabaseError as error:
            self._release()
            raise schema.damaged(path, str(error)) from None
        except JournalError:
            self._release()
            raise

    def insert(self, orders: Sequence[Order] = (), actions: Sequence[Action] = ()) -> None:
        """Write new orders and actions, all or none. On return they survive a killed process.

        Raises:
            LinkIdUsed: an orderLinkId is there already; nothing was written.
            NotJournaled: it can not be written now; nothing was.
        """
        try:
            if len(orders) == 1 and not actions:
                self._insert_order(orders[0])
            else:
                self._insert_all(orders, actions)
        except sqlite3.DatabaseError as error:
            self._failed(error)
            raise NotJournaled(str(self.path), str(error)) from None
        self._wrote(len(orders) + len(actions))

    def update(self, orders: Sequence[Order] = (), actions: Sequence[Action] = ()) -> bool:
        """Write what has changed, all or none. False if that is not possible now: it is kept, and
        written later.
        """
        try:
            self._update_all(orders, actions)
        except sqlite3.DatabaseError as error:
            self._failed(error)
            self.keep(orders, actions)
            return False
        for order in orders:
            self._unwritten.pop(("order", order.link_id), None)
        for action in actions:
            self._unwritten.pop(("action", action.id), None)
        self._wrote(len(orders) + len(actions))
        return True

    def keep(self, orders: Sequence[Order] = (), actions: Sequence[Action] = ()) -> None:
        """Keep changes, or new actions, for `catch_up` to write."""
        self._unwritten |= {("order", order.link_id): order for order in orders}
        self._unwritten |= {("action", action.id): action for action in actions}

    def catch_up(self) -> None:
        """Try again to write what could not be written. To be called now and then."""
        if not self.problem and not self._unwritten:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for thing in self._unwritten.values():
                    self._write(thing)
                schema.set_meta(self._db, "caught_up", str(self.writes))
            except BaseException:
                self._roll_back()
                raise
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self._roll_back()
            self._failed(error)
            return
        written = len(self._unwritten)
        self._unwritten.clear()
        log.warning("= the journal is written again; %d changes had waited", written)
        self._wrote(written + 1)

    def order(self, link_id: str) -> Order | None:
        """Return the order of an orderLinkId."""
        waiting = self._unwritten.get(("order", link_id))
        if isinstance(waiting, Order):
            return waiting
        return self._one("link_id = ?", link_id)

    def order_by_id(self, order_id: str) -> Order | None:
        """Return the order of an orderId."""
        return self._one("order_id = ?", order_id) if order_id else None

    def unfinished_orders(self) -> list[Order]:
        """Return every order that is not over, oldest first.

        Raises:
            JournalError: a row is no order.
        """
        marks = ",".join("?" * len(OVER))
        query = f"{_SELECT_ORDER} WHERE state NOT IN ({marks}) ORDER BY received_ns"
        try:
            return [schema.build(Order, ORDER, row) for row in self._db.execute(query, OVER)]
        except msgspec.ValidationError as error:
            raise schema.damaged(self.path, str(error)) from None

    def unfinished_actions(self) -> list[Action]:
        """Return every action of which more may be found out, oldest first.

        Raises:
            JournalError: a row is no action.
        """
        query = f"{_SELECT_ACTION} WHERE settled = 0 ORDER BY received_ns"
        try:
            return [schema.build(Action, ACTION, row) for row in self._db.execute(query)]
        except msgspec.ValidationError as error:
            raise schema.damaged(self.path, str(error)) from None

    def actions_on(self, link_id: str, order_id: str, most: int = 50) -> list[Action]:
        """Return what was asked of an order, newest first."""
        query = (
            f"{_SELECT_ACTION} WHERE (link_id = ? AND link_id != '') "
            "OR (order_id = ? AND order_id != '') ORDER BY received_ns DESC LIMIT ?"
        )
        rows = self._db.execute(query, (link_id, order_id, most))
        return [schema.build(Action, ACTION, row) for row in rows]

    def changes_since(self, action: Action) -> list[Action]:
        """Return the other actions of its op that went out with it or later, and were not refused.

        Some of before it are looked at too: those of one batch have the same moment.
        """
        query = (
            f"{_SELECT_ACTION} WHERE rowid > (SELECT rowid FROM actions WHERE id = ?) - {_BATCH} "  # noqa: S608
            "AND id != ? AND op = ? AND sent_ns >= ? AND state != 'rejected'"
        )
        rows = self._db.execute(query, (action.id, action.id, action.op, action.sent_ns))
        return [schema.build(Action, ACTION, row) for row in rows]

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
        """Return a number that no earlier run got, also if the clock was set back meanwhile.

        Raises:
            JournalError: it can not be written.
        """
        last = int(schema.meta(self._db, "epoch") or 0)
        epoch = max(now_us, last + 1)
        try:
            schema.set_meta(self._db, "epoch", str(epoch))
        except sqlite3.OperationalError as error:
            raise JournalError(
                str(self.path), f"can not be written: {error}", "make room on its disk"
            ) from None
        return epoch

    def begin_log(self) -> None:
        """Start the log anew if it was copied, and pay for the sync that this takes."""
        try:
            schema.set_meta(self._db, "checkpointed", str(self.writes))
        except sqlite3.DatabaseError as error:
            self._failed(error)

    def close(self) -> None:
        """Copy the log into the database and release both."""
        try:
            # Closing does it by itself only where nobody else reads the file.
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.DatabaseError:
            pass  # the next run finds it in the log
        self._db.close()
        self._release()

    def _insert_all(self, orders: Sequence[Order], actions: Sequence[Action]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for order in orders:
                self._insert_order(order)
            for action in actions:
                self._db.execute(_INSERT_ACTION, msgspec.structs.astuple(action))
            self._db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _update_all(self, orders: Sequence[Order], actions: Sequence[Action]) -> None:
        several = len(orders) + len(actions) > 1
        if several:
            self._db.execute("BEGIN IMMEDIATE")
        try:
            for order in orders:
                self._write(order)
            for action in actions:
                self._write(action)
            if several:
                self._db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _insert_order(self, order: Order) -> None:
        try:
            self._db.execute(_INSERT_ORDER, msgspec.structs.astuple(order))
        except sqlite3.IntegrityError:
            raise LinkIdUsed(order.link_id) from None

    def _update(self, thing: Order | Action) -> int:
        values = msgspec.structs.astuple(thing)
        if isinstance(thing, Order):
            done = self._db.execute(_UPDATE_ORDER, (*values[_ORDER_CHANGES:], thing.link_id))
        else:
            done = self._db.execute(_UPDATE_ACTION, (*values[_ACTION_CHANGES:], thing.id))
        return done.rowcount

    def _write(self, thing: Order | Action) -> None:
        # An action may be new: a cancel does not wait for a disk.
        if self._update(thing) == 0 and isinstance(thing, Action):
            self._db.execute(_INSERT_ACTION, msgspec.structs.astuple(thing))

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself where the disk was full.
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _failed(self, error: sqlite3.Error) -> None:
        if not self.problem:
            log.error("= the journal can not be written: %s", error)
        self.problem = str(error)

    def _wrote(self, count: int) -> None:
        self.writes += count
        if not self._unwritten:
            self.problem = ""

    def _one(self, condition: str, value: str) -> Order | None:
        # The condition is one of two constants above.
        row = self._db.execute(f"{_SELECT_ORDER} WHERE {condition}", (value,)).fetchone()
        return schema.build(Order, ORDER, row) if row else None

    def _release(self) -> None:
        os.close(self._lock)


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
