"""Prices as integers: exact, ordered, and the same for "0.5" and "0.50".

The integers are kept as small as the prices allow. A generous fixed scale would be simpler and ten
times slower: multiples of 10**18 share their low bits, and a dict of them is all collisions.
"""

from __future__ import annotations

import re
from typing import Final

_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(?:\.([0-9]{1,18}))?", re.ASCII)
_ZEROS: Final = tuple("0" * count for count in range(19))


class MoreDecimals(Exception):
    """Raised for a price with more decimals than the scale has. Nothing is ever rounded."""

    def __init__(self, decimals: int) -> None:
        super().__init__(decimals)
        self.decimals = decimals


def decimals(price: str) -> int:
    """Return how many decimals a price is written with.

    Raises:
        ValueError: no plain decimal, or too long to be a price.
        TypeError: no string.
    """
    match = _DECIMAL.fullmatch(price)
    if match is None:
        raise ValueError(f"{price[:40]!r} is no price")
    return len(match[1] or "")


def price_key(price: str, scale: int) -> int:
    """Return the price times 10**scale. Spread prices may be negative.

    Raises:
        MoreDecimals: the scale is too small for it.
        ValueError, TypeError: as `decimals`.
    """
    written = decimals(price)
    if written > scale:
        raise MoreDecimals(written)
    return int(price.replace(".", "", 1) + _ZEROS[scale - written])


class PriceKeys(dict[str, int]):
    """A memo of `sign * price_key(price, scale)`: a symbol's prices come again and again.

    It forgets everything when it holds `limit` prices, so that a drifting market can not fill the
    memory; learning a few hundred again costs a fraction of a millisecond.
    """

    __slots__ = ("_limit", "_sign", "scale")

    def __init__(self, sign: int, limit: int) -> None:
        super().__init__()
        self._sign = sign
        self._limit = limit
        self.scale = 0

    def rescale(self, scale: int) -> None:
        """Change the scale, which makes every key made so far useless."""
        self.clear()
        self.scale = scale

    def __missing__(self, price: str) -> int:
        key = self._sign * price_key(price, self.scale)
        if len(self) >= self._limit:
            self.clear()
        self[price] = key
        return key
