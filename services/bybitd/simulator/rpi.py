"""The RPI quotes of a market: sizes beside those of its book, and levels of their own.

Retail-price-improvement orders trade only with orders from the exchange's own web site and app,
so they are in no other feed, and no order of the simulator ever meets them (Bybit V5, RPI
Orderbook). They follow from the book and a salt: the same book shows the same quotes.
"""

from itertools import islice

from bybitd.simulator.book import Half

Sizes = tuple[int, int]
GONE: Sizes = (0, 0)
_KNUTH = 2_654_435_761  # spreads neighbouring keys over the whole range


class RpiQuotes:
    """Makes the RPI quotes of one market; `typical` is its usual order size in lots."""

    def __init__(self, salt: int, typical: int) -> None:
        self._salt = salt
        self._typical = typical

    def window(self, half: Half, depth: int) -> dict[int, Sizes]:
        """Map the keys of the best levels to their (other lots, RPI lots), best first."""
        levels: dict[int, Sizes] = {}
        totals = half.totals
        for key in islice(half.keys, depth):
            draw = (key * _KNUTH ^ self._salt) & 0xFFFF_FFFF
            lots = 1 + draw % self._typical
            levels[key] = (totals[key], lots if draw >> 30 == 0 else 0)
            behind = key + 1  # one tick worse, so it never crosses
            if draw >> 29 == 7 and behind and behind not in totals:
                levels[behind] = (0, lots)
        return dict(islice(levels.items(), depth))
