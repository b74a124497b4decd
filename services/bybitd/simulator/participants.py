"""Synthetic participants of one market: they quote, cancel and trade round a fair price."""

import math
import random
from collections.abc import Callable

from bybitd.simulator.book import BUY, SELL, Book, BookOrder, Half

# Chance that an event is a trade when the book is where it should be; rarer than quotes, as on
# the exchange.
_TRADES = 0.12
_NEAR_TOUCH = 0.35


class Participants:
    """Seeded order flow into a book.

    `take` matches an order (the market's way to do it, so that trades are printed), `levels` is
    how many price levels a side should have, `spacing` the mean distance between them in ticks,
    and `lots` the typical size of an order.
    """

    def __init__(
        self,
        book: Book,
        rng: random.Random,
        take: Callable[[BookOrder], None],
        *,
        levels: int,
        spacing: float,
        lots: int,
    ) -> None:
        self._book = book
        self._rng = rng
        self._take = take
        self._levels = levels
        self._spacing = max(1.0, spacing)
        self._lots = lots

    def quote_afresh(self, fair: float) -> None:
        """Replace all synthetic orders by a new ladder round `fair` (a price in ticks)."""
        for half in (self._book.bids, self._book.asks):
            for key in list(half.keys):
                for order in [o for o in half.queues[key].values() if not o.owner]:
                    self._book.cancel(order)
        rng = self._rng
        for side in (BUY, SELL):
            distance = 0.0
            # On a coarse grid two quotes may share a level; a cheap option has no room below.
            for _ in range(2 * self._levels):
                if len(self._book.half(side).keys) >= self._levels:
                    break
                distance += rng.uniform(0.4, 1.6) * self._spacing
                self._rest(side, fair - side * distance)

    def act(self, fair: float) -> None:
        """Do one thing: correct a stale touch, trade, cancel, or quote."""
        rng = self._rng
        book = self._book
        bid, ask = book.bids.best(), book.asks.best()
        if bid is not None and bid > fair + self._spacing:
            self._cross(SELL, math.ceil(fair), 3)
            return
        if ask is not None and ask < fair - self._spacing:
            self._cross(BUY, max(1, math.floor(fair)), 3)
            return
        chance = rng.random()
        side = BUY if rng.random() < 0.5 else SELL
        if chance < _TRADES:
            reach = self._spacing * 4
            self._cross(side, max(1, round(fair + side * reach)), 1)
            return
        half = book.half(side)
        count = len(half.keys)
        if count > 1.3 * self._levels:
            self._cancel(half, count - 1)
        elif count < self._levels or chance < 0.5:
            if rng.random() < _NEAR_TOUCH:
                distance = rng.expovariate(1.0) * 2
            else:
                distance = rng.random() * self._levels * 1.3
            self._rest(side, fair - side * distance * self._spacing)
        else:
            # Squared: most cancels happen near the touch, where the interest is.
            self._cancel(half, int(count * rng.random() ** 2))

    def _rest(self, side: int, price: float) -> None:
        tick = math.floor(price) if side == BUY else math.ceil(price)
        touch = self._book.half(-side).best()
        if touch is not None and side * tick >= side * touch:
            tick = touch - side
        if tick >= 1:
            self._book.rest(BookOrder(side, tick, self._size()))

    def _cross(self, side: int, tick: int, times: int) -> None:
        self._take(BookOrder(side, tick, self._size() * times))

    def _cancel(self, half: Half, index: int) -> None:
        for order in half.queues[half.keys[index]].values():
            if not order.owner:
                self._book.cancel(order)
                return

    def _size(self) -> int:
        return max(1, int(self._lots * self._rng.lognormvariate(0.0, 0.9)))
