"""The state of an account, merged from the stream and from REST: the newest knowledge wins.

The private socket sends no snapshot, promises no order between its topics and replays nothing
(Bybit V5, "Private / Order, Position, Wallet"), so after each connection the state is read by REST
while the stream runs on. Every record is weighed by its own `updatedTime`; which of the two sources
comes first does not matter.

Pure: records are the exchange's maps, kept in the stream's shape; times are ms of its clock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from bybitd.venue.enums import OrderStatus

Record = dict[str, Any]
PositionKey = tuple[str, str, int]
_KEPT_ENDS: Final = 10_000  # orders that are over, so that a late message can not revive them


class Orders:
    """The open orders, and for a while those that are over."""

    def __init__(self) -> None:
        self._open: dict[str, Record] = {}
        self._over: OrderedDict[str, Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._open.values())

    def get(self, order_id: str) -> Record | None:
        """Return what is known of an order, open or over."""
        return self._open.get(order_id) or self._over.get(order_id)

    def merge(self, record: Record) -> bool:
        """Take a record from either source. True if it tells something new."""
        order_id = str(record.get("orderId", ""))
        if not order_id:
            return False
        known = self.get(order_id)
        if known is not None and not _supersedes(record, known):
            return False
        if OrderStatus.parse(str(record.get("orderStatus", ""))).is_terminal:
            self._open.pop(order_id, None)
            self._over[order_id] = record
            if len(self._over) > _KEPT_ENDS:
                self._over.popitem(last=False)
        else:
            self._open[order_id] = record
        return True

    def missing(self, listed: Iterable[str], asked_ms: int) -> list[Record]:
        """Return the open orders that a whole listing, begun at `asked_ms`, did not have.

        One that changed after the listing began may have come to exist meanwhile.
        """
        found = set(listed)
        return [
            record
            for order_id, record in self._open.items()
            if order_id not in found and updated_ms(record) < asked_ms
        ]

    def forget(self, order_id: str) -> None:
        """Drop an order that is open no more although nothing says how it ended."""
        self._open.pop(order_id, None)


def _supersedes(record: Record, known: Record) -> bool:
    over = OrderStatus.parse(str(known.get("orderStatus", ""))).is_terminal
    filled, was_filled = _number(record, "cumExecQty"), _number(known, "cumExecQty")
    if filled < was_filled:
        return False
    new_ms, old_ms = updated_ms(record), updated_ms(known)
    ends = OrderStatus.parse(str(record.get("orderStatus", ""))).is_terminal
    if over:
        # Over stays over; a second record of the end counts only if it has more fills.
        return ends and filled > was_filled
    if ends or filled > was_filled:
        return True
    return new_ms > old_ms or (new_ms == old_ms and _differs(record, known))


def _differs(record: Record, known: Record) -> bool:
    # REST rows and stream records differ in a few fields that one of them lacks.
    return any(record[name] != known[name] for name in record.keys() & known.keys())


class Positions:
    """Every position that was ever shown, flat ones too, by category, symbol and index."""

    def __init__(self) -> None:
        self._records: dict[PositionKey, Record] = {}

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def open(self) -> list[Record]:
        """Return the positions that are not flat."""
        return [record for record in self._records.values() if _number(record, "size")]

    def merge(self, record: Record) -> bool:
        """Take a record in the stream's shape. True if it tells something new."""
        key = position_key(record)
        known = self._records.get(key)
        if known is not None:
            new, old = _age(record), _age(known)
            if new < old or (new == old and not _differs(record, known)):
                return False
        self._records[key] = record
        return True

    def closed(
        self, listed: Iterable[Record], categories: Iterable[str], asked_ms: int
    ) -> list[Record]:
        """Return, flat, the positions that a whole listing of `categories` did not have.

        Such a listing holds only what is not flat, so what it lacks was closed meanwhile. The
        records are the last ones known with nothing left in them, as of `asked_ms`.
        """
        found = {position_key(record) for record in listed}
        wanted = set(categories)
        return [
            {
                **record,
                "size": "0",
                "side": "",
                "positionValue": "0",
                "unrealisedPnl": "0",
                "updatedTime": str(asked_ms),
            }
            for key, record in self._records.items()
            if key not in found
            and key[0] in wanted
            and _number(record, "size")
            and updated_ms(record) < asked_ms
        ]


class Wallet:
    """The account's balances: the account's own figures, and each coin by itself."""

    def __init__(self) -> None:
        self._account: Record = {}
        self._account_ms = -1
        self._coins: dict[str, tuple[int, Record]] = {}

    @property
    def known(self) -> bool:
        """Whether anything was ever said of it."""
        return self._account_ms >= 0

    def merge(self, record: Record, as_of_ms: int, *, whole: bool) -> bool:
        """Take a record that was true at `as_of_ms`. True if it tells something new.

        A stream record names only the coins of its event. A `whole` one, from REST, leaves out
        the coins of which nothing is left.
        """
        news = False
        figures = {name: value for name, value in record.items() if name != "coin"}
        if as_of_ms >= self._account_ms:
            news = figures != self._account
            self._account, self._account_ms = figures, as_of_ms
        named: set[str] = set()
        for coin in _rows(record.get("coin")):
            name = str(coin.get("coin", ""))
            named.add(name)
            known_ms, known = self._coins.get(name, (-1, {}))
            if as_of_ms >= known_ms:
                news = news or coin != known
                self._coins[name] = (as_of_ms, coin)
        if whole:
            for name, (known_ms, _) in list(self._coins.items()):
                if name not in named and known_ms <= as_of_ms:
                    del self._coins[name]
                    news = True
        return news

    def record(self) -> Record:
        """Return the whole wallet in the shape that both sources share."""
        return {**self._account, "coin": [coin for _, coin in self._coins.values()]}


class State:
    """All that is known of one account."""

    def __init__(self) -> None:
        self.orders = Orders()
        self.positions = Positions()
        self.wallet = Wallet()
        self.greeks: dict[str, Record] = {}
        self.knows_greeks = False  # all of them, not only those that changed
        self._greeks_ms: dict[str, int] = {}

    def take(self, message: Mapping[str, Any]) -> None:
        """Merge one message of the stream."""
        kind = str(message.get("topic", "")).partition(".")[0]
        for record in records(message):
            if kind == "order":
                self.orders.merge(record)
            elif kind == "position":
                self.positions.merge(record)
            elif kind == "wallet":
                self.wallet.merge(record, _created_ms(message), whole=False)
            elif kind == "greeks":
                base = str(record.get("baseCoin", ""))
                self.greeks[base], self._greeks_ms[base] = record, _created_ms(message)

    def merge_greeks(self, rows: Iterable[Record], as_of_ms: int) -> bool:
        """Take a whole listing of greeks that was true at `as_of_ms`. True if it tells news."""
        listed = {str(row.get("baseCoin", "")): row for row in rows}
        newer = {base for base, at_ms in self._greeks_ms.items() if at_ms > as_of_ms}
        kept = {base: row for base, row in self.greeks.items() if base in newer}
        merged = {**listed, **kept}
        news = merged != self.greeks
        self.greeks, self.knows_greeks = merged, True
        return news


def records(message: Mapping[str, Any]) -> list[Record]:
    """Return the records of a message, none if it has not the shape of one."""
    return _rows(message.get("data"))


def _rows(value: object) -> list[Record]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def position_key(record: Mapping[str, Any]) -> PositionKey:
    """Return what identifies a position."""
    index = record.get("positionIdx")
    return (
        str(record.get("category", "")),
        str(record.get("symbol", "")),
        index if isinstance(index, int) else 0,
    )


def position_from_rest(row: Mapping[str, Any], category: str) -> Record:
    """Return a REST row in the stream's shape: there the entry price has another name."""
    record = {**row, "category": category}
    if "avgPrice" in record:
        record["entryPrice"] = record.pop("avgPrice")
    return record


def position_to_rest(record: Mapping[str, Any]) -> Record:
    """Return a kept record in the shape of a REST row."""
    row = dict(record)
    if "entryPrice" in row:
        row["avgPrice"] = row.pop("entryPrice")
    return row


def updated_ms(record: Mapping[str, Any]) -> int:
    """Return a record's `updatedTime`, 0 if it has none. The documentation spells it twice."""
    text = str(record.get("updatedTime") or record.get("updateTime") or "")
    return int(text) if text.isdigit() else 0


def _age(record: Mapping[str, Any]) -> tuple[int, int]:
    seq = record.get("seq")
    return updated_ms(record), seq if isinstance(seq, int) else -1


def _created_ms(message: Mapping[str, Any]) -> int:
    value = message.get("creationTime")
    return value if isinstance(value, int) else 0


def _number(record: Mapping[str, Any], name: str) -> Decimal:
    try:
        value = Decimal(str(record.get(name) or 0))
    except InvalidOperation:
        return Decimal(0)
    return value if value.is_finite() else Decimal(0)
