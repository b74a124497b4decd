"""What the open orders of an account bind: sums that are kept up to date order by order.

Adding up all open orders anew for each new one would make the exchange slower with every order
that rests, so a sum changes only by the orders that changed.
"""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from bybitd.simulator.orders import Order

_ZERO = Decimal(0)


class Bound:
    """Amounts bound by coin: `locked` by spot orders, `margin` by orders of contracts.

    The sums hold after `refresh`.
    """

    def __init__(self) -> None:
        self.locked: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.margin: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._parts: dict[str, tuple[str, Decimal]] = {}
        self._stale: dict[str, Order] = {}

    def touch(self, order: Order) -> None:
        """Note that an open order binds another amount now."""
        self._stale[order.order_id] = order

    def release(self, order: Order) -> None:
        """Take an order out of the sums; harmless when it is not in them."""
        self._stale.pop(order.order_id, None)
        self._put(order, "", _ZERO)
        self._parts.pop(order.order_id, None)

    def refresh(self, needs: Callable[[Order], tuple[str, Decimal]]) -> None:
        """Bring the sums up to date; `needs` tells coin and amount that an order binds."""
        for order in self._stale.values():
            self._put(order, *needs(order))
        self._stale.clear()

    def by(self, order: Order) -> Decimal:
        """Tell what one order has in the sums."""
        return self._parts.get(order.order_id, ("", _ZERO))[1]

    def _put(self, order: Order, coin: str, amount: Decimal) -> None:
        sums = self.locked if order.category == "spot" else self.margin
        before, was = self._parts.get(order.order_id, ("", _ZERO))
        if was:
            sums[before] -= was
        if amount:
            sums[coin] += amount
        self._parts[order.order_id] = coin, amount
