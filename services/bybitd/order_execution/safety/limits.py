"""What one order would break of the limits of an account or of a client. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from fnmatch import fnmatchcase
from typing import Final

from bybitd.order_execution.safety.exposure import Open, Positions, worst
from bybitd.settings import ClientLimits, Limits

_PERCENT: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class Price:
    """The best prices of a symbol now, None on a side that is empty."""

    bid: Decimal | None
    ask: Decimal | None

    def meets(self, order: Open) -> Decimal | None:
        """Return what an order would be filled at: a buy at the ask, a sell at the bid."""
        return self.ask if order.buys else self.bid


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that an order would break: its name, and what to say."""

    limit: str
    problem: str


@dataclass(frozen=True, slots=True)
class PriceNeeded:
    """A limit that can not be checked without a price of the market that is fresh."""

    limit: str


Verdict = Breach | PriceNeeded | None


def may_trade(limits: ClientLimits, order: Open) -> Verdict:
    """Say whether the symbol is one of those that may be traded."""
    name = f"{order.category}.{order.symbol}"
    if limits.symbols and not any(fnmatchcase(name, pattern) for pattern in limits.symbols):
        return Breach("symbols", f"{name} is not among {', '.join(limits.symbols)}")
    return None


def judge(
    limits: ClientLimits,
    order: Open,
    others: Sequence[Open],
    price: Price | None,
) -> Verdict:
    """Return the first limit that an order would break, None if there is none.

    `others` are the orders that are open beside it, of the same client where the limits are a
    client's. `price` is None where none is fresh.
    """
    return (
        may_trade(limits, order)
        or _qty(limits, order, price)
        or _value(limits, order, price)
        or _band(limits, order, price)
        or _count(limits, others)
        or _sum(limits, order, others, price)
    )


def judge_position(
    limits: Limits,
    order: Open,
    others: Sequence[Open],
    positions: Positions,
    price: Price | None,
) -> Verdict:
    """Say whether the position could become too large; spot has none."""
    if order.category == "spot":
        return None
    most_qty = limits.max_position_qty.get(order.symbol)
    most = limits.max_position_value
    if most_qty is None and most is None:
        return None
    size = worst(others, positions, order)
    if most_qty is not None and size > most_qty:
        problem = f"the position of {order.symbol} could come to {size}; {most_qty} is allowed"
        return Breach("max_position_qty", problem)
    if most is None or not size:
        return None
    if order.category == "inverse":
        value = size
    else:
        at = _higher(order.price, None if price is None else price.meets(order))
        if at is None or price is None:
            return PriceNeeded("max_position_value")
        value = size * at
    if value > most:
        problem = f"the position of {order.symbol} could come to {value:f}; {most} is allowed"
        return Breach("max_position_value", problem)
    return None


def _qty(limits: ClientLimits, order: Open, price: Price | None) -> Verdict:
    most = limits.max_order_qty.get(order.symbol)
    if most is None:
        return None
    qty = order.qty
    if order.in_quote:
        market = None if price is None else price.meets(order)
        if market is None:
            return PriceNeeded("max_order_qty")
        qty = (qty / market).quantize(most, ROUND_UP)
    if qty <= most:
        return None
    return Breach("max_order_qty", f"qty is {qty:f}; {most} is allowed of {order.symbol}")


def _value(limits: ClientLimits, order: Open, price: Price | None) -> Verdict:
    most = limits.max_order_value
    if most is None:
        return None
    value = order.value_met(None if price is None else price.meets(order))
    if value is None:
        return PriceNeeded("max_order_value")
    if value <= most:
        return None
    return Breach("max_order_value", f"the order comes to {value:f}; {most} is allowed")


def _band(limits: ClientLimits, order: Open, price: Price | None) -> Verdict:
    band = limits.price_band_pct
    if band is None or order.price is None:
        return None
    # A conditional order meets the market where its trigger is.
    market = order.trigger or (None if price is None else price.meets(order))
    if market is None:
        return PriceNeeded("price_band_pct")
    beyond = order.price - market if order.buys else market - order.price
    if beyond * _PERCENT <= band * market:
        return None
    side = "above" if order.buys else "below"
    far = (beyond * _PERCENT / market).quantize(Decimal("0.01"))
    problem = f"price {order.price} is {far} % {side} the market's {market}; {band} % is allowed"
    return Breach("price_band_pct", problem)


def _count(limits: ClientLimits, others: Sequence[Open]) -> Verdict:
    most = limits.max_open_orders
    if most is None or len(others) < most:
        return None
    return Breach("max_open_orders", f"{len(others)} orders are open; {most} are allowed")


def _sum(limits: ClientLimits, order: Open, others: Sequence[Open], price: Price | None) -> Verdict:
    most = limits.max_open_value
    if most is None:
        return None
    value = order.value_met(None if price is None else price.meets(order))
    if value is None:
        return PriceNeeded("max_open_value")
    total = value
    for other in others:
        if other.reduces:
            continue
        same = (other.category, other.symbol) == (order.category, order.symbol)
        known = other.value(price.meets(other) if same and price is not None else None)
        if known is None:
            return PriceNeeded("max_open_value")
        total += known
    if total <= most:
        return None
    return Breach("max_open_value", f"open orders would come to {total:f}; {most} is allowed")


def _higher(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    known = [price for price in (one, other) if price is not None]
    return max(known, default=None)
