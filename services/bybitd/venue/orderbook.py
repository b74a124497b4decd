"""The kept book of one `orderbook.<depth>.<symbol>` topic (Bybit V5, "Orderbook").

This is the hot path. A side is a dict from an exact integer of the price (`price_key`) to the level
as it came, `["price", "size"]`; nothing is copied, and nothing sorted before somebody asks for the
whole book. Asks are kept under the negative of their price, so that the best level of either side
is its greatest key and one loop serves both. The best keys are kept, so a message costs its own
levels only; a side is searched again only when its best level goes.

Continuity: a delta must carry the last `u` + 1; `u` = 1 (the service restarted) or a snapshot
replaces the book, whatever its `u`. An older `u` is a repeat only where the cross sequence `seq` is
not newer either. A message that replaced the book is marked `type: snapshot`. The exchange sends no
checksum, so this, the order of levels and "bids below asks" is all that can be proved, and a book
that fails one of them is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import nsmallest
from typing import Any, Final

from bybitd.venue.outcome import (
    APPLIED,
    DUPLICATE,
    REPEATED,
    WAITING,
    Outcome,
    Result,
    broken,
    malformed,
)
from bybitd.venue.price_key import MoreDecimals, PriceKeys

Level = list[str]
Side = dict[int, Level]
Merge = Callable[[Side, list[Level], int, PriceKeys], int]

# A size of zero removes a level. Bybit writes "0"; "0.000" would mean the same. As text, every
# spelling of zero sorts before this and every plain decimal above zero after it, so one comparison
# of strings tells them apart (and one of something else raises).
TINY: Final = "0.000000000000000000000001"
# The best key of an empty side: below every price, and it crosses with nothing.
EMPTY: Final = -(10**60)


class OrderBook:
    """The book of one topic: `depth` levels a side.

    Everything that it hands out shares its levels with the book: encode it or copy it, never
    change it.
    """

    __slots__ = (
        "_ask_keys",
        "_asks",
        "_best_ask",
        "_best_bid",
        "_bid_keys",
        "_bids",
        "_last",
        "_merge",
        "_topic",
        "_u",
        "depth",
    )

    def __init__(self, topic: str, depth: int, merge: Merge | None = None) -> None:
        self.depth = depth
        self._topic = topic
        self._merge = merge or merge_pairs
        self._bid_keys = PriceKeys(sign=1, limit=2 * depth + 256)
        self._ask_keys = PriceKeys(sign=-1, limit=2 * depth + 256)
        self._last: dict[str, Any] = {}
        self.drop()

    def drop(self) -> None:
        """Forget the book: after a disconnect, or when it can not be trusted."""
        self._bids: Side = {}
        self._asks: Side = {}
        self._best_bid = EMPTY
        self._best_ask = EMPTY
        self._u: int | None = None

    @property
    def update_id(self) -> int | None:
        """The `u` of the last message applied; None while there is no book."""
        return self._u

    @property
    def last_message(self) -> dict[str, Any] | None:
        """The last message applied; None while there is no book. Do not change it."""
        return None if self._u is None else self._last

    @property
    def best_bid(self) -> Level | None:
        """The highest bid, as `[price, size]`."""
        return self._bids.get(self._best_bid)

    @property
    def best_ask(self) -> Level | None:
        """The lowest ask, as `[price, size]`."""
        return self._asks.get(self._best_ask)

    def apply(self, message: dict[str, Any]) -> Outcome:
        """Bring the book up to one message of its topic. Never raises."""
        try:
            data = message["data"]
            u = data["u"]
            if message["type"] != "delta" or u == 1:
                return self._replace(message, data, u)
            last = self._u
            if last is None:
                return WAITING
            if u != last + 1:
                if u <= last and data["seq"] <= self._last["data"]["seq"]:
                    return DUPLICATE
                # An old id on a new change: the ids began anew, and that snapshot was lost.
                return self._fail(Result.GAP, f"update {u} came after {last}")
            bids, asks = self._bids, self._asks
            if (changed := data["b"]) != []:  # anything else that is empty is no side of a book
                self._best_bid = self._merge(bids, changed, self._best_bid, self._bid_keys)
            if (changed := data["a"]) != []:
                self._best_ask = self._merge(asks, changed, self._best_ask, self._ask_keys)
            self._u = u
            self._last = message
        except MoreDecimals as more:
            # Half of the message may be in the book by now; applying a level twice is harmless.
            self._rescale(more.decimals)
            return self.apply(message)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            self.drop()
            return malformed(error)
        if self._best_bid + self._best_ask >= 0 and (crossed := self._crossed()):
            return self._fail(Result.CROSSED, crossed)
        depth = self.depth
        if len(bids) > depth:
            _trim(bids, depth)
        if len(asks) > depth:
            _trim(asks, depth)
        return APPLIED

    def snapshot(self) -> dict[str, Any] | None:
        """Return the whole book in Bybit's shape `{s, b, a, u, seq}`, best levels first.

        None while there is no book.
        """
        if self._u is None:
            return None
        bids, asks, last = self._bids, self._asks, self._last["data"]
        return {
            "s": last.get("s"),
            "b": [bids[key] for key in sorted(bids, reverse=True)],
            "a": [asks[key] for key in sorted(asks, reverse=True)],
            "u": self._u,
            "seq": last.get("seq"),
        }

    def message(self) -> dict[str, Any] | None:
        """Return the whole book as the snapshot message of its topic, None while there is none.

        `ts` and `cts` are those of the last message applied.
        """
        data = self.snapshot()
        if data is None:
            return None
        last = self._last
        return {
            "topic": self._topic,
            "type": "snapshot",
            "ts": last.get("ts"),
            "data": data,
            "cts": last.get("cts"),
        }

    def _rescale(self, scale: int) -> None:
        bids, asks = self._bids.values(), self._asks.values()
        self._bid_keys.rescale(scale)
        self._ask_keys.rescale(scale)
        self._bids = {self._bid_keys[level[0]]: level for level in bids}
        self._asks = {self._ask_keys[level[0]]: level for level in asks}
        self._best_bid = max(self._bids, default=EMPTY)
        self._best_ask = max(self._asks, default=EMPTY)

    def _crossed(self) -> str:
        """Say how the best prices cross, which the keys have shown; "" where that may be."""
        return (
            f"bid {self._bids[self._best_bid][0]} at or above ask {self._asks[self._best_ask][0]}"
        )

    def _replace(self, message: dict[str, Any], data: dict[str, Any], u: int) -> Outcome:
        repeated = self.depth == 1 and self._u == u
        self.drop()
        if not isinstance(u, int):
            raise TypeError("u must be a whole number")
        self._best_bid = self._merge(self._bids, data["b"], EMPTY, self._bid_keys)
        self._best_ask = self._merge(self._asks, data["a"], EMPTY, self._ask_keys)
        for side, levels in ((self._bids, data["b"]), (self._asks, data["a"])):
            keys = list(side)
            if len(keys) != len(levels) or keys != sorted(keys, reverse=True):
                return self._fail(Result.UNSORTED, f"the snapshot {u} has levels out of order")
        if self._best_bid + self._best_ask >= 0 and (crossed := self._crossed()):
            return self._fail(Result.CROSSED, crossed)
        self._u = u
        self._last = message
        # A reader must not have to know that u = 1 makes a delta whole.
        message["type"] = "snapshot"
        # Level 1 is sent again every 3 s when nothing changes, with the same u.
        return REPEATED if repeated else APPLIED

    def _fail(self, result: Result, reason: str) -> Outcome:
        self.drop()
        return broken(result, reason)


def merge_pairs(side: Side, levels: list[Level], best: int, keys: PriceKeys) -> int:
    """Apply the levels of one side, return its best key.

    Raises:
        MoreDecimals: a price needs a finer scale; some levels may have been applied.
        ValueError, TypeError: a level is no pair of decimal strings.
    """
    lost = False
    for level in levels:
        price, size = level
        key = keys[price]
        if size < TINY:
            # A level that is not held may be removed: it was outside the window.
            if side.pop(key, None) is not None and key == best:
                lost = True
        else:
            side[key] = level
            if key > best:
                best = key
    return max(side, default=EMPTY) if lost else best


def _trim(side: Side, depth: int) -> None:
    # A level pushed out of the window comes as size "0"; one that did not would grow stale unseen.
    for key in nsmallest(len(side) - depth, side):
        del side[key]
