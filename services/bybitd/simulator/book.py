"""A price-time matching book of integer ticks and lots.

Pure and single-symbol: it knows orders, not accounts. Every fill is reported to the caller while
the book is consistent, before the next one is made, so the caller may cancel or shrink any other
order in between (a reduce-only order whose position has just been closed, for instance).
Orders of owner 0 are the synthetic participants'.
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

BUY = 1
SELL = -1


class SelfMatch(Enum):
    """What happens when an order meets one of the same owner (Bybit V5, smpType)."""

    NONE = "None"
    CANCEL_MAKER = "CancelMaker"
    CANCEL_TAKER = "CancelTaker"
    CANCEL_BOTH = "CancelBoth"


class BookOrder:
    """One order while it is in, or on its way into, a book. `ref` is the owner's name for it."""

    __slots__ = ("lots", "number", "owner", "ref", "side", "tick")

    def __init__(self, side: int, tick: int, lots: int, owner: int = 0, ref: str = "") -> None:
        self.side = side
        self.tick = tick
        self.lots = lots
        self.owner = owner
        self.ref = ref
        self.number = 0  # its place in time; 0 while it is not in the book


@dataclass(frozen=True, slots=True)
class Fill:
    """One match: `lots` at the maker's `tick`; both orders already show what is left of them."""

    maker: BookOrder
    taker: BookOrder
    tick: int
    lots: int


class Half:
    """One side of a book. Keys are `-side * tick`, so the best price is always `keys[0]`.

    `version` rises with every change of this side.
    """

    __slots__ = ("keys", "queues", "side", "totals", "version")

    def __init__(self, side: int) -> None:
        self.side = side
        self.version = 0
        self.keys: list[int] = []
        self.totals: dict[int, int] = {}
        self.queues: dict[int, dict[int, BookOrder]] = {}

    def best(self) -> int | None:
        """Give the tick of the best price, None when this side is empty."""
        return -self.side * self.keys[0] if self.keys else None

    def window(self, depth: int) -> dict[int, int]:
        """Map the keys of the best levels to their lots, best first."""
        totals = self.totals
        return {key: totals[key] for key in self.keys[:depth]}

    def append(self, order: BookOrder) -> None:
        self.version += 1
        key = -self.side * order.tick
        if key in self.totals:
            self.totals[key] += order.lots
            self.queues[key][order.number] = order
        else:
            insort(self.keys, key)
            self.totals[key] = order.lots
            self.queues[key] = {order.number: order}

    def shrink(self, order: BookOrder, lots: int) -> None:
        """Take lots off a resting order; one that has none left leaves the book."""
        self.version += 1
        key = -self.side * order.tick
        order.lots -= lots
        self.totals[key] -= lots
        if order.lots == 0:
            queue = self.queues[key]
            del queue[order.number]
            order.number = 0
            if not queue:
                del self.queues[key]
                del self.totals[key]
                del self.keys[bisect_left(self.keys, key)]


class Book:
    """Both sides of one symbol. `version` rises with every change."""

    __slots__ = ("_arrivals", "asks", "bids", "version")

    def __init__(self) -> None:
        self.bids = Half(BUY)
        self.asks = Half(SELL)
        self.version = 0
        self._arrivals = 0

    def half(self, side: int) -> Half:
        return self.bids if side == BUY else self.asks

    def would_take(self, side: int, tick: int) -> bool:
        """Tell whether an order with this limit would match at once."""
        keys = self.half(-side).keys
        return bool(keys) and keys[0] <= side * tick

    def fillable(self, side: int, tick: int, lots: int, owner: int, policy: SelfMatch) -> int:
        """Count the lots, up to `lots`, that an order would get at once within its limit."""
        half = self.half(-side)
        found = 0
        for key in half.keys:
            if key > side * tick or found >= lots:
                break
            if policy is SelfMatch.NONE:
                found += half.totals[key]
                continue
            for order in half.queues[key].values():
                if order.owner != owner:
                    found += order.lots
                elif policy is not SelfMatch.CANCEL_MAKER:
                    return min(found, lots)
        return min(found, lots)

    def lots_for_value(self, side: int, tick: int, price: Decimal, value: Decimal) -> int:
        """Count the lots that `value` pays for at once within the limit.

        `price` is the value of one lot at tick 1.
        """
        half = self.half(-side)
        lots = 0
        for key in half.keys:
            if key > side * tick:
                break
            cost = price * abs(key)
            there = half.totals[key]
            if cost * there > value:
                return lots + int(value // cost)
            value -= cost * there
            lots += there
        return lots

    def take(
        self,
        taker: BookOrder,
        on_fill: Callable[[Fill], None],
        policy: SelfMatch = SelfMatch.NONE,
        on_self_match: Callable[[BookOrder], None] | None = None,
    ) -> bool:
        """Match an order against the book within its limit, best price and oldest order first.

        `taker.lots` is what is left afterwards. A resting order of the same owner is removed under
        `CANCEL_MAKER` and `CANCEL_BOTH` and handed to `on_self_match`. Returns False when
        self-match prevention has stopped the taker, which must then be cancelled.
        """
        half = self.half(-taker.side)
        limit = taker.side * taker.tick
        while taker.lots and half.keys and half.keys[0] <= limit:
            key = half.keys[0]
            maker = next(iter(half.queues[key].values()))
            if taker.owner and maker.owner == taker.owner and policy is not SelfMatch.NONE:
                if on_self_match is not None:
                    on_self_match(maker)
                if policy is not SelfMatch.CANCEL_TAKER:
                    self.cancel(maker)
                if policy is not SelfMatch.CANCEL_MAKER:
                    return False
                continue
            lots = min(taker.lots, maker.lots)
            taker.lots -= lots
            half.shrink(maker, lots)
            self.version += 1
            on_fill(Fill(maker, taker, abs(key), lots))
        return True

    def rest(self, order: BookOrder) -> None:
        """Put an order at the end of the queue of its price. It must not cross."""
        if self.would_take(order.side, order.tick):
            raise ValueError("an order that crosses cannot rest")
        self._arrivals += 1
        order.number = self._arrivals
        self.half(order.side).append(order)
        self.version += 1

    def cancel(self, order: BookOrder) -> None:
        """Remove a resting order; harmless when it is not in the book."""
        if order.number:
            lots = order.lots
            self.half(order.side).shrink(order, lots)
            order.lots = lots
            self.version += 1

    def shrink(self, order: BookOrder, lots: int) -> None:
        """Take lots off a resting order; it keeps its place in the queue."""
        self.half(order.side).shrink(order, lots)
        self.version += 1
