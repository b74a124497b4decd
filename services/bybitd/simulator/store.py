"""Keeps the accounts of the simulator in an SQLite file, so that a killed one finds them again.

Every change is written when it happens and committed once per action. The simulated exchange only
has to survive the kill of its process, not a power cut, so SQLite is not asked to sync.
"""

import sqlite3
import weakref
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from bybitd.simulator.account import CLOSED_KEPT, EXECUTIONS_KEPT, Account, Execution, Settings
from bybitd.simulator.orders import Order
from bybitd.simulator.positions import Position

T = TypeVar("T")
_VERSION = 2

_SCHEMA = """
CREATE TABLE orders (
    uid INTEGER NOT NULL, order_id TEXT NOT NULL, row INTEGER NOT NULL, open INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (uid, order_id)
);
CREATE INDEX orders_by_age ON orders (uid, open, row);
CREATE TABLE executions (
    uid INTEGER NOT NULL, row INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (uid, row)
);
CREATE TABLE positions (
    uid INTEGER NOT NULL, category TEXT NOT NULL, symbol TEXT NOT NULL, idx INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (uid, category, symbol, idx)
);
CREATE TABLE coins (
    uid INTEGER NOT NULL, coin TEXT NOT NULL, wallet TEXT NOT NULL, realised TEXT NOT NULL,
    PRIMARY KEY (uid, coin)
);
CREATE TABLE settings (
    uid INTEGER PRIMARY KEY, leverage BLOB NOT NULL, hedged BLOB NOT NULL, body BLOB
);
CREATE TABLE runs (number INTEGER PRIMARY KEY AUTOINCREMENT);
"""

_SAVE_ORDER = "INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?)"
_SAVE_EXECUTION = "INSERT OR REPLACE INTO executions VALUES (?, ?, ?)"
_SAVE_POSITION = "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?)"
_SAVE_COIN = "INSERT OR REPLACE INTO coins VALUES (?, ?, ?, ?)"
_SAVE_SETTINGS = "INSERT OR REPLACE INTO settings VALUES (?, ?, ?, ?)"
_ORDERS = "SELECT body FROM orders WHERE uid = ? ORDER BY row"
_EXECUTIONS = "SELECT body FROM executions WHERE uid = ? ORDER BY row"
_POSITIONS = "SELECT body FROM positions WHERE uid = ?"
_COINS = "SELECT coin, wallet, realised FROM coins WHERE uid = ?"
_SETTINGS = "SELECT leverage, hedged, body FROM settings WHERE uid = ?"
_DROP_OLD_ORDERS = """
DELETE FROM orders WHERE uid = ?1 AND open = 0 AND row < coalesce(
    (SELECT row FROM orders WHERE uid = ?1 AND open = 0 ORDER BY row DESC LIMIT 1 OFFSET ?2), 0)
"""
_DROP_OLD_EXECUTIONS = """
DELETE FROM executions WHERE uid = ?1 AND row < coalesce(
    (SELECT row FROM executions WHERE uid = ?1 ORDER BY row DESC LIMIT 1 OFFSET ?2), 0)
"""


class AccountStore:
    """An SQLite file of accounts; `:memory:` keeps them only as long as the process lives.

    Used by one thread at a time. Raises ValueError when the file belongs to another version.
    """

    def __init__(self, path: str = ":memory:") -> None:
        # The thread that opens the file is not always the one that runs the exchange.
        self._db = sqlite3.connect(path, check_same_thread=False)
        # A store in memory belongs to whoever made the exchange, and goes with it.
        weakref.finalize(self, self._db.close)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 1:  # it lacked the settings that came later
            self._db.execute("ALTER TABLE settings ADD COLUMN body BLOB")
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
            version = _VERSION
        if version not in (0, _VERSION):
            self._db.close()
            raise ValueError(
                f"{path} was written by another version of the simulator ({version}, not "
                f"{_VERSION}): remove it, the simulated accounts begin anew"
            )
        if version == 0:
            self._db.executescript(_SCHEMA + f"PRAGMA user_version = {_VERSION};")

    def close(self) -> None:
        """Commit and close the file; harmless when it is closed."""
        with suppress(sqlite3.ProgrammingError):
            self._db.commit()
        self._db.close()

    def commit(self) -> None:
        """End the transaction of one action."""
        self._db.commit()

    def new_run(self) -> int:
        """Count one more run of the exchange on this file and return its number."""
        number = self._db.execute("INSERT INTO runs DEFAULT VALUES").lastrowid
        self._db.commit()
        return number or 0

    # --- saving
    def save_order(self, uid: int, order: Order) -> None:
        row = (uid, order.order_id, order.row, order.open, msgspec.json.encode(order))
        self._db.execute(_SAVE_ORDER, row)

    def save_execution(self, uid: int, execution: Execution) -> None:
        self._db.execute(_SAVE_EXECUTION, (uid, execution.row, msgspec.json.encode(execution)))

    def save_position(self, uid: int, position: Position) -> None:
        key = (uid, position.category, position.symbol, position.idx)
        self._db.execute(_SAVE_POSITION, (*key, msgspec.json.encode(position)))

    def save_coin(self, uid: int, coin: str, wallet: Decimal, realised: Decimal) -> None:
        self._db.execute(_SAVE_COIN, (uid, coin, str(wallet), str(realised)))

    def save_settings(self, account: Account) -> None:
        rows = [(*key, chosen) for key, chosen in account.leverage.items()]
        parts = (rows, sorted(account.hedged), account.settings)
        self._db.execute(_SAVE_SETTINGS, (account.uid, *map(msgspec.json.encode, parts)))

    # --- loading
    def load(self, uid: int) -> Account | None:
        """Read an account back; None when there is none. Drops history that is too old to keep."""
        coins = self._db.execute(_COINS, (uid,)).fetchall()
        if not coins:
            return None
        self._db.execute(_DROP_OLD_ORDERS, (uid, CLOSED_KEPT - 1))
        self._db.execute(_DROP_OLD_EXECUTIONS, (uid, EXECUTIONS_KEPT - 1))
        self._db.commit()
        account = Account(uid)
        for coin, wallet, realised in coins:
            account.wallet[coin] = Decimal(wallet)
            account.realised[coin] = Decimal(realised)
        for order in self._read(_ORDERS, uid, Order):
            account.add(order)
            account.last_row = max(account.last_row, order.row)
        for execution in self._read(_EXECUTIONS, uid, Execution):
            account.executions.append(execution)
            account.last_row = max(account.last_row, execution.row)
        for position in self._read(_POSITIONS, uid, Position):
            account.keep(position)
        for leverage, hedged, body in self._db.execute(_SETTINGS, (uid,)):
            rows = msgspec.json.decode(leverage, type=list[tuple[str, str, Decimal]])
            account.leverage = {(category, symbol): chosen for category, symbol, chosen in rows}
            account.hedged = set(msgspec.json.decode(hedged, type=list[str]))
            if body is not None:
                account.settings = msgspec.json.decode(body, type=Settings)
        return account

    def _read(self, query: str, uid: int, kind: type[T]) -> Iterable[T]:
        rows: list[tuple[Any]] = self._db.execute(query, (uid,)).fetchall()
        return (msgspec.json.decode(body, type=kind) for (body,) in rows)
