"""The check of an order operation's arguments, before anything is sent.

`check(op, args)` knows what Bybit V5 documents about the arguments themselves. Ticks, lots and
minima of a symbol are the concern of `instruments`; positions and balances are the exchange's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from bybitd.venue import enums, order_fields
from bybitd.venue.errors import BadField, MissingField
from bybitd.venue.fields import Fields, check_fields, check_value, unknown

Rule = Callable[[str, str, str, dict[str, Any]], None]


def check(op: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of an order operation, ready for the wire.

    Nothing is added or converted; a batch's items are copied too.

    Raises:
        UnknownField, MissingField, BadField: the first thing that is wrong, by name.
        KeyError: not one of OPS.
    """
    fields, item_fields, rule = OPS[op]
    category = _category(op, args, fields)
    if item_fields is None:
        checked = check_fields(op, fields, args, category)
        rule(op, "", category, checked)
        return checked
    return {"category": category, "request": _check_batch(op, args, category, item_fields, rule)}


def _category(op: str, args: Mapping[str, Any], fields: Fields) -> str:
    if "category" not in args:
        raise MissingField(op, "category", "is missing", enums.CATEGORIES)
    check_value(op, "category", fields["category"], args["category"])
    return str(args["category"])


def _check_batch(
    op: str, args: Mapping[str, Any], category: str, fields: Fields, rule: Rule
) -> list[dict[str, Any]]:
    for name in args:
        if name not in order_fields.BATCH:
            raise unknown(op, "", name, order_fields.BATCH)
    items = args.get("request")
    if items is None:
        raise MissingField(op, "request", "is missing: the list of orders")
    if not isinstance(items, list | tuple):
        raise BadField(op, "request", "must be a list of maps")
    most = order_fields.BATCH_SIZE[category]
    if not 1 <= len(items) <= most:
        raise BadField(op, "request", f"must hold 1 to {most} orders of {category}")
    checked: list[dict[str, Any]] = []
    seen: dict[tuple[str, str], int] = {}
    for index, item in enumerate(items):
        path = f"request[{index}]."
        if not isinstance(item, Mapping):
            raise BadField(op, path.rstrip("."), "must be a map")
        checked.append(check_fields(op, fields, item, category, path))
        rule(op, path, category, checked[-1])
        for name in ("orderId", "orderLinkId"):
            if name in item and (first := seen.setdefault((name, item[name]), index)) != index:
                raise BadField(op, path + name, f"is the same as in request[{first}]")
    return checked


def _create(op: str, path: str, category: str, order: dict[str, Any]) -> None:
    market = order["orderType"] == "Market"
    for name in ("triggerPrice", "orderIv"):
        if name in order:
            _above_zero(op, path, order, name)
    if not market and not order.keys() & {"price", "orderIv", "bboSideType"}:
        raise MissingField(op, f"{path}price", "is missing: a Limit order has one")
    if "price" in order and not market:
        _above_zero(op, path, order, "price")
    closes = order.get("reduceOnly") is True and order.get("closeOnTrigger") is True
    if not (closes and Decimal(order["qty"]) == 0):
        _above_zero(op, path, order, "qty")
    if category == "spot":
        _spot_filter(op, path, order)
    if market and order.get("timeInForce") in ("PostOnly", "RPI"):
        rule = f"can not be {order['timeInForce']!r} on a Market order"
        raise BadField(op, f"{path}timeInForce", rule)
    if market and "bboSideType" in order:
        raise BadField(op, f"{path}bboSideType", "applies to Limit orders only")
    for name in ("triggerDirection", "triggerBy"):
        # Without it they would be dropped, and the order would be on the book at once.
        if name in order and "triggerPrice" not in order:
            raise MissingField(op, f"{path}triggerPrice", f"is missing: {name} needs it")
    if order.get("reduceOnly") is True:
        _never_with(op, path, order, "reduceOnly", ("takeProfit", "stopLoss"))
    _tpsl(op, path, category, order)
    _slippage(op, path, order)
    _together(op, path, order, "bboSideType", "bboLevel")


def _pre_check(op: str, path: str, category: str, order: dict[str, Any]) -> None:
    if "triggerPrice" in order:
        raise BadField(op, f"{path}triggerPrice", "makes a conditional order: no pre-check")
    _create(op, path, category, order)


def _spot_filter(op: str, path: str, order: dict[str, Any]) -> None:
    conditional = order.get("orderFilter", "Order") != "Order"
    if conditional and "triggerPrice" not in order:
        rule = f"is missing: orderFilter {order['orderFilter']!r} needs it"
        raise MissingField(op, f"{path}triggerPrice", rule)
    if not conditional and "triggerPrice" in order:
        rule = "needs orderFilter 'tpslOrder' or 'StopOrder' on spot"
        raise BadField(op, f"{path}triggerPrice", rule)
    if order["orderType"] == "Limit":
        if "marketUnit" in order and not conditional:
            raise BadField(op, f"{path}marketUnit", "applies to Market orders only")
    else:
        for name in ("takeProfit", "stopLoss"):
            if name in order:
                raise BadField(op, path + name, "applies to Limit orders only on spot")


def _tpsl(op: str, path: str, category: str, order: dict[str, Any]) -> None:
    for kind, trigger, limit in (
        ("tpOrderType", "takeProfit", "tpLimitPrice"),
        ("slOrderType", "stopLoss", "slLimitPrice"),
    ):
        limited = order.get(kind) == "Limit"
        if limited and limit not in order:
            raise MissingField(op, path + limit, f"is missing: {kind} 'Limit' needs it")
        if limited and trigger not in order:
            raise MissingField(op, path + trigger, f"is missing: {kind} 'Limit' needs it")
        if limit in order and not limited:
            raise BadField(op, path + limit, f"needs {kind} 'Limit'")
        if limited and category != "spot" and order.get("tpslMode") != "Partial":
            raise BadField(op, path + kind, "can be 'Limit' with tpslMode 'Partial' only")


def _slippage(op: str, path: str, order: dict[str, Any]) -> None:
    _together(op, path, order, "slippageToleranceType", "slippageTolerance")
    if "slippageTolerance" not in order:
        return
    name = f"{path}slippageTolerance"
    if order["orderType"] != "Market":
        raise BadField(op, name, "applies to Market orders only")
    others = ("takeProfit", "stopLoss", "triggerPrice")
    _never_with(op, path, order, "slippageTolerance", others)
    value = Decimal(order["slippageTolerance"])
    if order["slippageToleranceType"] == "TickSize":
        if value % 1 or not 1 <= value <= 10_000:
            raise BadField(op, name, "must be a whole number of ticks, 1 to 10000")
    elif (value * 100) % 1 or not Decimal("0.01") <= value <= 10:
        raise BadField(op, name, "must be 0.01 to 10 percent with at most 2 decimals")


def _identified(op: str, path: str, category: str, order: dict[str, Any]) -> None:
    if not order.keys() & {"orderId", "orderLinkId"}:
        raise MissingField(op, f"{path}orderId", "or orderLinkId is missing")


def _amend(op: str, path: str, category: str, order: dict[str, Any]) -> None:
    _identified(op, path, category, order)
    if not order.keys() & order_fields.CHANGES:
        named = sorted(order_fields.CHANGES)
        raise MissingField(op, f"{path}qty", "is missing, and nothing else changes either", named)
    for name in ("qty", "price", "triggerPrice", "orderIv"):
        if name in order:
            _above_zero(op, path, order, name)


def _cancel_all(op: str, path: str, category: str, order: dict[str, Any]) -> None:
    if category in enums.FUTURES and not order.keys() & {"symbol", "baseCoin", "settleCoin"}:
        rule = f"is missing: {category} needs one of symbol, baseCoin, settleCoin"
        raise MissingField(op, "symbol", rule)
    filters = enums.CANCEL_ALL_FILTER[category]
    if "orderFilter" in order and order["orderFilter"] not in filters:
        raise BadField(op, "orderFilter", f"can not be {order['orderFilter']!r}", filters)
    if "stopOrderType" in order and order.get("orderFilter") != "StopOrder":
        raise BadField(op, "stopOrderType", "needs orderFilter 'StopOrder'")


def _above_zero(op: str, path: str, order: dict[str, Any], name: str) -> None:
    if Decimal(order[name]) == 0:
        raise BadField(op, path + name, "must be above zero")


def _together(op: str, path: str, order: dict[str, Any], one: str, other: str) -> None:
    for here, missing in ((one, other), (other, one)):
        if here in order and missing not in order:
            raise MissingField(op, path + missing, f"is missing: {here} needs it")


def _never_with(
    op: str, path: str, order: dict[str, Any], name: str, others: tuple[str, ...]
) -> None:
    for other in others:
        if other in order:
            raise BadField(op, path + other, f"can not stand together with {name}")


OPS: Final[dict[str, tuple[Fields, Fields | None, Rule]]] = {
    "order.create": (order_fields.CREATE, None, _create),
    "order.amend": (order_fields.AMEND, None, _amend),
    "order.cancel": (order_fields.CANCEL, None, _identified),
    "order.cancel-all": (order_fields.CANCEL_ALL, None, _cancel_all),
    "order.pre-check": (order_fields.PRE_CHECK, None, _pre_check),
    "order.create-batch": (order_fields.BATCH, order_fields.CREATE_ITEM, _create),
    "order.amend-batch": (order_fields.BATCH, order_fields.AMEND_ITEM, _amend),
    "order.cancel-batch": (order_fields.BATCH, order_fields.CANCEL_ITEM, _identified),
}
