"""Reads a journal beside its writer, or without one; changes nothing in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from bybitbus.closing import Closing
from bybitd.order_execution import journal_schema as schema
from bybitd.order_execution.actions import Action
from bybitd.order_execution.errors import JournalError
from bybitd.order_execution.ledger import Order

_PAGE: Final = 500
T = TypeVar("T", Order, Action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which orders and requests are wanted; what is empty, or None, does not matter.

    `id` is any of theirs: orderLinkId, orderId, reqId, or that of a request. `since_ns` and
    `until_ns` (Unix ns) limit when they came.
    """

    id: str = ""
    client: str = ""
    symbol: str = ""
    states: tuple[str, ...] = ()
    since_ns: int | None = None
    until_ns: int | None = None

    def condition(self, ids: tuple[str, ...]) -> tuple[str, list[Any]]:
        """Return a condition of SQL, and its values; `ids` are the columns that hold ids."""
        parts, values = ["1"], list[Any]()
        if self.id:
            parts.append(f"({' OR '.join(f'{name} = ?' for name in ids)})")
            values += [self.id] * len(ids)
        for name, value in (("client", self.client), ("symbol", self.symbol)):
            if value:
                parts.append(f"{name} = ?")
                values.append(value)
        if self.states:
            parts.append(f"state IN ({','.join('?' * len(self.states))})")
            values += self.states
        if self.since_ns is not None:
            parts.append("received_ns >= ?")
            values.append(self.since_ns)
        if self.until_ns is not None:
            parts.append("received_ns < ?")
            values.append(self.until_ns)
        return " AND ".join(parts), values


class JournalReader(Closing):
    """A journal that is read only. Its writer may write on meanwhile.

    Raises:
        JournalError: there is none, it can not be read, or it is of another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise JournalError(str(path), "does not exist", "has order execution run here yet?")
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5.0)
            try:
                version = schema.meta(self._db, "version")
            except sqlite3.Error:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise JournalError(str(path), f"can not be read: {error}") from None
        if version != str(schema.VERSION):
            self._db.close()
            raise JournalError(
                str(path),
                f"has schema {version} and this program knows {schema.VERSION}",
                "the daemon brings an older one up to date when it starts",
            )

    def orders(self, wanted: Filter, *, oldest_first: bool = False) -> Iterator[Order]:
        """Yield the orders that fit, newest first unless asked otherwise.

        Raises:
            JournalError: a row is no order.
        """
        ids = ("link_id", "order_id", "req_id")
        return self._rows(Order, "orders", wanted.condition(ids), oldest_first)

    def actions(self, wanted: Filter, *, oldest_first: bool = False) -> Iterator[Action]:
        """Yield the requests to change or cancel that fit, newest first unless asked otherwise.

        Raises:
            JournalError: a row is none.
        """
        ids = ("id", "link_id", "order_id", "req_id")
        return self._rows(Action, "actions", wanted.condition(ids), oldest_first)

    def entries(self, thing: Order | Action) -> list[dict[str, Any]]:
        """Return the audit of one order or request, oldest first: each change as a map."""
        kind, subject = (
            ("order", thing.link_id) if isinstance(thing, Order) else ("action", thing.id)
        )
        found = self._db.execute(
            "SELECT * FROM entries WHERE kind = ? AND subject = ? ORDER BY number", (kind, subject)
        )
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def _rows(
        self, kind: type[T], table: str, condition: tuple[str, list[Any]], oldest_first: bool
    ) -> Iterator[T]:
        # In pages: a long look must not keep the writer's log from starting anew.
        columns = kind.__struct_fields__
        beyond, way, last = (">", "ASC", 0) if oldest_first else ("<", "DESC", 1 << 62)
        query = (
            f"SELECT rowid, {', '.join(columns)} FROM {table} "  # noqa: S608  constants
            f"WHERE {condition[0]} AND rowid {beyond} ? ORDER BY rowid {way} LIMIT ?"
        )
        while True:
            page = self._db.execute(query, (*condition[1], last, _PAGE)).fetchall()
            for row in page:
                try:
                    yield schema.build(kind, columns, row[1:])
                except msgspec.ValidationError as error:
                    raise schema.damaged(self._path, str(error)) from None
            if len(page) < _PAGE:
                return
            last = page[-1][0]
