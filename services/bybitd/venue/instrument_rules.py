"""The check of an operation against the rules of its instrument: status, ticks, steps, bounds.

`check` wants arguments of the right shape (`operations.check`). Sources: Bybit V5, "Get Instruments
Info", "Place Order", "Amend Order", "Set Trading Stop", "Set Leverage"; `curAuctionPhase` of
"Enums Definitions".
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from bybitd.venue.enums import FUTURES
from bybitd.venue.errors import BadField
from bybitd.venue.instruments import Instrument

# 0 stands for "none" in the second group.
_PRICES: Final = ("triggerPrice", "tpLimitPrice", "slLimitPrice", "activePrice")
_PRICES_OR_NONE: Final = ("takeProfit", "stopLoss")
# What depends on the rules of an instrument; cancelling does not.
CHECKED: Final = frozenset(
    {
        "order.create",
        "order.create-batch",
        "order.amend",
        "order.amend-batch",
        "order.pre-check",
        "position.set-leverage",
        "position.trading-stop",
    }
)
_CALL_AUCTION: Final = ("CallAuction", "CallAuctionNoCancel")


def check(
    op: str,
    path: str,
    it: Instrument,
    args: Mapping[str, Any],
    now_ms: int,
    resting: Mapping[str, Any] | None = None,
) -> None:
    """Check one order, amend or position setting; `op` is one of CHECKED, `path` as in `fields`.

    `now_ms` is the exchange's time. `resting` is what is known of the order that an amend changes:
    `orderType`, `side`, `price`, `qty` and flags as for create.

    Raises:
        BadField: names field, rule and what would be right.
    """
    if op == "position.set-leverage":
        for name in ("buyLeverage", "sellLeverage"):
            it.check_leverage(op, name, Decimal(args[name]))
        return
    _check_status(op, path, it, args, now_ms)
    _check_prices(op, path, it, args)
    if op == "position.trading-stop":
        if Decimal(args.get("trailingStop", "0")):
            it.check_distance(op, "trailingStop", Decimal(args["trailingStop"]))
        for name in ("tpSize", "slSize"):
            if name in args:
                it.check_lots(op, name, Decimal(args[name]))
    elif op.startswith("order.amend"):
        _check_amended(op, path, it, args, resting or {})
    else:
        _check_order(op, path, it, args)


def _check_status(op: str, path: str, it: Instrument, args: Mapping[str, Any], now_ms: int) -> None:
    field = f"{path}symbol"
    if it.delivery_ms and now_ms >= it.delivery_ms:
        raise BadField(op, field, f"{it.symbol} was delivered or delisted and trades no more")
    if it.trades:
        return
    if it.status != "PreLaunch":
        raise BadField(op, field, f"{it.symbol} is {it.status}: it takes no orders")
    if it.phase not in (*_CALL_AUCTION, "ContinuousTrading"):
        where = f"phase {it.phase}" if it.phase else "no auction yet"
        raise BadField(op, field, f"{it.symbol} is PreLaunch ({where}): it takes no orders now")
    if it.phase in _CALL_AUCTION:
        _check_auction(op, path, it, args)


def _check_auction(op: str, path: str, it: Instrument, args: Mapping[str, Any]) -> None:
    if op.startswith("order.amend"):
        raise BadField(op, f"{path}symbol", f"{it.symbol} is in {it.phase}: nothing is amended")
    if args.get("orderType", "Limit") != "Limit":
        rule = f"can not be 'Market': {it.symbol} is in {it.phase}"
        raise BadField(op, f"{path}orderType", rule, ("Limit",))
    if args.get("timeInForce", "GTC") != "GTC":
        rule = f"can not be {args['timeInForce']!r}: {it.symbol} is in {it.phase}"
        raise BadField(op, f"{path}timeInForce", rule, ("GTC",))
    for name in ("takeProfit", "stopLoss", "triggerPrice"):
        if name in args:
            raise BadField(op, path + name, f"is not taken: {it.symbol} is in {it.phase}")


def _check_prices(op: str, path: str, it: Instrument, args: Mapping[str, Any]) -> None:
    # The exchange passes over the price of a Market order.
    if "price" in args and args.get("orderType") != "Market":
        it.check_price(op, f"{path}price", Decimal(args["price"]))
    for name in _PRICES:
        if name in args:
            it.check_price(op, path + name, Decimal(args[name]))
    for name in _PRICES_OR_NONE:
        if name in args and (price := Decimal(args[name])):
            it.check_price(op, path + name, price)


def _check_order(op: str, path: str, it: Instrument, order: Mapping[str, Any]) -> None:
    field = f"{path}qty"
    qty = Decimal(order["qty"])
    market = order["orderType"] == "Market"
    if it.category == "spot" and market and _is_amount(order):
        it.check_amount(op, field, qty)
        return
    _check_qty(op, field, it, order, qty, market=market)
    if not market and "price" in order:
        _check_notional(op, field, it, order, qty * Decimal(order["price"]))


def _check_amended(
    op: str, path: str, it: Instrument, args: Mapping[str, Any], resting: Mapping[str, Any]
) -> None:
    market = resting.get("orderType") == "Market"
    if it.category == "spot" and market and _is_amount(resting):
        if "qty" in args:
            it.check_amount(op, f"{path}qty", Decimal(args["qty"]))
        return
    if "qty" in args:
        _check_qty(op, f"{path}qty", it, resting, Decimal(args["qty"]), market=market)
    # A part of it may be filled: only what is known to be the whole can be judged by its value.
    qty, price = args.get("qty"), args.get("price") or resting.get("price")
    if qty and price and not market:
        _check_notional(op, f"{path}qty", it, resting, Decimal(qty) * Decimal(price))


def _check_qty(
    op: str, field: str, it: Instrument, order: Mapping[str, Any], qty: Decimal, *, market: bool
) -> None:
    if not qty:
        return  # closes the whole position (`orders` lets no other zero pass)
    if order.get("reduceOnly") is True and it.category in FUTURES:
        it.check_lots(op, field, qty)  # the exchange splits what is above the maximum
        return
    it.check_qty(op, field, qty, market=market)


def _check_notional(
    op: str, field: str, it: Instrument, order: Mapping[str, Any], value: Decimal
) -> None:
    # On inverse the quantity is the value, and there is no minimum but that of the quantity.
    if it.category == "inverse":
        return
    if order.get("reduceOnly") is True or order.get("closeOnTrigger") is True:
        return
    it.check_notional(op, field, value)


def _is_amount(order: Mapping[str, Any]) -> bool:
    """Tell whether the quantity of a Market order on spot is an amount of quote coin."""
    usual = "quoteCoin" if order.get("side") == "Buy" else "baseCoin"
    return bool(order.get("marketUnit", usual) == "quoteCoin")
