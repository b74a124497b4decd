"""What is kept of each topic, behind one interface: `state_for(topic)`.

A state is brought up to each message of its topic and can repeat itself as a snapshot for a late
joiner. After a disconnect, `drop` it: what comes next is WAITING until the exchange sends a
snapshot again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from bybitd.venue.full_book import FullBook
from bybitd.venue.klines import KlineRecord
from bybitd.venue.orderbook import OrderBook
from bybitd.venue.outcome import APPLIED, WAITING, Outcome, malformed
from bybitd.venue.rpi_book import RpiBook
from bybitd.venue.tickers import TickerRecord
from bybitd.venue.topics import Kind, Topic
from bybitd.venue.trades import MOST, MOST_ELSEWHERE, TradeTape


class TopicState(Protocol):
    """What is kept of one topic."""

    def apply(self, message: dict[str, Any]) -> Outcome:
        """Bring the state up to one message of the topic. Never raises."""

    def message(self) -> dict[str, Any] | None:
        """Return the state as one message of the topic, None while there is none.

        It may share parts with the state: encode it or copy it, never change it.
        """

    def drop(self) -> None:
        """Forget the state."""


class LastMessage:
    """For topics whose every message replaces the one before: limits, some tickers."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, Any] | None = None

    def apply(self, message: dict[str, Any]) -> Outcome:
        """Keep the message."""
        if not message.get("data"):
            self._last = None
            return malformed("the message has no data")
        self._last = message
        return APPLIED

    def message(self) -> dict[str, Any] | None:
        """Return the last message, None before the first."""
        return None if self._last is None else dict(self._last)

    def drop(self) -> None:
        """Forget the message."""
        self._last = None


class Announcements:
    """For `system.status`: records by id. What is over is kept until the next message."""

    __slots__ = ("_last", "_rows")

    def __init__(self) -> None:
        self._last: dict[str, Any] | None = None
        self._rows: dict[str, dict[str, Any]] = {}

    def apply(self, message: dict[str, Any]) -> Outcome:
        """Take what one message announces."""
        try:
            rows = {row["id"]: row for row in message["data"]}
            pending = {name: row for name, row in self._rows.items() if is_pending(row)}
        except (LookupError, TypeError, AttributeError) as error:
            self.drop()
            return malformed(error)
        self._rows = pending | rows
        self._last = message
        return APPLIED

    def fill(self, rows: Iterable[dict[str, Any]], ts_ms: int) -> None:
        """Take what REST says of the time before the first message, as of `ts_ms` (Unix ms). It
        knows nothing newer than what messages have said.

        Raises:
            LookupError, TypeError: they are no records.
        """
        told = {row["id"]: row for row in rows if is_pending(row)}
        self._rows = told | self._rows
        if self._last is None:
            self._last = {"topic": str(Kind.STATUS), "ts": ts_ms}

    def message(self) -> dict[str, Any] | None:
        """Return all that is kept as one message, None while nothing is known."""
        return None if self._last is None else {**self._last, "data": list(self._rows.values())}

    def drop(self) -> None:
        """Forget everything."""
        self._last = None
        self._rows = {}


def is_pending(row: dict[str, Any]) -> bool:
    """Tell whether a record of `system.status` is of something to come or under way."""
    return row.get("state") not in ("completed", "canceled")


class Pools:
    """For `insurance.<group>`: rows by pool; a delta lists only the pools that changed."""

    __slots__ = ("_last", "_rows")

    def __init__(self) -> None:
        self._last: dict[str, Any] | None = None
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}

    def apply(self, message: dict[str, Any]) -> Outcome:
        """Merge the rows of one message."""
        try:
            rows = {(row["coin"], row["symbols"]): row for row in message["data"]}
            if message["type"] == "snapshot":
                self._rows = rows
            elif self._last is None:
                return WAITING
            else:
                self._rows.update(rows)
        except (LookupError, TypeError) as error:
            self.drop()
            return malformed(error)
        self._last = message
        return APPLIED

    def message(self) -> dict[str, Any] | None:
        """Return all pools as one snapshot message, None before the first."""
        if self._last is None:
            return None
        return {**self._last, "type": "snapshot", "data": list(self._rows.values())}

    def drop(self) -> None:
        """Forget the pools."""
        self._last = None
        self._rows = {}


class Stateless:
    """For topics of events, where the past is not repeated: liquidations."""

    __slots__ = ()

    def apply(self, message: dict[str, Any]) -> Outcome:
        """Check no more than that the message carries events."""
        if not isinstance(message.get("data"), list):
            return malformed("data must be an array")
        return APPLIED

    def message(self) -> None:
        """There is nothing to repeat."""

    def drop(self) -> None:
        """There is nothing to forget."""


def state_for(topic: Topic) -> TopicState:
    """Return a new, empty state of the sort that this topic needs."""
    if topic.kind is Kind.TRADES:
        most = MOST.get(topic.stream, MOST_ELSEWHERE)
        return TradeTape(many=topic.stream == "option", most=most)
    if topic.kind is Kind.KLINE:
        return KlineRecord(topic.parameter)
    if not topic.behaviour.has_state:
        return Stateless()
    if topic.kind is Kind.BOOK:
        return OrderBook(topic.name, topic.depth)
    if topic.kind is Kind.RPI_BOOK:
        return RpiBook(topic.name)
    if topic.kind is Kind.FULL_BOOK:
        return FullBook(topic.name)
    if topic.kind is Kind.INSURANCE:
        return Pools()
    if topic.kind is Kind.STATUS:
        return Announcements()
    if topic.behaviour.snapshot_only:
        return LastMessage()
    return TickerRecord(topic.name)
