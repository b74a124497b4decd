"""Topics of events: what was seen is remembered, by row or by message. Pure.

Trades have ids, so each row is published once, whichever message brings it: the exchange may cut
the same trades into other messages on another connection. Where rows have no id (liquidations, the
status of the exchange) a message is told by its `ts` and what it says.

The memory is bounded by count and by time, and by more than any lane can be behind. A message from
before that is dropped, since a row that comes twice is worse than one that comes an age too late.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

from bybitd.public_feed.merging.copies import Arrived, Copies, Message

MOST_KEPT: Final = 4096
KEPT_MS: Final = 30_000


class Seen:
    """Remembers the last keys: `MOST_KEPT` of them, or those of `KEPT_MS`, and up to twice that.

    Times are those of the exchange (`ts`), Unix ms.
    """

    __slots__ = ("_before", "_now", "_since_ms", "floor_ms")

    def __init__(self) -> None:
        self._now: set[Hashable] = set()
        self._before: set[Hashable] = set()
        self._since_ms = 0
        self.floor_ms = 0  # of what is not newer nothing is known any more

    def __contains__(self, key: Hashable) -> bool:
        return key in self._now or key in self._before

    def add(self, key: Hashable) -> None:
        """Remember a key."""
        self._now.add(key)

    def pass_time(self, ts_ms: int) -> None:
        """Forget what is old, now that a message of `ts_ms` was taken."""
        if len(self._now) < MOST_KEPT and ts_ms - self._since_ms < KEPT_MS:
            return
        if self._before:
            self.floor_ms = max(self.floor_ms, self._since_ms)
        self._before, self._now, self._since_ms = self._now, set(), ts_ms


class Rows(Copies):
    """One topic of events. `key` is what identifies a row."""

    __slots__ = ("_key", "_seen")

    def __init__(self, key: Callable[[dict[str, Any]], Hashable]) -> None:
        super().__init__()
        self._key = key
        self._seen = Seen()

    def offer(self, lane: int, message: Message, rx_ns: int, now_ms: int) -> Sequence[Arrived]:
        """Take one message; see `Copies`."""
        rows, ts, seen, key = message["data"], message["ts"], self._seen, self._key
        self._carrying.add(lane)
        new = [row for row in rows if key(row) not in seen]
        if not new or ts <= seen.floor_ms:
            return ()
        for row in new:
            seen.add(key(row))
        seen.pass_time(ts)
        if len(new) < len(rows):
            message = {**message, "data": new}
        return (Arrived(message, rx_ns),)


class Messages(Copies):
    """One topic whose messages are told by `ts` and content."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        super().__init__()
        self._seen = Seen()

    def offer(self, lane: int, message: Message, rx_ns: int, now_ms: int) -> Sequence[Arrived]:
        """Take one message; see `Copies`."""
        ts, seen = message["ts"], self._seen
        key = (ts, repr(message["data"]))
        self._carrying.add(lane)
        if key in seen or ts <= seen.floor_ms:
            return ()
        seen.add(key)
        seen.pass_time(ts)
        return (Arrived(message, rx_ns),)


def trade_id(row: dict[str, Any]) -> Hashable:
    """Return what identifies a trade: on `option` one topic has many symbols."""
    return row["s"], row["i"]
