"""Prices that an order leaves to the market: slippage tolerance, best bid and offer, volatility.

Source: Bybit V5, Place Order (slippageTolerance, bboSideType, orderIv, triggerDirection).
"""

from decimal import Decimal
from itertools import islice

from bybitd.simulator.market import Market
from bybitd.simulator.order_requests import RISING, NewOrder, Trigger
from bybitd.simulator.refusal import Refusal, parameter_error
from bybitd.simulator.triggers import direction_to, price_of


def price_of_order(market: Market, new: NewOrder, now_ms: int) -> int | None:
    """Give the limit that an order means, in ticks; None for as far as the exchange allows."""
    if new.bbo_side:
        return _level(market, new)
    if new.order_iv:
        return iv_tick(market, new.order_iv, now_ms)
    if new.slippage_type:
        return _tolerated(market, new)
    return None if new.market else new.tick


def iv_tick(market: Market, order_iv: str, now_ms: int) -> int:
    """Give the price of an option at an implied volatility (0.1 is 10 percent)."""
    it = market.instrument
    return max(1, it.price.nearest(market.fair_value.option_at(it, now_ms, float(order_iv)).price))


def conditional_direction(market: Market, trigger: Trigger, now_ms: int) -> int:
    """Give the direction of a condition; refuse one that is fulfilled already."""
    current = price_of(market, trigger.by, now_ms)
    if not trigger.direction:
        return direction_to(market, trigger.tick, trigger.by, now_ms)
    price = market.instrument.price
    # The real texts show the prices times 10,000.
    wanted, shown = (f"{price.decimal(tick) * 10_000:.0f}" for tick in (trigger.tick, current))
    which = trigger.by.removesuffix("Price")
    if trigger.direction == RISING and trigger.tick <= current:
        text = f"expect Rising, but trigger_price[{wanted}] <= current[{shown}]??{which}"
        raise Refusal(110092, text)
    if trigger.direction != RISING and trigger.tick >= current:
        text = f"expect Falling, but trigger_price[{wanted}] >= current[{shown}]??{which}"
        raise Refusal(110093, text)
    return trigger.direction


def _level(market: Market, new: NewOrder) -> int:
    """Give the price of a level of the book, on the own or the other side."""
    half = market.book.half(new.side if new.bbo_side == "Queue" else -new.side)
    key = next(islice(half.keys, new.bbo_level - 1, None), None)
    if key is None:
        raise parameter_error(f"params error: there is no level {new.bbo_level} in the book")
    return abs(key)


def _tolerated(market: Market, new: NewOrder) -> int | None:
    """Give the worst price that a tolerance leaves, counted from the best of the other side."""
    best = market.book.half(-new.side).best()
    if best is None:
        return None
    if new.slippage_type == "TickSize":
        return max(1, best + new.side * int(new.slippage))
    reach = best * Decimal(new.slippage) / 100
    return max(1, int(best + new.side * reach) + (1 if new.side < 0 and reach % 1 else 0))
