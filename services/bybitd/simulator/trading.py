"""The order desk of the exchange: create, amend, cancel, and what fills lead to.

An order that is accepted here has its ack; what the matching does with it afterwards (PostOnly
that would take, IOC without a counterpart, a trigger without the margin) is told by the order's
events only, as on the exchange.
"""

from collections.abc import Mapping
from decimal import Decimal

from bybitd.simulator import mmp
from bybitd.simulator.account import Account
from bybitd.simulator.book import BookOrder, Fill, SelfMatch
from bybitd.simulator.changes import Changes
from bybitd.simulator.entry import Entry, closes_leg, reducible
from bybitd.simulator.fills import Fills
from bybitd.simulator.ids import Identifiers
from bybitd.simulator.instruments import Instrument
from bybitd.simulator.margin import Margin
from bybitd.simulator.market import Market, Trade
from bybitd.simulator.markets import Markets
from bybitd.simulator.order_requests import NewOrder
from bybitd.simulator.orders import Order
from bybitd.simulator.pricing import conditional_direction, price_of_order
from bybitd.simulator.refusal import Refusal
from bybitd.simulator.stops import Stops, check_leg
from bybitd.simulator.triggers import Triggers


class Trading:
    """Acts on orders; all money, positions and events follow from here."""

    def __init__(
        self,
        accounts: Mapping[int, Account],
        markets: Markets,
        margin: Margin,
        changes: Changes,
        fills: Fills,
        ids: Identifiers,
    ) -> None:
        self._accounts = accounts
        self._markets = markets
        self._margin = margin
        self._changes = changes
        self._fills = fills
        self._ids = ids
        self._entry = Entry(margin)
        self.triggers = Triggers(accounts)
        self.triggers.fire = self._on_trigger
        self.stops = Stops(self.triggers, changes, ids)
        self._resting: dict[str, BookOrder] = {}

    # --- create
    def create(self, account: Account, new: NewOrder, now_ms: int) -> Order:
        """Accept an order and match it, or let it wait. Raises Refusal: nothing has happened."""
        it = new.it
        self._entry.identity(account, new)
        market = self.awake(it, now_ms)
        order = self.draft(account, market, new, now_ms)
        self.check_funds(account, it, order, now_ms)
        order.row = account.next_row()
        order.order_id = self._ids.next(it.category)
        account.add(order)
        self._changes.order(account, order, it)
        if order.waiting:
            self.triggers.arm(account, order, market, now_ms)
        elif order.mmp and mmp.is_frozen(account, it.base, now_ms):
            self._end(account, order, market, now_ms, "UNKNOWN", "EC_CancelByMMP", "Rejected")
        else:
            self._match(account, order, market, now_ms)
        return order

    def check_funds(self, account: Account, it: Instrument, order: Order, now_ms: int) -> None:
        """Refuse an order that the account cannot cover."""
        self._entry.funds(account, it, order, now_ms)

    def draft(self, account: Account, market: Market, new: NewOrder, now_ms: int) -> Order:
        """Make the order of a request, checked but for its funds. Raises Refusal."""
        it, trigger = new.it, new.trigger
        tick, lots = new.tick or 0, new.lots or 0
        direction = 0
        if trigger is not None:
            direction = conditional_direction(market, trigger, now_ms)
            if new.lots is None and new.budget is None:
                lots = reducible(account, it, new.position_idx, new.side)
        else:
            wanted = price_of_order(market, new, now_ms)
            tick = self._entry.allowed_tick(account, market, new.side, wanted, now_ms)
            lots = self._entry.lots(account, market, new, tick)
            if not new.reduce_only and not new.close_on_trigger and new.budget is None:
                self._entry.value(it, lots, tick)
        base = new.tick if new.tick is not None else (trigger.tick if trigger else None)
        for kind, leg in (("TakeProfit", new.take_profit), ("StopLoss", new.stop_loss)):
            if leg is not None:
                check_leg(market, new.side, kind, leg, base, now_ms)
        return Order(
            row=0,
            order_id="",
            link_id=new.link_id,
            category=it.category,
            symbol=it.symbol,
            side=new.side,
            order_type="Market" if new.market else "Limit",
            tick=tick,
            lots=lots,
            time_in_force=new.time_in_force,
            position_idx=new.position_idx,
            reduce_only=new.reduce_only or closes_leg(new),
            close_on_trigger=new.close_on_trigger,
            is_leverage=new.is_leverage,
            market_unit=new.market_unit,
            budget=new.budget,
            smp_type=new.self_match.value,
            stop_type=trigger.stop_type if trigger else "",
            trigger_tick=trigger.tick if trigger else 0,
            trigger_by=trigger.by if trigger else "",
            trigger_direction=direction,
            whole=trigger is not None and new.lots is None and new.budget is None,
            take_profit=new.take_profit,
            stop_loss=new.stop_loss,
            tpsl_mode=new.tpsl_mode,
            slippage_type=new.slippage_type,
            slippage=new.slippage,
            order_iv=new.order_iv,
            mmp=new.mmp,
            rpi_taker=new.rpi_taker,
            status="Untriggered" if trigger else "New",
            last_tick=market.last_tick(now_ms),
            created_ms=now_ms,
            updated_ms=now_ms,
        )

    def _on_trigger(self, account: Account, order: Order, market: Market, now_ms: int) -> None:
        """Send an order whose price has come to the book, if it still may go there."""
        it = market.instrument
        order.status = "Triggered"
        order.updated_ms = now_ms
        account.triggered(order)
        if it.category != "spot":
            self.stops.mirror(account, market, order.position_idx)
        self._changes.order(account, order, it)
        self._changes.settle(now_ms)
        self._changes.markets[market] = None
        clears = "CancelByTpSlTsClear"
        if order.stop_type == "OcoOrder":
            taken = order.create_type == "CreateByTakeProfit"
            order.oco = "OcoTriggerByTp" if taken else "OcoTriggerBySl"
            clears = (
                "CancelByOCOSlCanceledByTpTriggered"
                if taken
                else "CancelByOCOTpCanceledBySlTriggered"
            )
        self.stops.drop_pair(account, order, market, clears, now_ms)
        if order.reduces or order.whole:
            held = reducible(account, it, order.position_idx, order.side)
            if not held:
                self._end(account, order, market, now_ms, "CancelByReduceOnly", "EC_NoError")
                return
            order.lots = held if order.whole else min(order.lots, held)
        try:
            limit = None if order.order_type == "Market" else order.tick
            order.tick = self._entry.allowed_tick(account, market, order.side, limit, now_ms)
            if order.budget is not None:
                unit = it.step * it.tick
                order.lots = market.book.lots_for_value(order.side, order.tick, unit, order.budget)
            order.status = "New"
            account.bound.release(order)  # it must not count against itself
            self.check_funds(account, it, order, now_ms)
        except Refusal:
            self._end(account, order, market, now_ms, "UNKNOWN", "EC_Others", "Rejected")
            return
        self._changes.order(account, order, it)
        self._match(account, order, market, now_ms)

    # --- matching
    def awake(self, it: Instrument, now_ms: int) -> Market:
        """Bring a market to the present before something happens on it."""
        market = self._markets.of(it)
        market.advance(now_ms)
        self._changes.markets[market] = None
        return market

    def _match(self, account: Account, order: Order, market: Market, now_ms: int) -> None:
        """Send an order into the book, new or after an amend; rest what the book does not take."""
        book = market.book
        policy = SelfMatch(order.smp_type)
        if order.time_in_force == "PostOnly" and book.would_take(order.side, order.tick):
            self._end(account, order, market, now_ms, "UNKNOWN", "EC_PostOnlyWillTakeLiquidity")
            return
        if order.time_in_force == "FOK":
            there = book.fillable(order.side, order.tick, order.leaves, account.uid, policy)
            if there < order.leaves:
                self._end(account, order, market, now_ms, "UNKNOWN", "EC_NoEnoughQtyToFill")
                return
        taker = BookOrder(order.side, order.tick, order.leaves, account.uid, order.order_id)

        def prevented(maker: BookOrder) -> None:
            order.smp_order_id = maker.ref
            if policy is not SelfMatch.CANCEL_TAKER:
                other = account.open_orders[maker.ref]
                other.smp_order_id = order.order_id
                self._withdraw(account, other, market, now_ms, "CancelBySmp")

        goes_on = market.take(taker, policy, prevented)
        if not order.open:
            account.retire(order)
            if order.budget is not None and order.value < order.budget:
                order.end("Cancelled", "UNKNOWN", "EC_CancelForNoFullFill")
        elif not goes_on:
            self._end(account, order, market, now_ms, "CancelBySmp", "EC_NoError")
        elif order.time_in_force in ("IOC", "FOK"):
            reason = "EC_CancelForNoFullFill" if order.filled else "EC_NoImmediateQtyToFill"
            self._end(account, order, market, now_ms, "UNKNOWN", reason)
        else:
            market.rest(taker)
            self._resting[order.order_id] = taker
            market.user_orders += 1

    def on_fill(self, market: Market, fill: Fill, trade: Trade) -> None:
        """Book a fill in which accounts have a part; the market calls this."""
        both = fill.maker.owner and fill.taker.owner
        if fill.taker.owner:
            account = self._accounts[fill.taker.owner]
            order = account.open_orders[fill.taker.ref]
            self._fills.apply(account, order, market, trade, maker=False, exec_id=trade.id)
            self._protect(account, order, market, trade)
        if fill.maker.owner:
            account = self._accounts[fill.maker.owner]
            order = account.open_orders[fill.maker.ref]
            # Ids of fills are unique, also where one account stands on both sides.
            exec_id = self._ids.next(market.instrument.category) if both else trade.id
            self._fills.apply(account, order, market, trade, maker=True, exec_id=exec_id)
            self._protect(account, order, market, trade)
            if order.mmp:
                self._count_mmp(account, market, order, trade)
            if not fill.maker.number:
                self._forget(order, market)
                account.retire(order)
        for uid in {fill.maker.owner, fill.taker.owner} - {0}:
            self.after_fill(self._accounts[uid], market, trade.at_ms)

    def _protect(self, account: Account, order: Order, market: Market, trade: Trade) -> None:
        if market.instrument.category != "spot":
            self.stops.on_position(account, market, order.position_idx, trade.at_ms)
        if order.take_profit or order.stop_loss:
            self.stops.on_fill(account, order, market, trade.lots, trade.at_ms)

    def _count_mmp(self, account: Account, market: Market, order: Order, trade: Trade) -> None:
        """Count a fill under market maker protection, and pull the quotes when it is too much."""
        it = market.instrument
        qty = it.size.decimal(trade.lots)
        delta = Decimal(f"{market.fair_value.option(it, trade.at_ms).delta:.8f}")
        if not mmp.count_fill(account, it.base, qty, qty * delta * order.side, trade.at_ms):
            return
        for other in tuple(account.open_orders.values()):
            place = self._markets.instruments[other.category][other.symbol]
            quoting = other.mmp and other.open and other.order_id in self._resting
            if quoting and place.base == it.base:
                self._withdraw(
                    account, other, self._markets.of(place), trade.at_ms, "CancelByMmpTriggered"
                )

    def after_fill(self, account: Account, market: Market, now_ms: int) -> None:
        """Cancel or shrink resting reduce-only orders that would now do more than close."""
        it = market.instrument
        if it.category == "spot":
            return
        for idx in account.indexes(it):
            self.stops.on_position(account, market, idx, now_ms)
        for order in account.reducing_on(it.category, it.symbol):
            resting = self._resting.get(order.order_id)
            if resting is None:
                continue
            held = reducible(account, it, order.position_idx, order.side)
            if not held:
                self._withdraw(account, order, market, now_ms, "CancelByReduceOnly")
            elif order.leaves > held:
                market.shrink(resting, order.leaves - held)
                order.lots = order.filled + held
                order.updated_ms = now_ms
                self._changes.order(account, order, it)

    # --- ends
    def _end(
        self,
        account: Account,
        order: Order,
        market: Market,
        now_ms: int,
        cancel: str,
        reason: str,
        status: str = "Cancelled",
    ) -> None:
        """Close an order that is not in the book."""
        order.end(status, cancel, reason)
        order.updated_ms = now_ms
        account.retire(order)
        self._changes.order(account, order, market.instrument)

    def _withdraw(
        self, account: Account, order: Order, market: Market, now_ms: int, cancel: str
    ) -> None:
        """Take an order out of the book, or out of its wait, and close it."""
        if order.waiting:
            self.stops.drop(account, order, market, cancel, now_ms)
            return
        market.cancel(self._resting[order.order_id])
        self._forget(order, market)
        self._end(account, order, market, now_ms, cancel, "EC_NoError")

    def _forget(self, order: Order, market: Market) -> None:
        if self._resting.pop(order.order_id, None) is not None:
            market.user_orders -= 1

    # --- amend and cancel
    def cancel_active_on(self, account: Account, it: Instrument, cancel: str, now_ms: int) -> None:
        """Take the active orders of an account out of one market, for the reason `cancel`."""
        market = self.awake(it, now_ms)
        for order in account.open_on(it.category, it.symbol):
            if order.open and not order.waiting:
                self._withdraw(account, order, market, now_ms, cancel)

    def cancel(self, account: Account, order: Order, now_ms: int) -> Order:
        """Cancel an open order. Raises Refusal when the market filled it in this very moment."""
        market = self.awake(self._markets.instruments[order.category][order.symbol], now_ms)
        if not order.open:
            raise not_open(order, "cancel")
        self._withdraw(account, order, market, now_ms, "CancelByUser")
        return order

    def moved(
        self,
        account: Account,
        order: Order,
        market: Market,
        before: tuple[int, int],
        now_ms: int,
    ) -> None:
        """Bring the book up to an order that was amended; `before` were its tick and lots."""
        resting = self._resting[order.order_id]
        if order.tick == before[0] and order.lots <= before[1]:
            if order.lots < before[1]:
                market.shrink(resting, before[1] - order.lots)
            return
        market.cancel(resting)
        self._forget(order, market)
        self._match(account, order, market, now_ms)

    # --- after a restart
    def restore(self, account: Account, now_ms: int) -> None:
        """Put the open orders of a loaded account back on their books, oldest first.

        One whose instrument is gone, or that another account's order would meet now, is cancelled.
        """
        for order in sorted(account.open_orders.values(), key=lambda order: order.row):
            market = self._markets.find(order.category, order.symbol)
            if market is None:
                order.end("Cancelled", "CancelBySettle")
                account.retire(order)
                continue
            if order.waiting:
                self.triggers.arm(account, order, market, now_ms)
                continue
            if market.book.would_take(order.side, order.tick):
                self._end(account, order, market, now_ms, "UNKNOWN", "EC_LoadOrderCanMatch")
                continue
            resting = BookOrder(order.side, order.tick, order.leaves, account.uid, order.order_id)
            market.book.rest(resting)
            self._resting[order.order_id] = resting
            market.user_orders += 1


def not_open(order: Order | None, verb: str, *, spot: bool = False) -> Refusal:
    """Make the refusal for an order that is gone, or never was, when it should be changed."""
    if order is None or order.category != "spot":
        if spot:
            return Refusal(170213, "Order does not exist.")
        return Refusal(110001, f"order not exists or too late to {verb}")
    if order.status == "Filled":
        return Refusal(170139, "Order has been filled.")
    return Refusal(170142, "Order has been canceled.")
