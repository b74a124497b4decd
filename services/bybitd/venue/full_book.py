"""The kept book of `orderbook.full.<symbol>`: deltas only, begun with a book fetched over REST
(Bybit V5, "Full Orderbook").

Deltas are buffered until a REST book is found that matches one of them in both `seq` and `u`;
what follows in the buffer is applied on top. The caller fetches `/v5/market/full_orderbook` while
`needs_seed` and hands the result to `seed`, as often as it takes. A book that is lost needs no new
subscription: the deltas go on, and the one that broke it is the first of the next buffer.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from bybitd.venue.orderbook import OrderBook
from bybitd.venue.outcome import DUPLICATE, WAITING, Outcome, Result, broken, malformed

# REST gives 10,000 levels a side. Those beyond it are unknown until they appear, and are kept then.
_MOST_LEVELS: Final = 40_000
_BUFFERED: Final = 300  # 200 ms a message: a minute of them


class Seeding(StrEnum):
    """What became of a REST book."""

    SEEDED = "seeded"
    AHEAD = "ahead"  # newer than every buffered delta: hand it in again when more have come
    UNFIT = "unfit"  # fits no buffered delta: fetch another
    ABSENT = "absent"  # the exchange has no book: delisted, or before its opening auction


class FullBook:
    """The full book of one symbol. `absent`: the exchange had none when it was asked last."""

    __slots__ = ("_book", "_buffer", "_topic", "absent")

    def __init__(self, topic: str) -> None:
        self.absent = False
        self._topic = topic
        self._book = OrderBook(topic, _MOST_LEVELS)
        self._buffer: deque[dict[str, Any]] = deque(maxlen=_BUFFERED)

    @property
    def needs_seed(self) -> bool:
        """Tell whether deltas are waiting for a REST book."""
        return self._book.update_id is None and bool(self._buffer) and not self.absent

    def drop(self) -> None:
        """Forget the book and what was buffered for it."""
        self.absent = False
        self._book.drop()
        self._buffer.clear()

    def apply(self, message: dict[str, Any]) -> Outcome:
        """Bring the book up to one delta, or buffer it before the seed. Never raises."""
        try:
            u, seq = message["data"]["u"], message["data"]["seq"]
            if not isinstance(u, int) or not isinstance(seq, int):
                raise TypeError("u and seq must be whole numbers")
            if self._book.update_id is None:
                return self._keep(message, u, seq)
        except (LookupError, TypeError) as error:
            self.drop()
            return malformed(error)
        if u == 1:  # restart, delisting, auction or a new tick size: all start over from REST
            outcome = broken(Result.GAP, "the exchange started the book anew (u = 1)")
        else:
            outcome = self._book.apply(message)
            if outcome is DUPLICATE and seq > self._seq():
                # An old update can not have a newer sequence: the restart itself was missed.
                outcome = broken(Result.GAP, f"update {u} is not after the last one, but newer")
        if outcome.resync:
            self.drop()
            if outcome.result is not Result.MALFORMED:
                self._buffer.append(message)
        return outcome

    def seed(self, result: dict[str, Any]) -> Seeding:
        """Take a REST book. Never raises."""
        buffer = self._buffer
        if not buffer:
            return Seeding.UNFIT
        try:
            empty = not result.get("b") and not result.get("a")
            if empty and buffer[-1]["data"]["u"] == 1:
                self.absent = True
                return Seeding.ABSENT
            u, seq = result["u"], result["seq"]
            if seq > buffer[-1]["data"]["seq"]:
                return Seeding.AHEAD
            place = next(
                index
                for index, message in enumerate(buffer)
                if message["data"]["seq"] == seq and message["data"]["u"] == u
            )
        except (LookupError, TypeError, AttributeError, StopIteration):
            return Seeding.UNFIT
        snapshot = {"type": "snapshot", "ts": result.get("ts"), "cts": result.get("cts")}
        outcome = self._book.apply({**snapshot, "data": result})
        for message in islice(buffer, place + 1, None):
            if outcome.publish:
                outcome = self._book.apply(message)
        if not outcome.publish:
            self._book.drop()
            return Seeding.UNFIT
        buffer.clear()
        return Seeding.SEEDED

    def message(self) -> dict[str, Any] | None:
        """Return the whole book as a snapshot message, None while there is none."""
        return self._book.message()

    def _seq(self) -> int:
        last = self._book.last_message
        seq: int = last["data"]["seq"] if last is not None else 0
        return seq

    def _keep(self, message: dict[str, Any], u: int, seq: int) -> Outcome:
        buffer = self._buffer
        if buffer:
            last = buffer[-1]["data"]
            if u == last["u"] and seq == last["seq"]:
                return DUPLICATE
            if u != 1 and seq < last["seq"]:
                return WAITING
            if u != last["u"] + 1:
                buffer.clear()
        self.absent = False
        buffer.append(message)
        return WAITING
