"""The kept book of `orderbook.rpi.<symbol>` (Bybit V5, "RPI Orderbook").

Levels are triples `[price, size without RPI orders, size of RPI orders]`; a level goes when both
sizes are zero. RPI quotes trade only with orders from the web site and the app, so one of them may
stand at or beyond the other side: only levels that hold other orders can cross.
"""

from __future__ import annotations

from typing import Final

from bybitd.venue.orderbook import EMPTY, TINY, Level, OrderBook, Side
from bybitd.venue.price_key import PriceKeys

RPI_DEPTH: Final = 50


class RpiBook(OrderBook):
    """The RPI book of one symbol."""

    __slots__ = ()

    def __init__(self, topic: str) -> None:
        super().__init__(topic, RPI_DEPTH, merge_triples)

    def _crossed(self) -> str:
        bid, ask = _best_without_rpi(self._bids), _best_without_rpi(self._asks)
        if bid + ask < 0:
            return ""
        return f"bid {self._bids[bid][0]} at or above ask {self._asks[ask][0]}"


def merge_triples(side: Side, levels: list[Level], best: int, keys: PriceKeys) -> int:
    """Apply the levels of one side, return its best key; raises as `merge_pairs`."""
    for level in levels:
        price, size, rpi_size = level
        key = keys[price]
        if size < TINY and rpi_size < TINY:
            side.pop(key, None)
        else:
            side[key] = level
    return max(side, default=EMPTY)


def _best_without_rpi(side: Side) -> int:
    return max((key for key, level in side.items() if level[1] >= TINY), default=EMPTY)
