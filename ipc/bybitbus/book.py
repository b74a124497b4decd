"""A local order book, fed by the events of one `orderbook.` topic.

Says that it is invalid rather than show a wrong book (`ipc/PROTOCOL.md`, "Sequence"): before its
first snapshot, after a hole or a new epoch until the next snapshot, and while the gateway reports
the topic as stale. Pure: no socket, no clock.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import Decimal, InvalidOperation
from typing import Any

from bybitbus.events import Event
from bybitbus.sequence import Verdict

# Nothing proves that these continue what the book holds.
_STARTS_ANEW = frozenset({Verdict.FIRST, Verdict.NEW_EPOCH})


Level = tuple[str, ...]
_RPI_DEPTH = 50


class Book:
    """The book of one topic, for instance `linear.orderbook.50.BTCUSDT.`.

    Feed it every event of that topic, and those of `feed_topic` where the reader subscribes to
    that too; others are passed over. That the whole feed has gone shows on neither of them, only
    on its status. Prices and sizes are the exchange's own strings; a level is (price, size), on
    `orderbook.rpi.` topics (price, size without RPI orders, size of RPI orders).

    Attributes: `problem` (why the book is invalid, "" while it is valid), `seq` (of the last
    message that shaped it).
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.feed_topic = f"gateway.feed.{topic}"
        self.seq = 0
        kind = topic.split(".")[2:3]
        self._depth = int(kind[0]) if kind and kind[0].isdecimal() else None
        self._width = 2
        if kind == ["rpi"]:
            self._depth, self._width = _RPI_DEPTH, 3
        self._bids = _Side()
        self._asks = _Side()
        self._missing = "no snapshot yet"
        self._stale = ""
        self._old = ""

    @property
    def problem(self) -> str:
        """Why the book must not be used, or "" while it may."""
        return self._missing or self._stale or self._old

    @property
    def valid(self) -> bool:
        """Whether this is the book of the exchange as of the last message."""
        return not self.problem

    def apply(self, event: Event) -> bool:
        """Take one event in and return whether the book is valid now."""
        if event.topic == self.topic:
            self._take(event)
        elif event.topic == self.feed_topic:
            self._take_state(event.body)
        return self.valid

    def bids(self, depth: int | None = None) -> list[Level]:
        """Return the best `depth` bids, highest price first; [] if invalid."""
        return self._bids.highest(depth) if self.valid else []

    def asks(self, depth: int | None = None) -> list[Level]:
        """Return the best `depth` asks, lowest price first; [] if invalid."""
        return self._asks.lowest(depth) if self.valid else []

    @property
    def best_bid(self) -> str | None:
        """The highest bid, None without one or while the book is invalid."""
        return next((level[0] for level in self.bids(1)), None)

    @property
    def best_ask(self) -> str | None:
        """The lowest ask, None without one or while the book is invalid."""
        return next((level[0] for level in self.asks(1)), None)

    def _take(self, event: Event) -> None:
        if event.verdict is Verdict.REPEAT:
            return
        if event.missing or event.verdict in _STARTS_ANEW:
            lost = f"{event.missing} messages lost" if event.missing else "the topic starts anew"
            self._drop(f"{lost}; waiting for a snapshot")
        try:
            whole = event.body["type"] == "snapshot"
            if not whole and self._missing:
                return
            data = event.body["data"]
            bids, asks = _levels(data["b"], self._width), _levels(data["a"], self._width)
        except (KeyError, TypeError, ValueError, InvalidOperation):
            self._drop("a message that is no order book; waiting for a snapshot")
            return
        if whole:
            self._bids, self._asks = _Side(), _Side()
            self._missing = ""
        self._old = ""
        self._bids.update(bids)
        self._asks.update(asks)
        self.seq = event.body["seq"]
        bid, ask = self._bids.touch(highest=True), self._asks.touch(highest=False)
        if bid is not None and ask is not None and bid >= ask:
            self._drop("bids reach asks; waiting for a snapshot")
        if self._depth is not None:
            # A level that falls out of the window comes as size 0; one that did not grows old.
            self._bids.trim(self._depth, highest=True)
            self._asks.trim(self._depth, highest=False)

    def _take_state(self, body: dict[str, Any]) -> None:
        state, reason = body.get("state"), body.get("reason", "")
        self._stale = "" if state == "live" else f"{state}: {reason}"
        if state != "live":
            # The message that makes it live again may be the one that is lost on the way to here.
            # What is held goes on from there even so: after a break that message is a snapshot.
            self._old = "waiting for a fresh message"

    def _drop(self, why: str) -> None:
        self._bids, self._asks = _Side(), _Side()
        self._missing = why


class _Side:
    """One side of a book. Prices are ordered, and told apart, by value: 1.0 is 1.00."""

    def __init__(self) -> None:
        self.prices: list[Decimal] = []  # ascending
        self._levels: dict[Decimal, tuple[bool, Level]] = {}

    def update(self, levels: list[tuple[Decimal, bool, bool, Level]]) -> None:
        for value, removed, tradable, level in levels:
            known = value in self._levels
            if not removed:
                self._levels[value] = tradable, level
                if not known:
                    insort(self.prices, value)
            elif known:  # removing a level that was never shown is no mistake of the sender
                del self._levels[value]
                del self.prices[bisect_left(self.prices, value)]

    def touch(self, *, highest: bool) -> Decimal | None:
        """Return the best price that holds more than RPI orders: only such prices can cross."""
        prices = reversed(self.prices) if highest else iter(self.prices)
        return next((value for value in prices if self._levels[value][0]), None)

    def trim(self, depth: int, *, highest: bool) -> None:
        over = len(self.prices) - depth
        if over > 0:
            gone = self.prices[:over] if highest else self.prices[depth:]
            self.prices = self.prices[over:] if highest else self.prices[:depth]
            for value in gone:
                del self._levels[value]

    def highest(self, depth: int | None) -> list[Level]:
        wanted = self.prices[::-1] if depth is None else self.prices[::-1][:depth]
        return [self._levels[value][1] for value in wanted]

    def lowest(self, depth: int | None) -> list[Level]:
        return [self._levels[value][1] for value in self.prices[:depth]]


def _levels(rows: Any, width: int) -> list[tuple[Decimal, bool, bool, Level]]:
    """Return (price, whether the level goes, whether it holds more than RPI orders, level)."""
    parsed = []
    for row in rows:
        value, *sizes = map(_number, row)
        if len(row) != width:
            raise ValueError("a level of another width")
        parsed.append((value, not any(sizes), bool(sizes[0]), tuple(row)))
    return parsed


def _number(text: Any) -> Decimal:
    if not isinstance(text, str):
        raise TypeError("a decimal is a string")
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError("not a number")
    return value
