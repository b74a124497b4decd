"""One account: what it owns, its positions and settings, its orders and their history."""

from collections import Counter, deque
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from bybitd.simulator.bound import Bound
from bybitd.simulator.instruments import Instrument
from bybitd.simulator.orders import PROTECTING, Order
from bybitd.simulator.positions import Position

START_BALANCES = {
    "USDT": Decimal("1000000"),
    "USDC": Decimal("1000000"),
    "BTC": Decimal("10"),
    "ETH": Decimal("100"),
}
DEFAULT_LEVERAGE = Decimal("10")
CLOSED_KEPT = 5_000
EXECUTIONS_KEPT = 10_000


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution did to one coin, and what was left: balance, and size of the position."""

    coin: str
    cash: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)
    balance: Decimal
    size: Decimal = Decimal(0)


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the execution history: the record of the topic, and what it is found by."""

    row: int
    at_ms: int
    record: dict[str, Any]
    flows: list[Flow] = []


class Protection(msgspec.Struct, kw_only=True):
    """Market maker protection of one base coin (Bybit V5, Set MMP), and what it has counted."""

    window_ms: int = 5_000
    frozen_ms: int = 100
    qty_limit: Decimal = Decimal(100)
    delta_limit: Decimal = Decimal(100)
    frozen_until_ms: int = 0
    fills: list[tuple[int, Decimal, Decimal]] = []  # time, quantity, delta

    def frozen(self, now_ms: int) -> bool:
        """Tell whether orders under protection are refused now; a period of 0 has no end."""
        return self.frozen_until_ms < 0 or now_ms < self.frozen_until_ms


def _usual_reprices() -> dict[str, bool]:
    return {"spot": False, "linear": True, "inverse": True}


class Settings(msgspec.Struct, kw_only=True):
    """What an account may choose beside leverage and position mode.

    `reprices` tells by category whether a price beyond the limit is moved to it or refused; `dcp`
    maps a product to its time window in seconds, `mmp` a base coin to its protection.
    """

    isolated: bool = False
    reprices: dict[str, bool] = msgspec.field(default_factory=_usual_reprices)
    dcp: dict[str, int] = {}
    mmp: dict[str, Protection] = {}


class Account:
    """The state of one uid. Nothing here decides anything; see trading and margin."""

    def __init__(self, uid: int) -> None:
        self.uid = uid
        self.wallet: dict[str, Decimal] = {}
        self.realised: dict[str, Decimal] = {}
        self.positions: dict[tuple[str, str, int], Position] = {}
        self.leverage: dict[tuple[str, str], Decimal] = {}
        self.hedged: set[str] = set()
        self.open_orders: dict[str, Order] = {}
        self.open_count: Counter[str] = Counter()  # by category
        self.bound = Bound()
        self.closed_orders: dict[str, Order] = {}
        self.executions: deque[Execution] = deque(maxlen=EXECUTIONS_KEPT)
        self.last_row = 0
        self.settings = Settings()
        self._signs: dict[tuple[str, str, int], int] = {}  # of the positions that were kept
        self._open_by_symbol: dict[tuple[str, str], dict[str, Order]] = {}
        self._waiting: dict[tuple[str, str], dict[str, Order]] = {}
        self._reducing: dict[tuple[str, str], dict[str, Order]] = {}
        self._links: dict[tuple[bool, str], str] = {}

    def next_row(self) -> int:
        """Count the records of this account; cursors point at these numbers."""
        self.last_row += 1
        return self.last_row

    # --- orders
    def add(self, order: Order) -> None:
        """Enter an order, new or loaded, among the open or the closed ones."""
        if order.link_id:
            self._links[order.category == "spot", order.link_id] = order.order_id
        if not order.open:
            self.closed_orders[order.order_id] = order
            return
        key = (order.category, order.symbol)
        self.open_orders[order.order_id] = order
        self._open_by_symbol.setdefault(key, {})[order.order_id] = order
        if order.waiting:
            self._waiting.setdefault(key, {})[order.order_id] = order
        elif order.reduce_only:
            self._reducing.setdefault(key, {})[order.order_id] = order
        self.open_count[order.category] += 1
        self.bound.touch(order)

    def retire(self, order: Order) -> None:
        """Move an order that has ended to the history, which forgets its oldest."""
        if self.open_orders.pop(order.order_id, None) is not None:
            key = (order.category, order.symbol)
            del self._open_by_symbol[key][order.order_id]
            self._waiting.get(key, {}).pop(order.order_id, None)
            self._reducing.get(key, {}).pop(order.order_id, None)
            self.open_count[order.category] -= 1
            self.bound.release(order)
        self.closed_orders[order.order_id] = order
        if len(self.closed_orders) > CLOSED_KEPT:
            oldest = self.closed_orders.pop(next(iter(self.closed_orders)))
            self._links.pop((oldest.category == "spot", oldest.link_id), None)

    def triggered(self, order: Order) -> None:
        """Move an order that has seen its price to those that are on their way to the book."""
        key = (order.category, order.symbol)
        self._waiting.get(key, {}).pop(order.order_id, None)
        if order.reduces:
            self._reducing.setdefault(key, {})[order.order_id] = order
        self.bound.touch(order)

    def order(self, order_id: str) -> Order | None:
        return self.open_orders.get(order_id) or self.closed_orders.get(order_id)

    def linked(self, category: str, link_id: str) -> Order | None:
        """Find an order by orderLinkId; spot and derivatives have their own names."""
        order_id = self._links.get((category == "spot", link_id))
        return self.order(order_id) if order_id else None

    def open_on(self, category: str, symbol: str) -> Iterator[Order]:
        yield from tuple(self._open_by_symbol.get((category, symbol), {}).values())

    def waiting_on(self, category: str, symbol: str) -> list[Order]:
        """List the orders of a symbol that wait for a price."""
        return list(self._waiting.get((category, symbol), {}).values())

    def reducing_on(self, category: str, symbol: str) -> list[Order]:
        """List the orders of a symbol, past their trigger, that may only reduce a position."""
        return list(self._reducing.get((category, symbol), {}).values())

    def protecting(self, it: Instrument, idx: int) -> list[Order]:
        """List the waiting TP/SL and trailing stops of a position."""
        waiting = self._waiting.get((it.category, it.symbol))
        if not waiting:
            return []
        return [o for o in waiting.values() if o.position_idx == idx and o.stop_type in PROTECTING]

    def active_count_on(self, category: str, symbol: str) -> int:
        """Count the open orders of a symbol that do not wait for a price."""
        key = (category, symbol)
        return len(self._open_by_symbol.get(key, ())) - len(self._waiting.get(key, ()))

    # --- positions
    def indexes(self, it: Instrument) -> tuple[int, ...]:
        """List the position indexes that an instrument has in the mode of the account."""
        return (1, 2) if it.category == "linear" and it.symbol in self.hedged else (0,)

    def position(self, it: Instrument, idx: int) -> Position:
        """Give a position; a flat one that is not kept when there was never any."""
        kept = self.positions.get((it.category, it.symbol, idx))
        return kept or Position(category=it.category, symbol=it.symbol, idx=idx)

    def keep(self, position: Position) -> None:
        """Keep a position that is new or has another size, which orders may close now."""
        key = (position.category, position.symbol, position.idx)
        self.positions[key] = position
        sign = (position.size > 0) - (position.size < 0)
        # Only what closes a position, before or now, binds another amount than before.
        closing = {-sign, -self._signs.get(key, 0)}
        self._signs[key] = sign
        for order in self._open_by_symbol.get(key[:2], {}).values():
            if order.side in closing:
                self.bound.touch(order)

    def set_leverage(self, it: Instrument, leverage: Decimal) -> None:
        self.leverage[it.category, it.symbol] = leverage
        self._touch_orders(it.category, it.symbol)

    def _touch_orders(self, category: str, symbol: str) -> None:
        for order in self._open_by_symbol.get((category, symbol), {}).values():
            self.bound.touch(order)

    def leverage_of(self, it: Instrument) -> Decimal:
        if it.category == "option":
            return Decimal(1)
        chosen = self.leverage.get((it.category, it.symbol))
        return chosen or min(DEFAULT_LEVERAGE, it.max_leverage)

    def credit(self, coin: str, amount: Decimal) -> None:
        self.wallet[coin] = self.wallet.get(coin, Decimal(0)) + amount
