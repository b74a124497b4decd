"""Executions that no request made: funding now, ADL, liquidation, settlement, on demand.

They have no counterpart in the book: the exchange itself takes the other side, at the mark price.
Sources: Bybit V5, Execution stream (execType), enums createType and cancelType.
"""

from decimal import Decimal

from bybitd.simulator.account import Account
from bybitd.simulator.changes import Changes
from bybitd.simulator.fills import Fills
from bybitd.simulator.funding import Funding
from bybitd.simulator.ids import Identifiers
from bybitd.simulator.instruments import Instrument
from bybitd.simulator.market import Trade
from bybitd.simulator.markets import Markets
from bybitd.simulator.orders import Order
from bybitd.simulator.positions import Position
from bybitd.simulator.trading import Trading

# execType -> (createType of the order that closes, positionStatus before it)
_KINDS = {
    "AdlTrade": ("CreateByAdl_PassThrough", "Adl"),
    "BustTrade": ("CreateByTakeOver_PassThrough", "Liq"),
    "Settle": ("CreateBySettle", "Normal"),
}


class Forced:
    """Does to positions what the exchange does of its own accord."""

    def __init__(
        self,
        markets: Markets,
        trading: Trading,
        fills: Fills,
        funding: Funding,
        changes: Changes,
        ids: Identifiers,
    ) -> None:
        self._markets = markets
        self._trading = trading
        self._fills = fills
        self._funding = funding
        self._changes = changes
        self._ids = ids

    def execute(
        self, account: Account, exec_type: str, it: Instrument, qty: Decimal | None, now_ms: int
    ) -> None:
        """Give every position of a symbol an execution; `qty` closes no more than that of each.

        Raises ValueError when there is no position, or nothing that this type could mean.
        """
        held = [p for idx in (0, 1, 2) if (p := account.position(it, idx)).size]
        if not held:
            raise ValueError(f"uid {account.uid} has no position in {it.category} {it.symbol}")
        if exec_type == "Funding":
            if not it.perpetual:
                raise ValueError(f"{it.symbol} pays no funding")
            for position in held:
                self._funding.pay(account, position, it, now_ms)
            return
        for position in held:
            self._close(account, exec_type, position, it, qty, now_ms)

    def _close(
        self,
        account: Account,
        exec_type: str,
        position: Position,
        it: Instrument,
        qty: Decimal | None,
        now_ms: int,
    ) -> None:
        create_type, status = _KINDS[exec_type]
        whole = it.size.floor(abs(position.size))
        lots = whole if qty is None else min(whole, it.size.floor(qty))
        if lots < 1:
            raise ValueError(f"the quantity is below the step of {it.symbol}")
        position.status = status
        self._changes.position(account, it, position.idx)
        if exec_type == "BustTrade":
            self._trading.cancel_active_on(account, it, "CancelAllBeforeLiq", now_ms)
        self._changes.settle(now_ms)
        market = self._markets.of(it)
        tick = max(1, it.price.nearest(float(market.mark_price(now_ms))))
        side = -1 if position.size > 0 else 1
        order = Order(
            row=account.next_row(),
            order_id=self._ids.next(it.category),
            link_id="",
            category=it.category,
            symbol=it.symbol,
            side=side,
            order_type="Market",
            tick=tick,
            lots=lots,
            time_in_force="IOC",
            position_idx=position.idx,
            reduce_only=True,
            create_type=create_type,
            last_tick=market.last_tick(now_ms),
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        account.add(order)
        trade = Trade(
            self._ids.next(it.category), now_ms, side, tick, lots, market.direction, market.seq
        )
        position.status = "Normal"
        self._fills.apply(
            account, order, market, trade, maker=False, exec_id=trade.id, exec_type=exec_type
        )
        account.retire(order)
        self._trading.after_fill(account, market, now_ms)
