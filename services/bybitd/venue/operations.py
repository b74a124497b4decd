"""Every operation on an account: its REST path, whether the trade socket has it, its arguments.

Source: Bybit V5, "Trade", "Position" and "Account" of the REST documentation, and "WebSocket Trade
Guideline" for the six operations that exist there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from bybitd.venue import enums, orders
from bybitd.venue.errors import BadField, MissingField
from bybitd.venue.fields import Field, Fields, Type, check_fields, check_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """How one operation reaches the exchange.

    `fields` is None for order operations: `orders` knows those. `on_trade_socket` tells whether
    the operation exists there, under its own name.
    """

    method: Literal["GET", "POST"]
    path: str
    on_trade_socket: bool = False
    fields: Fields | None = None


_FUTURES: Final = Field(Type.WORD, "RRRR", enums.FUTURES)
_CATEGORY: Final = Field(Type.WORD, "RRRR", enums.CATEGORIES)
_SYMBOL: Final = Field(Type.SYMBOL)
_SYMBOL_R: Final = Field(Type.SYMBOL, "RRRR")
_COIN: Final = Field(Type.SYMBOL)
_WORD: Final = Field(Type.WORD)
_DECIMAL: Final = Field(Type.DECIMAL)
_DECIMAL_R: Final = Field(Type.DECIMAL, "RRRR")
_TRIGGER_BY: Final = Field(Type.WORD, allowed=enums.TRIGGER_BY)
_ORDER_TYPE: Final = Field(Type.WORD, allowed=enums.ORDER_TYPE)
_TIME_MS: Final = Field(Type.INTEGER)


def _limit(most: int) -> Field:
    return Field(Type.INTEGER, least=1, most=most)


_ORDER_QUERY: Final[Fields] = {
    "category": _CATEGORY,
    "symbol": _SYMBOL,
    "baseCoin": _COIN,
    "settleCoin": Field(Type.SYMBOL, "-ooo"),
    "orderId": _WORD,
    "orderLinkId": Field(Type.LINK_ID),
    "orderFilter": _WORD,
    "limit": _limit(50),
    "cursor": _WORD,
}

_POSITION_WRITES: Final = {
    "position.set-leverage": Operation(
        method="POST",
        path="/v5/position/set-leverage",
        fields={
            "category": _FUTURES,
            "symbol": _SYMBOL_R,
            "buyLeverage": _DECIMAL_R,
            "sellLeverage": _DECIMAL_R,
        },
    ),
    "position.switch-mode": Operation(
        method="POST",
        path="/v5/position/switch-mode",
        fields={
            "category": Field(Type.WORD, "RRRR", ("linear",)),
            "symbol": _SYMBOL,
            "coin": _COIN,
            "mode": Field(Type.INTEGER, "RRRR", enums.POSITION_MODE),
        },
    ),
    "position.trading-stop": Operation(
        method="POST",
        path="/v5/position/trading-stop",
        fields={
            "category": Field(Type.WORD, "RRRR", ("linear", "inverse", "option")),
            "symbol": _SYMBOL_R,
            "tpslMode": Field(Type.WORD, "RRRR", enums.TPSL_MODE),
            "positionIdx": Field(Type.INTEGER, "RRRR", enums.POSITION_IDX),
            "takeProfit": _DECIMAL,
            "stopLoss": _DECIMAL,
            "trailingStop": _DECIMAL,
            "activePrice": _DECIMAL,
            "tpTriggerBy": _TRIGGER_BY,
            "slTriggerBy": _TRIGGER_BY,
            "tpSize": _DECIMAL,
            "slSize": _DECIMAL,
            "tpLimitPrice": _DECIMAL,
            "slLimitPrice": _DECIMAL,
            "tpOrderType": _ORDER_TYPE,
            "slOrderType": _ORDER_TYPE,
        },
    ),
    "position.set-auto-add-margin": Operation(
        method="POST",
        path="/v5/position/set-auto-add-margin",
        fields={
            "category": Field(Type.WORD, "RRRR", ("linear",)),
            "symbol": _SYMBOL_R,
            "autoAddMargin": Field(Type.INTEGER, "RRRR", enums.SWITCH),
            "positionIdx": Field(Type.INTEGER, allowed=enums.POSITION_IDX),
        },
    ),
}

_ACCOUNT_READS: Final = {
    "account.orders": Operation(
        method="GET",
        path="/v5/order/realtime",
        fields={**_ORDER_QUERY, "openOnly": Field(Type.INTEGER, allowed=enums.SWITCH)},
    ),
    "account.order-history": Operation(
        method="GET",
        path="/v5/order/history",
        fields={
            **_ORDER_QUERY,
            "orderStatus": _WORD,
            "startTime": _TIME_MS,
            "endTime": _TIME_MS,
        },
    ),
    "account.executions": Operation(
        method="GET",
        path="/v5/execution/list",
        fields={
            "category": _CATEGORY,
            "symbol": _SYMBOL,
            "orderId": _WORD,
            "orderLinkId": Field(Type.LINK_ID),
            "baseCoin": _COIN,
            "settleCoin": Field(Type.SYMBOL, "-ooo"),
            "execType": Field(Type.WORD, allowed=enums.EXEC_TYPE),
            "startTime": _TIME_MS,
            "endTime": _TIME_MS,
            "limit": _limit(100),
            "cursor": _WORD,
        },
    ),
    "account.positions": Operation(
        method="GET",
        path="/v5/position/list",
        fields={
            "category": Field(Type.WORD, "RRRR", ("linear", "inverse", "option")),
            "symbol": _SYMBOL,
            "baseCoin": _COIN,
            "settleCoin": _COIN,
            "limit": _limit(200),
            "cursor": _WORD,
        },
    ),
    "account.wallet": Operation(
        method="GET",
        path="/v5/account/wallet-balance",
        fields={
            "accountType": Field(Type.WORD, "RRRR", ("UNIFIED",)),
            "coin": _WORD,  # one, or several with commas between
        },
    ),
    "account.greeks": Operation(
        method="GET", path="/v5/asset/coin-greeks", fields={"baseCoin": _COIN}
    ),
    "account.fee-rate": Operation(
        method="GET",
        path="/v5/account/fee-rate",
        fields={"category": _CATEGORY, "symbol": _SYMBOL, "baseCoin": Field(Type.SYMBOL, "---o")},
    ),
    "account.info": Operation(method="GET", path="/v5/account/info", fields={}),
}

_REST_ONLY: Final = ("cancel-all", "pre-check")  # they do not exist on the trade socket
OPERATIONS: Final[dict[str, Operation]] = {
    **{
        f"order.{name}": Operation(
            method="POST", path=f"/v5/order/{name}", on_trade_socket=name not in _REST_ONLY
        )
        for name in (
            "create",
            "amend",
            "cancel",
            "cancel-all",
            "create-batch",
            "amend-batch",
            "cancel-batch",
            "pre-check",
        )
    },
    **_POSITION_WRITES,
    **_ACCOUNT_READS,
}


def check(op: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of any operation, ready for its REST body or query.

    Raises:
        UnknownField, MissingField, BadField: the first thing that is wrong, by name.
        KeyError: not one of OPERATIONS.
    """
    fields = OPERATIONS[op].fields
    if fields is None:
        return orders.check(op, args)
    category: str | None = None
    if "category" in fields and "category" in args:
        check_value(op, "category", fields["category"], args["category"])
        category = str(args["category"])
    checked = check_fields(op, fields, args, category)
    if op == "account.orders" and category == "linear":
        needed = ("symbol", "baseCoin", "settleCoin", "orderId", "orderLinkId")
        _one_of(op, checked, needed)
    if op == "account.positions" and category == "linear":
        _one_of(op, checked, ("symbol", "settleCoin"))
    if op == "position.switch-mode":
        _one_of(op, checked, ("symbol", "coin"))
    if op == "position.set-leverage":
        for name in ("buyLeverage", "sellLeverage"):
            if not checked[name].strip("0."):
                raise BadField(op, name, "must be above zero")
    if op == "position.trading-stop":
        _trading_stop(op, checked)
    return checked


def _trading_stop(op: str, args: dict[str, Any]) -> None:
    """Check what "Set Trading Stop" says of its arguments together."""
    _one_of(op, args, ("takeProfit", "stopLoss", "trailingStop"))
    full = args["tpslMode"] == "Full"
    if args["category"] == "option" and not full:
        raise BadField(op, "tpslMode", "can be 'Full' only on option")
    for kind, trigger, limit, size in (
        ("tpOrderType", "takeProfit", "tpLimitPrice", "tpSize"),
        ("slOrderType", "stopLoss", "slLimitPrice", "slSize"),
    ):
        limited = args.get(kind) == "Limit"
        if limited and full:
            raise BadField(op, kind, "can be 'Limit' with tpslMode 'Partial' only")
        if limited and limit not in args:
            raise MissingField(op, limit, f"is missing: {kind} 'Limit' needs it")
        if limit in args and not limited:
            raise BadField(op, limit, f"needs {kind} 'Limit'")
        if size in args and full:
            raise BadField(op, size, "applies to tpslMode 'Partial' only")
        for name in (kind, limit, size):
            if name in args and trigger not in args:
                raise MissingField(op, trigger, f"is missing: {name} needs it")
    if "tpSize" in args and "slSize" in args and Decimal(args["tpSize"]) != Decimal(args["slSize"]):
        raise BadField(op, "slSize", f"must be equal to tpSize, {args['tpSize']}")
    if "activePrice" in args and "trailingStop" not in args:
        raise MissingField(op, "trailingStop", "is missing: activePrice needs it")


def _one_of(op: str, args: dict[str, Any], names: tuple[str, ...]) -> None:
    if not args.keys() & set(names):
        raise MissingField(op, names[0], "is missing: needs one of these", names)
