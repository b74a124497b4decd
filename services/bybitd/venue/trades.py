"""`publicTrade.<symbol>` (on option of a base coin), and how its holes are mended (Bybit V5,
"Trade", "Get Recent Public Trades").

The stream sends no trade twice and none of the past, so what is made while a connection is away is
missing. REST has the newest trades. The last ones that came before the cut are remembered, so that
those after them can be told from those before, and those that come live meanwhile from both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, Final, NamedTuple

from bybitd.venue.outcome import APPLIED, DUPLICATE, Outcome, malformed

Row = dict[str, Any]
_KEPT: Final = 200
_PAST_MS: Final = 1_000  # trades of so much later are a sign that all the others have come
MOST: Final = {"spot": 60}
MOST_ELSEWHERE: Final = 1_000
_KEYS: Final = {
    "time": "T",
    "symbol": "s",
    "side": "S",
    "size": "v",
    "price": "p",
    "execId": "i",
    "isBlockTrade": "BT",
    "isRPITrade": "RPI",
    "seq": "seq",
}
_OPTION_KEYS: Final = ("mP", "iP", "mIv", "iv")


class Mended(NamedTuple):
    """The missed trades, oldest first; `whole` when they are proven to be all. If not, some before
    `first_ms` (Unix ms, 0 if that is not known) stay missing.
    """

    rows: list[Row]
    whole: bool
    first_ms: int


class TradeTape:
    """Passes trades on and remembers which. `many` tells that the topic carries several symbols.

    `breaks` counts how often trades may have been missed; `hole_ms` is the time of the last trade
    before the first break that has not been mended (Unix ms), None where there is none.
    """

    __slots__ = (
        "_before",
        "_filled",
        "_filled_ms",
        "_first_ms",
        "_key",
        "_keys",
        "_last_ms",
        "_most",
        "_since",
        "breaks",
        "hole_ms",
    )

    def __init__(self, *, many: bool, most: int) -> None:
        self.breaks = 0
        self.hole_ms: int | None = None
        self._key: Callable[[Row], Hashable] = itemgetter("s", "i") if many else itemgetter("i")
        self._most = most
        self._keys: deque[Hashable] = deque(maxlen=_KEPT)
        self._last_ms = 0
        self._before: dict[Hashable, None] = {}  # the last trades before the hole
        self._since: dict[Hashable, int] = {}  # and all after it, with their times
        self._first_ms = 0  # of the first trade since the last cut
        self._filled: set[Hashable] = set()  # may come live as well
        self._filled_ms = 0

    @property
    def out_of_reach(self) -> bool:
        """Whether more trades came after the hole than REST reaches back over."""
        return self.hole_ms is not None and len(self._since) >= self._most

    def apply(self, message: Row) -> Outcome:
        """Remember the trades of a message. Takes those out that were published as filled."""
        try:
            rows = message["data"]
            if self.hole_ms is None and not self._filled:
                self._keys.extend(map(self._key, rows))
                self._last_ms = rows[-1]["T"]
                return APPLIED
            return self._apply_beside_rest(message, rows)
        except (LookupError, TypeError, AttributeError) as error:
            if message.get("data") == []:
                return APPLIED
            self.interrupt()
            return malformed(error)

    def _apply_beside_rest(self, message: Row, rows: list[Row]) -> Outcome:
        last_ms = rows[-1]["T"]
        if self._filled:
            rows = message["data"] = self._without_filled(rows)
            if not rows:
                return DUPLICATE
        keys = list(map(self._key, rows))
        if self.hole_ms is None or len(self._since) >= self._most:
            self._keys.extend(keys)  # when it is out of reach, begin anew with these
        else:
            self._since.update(zip(keys, (row["T"] for row in rows), strict=True))
        self._first_ms = self._first_ms or rows[0]["T"]
        self._last_ms = last_ms
        return APPLIED

    def message(self) -> None:
        """There is nothing to repeat."""

    def drop(self) -> None:
        """Note that the connection has gone."""
        self.interrupt()

    def interrupt(self) -> None:
        """Note that trades may be missed from now on."""
        self.breaks += 1
        self._filled = set()
        self._first_ms = 0
        if self.hole_ms is None and self._keys:
            self.hole_ms = self._last_ms
            self._before = {key: None for key in self._keys if _sound(key)}
            self._since = {}
            self._keys.clear()

    def mend(self, newest_first: Sequence[Row]) -> Mended:
        """Close the hole with trades as REST has them (see `rest_trade`), which must have been
        asked for when the topic was subscribed again: what came later comes live.
        """
        keys: list[Hashable] = list(map(self._key, newest_first))
        known = [place for place, key in enumerate(keys) if key in self._before]
        end = known[-1] if known else len(keys)  # what is older still was seen as well
        fresh = {
            key: row
            for key, row in islice(zip(keys, newest_first, strict=True), end)
            if key not in self._before and key not in self._since
        }
        rows = [*reversed(fresh.values())]
        # All since the oldest that REST has is told by now, and all that came since the last cut.
        edges = (*(row["T"] for row in newest_first[-1:]), self._first_ms)
        first_ms = min((edge for edge in edges if edge), default=0)
        self._filled = set(fresh)
        self._filled_ms = max((row["T"] for row in rows), default=0)
        # Everything that REST has was told by now, and in this order.
        newest_ms = newest_first[0]["T"] if newest_first else 0
        asked = set(keys)
        later = [k for k, at_ms in self._since.items() if at_ms >= newest_ms and k not in asked]
        self._close([*self._before, *reversed(keys), *later])
        return Mended(rows, bool(known), first_ms)

    def give_up(self) -> Mended:
        """Close the hole with nothing: it is out of reach."""
        first_ms = self._first_ms
        self._close([*self._since, *self._keys])
        return Mended([], False, first_ms)

    def _close(self, keys: list[Hashable]) -> None:
        self._keys = deque(keys, maxlen=_KEPT)
        self._before, self._since = {}, {}
        self.hole_ms = None

    def _without_filled(self, rows: list[Row]) -> list[Row]:
        filled = self._filled
        if rows[-1]["T"] > self._filled_ms + _PAST_MS:
            self._filled = set()
        return [row for row in rows if self._key(row) not in filled]


def _sound(key: Hashable) -> bool:
    return all(isinstance(part, str) for part in (key if isinstance(key, tuple) else (key,)))


def rest_trade(row: Mapping[str, Any]) -> Row:
    """Return a row of REST in the shape of the stream. It lacks `L`, which REST does not have.

    Raises:
        LookupError, TypeError, ValueError: it is no such row.
    """
    trade: Row = {ours: row[theirs] for theirs, ours in _KEYS.items() if theirs in row}
    for key in ("i", "s", "p", "v", "S"):
        if not isinstance(trade[key], str):
            raise TypeError(f"{key} must be a string")
    trade["T"] = int(trade["T"])
    if "seq" in trade:
        trade["seq"] = int(trade["seq"])
    return trade | {key: row[key] for key in _OPTION_KEYS if row.get(key)}
