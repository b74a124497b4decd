"""What an order must satisfy to be accepted: names, limits, price, size, value, funds.

Source: Bybit V5, Place Order and its error codes.
"""

from decimal import Decimal

from bybitd.simulator.account import Account
from bybitd.simulator.fills import FEE_RATES
from bybitd.simulator.instruments import Instrument, plain
from bybitd.simulator.margin import Margin
from bybitd.simulator.market import Market
from bybitd.simulator.order_requests import NewOrder
from bybitd.simulator.orders import Order
from bybitd.simulator.price_band import price_band
from bybitd.simulator.refusal import Refusal, parameter_error

_MOST_OPEN = 500
_MOST_OPEN_OPTIONS = 50
_MOST_CONDITIONAL = 10
_MOST_SPOT_STOPS = 30


class Entry:
    """Checks orders; a Refusal means that nothing has happened."""

    def __init__(self, margin: Margin) -> None:
        self._margin = margin

    def identity(self, account: Account, new: NewOrder) -> None:
        """Refuse a name that is taken, the wrong position mode, and too many orders."""
        it = new.it
        spot = it.category == "spot"
        if new.link_id and account.linked(it.category, new.link_id) is not None:
            if spot:
                raise Refusal(170141, "Duplicate clientOrderId.")
            raise Refusal(110072, "OrderLinkedID is duplicate")
        if not spot and (new.position_idx != 0) != (it.symbol in account.hedged):
            raise parameter_error("position idx not match position mode")
        alike = account.open_count[it.category]
        if spot and alike >= _MOST_OPEN:
            raise Refusal(
                170810, "Cannot exceed maximum of 500 conditional, TP/SL and active orders."
            )
        if it.category == "option" and alike >= _MOST_OPEN_OPTIONS:
            raise Refusal(110020, "Not allowed to have more than 50 active orders.")
        if new.trigger is not None:
            waiting = account.waiting_on(it.category, it.symbol)
            kind = new.trigger.stop_type
            most = _MOST_SPOT_STOPS if spot else _MOST_CONDITIONAL
            if sum(order.stop_type == kind for order in waiting) >= most:
                text = "The number of stop orders exceeds the maximum allowable limit"
                raise Refusal(170810 if spot else 110009, text)
        elif account.active_count_on(it.category, it.symbol) >= _MOST_OPEN:
            raise Refusal(110020, "Not allowed to have more than 500 active orders.")

    def allowed_tick(
        self, account: Account, market: Market, side: int, tick: int | None, now_ms: int
    ) -> int:
        """Give an order's limit: market orders get a protective one, limits stay in the band."""
        it = market.instrument
        band = price_band(market, now_ms)
        edge = band.highest_buy if side > 0 else band.lowest_sell
        if tick is None:
            return edge
        if it.category == "option" or side * tick <= side * edge:
            return tick
        if account.settings.reprices[it.category]:
            return edge
        shown = it.price.text(edge)
        if it.category != "spot":
            code, word = (110121, "higher") if side > 0 else (110120, "smaller")
            text = f"Order price cannot be {word} than {shown}, the price limitation"
            raise Refusal(code, text)
        if side > 0:
            raise Refusal(170193, f"Buy order price cannot be higher than {shown}.")
        raise Refusal(170194, f"Sell order price cannot be lower than {shown}.")

    def lots(self, account: Account, market: Market, new: NewOrder, tick: int) -> int:
        """Give the size of an order that goes to the book now."""
        it = market.instrument
        if new.budget is not None:
            unit = it.step * it.tick
            return market.book.lots_for_value(new.side, tick, unit, new.budget)
        held = reducible(account, it, new.position_idx, new.side)
        if (new.reduce_only or new.close_on_trigger) and not held:
            if account.position(it, new.position_idx).size:
                raise Refusal(110017, "Reduce-only rule not satisfied: same side with position")
            raise Refusal(110017, "current position is zero, cannot fix reduce-only order qty")
        if closes_leg(new):
            if not held or (new.lots or 0) > held:
                raise Refusal(110017, "orderQty will be truncated to zero")
            return new.lots or held
        if new.lots is None:
            return held
        return min(new.lots, held) if new.reduce_only or new.close_on_trigger else new.lots

    def value(self, it: Instrument, lots: int, tick: int) -> None:
        """Refuse an order below the least value."""
        if it.min_value is None or it.value(lots, tick) >= it.min_value:
            return
        if it.category == "spot":
            raise Refusal(170140, "Order value exceeded lower limit.")
        raise Refusal(
            110094, f"Order does not meet minimum order value {plain(it.min_value)}{it.quote}"
        )

    def funds(
        self,
        account: Account,
        it: Instrument,
        order: Order,
        now_ms: int,
        bound: Decimal = Decimal(0),
    ) -> None:
        """Refuse what the account cannot cover; `bound` is what the order binds already."""
        coin, needs = self._margin.order_needs(account, it, order)
        needs -= bound
        if needs <= 0:
            return
        sheet = self._margin.sheet(account, now_ms)
        figures = sheet.coins[coin]
        if it.category == "spot":
            if needs > figures.wallet - figures.locked:
                raise Refusal(170131, "Insufficient balance.")
            return
        needs += it.value(order.leaves, order.tick) * FEE_RATES[it.category][0]
        if account.settings.isolated:
            # Each coin stands for itself, and profit on paper covers nothing.
            bound_now = figures.position_margin + figures.order_margin + figures.locked
            enough = needs <= figures.wallet - bound_now
        else:
            enough = needs * self._margin.usd(coin, now_ms) <= sheet.available
        if not enough:
            raise Refusal(110007, "ab not enough for new order")


def reducible(account: Account, it: Instrument, idx: int, side: int) -> int:
    """Count the lots of a position that an order of this side would close."""
    position = account.position(it, idx)
    if not position.size or (position.size > 0) == (side > 0):
        return 0
    return it.size.floor(abs(position.size))


def closes_leg(new: NewOrder) -> bool:
    """Tell whether a hedge-mode order is of the side that can only close its leg."""
    return new.position_idx != 0 and (new.side > 0) != (new.position_idx == 1)
