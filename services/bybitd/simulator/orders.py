"""A user's order and its states, and its record on the wire.

Sources: Bybit V5, Order stream (fields), enums orderStatus, cancelType, rejectReason.
"""

from decimal import Decimal
from typing import Any

import msgspec

from bybitd.simulator.instruments import Instrument, plain

BEFORE_BOOK = ("Untriggered", "Triggered")
OPEN = ("New", "PartiallyFilled", *BEFORE_BOOK)
# The stopOrderTypes that protect a position and go when it is closed.
PROTECTING = ("TakeProfit", "StopLoss", "TrailingStop", "PartialTakeProfit", "PartialStopLoss")


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """A take profit or a stop loss: what happens when price `by` reaches `tick`.

    An order is sent then, at market or, where `limit_tick` is set, at that limit.
    """

    tick: int
    by: str = "LastPrice"
    limit_tick: int = 0


class Order(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One order of an account; prices in ticks, sizes in lots, times in ms.

    `tick` of a market order is its protective limit, 0 while that is not known. `budget` is set on
    a spot market order whose qty is in quote coin: what it may turn over. `row` orders the records
    of an account. `stop_type` is set on an order that waits, or waited, for a price; `whole` makes
    it close what the position holds then, `trail` follows the price at that distance. `parent_id`
    and `pair_id` name the order that brought a TP/SL, and the other half of a TP/SL pair.
    """

    row: int
    order_id: str
    link_id: str
    category: str
    symbol: str
    side: int
    order_type: str
    tick: int
    lots: int
    time_in_force: str
    position_idx: int = 0
    reduce_only: bool = False
    close_on_trigger: bool = False
    is_leverage: int = 0
    market_unit: str = ""
    budget: Decimal | None = None
    create_type: str = "CreateByUser"
    stop_type: str = ""
    trigger_tick: int = 0
    trigger_by: str = ""
    trigger_direction: int = 0
    whole: bool = False
    trail: int = 0
    extreme: int = 0
    parent_id: str = ""
    parent_link_id: str = ""
    pair_id: str = ""
    oco: str = ""
    take_profit: Leg | None = None
    stop_loss: Leg | None = None
    tpsl_mode: str = ""
    slippage_type: str = ""
    slippage: str = ""
    order_iv: str = ""
    mmp: bool = False
    rpi_taker: bool = False
    smp_type: str = "None"
    smp_order_id: str = ""
    status: str = "New"
    cancel_type: str = "UNKNOWN"
    reject_reason: str = "EC_NoError"
    filled: int = 0
    value: Decimal = Decimal(0)
    fees: dict[str, Decimal] = {}
    closed_pnl: Decimal = Decimal(0)
    closed: Decimal = Decimal(0)
    entry_value: Decimal = Decimal(0)
    exit_value: Decimal = Decimal(0)
    fill_count: int = 0
    open_fee: Decimal = Decimal(0)
    close_fee: Decimal = Decimal(0)
    last_tick: int = 0
    created_ms: int = 0
    updated_ms: int = 0

    @property
    def open(self) -> bool:
        return self.status in OPEN

    @property
    def waiting(self) -> bool:
        """Tell whether the order waits for its trigger price."""
        return self.status == "Untriggered"

    @property
    def reduces(self) -> bool:
        """Tell whether the order may only make a position smaller."""
        return self.reduce_only or self.close_on_trigger

    @property
    def leaves(self) -> int:
        return self.lots - self.filled

    def average_price(self, it: Instrument) -> Decimal | None:
        """Give the average price of what was filled, None before the first fill."""
        if not self.filled:
            return None
        qty = it.size.decimal(self.filled)
        return qty / self.value if it.inverse else self.value / qty

    def end(self, status: str, cancel_type: str, reject_reason: str = "EC_NoError") -> None:
        """Close the order as cancelled; the status tells of fills (spot) and of a wait."""
        if status == "Cancelled" and self.waiting:
            status = "Deactivated"
        if status == "Cancelled" and self.category == "spot" and self.filled:
            status = "PartiallyFilledCanceled"
        self.status = status
        self.cancel_type = cancel_type
        self.reject_reason = reject_reason


def order_summary(order: Order, it: Instrument) -> dict[str, Any]:
    """Write what identifies an order and tells its state, in the words of its record."""
    record = order_record(order, it)
    return {name: record[name] for name in _SUMMARY}


_SUMMARY = (
    "category", "symbol", "orderId", "orderLinkId", "side", "orderType", "price", "qty",
    "cumExecQty", "orderStatus", "cancelType", "rejectReason", "stopOrderType",
    "createdTime", "updatedTime",
)  # fmt: skip


def order_record(order: Order, it: Instrument) -> dict[str, Any]:
    """Write the record of the `order` topic, which is also the row of REST."""
    record = _plain_record(order, it)
    match order.category:
        case "spot":
            record |= _spot_fields(order)
        case "option":
            place = "iv" if order.order_iv else "price"
            record |= {"placeType": place, "orderIv": order.order_iv, "tpslMode": ""}
            record |= dict.fromkeys(_UNSET, "")
        case _:
            record |= _UNSET | {"createType": order.create_type, "tpslMode": ""}
    if order.stop_type:
        record |= _stop_fields(order, it)
    if order.take_profit or order.stop_loss:
        record |= _leg_fields(order, it)
    if order.slippage_type:
        record["slippageToleranceType"] = order.slippage_type
        record["slippageTolerance"] = order.slippage
    if order.budget is not None:
        record["qty"] = plain(order.budget)
        record["leavesQty"] = "0"
        record["leavesValue"] = plain(order.budget - order.value)
    return record


_UNSET = {
    "stopOrderType": "UNKNOWN",
    "triggerPrice": "0.00",
    "takeProfit": "0.00",
    "stopLoss": "0.00",
    "tpTriggerBy": "UNKNOWN",
    "slTriggerBy": "UNKNOWN",
    "triggerBy": "UNKNOWN",
    "slippageToleranceType": "UNKNOWN",
}


def _spot_fields(order: Order) -> dict[str, Any]:
    fields: dict[str, Any] = dict.fromkeys(_UNSET, "")
    fields["slippageToleranceType"] = "UNKNOWN"
    fields["isLeverage"] = str(order.is_leverage)
    fields["marketUnit"] = order.market_unit
    if order.order_type == "Market":
        fields["price"] = "0"
    return fields


def _stop_fields(order: Order, it: Instrument) -> dict[str, Any]:
    """Write what a conditional order, a TP/SL or a trailing stop has beside a plain order."""
    fields: dict[str, Any] = {
        "stopOrderType": order.stop_type,
        "triggerPrice": it.price.text(order.trigger_tick),
        "parentOrderLinkId": order.parent_link_id,
    }
    if it.category == "spot":
        return fields | {"ocoTriggerBy": order.oco}
    fields["triggerBy"] = order.trigger_by
    fields["triggerDirection"] = order.trigger_direction
    if order.stop_type in PROTECTING:
        fields["tpslMode"] = "Partial" if order.stop_type.startswith("Partial") else "Full"
    if order.waiting and order.order_type == "Market":
        fields["price"] = "0.00" if it.category != "option" else "0"
    return fields


def _leg_fields(order: Order, it: Instrument) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for leg, name, short in (
        (order.take_profit, "takeProfit", "tp"),
        (order.stop_loss, "stopLoss", "sl"),
    ):
        if leg is not None:
            fields[name] = it.price.text(leg.tick)
            fields[f"{short}LimitPrice"] = it.price.text(leg.limit_tick) if leg.limit_tick else ""
            if it.category != "spot":
                fields[f"{short}TriggerBy"] = leg.by
    if it.category != "spot":
        fields["tpslMode"] = order.tpsl_mode
    return fields


def _plain_record(order: Order, it: Instrument) -> dict[str, Any]:
    average = order.average_price(it)
    leaves = order.leaves if order.open else 0
    if it.category == "spot" and order.status != "Filled":
        leaves = order.leaves  # spot keeps the remainder after a cancel, derivatives do not
    price = it.price.text(order.tick)
    return {
        "category": order.category,
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "parentOrderLinkId": "",
        "blockTradeId": "",
        "brokerOrderPrice": "",
        "side": "Buy" if order.side > 0 else "Sell",
        "orderType": order.order_type,
        "price": price,
        "qty": it.size.text(order.lots),
        "isLeverage": "",
        "positionIdx": order.position_idx,
        "orderStatus": order.status,
        "cancelType": order.cancel_type,
        "rejectReason": order.reject_reason,
        "avgPrice": "" if average is None else plain(average.quantize(it.tick / 1000)),
        "leavesQty": it.size.text(leaves),
        "leavesValue": (
            plain(it.value(leaves, order.tick).quantize(_VALUE_PLACES)) if order.tick else "0"
        ),
        "cumExecQty": it.size.text(order.filled),
        "cumExecValue": plain(order.value),
        "cumExecFee": plain(sum(order.fees.values(), Decimal(0))),
        "cumFeeDetail": {coin: plain(fee) for coin, fee in order.fees.items()},
        "feeCurrency": next(iter(order.fees), "") if order.category == "spot" else "",
        "closedPnl": plain(order.closed_pnl),
        "timeInForce": order.time_in_force,
        "ocoTriggerBy": "",
        "orderIv": "",
        "placeType": "",
        "marketUnit": "",
        "slippageTolerance": "",
        "triggerDirection": 0,
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "lastPriceOnCreated": it.price.text(order.last_tick),
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": order.close_on_trigger,
        "smpType": order.smp_type,
        "smpGroup": 0,
        "smpOrderId": order.smp_order_id,
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
        "rpiTakerAccess": order.rpi_taker,
        "rpiMatchedQty": "0",
    }


_VALUE_PLACES = Decimal("0.00000001")
