"""Positions of strangers that the exchange closes by force: seeded, and rare.

They only tell that there was a liquidation. They move no book and print no trade, so a market is
the same whether anybody listens to them or not.
"""

import random
from dataclasses import dataclass

from bybitd.simulator.book import BUY, SELL
from bybitd.simulator.market import Market

# One liquidation in so many events of the market.
_EVENTS_EACH = 40
_LARGEST_LOSS = 0.004
# After a longer pause nobody wants to hear what happened meanwhile.
_KEPT_MS = 5_000


@dataclass(frozen=True, slots=True)
class Liquidation:
    """One liquidated position; `side` is that of the position, `tick` its bankruptcy price."""

    at_ms: int
    side: int
    lots: int
    tick: int


class Liquidations:
    """The liquidations of one market from `start_ms` on."""

    def __init__(self, market: Market, start_ms: int) -> None:
        self._market = market
        self._rng = random.Random(f"{market.salt('liquidations')}/{start_ms}")
        self._gap_ms = market.event_gap_ms * _EVENTS_EACH
        self.next_ms = start_ms + self._wait()

    def take(self, now_ms: int) -> list[Liquidation]:
        """Hand over those up to `now_ms` since the last call, oldest first."""
        taken = []
        while self.next_ms <= now_ms:
            one = self._one(int(self.next_ms))
            if one.at_ms >= now_ms - _KEPT_MS:
                taken.append(one)
            self.next_ms = max(self.next_ms, now_ms - 2 * _KEPT_MS) + self._wait()
        return taken

    def _wait(self) -> float:
        gap = self._gap_ms
        return gap if gap == float("inf") else self._rng.expovariate(1.0) * gap

    def _one(self, at_ms: int) -> Liquidation:
        rng = self._rng
        side = BUY if rng.random() < 0.5 else SELL
        # A long goes bankrupt below the market, a short above it.
        price = self._market.fair_tick(at_ms) * (1 - side * rng.random() * _LARGEST_LOSS)
        lots = max(1, int(self._market.typical_lots * rng.lognormvariate(0.0, 1.0)))
        return Liquidation(at_ms, side, lots, max(1, round(price)))
