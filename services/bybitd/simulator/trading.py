"""The order desk of the exchange: create, amend, cancel, and what fills lead to.

An order that is accepted here has its ack; what the matching does with it afterwards (PostOnly
that would take, IOC without a counterpart) is told by the order's events only, as on the exchange.
"""

from collections.abc import Mapping
from decimal import Decimal

from bybitd.simulator.account import Account
from bybitd.simulator.book import BookOrder, Fill, SelfMatch
from bybitd.simulator.changes import Changes
from bybitd.simulator.fills import FEE_RATES, Fills
from bybitd.simulator.ids import Identifiers
from bybitd.simulator.instruments import Instrument, plain
from bybitd.simulator.margin import Margin
from bybitd.simulator.market import Market, Trade
from bybitd.simulator.markets import Markets
from bybitd.simulator.orders import Order
from bybitd.simulator.parameters import NewOrder
from bybitd.simulator.price_band import price_band
from bybitd.simulator.refusal import Refusal, parameter_error

_MOST_OPEN = 500
_MOST_OPEN_OPTIONS = 50


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
        self._resting: dict[str, BookOrder] = {}

    # --- create
    def create(self, account: Account, new: NewOrder, now_ms: int) -> Order:
        """Accept an order and match it. Raises Refusal, and then nothing has happened."""
        it = new.it
        self._check_identity(account, new)
        market = self._awake(it, now_ms)
        tick = self._allowed_tick(market, new.side, new.tick, now_ms)
        lots = self._entry_lots(account, market, new, tick)
        if it.min_value is not None and not new.reduce_only and new.budget is None:
            self._check_value(it, lots, tick)
        order = Order(
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
            reduce_only=new.reduce_only or _closes_leg(new),
            close_on_trigger=new.close_on_trigger,
            is_leverage=new.is_leverage,
            market_unit=new.market_unit,
            budget=new.budget,
            smp_type=new.self_match.value,
            last_tick=market.last_tick(now_ms),
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        self._check_funds(account, it, order, now_ms)
        order.row = account.next_row()
        order.order_id = self._ids.next(it.category)
        account.add(order)
        self._changes.order(account, order, it)
        self._match(account, order, market, now_ms)
        return order

    def _check_identity(self, account: Account, new: NewOrder) -> None:
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
        if account.open_count_on(it.category, it.symbol) >= _MOST_OPEN:
            raise Refusal(110020, "Not allowed to have more than 500 active orders.")

    def _allowed_tick(self, market: Market, side: int, tick: int | None, now_ms: int) -> int:
        """Give an order's limit: market orders get a protective one, limits stay in the band."""
        it = market.instrument
        band = price_band(market, now_ms)
        edge = band.highest_buy if side > 0 else band.lowest_sell
        if tick is None:
            return edge
        if it.category == "option" or side * tick <= side * edge:
            return tick
        if it.category != "spot":
            return edge  # contracts are re-priced silently
        shown = it.price.text(edge)
        if side > 0:
            raise Refusal(170193, f"Buy order price cannot be higher than {shown}.")
        raise Refusal(170194, f"Sell order price cannot be lower than {shown}.")

    def _entry_lots(self, account: Account, market: Market, new: NewOrder, tick: int) -> int:
        it = market.instrument
        if new.budget is not None:
            unit = it.step * it.tick
            return market.book.lots_for_value(new.side, tick, unit, new.budget)
        position = account.position(it, new.position_idx)
        closes = position.size and (position.size > 0) != (new.side > 0)
        held = it.size.floor(abs(position.size)) if closes else 0
        if new.reduce_only and not held:
            if position.size:
                raise Refusal(110017, "Reduce-only rule not satisfied: same side with position")
            raise Refusal(110017, "current position is zero, cannot fix reduce-only order qty")
        if _closes_leg(new):
            if not held or (new.lots or 0) > held:
                raise Refusal(110017, "orderQty will be truncated to zero")
            return new.lots or held
        if new.lots is None:
            return held
        return min(new.lots, held) if new.reduce_only else new.lots

    def _check_value(self, it: Instrument, lots: int, tick: int) -> None:
        least = it.min_value or Decimal(0)
        if it.value(lots, tick) < least:
            if it.category == "spot":
                raise Refusal(170140, "Order value exceeded lower limit.")
            raise Refusal(
                110094, f"Order does not meet minimum order value {plain(least)}{it.quote}"
            )

    def _check_funds(
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
        if it.category == "spot":
            figures = sheet.coins[coin]
            if needs > figures.wallet - figures.locked:
                raise Refusal(170131, "Insufficient balance.")
            return
        fee = it.value(order.leaves, order.tick) * FEE_RATES[it.category][0]
        if (needs + fee) * self._margin.usd(coin, now_ms) > sheet.available:
            raise Refusal(110007, "ab not enough for new order")

    # --- matching
    def _awake(self, it: Instrument, now_ms: int) -> Market:
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
        if fill.maker.owner:
            account = self._accounts[fill.maker.owner]
            order = account.open_orders[fill.maker.ref]
            # Ids of fills are unique, also where one account stands on both sides.
            exec_id = self._ids.next(market.instrument.category) if both else trade.id
            self._fills.apply(account, order, market, trade, maker=True, exec_id=exec_id)
            if not fill.maker.number:
                self._forget(order, market)
                account.retire(order)
        for uid in {fill.maker.owner, fill.taker.owner} - {0}:
            self.after_fill(self._accounts[uid], market, trade.at_ms)

    def after_fill(self, account: Account, market: Market, now_ms: int) -> None:
        """Cancel or shrink resting reduce-only orders that would now do more than close."""
        it = market.instrument
        if it.category == "spot":
            return
        for order in account.open_on(it.category, it.symbol):
            resting = self._resting.get(order.order_id)
            if resting is None or not order.reduce_only:
                continue
            position = account.position(it, order.position_idx)
            closes = position.size and (position.size > 0) != (order.side > 0)
            held = it.size.floor(abs(position.size)) if closes else 0
            if not held:
                self._withdraw(account, order, market, now_ms, "CancelByReduceOnly")
            elif order.leaves > held:
                market.shrink(resting, order.leaves - held)
                order.lots = order.filled + held
                order.updated_ms = now_ms
                self._changes.order(account, order, it)

    # --- ends
    def _end(
        self, account: Account, order: Order, market: Market, now_ms: int, cancel: str, reason: str
    ) -> None:
        """Close an order that is not in the book."""
        order.end("Cancelled", cancel, reason)
        order.updated_ms = now_ms
        account.retire(order)
        self._changes.order(account, order, market.instrument)

    def _withdraw(
        self, account: Account, order: Order, market: Market, now_ms: int, cancel: str
    ) -> None:
        """Take a resting order out of the book and close it."""
        market.cancel(self._resting[order.order_id])
        self._forget(order, market)
        self._end(account, order, market, now_ms, cancel, "EC_NoError")

    def _forget(self, order: Order, market: Market) -> None:
        if self._resting.pop(order.order_id, None) is not None:
            market.user_orders -= 1

    # --- amend and cancel
    def cancel_all_on(self, account: Account, it: Instrument, cancel: str, now_ms: int) -> None:
        """Take every order of an account out of one market, whoever wants it (`cancelType`)."""
        market = self._awake(it, now_ms)
        for order in account.open_on(it.category, it.symbol):
            if order.open:
                self._withdraw(account, order, market, now_ms, cancel)

    def cancel(self, account: Account, order: Order, now_ms: int) -> Order:
        """Cancel an open order. Raises Refusal when the market filled it in this very moment."""
        market = self._awake(self._markets.instruments[order.category][order.symbol], now_ms)
        if not order.open:
            raise not_open(order, "cancel")
        self._withdraw(account, order, market, now_ms, "CancelByUser")
        return order

    def amend(
        self, account: Account, order: Order, tick: int | None, lots: int | None, now_ms: int
    ) -> Order:
        """Change price or total quantity of an open order. Raises Refusal.

        Less quantity at the same price keeps the place in the queue; anything else goes to its
        end, or into the book if it crosses now.
        """
        it = self._markets.instruments[order.category][order.symbol]
        market = self._awake(it, now_ms)
        if not order.open:
            raise not_open(order, "replace")
        tick = order.tick if tick is None else self._allowed_tick(market, order.side, tick, now_ms)
        lots = order.lots if lots is None else lots
        if (tick, lots) == (order.tick, order.lots):
            raise parameter_error(
                "The order remains unchanged as the parameters entered match the existing ones."
            )
        if lots <= order.filled:
            code = 170313 if it.category == "spot" else 110064
            raise Refusal(
                code, "The modified contract quantity cannot be less than the filled quantity."
            )
        lots = self._amended_lots(account, it, order, lots)
        if not order.reduce_only:
            self._check_value(it, lots, tick)
        before = (order.tick, order.lots)
        bound = self._margin.bound_by(account, order)
        order.tick, order.lots = tick, lots
        try:
            self._check_funds(account, it, order, now_ms, bound)
        except Refusal:
            order.tick, order.lots = before
            raise
        order.updated_ms = now_ms
        self._changes.order(account, order, it)
        resting = self._resting[order.order_id]
        if tick == before[0] and lots < before[1]:
            market.shrink(resting, before[1] - lots)
            return order
        market.cancel(resting)
        self._forget(order, market)
        self._match(account, order, market, now_ms)
        return order

    def _amended_lots(self, account: Account, it: Instrument, order: Order, lots: int) -> int:
        if not order.reduce_only:
            return lots
        held = it.size.floor(abs(account.position(it, order.position_idx).size))
        return min(lots, order.filled + held)

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
            if market.book.would_take(order.side, order.tick):
                self._end(account, order, market, now_ms, "UNKNOWN", "EC_LoadOrderCanMatch")
                continue
            resting = BookOrder(order.side, order.tick, order.leaves, account.uid, order.order_id)
            market.book.rest(resting)
            self._resting[order.order_id] = resting
            market.user_orders += 1


def _closes_leg(new: NewOrder) -> bool:
    """Tell whether a hedge-mode order is of the side that can only close its leg."""
    return new.position_idx != 0 and (new.side > 0) != (new.position_idx == 1)


def not_open(order: Order | None, verb: str, *, spot: bool = False) -> Refusal:
    """Make the refusal for an order that is gone, or never was, when it should be changed."""
    if order is None or order.category != "spot":
        if spot:
            return Refusal(170213, "Order does not exist.")
        return Refusal(110001, f"order not exists or too late to {verb}")
    if order.status == "Filled":
        return Refusal(170139, "Order has been filled.")
    return Refusal(170142, "Order has been canceled.")
