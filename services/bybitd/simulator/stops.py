"""TP/SL and trailing stops of positions, as the orders that they are on the exchange.

Sources: Bybit V5, Set Trading Stop; Place Order (takeProfit, stopLoss, tpslMode); enums createType
and stopOrderType. They have no orderLinkId, wait Untriggered, and go when the position is closed.
"""

from bybitd.simulator.account import Account
from bybitd.simulator.changes import Changes
from bybitd.simulator.ids import Identifiers
from bybitd.simulator.instruments import Instrument
from bybitd.simulator.market import Market
from bybitd.simulator.orders import Leg, Order
from bybitd.simulator.positions import Position
from bybitd.simulator.refusal import Refusal, parameter_error
from bybitd.simulator.triggers import Triggers, direction_to, price_of

_MOST_PARTIAL = 20
CLEARED = "CancelByTpSlTsClear"


class Stops:
    """Keeps the protecting orders of positions, and the TP/SL of spot orders."""

    def __init__(self, triggers: Triggers, changes: Changes, ids: Identifiers) -> None:
        self._triggers = triggers
        self._changes = changes
        self._ids = ids

    # --- what a request sets
    def set_whole(
        self, account: Account, market: Market, idx: int, kind: str, leg: Leg, now_ms: int
    ) -> bool:
        """Set, change or (tick 0) remove the one TakeProfit or StopLoss of a whole position.

        Returns False when it is so already. Raises Refusal when the price is on the wrong side.
        """
        it = market.instrument
        kept = self._one(account, it, idx, kind)
        if not leg.tick:
            if kept is None:
                return False
            self.drop(account, kept, market, "CancelByUser", now_ms)
            return True
        if kept is not None and (kept.trigger_tick, kept.trigger_by) == (leg.tick, leg.by):
            return False
        position = account.position(it, idx)
        check_leg(market, 1 if position.size > 0 else -1, kind, leg, None, now_ms)
        if kept is None:
            lots = it.size.floor(abs(position.size))
            self._protect(account, market, idx, kind, leg, lots, now_ms, whole=True)
        else:
            kept.trigger_tick, kept.trigger_by = leg.tick, leg.by
            self._told(account, kept, market, now_ms)
        self.mirror(account, market, idx)
        return True

    def set_trailing(
        self, account: Account, market: Market, idx: int, trail: int, active: int, now_ms: int
    ) -> bool:
        """Set, change or (0) remove the trailing stop of a position; False when it is so already.

        `trail` is its distance and `active` its activation price, in ticks (0: from now on).
        """
        it = market.instrument
        kept = self._one(account, it, idx, "TrailingStop")
        if not trail:
            if kept is None:
                return False
            self.drop(account, kept, market, "CancelByUser", now_ms)
            return True
        if kept is not None and (kept.trail, kept.trigger_tick) == (trail, active):
            return False
        position = account.position(it, idx)
        toward = 1 if position.size > 0 else -1
        if active and toward * active <= toward * market.last_tick(now_ms):
            raise parameter_error("params error: activePrice is behind the market price")
        if kept is None:
            leg = Leg(tick=active)
            lots = it.size.floor(abs(position.size))
            self._protect(
                account, market, idx, "TrailingStop", leg, lots, now_ms, whole=True, trail=trail
            )
        else:
            kept.trail, kept.trigger_tick, kept.extreme = trail, active, 0
            self._told(account, kept, market, now_ms)
        self.mirror(account, market, idx)
        return True

    def add_partial(
        self,
        account: Account,
        market: Market,
        idx: int,
        legs: dict[str, Leg],
        lots: int,
        now_ms: int,
        parent: Order | None = None,
    ) -> None:
        """Add a TP/SL for a part of a position; two legs cancel each other. Raises Refusal."""
        it = market.instrument
        there = [o for o in account.protecting(it, idx) if o.stop_type.startswith("Partial")]
        if len(there) + len(legs) > _MOST_PARTIAL:
            raise Refusal(110061, "Not allowed to have more than 20 TP/SLs under Partial tpSlMode")
        size = account.position(it, idx).size
        made = []
        if parent is None:
            for kind, leg in legs.items():
                check_leg(market, 1 if size > 0 else -1, kind, leg, None, now_ms)
        for kind, leg in legs.items():
            made.append(
                self._protect(
                    account, market, idx, f"Partial{kind}", leg, lots, now_ms, parent=parent
                )
            )
        _pair(made)

    # --- what fills do
    def on_position(self, account: Account, market: Market, idx: int, now_ms: int) -> None:
        """Follow a position: its protection goes with it, or takes its size."""
        it = market.instrument
        protecting = account.protecting(it, idx)
        if not protecting:
            return
        size = account.position(it, idx).size
        held = it.size.floor(abs(size))
        for order in protecting:
            if not size or (size > 0) == (order.side > 0):
                self.drop(account, order, market, CLEARED, now_ms)
            elif order.whole and order.lots != held:
                order.lots = held
                order.updated_ms = now_ms
                self._changes.order(account, order, it)

    def on_fill(
        self, account: Account, order: Order, market: Market, lots: int, now_ms: int
    ) -> None:
        """Set the TP/SL that an order brought, for what of it has been filled."""
        legs = {
            kind: leg
            for kind, leg in (("TakeProfit", order.take_profit), ("StopLoss", order.stop_loss))
            if leg is not None
        }
        if order.category == "spot":
            if order.status == "Filled":
                self._sell_back(account, order, market, legs, now_ms)
            return
        size = account.position(market.instrument, order.position_idx).size
        if not size or (size > 0) != (order.side > 0):
            return  # it only closed
        if order.tpsl_mode == "Full":
            for kind, leg in legs.items():
                self._replace_whole(account, market, order, kind, leg, now_ms)
            return
        mine = [
            o
            for o in account.protecting(market.instrument, order.position_idx)
            if o.parent_id == order.order_id
        ]
        for child in mine:
            child.lots += lots
            child.updated_ms = now_ms
            self._changes.order(account, child, market.instrument)
        if not mine:
            self.add_partial(account, market, order.position_idx, legs, lots, now_ms, order)

    def drop(
        self, account: Account, order: Order, market: Market, cancel: str, now_ms: int
    ) -> None:
        """Give up an order that waits, and the other half of its pair."""
        self._triggers.disarm(order, market)
        order.end("Cancelled", cancel)
        order.updated_ms = now_ms
        account.retire(order)
        self._changes.order(account, order, market.instrument)
        if order.category != "spot":
            self.mirror(account, market, order.position_idx)
        self.drop_pair(account, order, market, cancel, now_ms)

    def drop_pair(
        self, account: Account, order: Order, market: Market, cancel: str, now_ms: int
    ) -> None:
        """Give up the other half of a TP/SL pair, if it still waits."""
        other = account.open_orders.get(order.pair_id)
        if other is not None and other.waiting:
            other.pair_id = ""
            self.drop(account, other, market, cancel, now_ms)

    # --- making them
    def _replace_whole(
        self, account: Account, market: Market, order: Order, kind: str, leg: Leg, now_ms: int
    ) -> None:
        kept = self._one(account, market.instrument, order.position_idx, kind)
        if kept is not None:
            if (kept.trigger_tick, kept.trigger_by) != (leg.tick, leg.by):
                kept.trigger_tick, kept.trigger_by = leg.tick, leg.by
                self._told(account, kept, market, now_ms)
        else:
            position = account.position(market.instrument, order.position_idx)
            lots = market.instrument.size.floor(abs(position.size))
            self._protect(
                account,
                market,
                order.position_idx,
                kind,
                leg,
                lots,
                now_ms,
                whole=True,
                parent=order,
            )
        self.mirror(account, market, order.position_idx)

    def _protect(
        self,
        account: Account,
        market: Market,
        idx: int,
        kind: str,
        leg: Leg,
        lots: int,
        now_ms: int,
        *,
        whole: bool = False,
        trail: int = 0,
        parent: Order | None = None,
    ) -> Order:
        it = market.instrument
        side = -1 if account.position(it, idx).size > 0 else 1
        order = Order(
            row=account.next_row(),
            order_id=self._ids.next(it.category),
            link_id="",
            category=it.category,
            symbol=it.symbol,
            side=side,
            order_type="Limit" if leg.limit_tick else "Market",
            tick=leg.limit_tick,
            lots=lots,
            time_in_force="GTC" if leg.limit_tick else "IOC",
            position_idx=idx,
            reduce_only=True,
            close_on_trigger=True,
            create_type=f"CreateBy{kind}",
            stop_type=kind,
            trigger_tick=leg.tick,
            trigger_by=leg.by,
            whole=whole,
            trail=trail,
            parent_id=parent.order_id if parent else "",
            parent_link_id=parent.link_id if parent else "",
            status="Untriggered",
            last_tick=market.last_tick(now_ms),
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        account.add(order)
        self._told(account, order, market, now_ms)
        return order

    def _sell_back(
        self, account: Account, bought: Order, market: Market, legs: dict[str, Leg], now_ms: int
    ) -> None:
        """Set the TP/SL of a spot order that was filled: an order of the other side that waits."""
        it = market.instrument
        fee = bought.fees.get(it.base)
        lots = bought.filled
        if fee is not None and bought.side > 0:
            lots = it.size.floor(it.size.decimal(lots) - fee)
        if lots < 1:
            return
        made = []
        for kind, leg in legs.items():
            order = Order(
                row=account.next_row(),
                order_id=self._ids.next(it.category),
                link_id="",
                category=it.category,
                symbol=it.symbol,
                side=-bought.side,
                order_type="Limit" if leg.limit_tick else "Market",
                tick=leg.limit_tick,
                lots=lots,
                time_in_force="GTC" if leg.limit_tick else "IOC",
                create_type=f"CreateBy{kind}",
                stop_type="OcoOrder" if len(legs) > 1 else "tpslOrder",
                oco="OcoTriggerByUnknown" if len(legs) > 1 else "",
                market_unit="" if leg.limit_tick else "baseCoin",
                trigger_tick=leg.tick,
                trigger_by="LastPrice",
                parent_id=bought.order_id,
                status="Untriggered",
                last_tick=market.last_tick(now_ms),
                created_ms=now_ms,
                updated_ms=now_ms,
            )
            account.add(order)
            self._told(account, order, market, now_ms)
            made.append(order)
        _pair(made)

    def _told(self, account: Account, order: Order, market: Market, now_ms: int) -> None:
        """Let an order wait for its (new) price, and tell it."""
        by = order.trigger_by
        order.updated_ms = now_ms
        order.trigger_direction = direction_to(market, order.trigger_tick, by, now_ms)
        self._triggers.arm(account, order, market, now_ms)
        self._changes.order(account, order, market.instrument)

    @staticmethod
    def _one(account: Account, it: Instrument, idx: int, kind: str) -> Order | None:
        return next((o for o in account.protecting(it, idx) if o.stop_type == kind), None)

    def mirror(self, account: Account, market: Market, idx: int) -> None:
        """Write into the position what its record shows of its protection."""
        it = market.instrument
        position: Position = account.position(it, idx)
        orders = {order.stop_type: order for order in account.protecting(it, idx)}
        take, stop = orders.get("TakeProfit"), orders.get("StopLoss")
        trailing = orders.get("TrailingStop")
        position.take_profit = take.trigger_tick if take else 0
        position.stop_loss = stop.trigger_tick if stop else 0
        position.trailing_stop = trailing.trail if trailing else 0
        self._changes.position(account, it, idx)


def check_leg(
    market: Market, side: int, kind: str, leg: Leg, limit: int | None, now_ms: int
) -> None:
    """Refuse a TP/SL that would trigger at once; `limit` is the price of the order it comes with.

    `side` is that of the position to be protected.
    """
    base = price_of(market, leg.by, now_ms) if limit is None else limit
    up = side if kind == "TakeProfit" else -side
    if up * leg.tick > up * base:
        return
    it = market.instrument
    name = "Buy" if side > 0 else "Sell"
    text = (
        f"{kind}:{it.price.text(leg.tick)} set for {name} position should be "
        f"{'higher than' if up > 0 else 'lower than'} base_price:{it.price.text(base)}??{leg.by}"
    )
    raise Refusal(170130, text) if it.category == "spot" else parameter_error(text)


def _pair(made: list[Order]) -> None:
    if len(made) == 2:
        made[0].pair_id, made[1].pair_id = made[1].order_id, made[0].order_id
