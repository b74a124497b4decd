"""Watches prices for the orders that wait for them: conditional, TP/SL and trailing orders.

Sources: Bybit V5, Place Order (triggerPrice, triggerBy, triggerDirection), Set Trading Stop.
The last price counts trade by trade; mark and index price are looked at whenever the market moves
and at every full second, which is when the exchange computes them.
"""

from collections.abc import Callable, Mapping

from bybitd.simulator.account import Account
from bybitd.simulator.market import Market
from bybitd.simulator.orders import Order
from bybitd.simulator.waiting import FALLING, RISING, Waiting

_SECOND_MS = 1_000
_NEVER = float("inf")

Fire = Callable[[Account, Order, Market, int], None]


class Triggers:
    """The waiting orders of all markets. `fire` is called for each that has seen its price."""

    def __init__(self, accounts: Mapping[int, Account]) -> None:
        self._accounts = accounts
        self._waiting: dict[Market, Waiting] = {}
        self._trailing: dict[Market, dict[str, Order]] = {}
        self._owners: dict[str, int] = {}
        self.fire: Fire = _nothing

    # --- who waits
    def arm(self, account: Account, order: Order, market: Market, now_ms: int) -> None:
        """Let an order wait; a trailing stop begins to follow the price."""
        if order.order_id not in self._owners:
            market.user_orders += 1
        self._owners[order.order_id] = account.uid
        market.watcher = self.check
        if order.trail:
            self._trailing.setdefault(market, {})[order.order_id] = order
            self._follow(order, price_of(market, order.trigger_by, now_ms))
        else:
            waiting = self._waiting.setdefault(market, Waiting())
            waiting.add(
                order.order_id, order.trigger_by, order.trigger_direction, order.trigger_tick
            )

    def disarm(self, order: Order, market: Market) -> None:
        """Let an order wait no longer; harmless when it does not."""
        if self._owners.pop(order.order_id, None) is None:
            return
        market.user_orders -= 1
        trailing = self._trailing.get(market, {})
        trailing.pop(order.order_id, None)
        waiting = self._waiting.get(market)
        if waiting is not None:
            waiting.remove(order.order_id)
        if not trailing and not waiting:
            market.watcher = None

    # --- prices
    def check(self, market: Market, now_ms: int) -> None:
        """Fire every order whose price has come, one after the other: each may move the price."""
        waiting, trailing = self._waiting.get(market), self._trailing.get(market)
        while True:
            found = self._due(market, waiting, now_ms) if waiting else None
            if found is None and trailing:
                found = self._trailed(market, trailing, now_ms)
            if found is None:
                return
            account = self._accounts[self._owners[found]]
            order = account.open_orders[found]
            self.disarm(order, market)
            self.fire(account, order, market, now_ms)

    def due_ms(self, market: Market, now_ms: int) -> float:
        """Tell when a market must be looked at though nothing may have happened on it."""
        waiting = self._waiting.get(market)
        if not waiting or waiting.prices() == ["LastPrice"]:
            return _NEVER
        return (now_ms // _SECOND_MS + 1) * _SECOND_MS

    @staticmethod
    def _due(market: Market, waiting: Waiting, now_ms: int) -> str | None:
        for by in waiting.prices():
            found = waiting.take(by, price_of(market, by, now_ms))
            if found is not None:
                return found
        return None

    def _trailed(self, market: Market, trailing: Mapping[str, Order], now_ms: int) -> str | None:
        for order_id, order in trailing.items():
            if self._follow(order, price_of(market, order.trigger_by, now_ms)):
                return order_id
        return None

    @staticmethod
    def _follow(order: Order, price: int) -> bool:
        """Move a trailing stop with the price; True when the price has come back far enough.

        A stop that sells follows the price up, one that buys follows it down; both only from their
        activation price on, if they have one.
        """
        toward = -order.side  # where the price brings profit
        if not order.extreme:
            if order.trigger_tick and toward * price < toward * order.trigger_tick:
                return False
            order.extreme = price
        elif toward * price > toward * order.extreme:
            order.extreme = price
        return toward * (order.extreme - price) >= order.trail


def price_of(market: Market, by: str, now_ms: int) -> int:
    """Give one of the prices that triggers look at, in ticks."""
    it = market.instrument
    if by == "MarkPrice":
        return max(1, it.price.nearest(float(market.mark_price(now_ms // _SECOND_MS * _SECOND_MS))))
    if by == "IndexPrice":
        return max(1, it.price.nearest(market.fair_value.index(it.reference, now_ms)))
    return market.last_tick(now_ms)


def direction_to(market: Market, tick: int, by: str, now_ms: int) -> int:
    """Tell from where the price comes to a trigger: rising to it, or falling."""
    return RISING if tick > price_of(market, by, now_ms) else FALLING


def _nothing(account: Account, order: Order, market: Market, now_ms: int) -> None:
    raise AssertionError("nobody acts on triggers")
