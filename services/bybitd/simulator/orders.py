"""A user's order and its states, and its record on the wire.

Sources: Bybit V5, Order stream (fields), enums orderStatus, cancelType, rejectReason.
"""

from decimal import Decimal
from typing import Any

import msgspec

from bybitd.simulator.instruments import Instrument, plain

OPEN = ("New", "PartiallyFilled")


class Order(msgspec.Struct, kw_only=True):
    """One order of an account; prices in ticks, sizes in lots, times in ms.

    `tick` of a market order is its protective limit. `budget` is set on a spot market buy whose
    qty is in quote coin: what it may spend. `row` orders the records of an account.
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
    smp_type: str = "None"
    smp_order_id: str = ""
    status: str = "New"
    cancel_type: str = "UNKNOWN"
    reject_reason: str = "EC_NoError"
    filled: int = 0
    value: Decimal = Decimal(0)
    fees: dict[str, Decimal] = {}
    closed_pnl: Decimal = Decimal(0)
    last_tick: int = 0
    created_ms: int = 0
    updated_ms: int = 0

    @property
    def open(self) -> bool:
        return self.status in OPEN

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
        """Close the order as cancelled; on spot the status tells whether it had fills."""
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
    "cumExecQty", "orderStatus", "cancelType", "rejectReason", "createdTime", "updatedTime",
)  # fmt: skip


def order_record(order: Order, it: Instrument) -> dict[str, Any]:
    """Write the record of the `order` topic, which is also the row of REST."""
    record = _plain_record(order, it)
    match order.category:
        case "spot":
            record |= _spot_fields(order)
        case "option":
            record |= {"placeType": "price", "tpslMode": ""} | dict.fromkeys(_UNSET, "")
        case _:
            record |= _UNSET | {"createType": order.create_type, "tpslMode": ""}
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
        "leavesValue": plain(it.value(leaves, order.tick).quantize(_VALUE_PLACES)),
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
        "rpiTakerAccess": False,
        "rpiMatchedQty": "0",
    }


_VALUE_PLACES = Decimal("0.00000001")
