"""Amending open orders: price, quantity, trigger, TP/SL (Bybit V5, Amend Order)."""

from bybitd.simulator.account import Account
from bybitd.simulator.changes import Changes
from bybitd.simulator.entry import Entry, reducible
from bybitd.simulator.margin import Margin
from bybitd.simulator.market import Market
from bybitd.simulator.markets import Markets
from bybitd.simulator.order_requests import Amend, Trigger
from bybitd.simulator.orders import Leg, Order
from bybitd.simulator.pricing import conditional_direction, iv_tick
from bybitd.simulator.refusal import Refusal, parameter_error
from bybitd.simulator.stops import check_leg
from bybitd.simulator.trading import Trading, not_open

_UNCHANGED = "The order remains unchanged as the parameters entered match the existing ones."


class Amends:
    """Changes orders that are open."""

    def __init__(
        self, markets: Markets, margin: Margin, changes: Changes, trading: Trading
    ) -> None:
        self._markets = markets
        self._margin = margin
        self._changes = changes
        self._trading = trading
        self._entry = Entry(margin)

    def amend(self, account: Account, order: Order, wanted: Amend, now_ms: int) -> Order:
        """Change an open order. Raises Refusal, and then it is as it was.

        Less quantity at the same price keeps the place in the queue; anything else goes to its
        end, or into the book if it crosses now.
        """
        it = self._markets.instruments[order.category][order.symbol]
        market = self._trading.awake(it, now_ms)
        if not order.open:
            raise not_open(order, "replace")
        if wanted.nothing:
            raise parameter_error("params error: there is nothing to amend")
        if order.waiting:
            self._amend_waiting(account, order, wanted, market, now_ms)
        else:
            self._amend_resting(account, order, wanted, market, now_ms)
        return order

    def _amend_waiting(
        self, account: Account, order: Order, wanted: Amend, market: Market, now_ms: int
    ) -> None:
        if wanted.tick is not None and order.order_type == "Market":
            raise parameter_error("params error: a market order has no price")
        if wanted.lots is not None and order.whole:
            raise Refusal(110060, "Under full TP/SL mode, it is not allowed to modify TP/SL")
        tick = order.tick if wanted.tick is None else wanted.tick
        lots = order.lots if wanted.lots is None else wanted.lots
        trigger = order.trigger_tick if wanted.trigger_tick is None else wanted.trigger_tick
        by = wanted.trigger_by or order.trigger_by
        legs = self._legs(market, order, wanted, order.tick or trigger, now_ms)
        now = (tick, lots, trigger, by, *legs)
        before = (
            order.tick,
            order.lots,
            order.trigger_tick,
            order.trigger_by,
            order.take_profit,
            order.stop_loss,
        )
        if now == before:
            raise parameter_error(_UNCHANGED)
        direction = order.trigger_direction
        if (trigger, by) != (order.trigger_tick, order.trigger_by):
            # The direction follows the price: the new one lies on either side of the market.
            asked = Trigger(tick=trigger, by=by, direction=0, stop_type=order.stop_type)
            direction = conditional_direction(market, asked, now_ms)
        bound = self._margin.bound_by(account, order)
        order.tick, order.lots = tick, lots
        try:
            self._entry.funds(account, market.instrument, order, now_ms, bound)
        except Refusal:
            order.tick, order.lots = before[:2]
            raise
        order.trigger_tick, order.trigger_by, order.trigger_direction = trigger, by, direction
        order.take_profit, order.stop_loss = legs
        order.updated_ms = now_ms
        self._trading.triggers.arm(account, order, market, now_ms)
        self._trading.stops.mirror(account, market, order.position_idx)
        self._changes.order(account, order, market.instrument)

    def _amend_resting(
        self, account: Account, order: Order, wanted: Amend, market: Market, now_ms: int
    ) -> None:
        if wanted.trigger_tick is not None:
            raise parameter_error("params error: triggerPrice of an order that waits for none")
        it = market.instrument
        asked = iv_tick(market, wanted.order_iv, now_ms) if wanted.order_iv else wanted.tick
        tick = order.tick
        if asked is not None:
            tick = self._entry.allowed_tick(account, market, order.side, asked, now_ms)
        lots = order.lots if wanted.lots is None else wanted.lots
        legs = self._legs(market, order, wanted, tick, now_ms)
        same_legs = legs == (order.take_profit, order.stop_loss)
        if (tick, lots) == (order.tick, order.lots) and same_legs:
            raise parameter_error(_UNCHANGED)
        if not same_legs and order.filled:
            text = "Not allowed to modify the TP/SL of a partially filled open order"
            raise Refusal(170312 if it.category == "spot" else 110059, text)
        if lots <= order.filled:
            code = 170313 if it.category == "spot" else 110064
            raise Refusal(
                code, "The modified contract quantity cannot be less than the filled quantity."
            )
        if order.reduces:
            held = reducible(account, it, order.position_idx, order.side)
            lots = min(lots, order.filled + held)
        else:
            self._entry.value(it, lots, tick)
        before = (order.tick, order.lots)
        bound = self._margin.bound_by(account, order)
        order.tick, order.lots = tick, lots
        try:
            self._entry.funds(account, it, order, now_ms, bound)
        except Refusal:
            order.tick, order.lots = before
            raise
        order.take_profit, order.stop_loss = legs
        order.tpsl_mode = _mode(order, wanted)
        order.order_iv = wanted.order_iv or ("" if wanted.tick is not None else order.order_iv)
        order.updated_ms = now_ms
        self._changes.order(account, order, it)
        self._trading.moved(account, order, market, before, now_ms)

    def _legs(
        self, market: Market, order: Order, wanted: Amend, base: int, now_ms: int
    ) -> tuple[Leg | None, Leg | None]:
        """Give the TP/SL of an order after an amend; one of tick 0 is gone."""
        found: list[Leg | None] = []
        for kind, old, new in (
            ("TakeProfit", order.take_profit, wanted.take_profit),
            ("StopLoss", order.stop_loss, wanted.stop_loss),
        ):
            if new is None:
                found.append(old)
                continue
            if new.tick:
                if order.reduces:
                    raise parameter_error("params error: reduceOnly orders can not have TP/SL")
                check_leg(market, order.side, kind, new, base, now_ms)
            found.append(new if new.tick else None)
        return found[0], found[1]


def _mode(order: Order, wanted: Amend) -> str:
    if order.category == "spot" or not (order.take_profit or order.stop_loss):
        return ""
    return wanted.tpsl_mode or order.tpsl_mode or "Full"
