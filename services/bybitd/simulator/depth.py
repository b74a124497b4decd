"""The window of one depth of a book: what its subscribers hold, and how it changes."""

from collections.abc import Callable, Mapping

from bybitd.simulator.book import Book, Half
from bybitd.simulator.instruments import Grid

Levels = list[list[str]]
Lots = int | tuple[int, int]  # of a level; where RPI lots are shown, they come second
Look = Callable[[Half, int], Mapping[int, Lots]]


class _Window:
    """One side of the last rendered window."""

    __slots__ = ("_depth", "_gone", "_half", "_look", "_version", "held")

    def __init__(self, half: Half, depth: int, look: Look, gone: Lots) -> None:
        self._half = half
        self._depth = depth
        self._look = look
        self._gone = gone
        self._version = -1
        self.held: Mapping[int, Lots] = {}

    def changes(self) -> dict[int, Lots]:
        """Take over the current window; map what changed to its lots, zero where it is gone."""
        if self._version == self._half.version:
            return {}
        self._version = self._half.version
        old, self.held = self.held, self._look(self._half, self._depth)
        changed = dict(self.held.items() - old.items())
        for key in old.keys() - self.held.keys():
            changed[key] = self._gone
        return changed


class DepthView:
    """The last rendered window of a (symbol, depth) and its update id `u`.

    `u` rises by one with each change that is rendered; a level that leaves the window counts as
    deleted, one that enters as new (Bybit V5, orderbook stream). `look` reads the best levels of
    a side, `gone` is what it would read of one that is empty.
    """

    __slots__ = ("_asks", "_bids", "_book", "_version", "changed_ms", "seq", "u")

    def __init__(
        self,
        book: Book,
        depth: int,
        first_u: int,
        look: Look = Half.window,
        gone: Lots = 0,
    ) -> None:
        self.u = first_u
        self.seq = 0
        self.changed_ms = 0
        self._book = book
        self._version = -1
        self._bids = _Window(book.bids, depth, look, gone)
        self._asks = _Window(book.asks, depth, look, gone)

    @property
    def behind(self) -> bool:
        """Whether the book has changed since the last rendering (in the window or not)."""
        return self._version != self._book.version

    def refresh(self, seq: int, changed_ms: int) -> tuple[dict[int, Lots], dict[int, Lots]] | None:
        """Take over the current window; return the changed keys of (bids, asks), or None.

        `seq` and `changed_ms` (ms) say which state of the book it is. Keys are those of `Half`;
        0 lots means that the level is gone. `u` rises when there is a change.
        """
        if not self.behind:
            return None
        self._version = self._book.version
        bids, asks = self._bids.changes(), self._asks.changes()
        if not bids and not asks:
            return None
        self.u += 1
        self.seq = seq
        self.changed_ms = changed_ms
        return bids, asks

    def snapshot(self, price: Grid, size: Grid, limit: int | None = None) -> tuple[Levels, Levels]:
        """Write the last rendered window as (bids, asks), best first."""
        bids, asks = (list(window.held.items())[:limit] for window in (self._bids, self._asks))
        return levels(dict(bids), price, size), levels(dict(asks), price, size)


def levels(changed: Mapping[int, Lots], price: Grid, size: Grid) -> Levels:
    """Write keys and lots as price and size, or price and both sizes, best first."""
    return [
        [price.text(abs(key)), size.text(lots) if lots else "0"]
        if isinstance(lots, int)
        else [price.text(abs(key)), *(size.text(part) if part else "0" for part in lots)]
        for key, lots in sorted(changed.items())
    ]
