"""The limit-price band: how far from the market an order's price may be.

Source: Bybit V5, Get Order Price Limit. The premium terms of the published formulas are left out,
since the synthetic books stay at their fair price.
"""

import math
from dataclasses import dataclass

from bybitd.simulator.market import Market


@dataclass(frozen=True, slots=True)
class Band:
    """Highest tick at which one may buy, lowest at which one may sell."""

    highest_buy: int
    lowest_sell: int


def price_band(market: Market, now_ms: int) -> Band:
    """Compute the band of a market; options have a wide one that only market orders meet."""
    it = market.instrument
    size = float(it.tick)
    mark = market.fair_value.mark(it, now_ms)
    if it.category == "option":
        reach = max(0.5 * mark, 40 * size)
        return Band(math.floor((mark + reach) / size), max(1, math.ceil((mark - reach) / size)))
    index = mark
    if it.category != "spot":
        index = market.fair_value.index(it.reference, now_ms)
    near, far = float(it.band_x), float(it.band_y)
    highest = min(mark * (1 + far), max(index, mark * (1 + near)))
    lowest = max(mark * (1 - far), min(index, mark * (1 - near)))
    return Band(math.floor(highest / size), max(1, math.ceil(lowest / size)))
