"""What the books of the exchange really were, taken where the simulator renders them.

Nothing that is under test has a part in it: the states are those of the simulator's own windows,
not what its messages add up to.
"""

from contextlib import contextmanager
from unittest.mock import patch

from bybitd.simulator.depth import DepthView


def key_of(u, bids, asks):
    return u, tuple(map(tuple, bids)), tuple(map(tuple, asks))


class Truth:
    """Every state (`u`, bids, asks) that each watched book has had."""

    def __init__(self, exchange, category):
        self._exchange = exchange
        self._category = category
        self._windows = {}  # name -> view, instrument
        self._names = {}  # id of a view -> name
        self.existed = {}

    def watch(self, name):
        """Watch `orderbook.<depth>.<symbol>` before it is opened."""
        _, depth, symbol = name.split(".")
        market = self._exchange._markets.find(self._category, symbol)
        view = market.rpi_view() if depth == "rpi" else market.view(int(depth))
        self._windows[name] = view, market.instrument
        self._names[id(view)] = name
        self.existed[name] = set()

    def now(self, name):
        """Return the state that subscribers of a book should hold."""
        view, it = self._windows[name]
        return key_of(view.u, *view.snapshot(it.price, it.size))

    def note(self, name):
        """Take the present state down."""
        self.existed[name].add(self.now(name))

    def restarted(self, symbol):
        """Take down that the books of a symbol began anew."""
        for name in self.existed:
            if name.endswith(f".{symbol}"):
                self.note(name)

    @contextmanager
    def watching(self):
        """Take down every state that is rendered within the block."""
        refresh = DepthView.refresh

        def spy(view, seq, changed_ms):
            changes = refresh(view, seq, changed_ms)
            if changes is not None and (name := self._names.get(id(view))) is not None:
                self.note(name)
            return changes

        with patch.object(DepthView, "refresh", spy):
            yield
