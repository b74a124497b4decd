"""What an account may come to own: open orders and positions, never less than it can be. Pure.

An order counts from the moment it is about to leave until it is known to be over, with the larger
of what it is and what an amend on its way would make of it. Quantities are in the exchange's units,
values in the quote coin; a contract of `inverse` is one USD.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from bybitd.venue.enums import OrderStatus

_ZERO: Final = Decimal(0)
_LONG_LEG, _SHORT_LEG = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """One order that may be filled. `price` is None where the market decides it; `client` is "" for
    one that nobody here has named. `qty` is what may still be filled.
    """

    category: str
    symbol: str
    client: str
    buys: bool
    qty: Decimal
    price: Decimal | None
    reduces: bool
    position_idx: int = 0
    in_quote: bool = False  # `qty` is an amount of the quote coin: a market order of spot
    trigger: Decimal | None = None  # it waits for this price

    def value(self, market: Decimal | None) -> Decimal | None:
        """Return what it comes to, None if that takes a price of the market that is not known."""
        if self.in_quote or self.category == "inverse":
            return self.qty
        price = self.price if self.price is not None else market
        return None if price is None else self.qty * price

    def value_met(self, market: Decimal | None) -> Decimal | None:
        """Return what it comes to if it meets the market, as `value`: a sell that is priced below
        the market is filled at the market's price, and one that waits at that of its trigger.
        """
        market = self.trigger or market
        if self.in_quote or self.category == "inverse" or (self.buys and self.price is not None):
            return self.value(market)
        return None if market is None else self.qty * max(market, self.price or market)


def from_args(category: str, args: Mapping[str, Any], client: str, filled: Decimal = _ZERO) -> Open:
    """Return the order that these arguments make (Bybit V5, "Place Order")."""
    market = args.get("orderType") == "Market"
    spot_buy = category == "spot" and market and args.get("side") == "Buy"
    index = args.get("positionIdx")
    return Open(
        category=category,
        symbol=str(args["symbol"]),
        client=client,
        buys=args.get("side") == "Buy",
        qty=max(_ZERO, number(args.get("qty")) - filled),
        price=None if market else _price(args),
        reduces=_only_reduces(category, args),
        position_idx=index if isinstance(index, int) else 0,
        # A market order that buys spot is in quote coin unless it says otherwise.
        in_quote=spot_buy and args.get("marketUnit") != "baseCoin",
        trigger=number(args.get("triggerPrice")) or None,
    )


def from_record(record: Mapping[str, Any], client: str = "") -> Open | None:
    """Return the open order that a record of the exchange shows, None if it is over."""
    if OrderStatus.parse(str(record.get("orderStatus", ""))).is_terminal:
        return None
    category = str(record.get("category", ""))
    left = number(record.get("leavesQty"))
    filled = number(record.get("cumExecQty"))
    qty = left if left > 0 else max(_ZERO, number(record.get("qty")) - filled)
    return from_args(category, {**record, "qty": str(qty)}, client)


def amended(order: Open, changes: Mapping[str, Any], filled: Decimal) -> Open:
    """Return the order as it is at its largest while an amend of it is on its way."""
    qty, price = order.qty, order.price
    if "qty" in changes:
        qty = max(qty, number(changes["qty"]) - filled)
    if "price" in changes:
        price = max(price or _ZERO, number(changes["price"]))
    return replace(order, qty=qty, price=price)


class Positions:
    """The positions of an account as its private stream tells them."""

    def __init__(self) -> None:
        self._sizes: dict[tuple[str, str, int], Decimal] = {}
        self._updated_ms: dict[tuple[str, str, int], int] = {}

    def take(self, record: Mapping[str, Any]) -> None:
        """Take one record of the `position` topic."""
        index = record.get("positionIdx")
        key = (
            str(record.get("category", "")),
            str(record.get("symbol", "")),
            index if isinstance(index, int) else 0,
        )
        size = abs(number(record.get("size")))
        self._sizes[key] = -size if record.get("side") == "Sell" else size
        self._updated_ms[key] = int(number(record.get("updatedTime")))

    def updated_ms(self, category: str, symbol: str, index: int) -> int:
        """Return when one position was changed last by the exchange's clock, 0 if never."""
        return self._updated_ms.get((category, symbol, index), 0)

    def clear(self) -> None:
        """Forget them all: who tells of them begins anew."""
        self._sizes.clear()
        self._updated_ms.clear()

    def size(self, category: str, symbol: str, index: int) -> Decimal:
        """Return the size of one position, below zero where it is short."""
        return self._sizes.get((category, symbol, index), _ZERO)

    def symbols(self) -> Iterator[tuple[str, str]]:
        """Yield what there are positions in."""
        for (category, symbol, _), size in self._sizes.items():
            if size:
                yield category, symbol


def worst(orders: Iterable[Open], positions: Positions, order: Open) -> Decimal:
    """Return the largest size that the position of `order` can come to on the side that it adds to,
    if it and every other open order of that side are filled; 0 where it can only take away.

    `orders` are the open ones without `order`.
    """
    index = order.position_idx
    if (
        order.reduces
        or (index == _LONG_LEG and not order.buys)
        or (index == _SHORT_LEG and order.buys)
    ):
        return _ZERO
    sign = 1 if order.buys else -1
    held = sign * positions.size(order.category, order.symbol, index)
    if index == _SHORT_LEG:
        held = abs(held)  # the leg is told as short, and grows by selling
    adding = _ZERO
    for other in orders:
        if (other.category, other.symbol) != (order.category, order.symbol):
            continue
        if other.buys != order.buys or other.position_idx != index:
            continue
        if not other.reduces:
            adding += other.qty
        elif held < 0:
            # What closes the other side may be filled first; without a quantity it closes all.
            held = min(_ZERO, held + other.qty) if other.qty else _ZERO
    return max(_ZERO, held + adding + order.qty)


def _only_reduces(category: str, args: Mapping[str, Any]) -> bool:
    return category != "spot" and (
        args.get("reduceOnly") is True or args.get("closeOnTrigger") is True
    )


def _price(args: Mapping[str, Any]) -> Decimal | None:
    price = number(args.get("price"))
    return price if price > 0 else None


def number(text: object) -> Decimal:
    """Return a decimal of the exchange, 0 where there is none."""
    try:
        value = Decimal(str(text or 0))
    except InvalidOperation:
        return _ZERO
    return value if value.is_finite() else _ZERO
