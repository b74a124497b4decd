"""The kept book of `orderbook.full.<symbol>`: deltas only, seeded by REST (Bybit V5, "Full
Orderbook").

Deltas are buffered until a REST book is found that matches one of them in both `seq` and `u`;
what follows in the buffer is applied on top. The caller fetches `/v5/market/full_orderbook` while
`needs_seed` and hands the result to `seed`, as often as it takes.
"""

from __future__ import annotations

from typing import Any, Final

from bybitd.venue.orderbook import OrderBook
from bybitd.venue.outcome import WAITING, Outcome, Result, broken, malformed

FULL_DEPTH: Final = 10_000
# 200 ms a message: a minute of them. A seed that takes longer must start over.
_MAX_BUFFERED: Final = 300


class FullBook:
    """The full book of one symbol."""

    __slots__ = ("_book", "_buffer", "_topic")

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._book = OrderBook(topic, FULL_DEPTH)
        self._buffer: list[dict[str, Any]] = []

    @property
    def needs_seed(self) -> bool:
        """Tell whether deltas are waiting for a REST book."""
        return self._book.update_id is None and bool(self._buffer)

    def drop(self) -> None:
        """Forget the book and what was buffered for it."""
        self._book.drop()
        self._buffer.clear()

    def apply(self, message: dict[str, Any]) -> Outcome:
        """Bring the book up to one delta, or buffer it before the seed. Never raises."""
        try:
            u, seq = message["data"]["u"], message["data"]["seq"]
            if self._book.update_id is None:
                return self._keep(message, u, seq)
        except (LookupError, TypeError) as error:
            self.drop()
            return malformed(error)
        if u == 1:  # restart, delisting, auction or a new tick size: all start over from REST
            self.drop()
            return broken(Result.GAP, "the exchange started the book anew (u = 1)")
        return self._book.apply(message)

    def seed(self, result: dict[str, Any]) -> bool:
        """Start from a REST book; False where it fits no buffered delta: fetch again."""
        try:
            u, seq = result["u"], result["seq"]
            place = next(
                index
                for index, message in enumerate(self._buffer)
                if message["data"]["seq"] == seq and message["data"]["u"] == u
            )
        except (LookupError, TypeError, StopIteration):
            return False
        snapshot = {"type": "snapshot", "ts": result.get("ts"), "cts": result.get("cts")}
        outcome = self._book.apply({**snapshot, "data": result})
        for message in self._buffer[place + 1 :]:
            if outcome.publish:
                outcome = self._book.apply(message)
        self._buffer.clear()
        return outcome.publish

    def message(self) -> dict[str, Any] | None:
        """Return the whole book as a snapshot message, None while there is none."""
        return self._book.message()

    def _keep(self, message: dict[str, Any], u: int, seq: int) -> Outcome:
        if self._buffer:
            last = self._buffer[-1]["data"]
            if seq < last["seq"]:
                return WAITING
            if u != last["u"] + 1 or len(self._buffer) >= _MAX_BUFFERED:
                self._buffer.clear()
        self._buffer.append(message)
        return WAITING
