"""What a fill does to an account: fee, money, position, and the execution record.

Sources: Bybit V5, Execution stream; Trading Fee Rate.
"""

from decimal import Decimal

from bybitd.simulator.account import Account, Execution, Flow
from bybitd.simulator.changes import Changes
from bybitd.simulator.fair_value import FairValue
from bybitd.simulator.instruments import Instrument, plain
from bybitd.simulator.market import Market, Trade
from bybitd.simulator.orders import Order
from bybitd.simulator.positions import Change, Position, apply_fill, money, value

# (taker, maker) by category
FEE_RATES = {
    "spot": (Decimal("0.001"), Decimal("0.001")),
    "linear": (Decimal("0.00055"), Decimal("0.0002")),
    "inverse": (Decimal("0.00055"), Decimal("0.0002")),
    "option": (Decimal("0.0003"), Decimal("0.0003")),
}
# An option's fee is a rate of the index, but never more than this part of the premium.
_OPTION_FEE_CAP = Decimal("0.07")


class Fills:
    """Applies fills to accounts."""

    def __init__(self, fair_value: FairValue, changes: Changes) -> None:
        self._fair_value = fair_value
        self._changes = changes

    def apply(
        self,
        account: Account,
        order: Order,
        market: Market,
        trade: Trade,
        *,
        maker: bool,
        exec_id: str,
        exec_type: str = "Trade",
    ) -> None:
        """Book one fill of an order: money, position, order sums, execution record."""
        it = market.instrument
        rate = FEE_RATES[it.category][1 if maker else 0]
        worth = money(it.value(trade.lots, trade.tick))
        fee_coin, fee = self._fee(it, order, trade, worth, rate)
        match it.category:
            case "spot":
                change = self._spot(account, order, it, trade, worth)
            case _:
                change = self._contract(account, order, it, trade, worth, fee)
        account.credit(fee_coin, -fee)
        order.filled += trade.lots
        order.value += worth
        order.fees = order.fees | {fee_coin: order.fees.get(fee_coin, Decimal(0)) + fee}
        order.closed_pnl += change.profit
        order.fill_count += 1
        order.status = "Filled" if order.filled == order.lots else "PartiallyFilled"
        order.updated_ms = trade.at_ms
        self._changes.coin(account, fee_coin)
        self._changes.order(account, order, it)
        record = {
            "category": it.category,
            "symbol": it.symbol,
            "orderId": order.order_id,
            "orderLinkId": order.link_id,
            "side": "Buy" if order.side > 0 else "Sell",
            "orderType": order.order_type,
            "orderPrice": it.price.text(order.tick),
            "orderQty": it.size.text(order.lots),
            "leavesQty": it.size.text(order.leaves),
            "execId": exec_id,
            "execPrice": it.price.text(trade.tick),
            "execQty": it.size.text(trade.lots),
            "execValue": plain(worth),
            "execTime": str(trade.at_ms),
            "execType": exec_type,
            "execFee": plain(fee),
            "execFeeV2": "",
            "feeRate": plain(rate),
            "feeCurrency": fee_coin,
            "execPnl": plain(change.profit),
            "closedSize": plain(change.closed),
            "isMaker": maker,
            "isLeverage": str(order.is_leverage) if it.category == "spot" else "0",
            "stopOrderType": order.stop_type or "UNKNOWN",
            "markPrice": plain(market.mark_price(trade.at_ms)),
            "indexPrice": "",
            "underlyingPrice": "",
            "tradeIv": "",
            "markIv": "",
            "blockTradeId": "",
            "marketUnit": order.market_unit,
            "extraFees": "",
            "seq": trade.seq,
        }
        if it.category in ("linear", "inverse"):
            record["createType"] = order.create_type
        if it.category == "option":
            value = self._fair_value.option(it, trade.at_ms)
            record["indexPrice"] = record["underlyingPrice"] = f"{value.underlying:.2f}"
            record["tradeIv"] = record["markIv"] = f"{value.iv:.4f}"
        execution = Execution(
            row=account.next_row(),
            at_ms=trade.at_ms,
            record=record,
            flows=self._flows(account, order, it, trade, worth, change, {fee_coin: fee}),
        )
        self._changes.execution(account, execution)

    def _fee(
        self, it: Instrument, order: Order, trade: Trade, worth: Decimal, rate: Decimal
    ) -> tuple[str, Decimal]:
        if it.category == "spot" and order.side > 0:
            return it.base, money(it.size.decimal(trade.lots) * rate)
        if it.category == "option":
            index = Decimal(f"{self._fair_value.index(it.reference, trade.at_ms):.2f}")
            full = it.size.decimal(trade.lots) * index * rate
            return it.settle, money(min(full, worth * _OPTION_FEE_CAP))
        return it.settle, money(worth * rate)

    @staticmethod
    def _split_fees(
        order: Order,
        position: Position,
        closed: Decimal,
        filled: Decimal,
        size: Decimal,
        fee: Decimal,
    ) -> None:
        """Share fees between what a fill closed of `size` and what it opened anew."""
        opened = money(position.open_fees * closed / size)
        closing = money(fee * closed / filled)
        order.open_fee += opened
        order.close_fee += closing
        position.open_fees += fee - closing - opened

    @staticmethod
    def _flows(
        account: Account,
        order: Order,
        it: Instrument,
        trade: Trade,
        worth: Decimal,
        change: Change,
        fees: dict[str, Decimal],
    ) -> list[Flow]:
        """Write down what the fill did to each coin; the wallet shows it already."""
        if it.category == "spot":
            qty = it.size.decimal(trade.lots) * order.side
            moved = {it.base: qty, it.quote: -worth * order.side}
            size = Decimal(0)
        else:
            paid = -worth * order.side if it.category == "option" else change.profit
            moved = {it.settle: paid}
            size = account.position(it, order.position_idx).size
        return [
            Flow(
                coin=coin,
                cash=cash,
                fee=fees.get(coin, Decimal(0)),
                balance=account.wallet.get(coin, Decimal(0)),
                size=size,
            )
            for coin, cash in moved.items()
        ]

    def _spot(
        self, account: Account, order: Order, it: Instrument, trade: Trade, worth: Decimal
    ) -> Change:
        qty = it.size.decimal(trade.lots) * order.side
        account.credit(it.base, qty)
        account.credit(it.quote, -worth * order.side)
        self._changes.coin(account, it.base)
        self._changes.coin(account, it.quote)
        return Change(Decimal(0), Decimal(0))

    def _contract(
        self,
        account: Account,
        order: Order,
        it: Instrument,
        trade: Trade,
        worth: Decimal,
        fee: Decimal,
    ) -> Change:
        position = account.position(it, order.position_idx)
        was_flat = not position.size
        entry, size = position.average, abs(position.size)
        price = it.price.decimal(trade.tick)
        signed = it.size.decimal(trade.lots) * order.side
        change = apply_fill(position, it, signed, price)
        if change.closed:
            order.closed += change.closed
            order.entry_value += value(it, change.closed, entry)
            order.exit_value += value(it, change.closed, price)
            self._split_fees(order, position, change.closed, abs(signed), size, fee)
        else:
            position.open_fees += fee
        if not position.created_ms:
            position.created_ms = trade.at_ms
        if was_flat:
            position.opened_ms = trade.at_ms
        position.updated_ms = trade.at_ms
        position.seq = trade.seq
        account.keep(position)
        # An option is paid for when it is bought; contracts only settle their profit.
        account.credit(it.settle, -worth * order.side if it.category == "option" else change.profit)
        earned = account.realised.get(it.settle, Decimal(0))
        account.realised[it.settle] = earned + change.profit
        return change
