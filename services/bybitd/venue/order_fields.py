"""The arguments of the order operations, as data (Bybit V5, "Place Order", "Amend Order", "Cancel
Order", "Cancel All Orders" and their batch forms).

The letters say for spot, linear, inverse, option: R required, o optional, - does not apply.
"""

from __future__ import annotations

from typing import Final

from bybitd.venue import enums
from bybitd.venue.fields import Field, Fields, Type

_CATEGORY: Final = Field(Type.WORD, "RRRR", enums.CATEGORIES)
_SYMBOL: Final = Field(Type.SYMBOL, "RRRR")
_ORDER_ID: Final = Field(Type.WORD)
# Bybit demands it for options. Orders get one here in any case, so a client may leave it out.
_LINK_ID: Final = Field(Type.LINK_ID)
_PRICE: Final = Field(Type.DECIMAL)
_NOT_OPTION: Final = Field(Type.DECIMAL, "ooo-")
_TRIGGER_BY: Final = Field(Type.WORD, "-oo-", enums.TRIGGER_BY)

CREATE: Final[Fields] = {
    "category": _CATEGORY,
    "symbol": _SYMBOL,
    "side": Field(Type.WORD, "RRRR", enums.SIDE),
    "orderType": Field(Type.WORD, "RRRR", enums.ORDER_TYPE),
    "qty": Field(Type.DECIMAL, "RRRR"),
    "price": _PRICE,
    "timeInForce": Field(Type.WORD, "oooo", enums.TIME_IN_FORCE),
    "orderLinkId": _LINK_ID,
    "marketUnit": Field(Type.WORD, "o---", enums.MARKET_UNIT),
    "isLeverage": Field(Type.INTEGER, "o---", enums.SWITCH),
    "orderFilter": Field(Type.WORD, "o---", enums.ORDER_FILTER),
    "positionIdx": Field(Type.INTEGER, "-oo-", enums.POSITION_IDX),
    "reduceOnly": Field(Type.BOOLEAN, "-ooo"),
    "closeOnTrigger": Field(Type.BOOLEAN, "-oo-"),
    "triggerPrice": _NOT_OPTION,
    "triggerDirection": Field(Type.INTEGER, "-oo-", enums.TRIGGER_DIRECTION),
    "triggerBy": _TRIGGER_BY,
    "takeProfit": _PRICE,
    "stopLoss": _PRICE,
    "tpTriggerBy": _TRIGGER_BY,
    "slTriggerBy": _TRIGGER_BY,
    "tpslMode": Field(Type.WORD, "-oo-", enums.TPSL_MODE),
    "tpOrderType": Field(Type.WORD, "ooo-", enums.ORDER_TYPE),
    "slOrderType": Field(Type.WORD, "ooo-", enums.ORDER_TYPE),
    "tpLimitPrice": _NOT_OPTION,
    "slLimitPrice": _NOT_OPTION,
    "orderIv": Field(Type.DECIMAL, "---o"),
    "mmp": Field(Type.BOOLEAN, "---o"),
    "smpType": Field(Type.WORD, "oooo", enums.SMP_TYPE),
    "slippageToleranceType": Field(Type.WORD, "ooo-", enums.SLIPPAGE_TYPE),
    "slippageTolerance": _NOT_OPTION,
    "bboSideType": Field(Type.WORD, "-oo-", enums.BBO_SIDE),
    "bboLevel": Field(Type.WORD, "-oo-", enums.BBO_LEVEL),
    "rpiTakerAccess": Field(Type.BOOLEAN),
}
# "Pre Check Order": an order as for create, but not on spot.
PRE_CHECK: Final[Fields] = {
    **CREATE,
    "category": Field(Type.WORD, "RRRR", ("linear", "inverse", "option")),
}
_AMENDABLE: Final[Fields] = {
    "qty": _PRICE,
    "price": _PRICE,
    "triggerPrice": _NOT_OPTION,
    "orderIv": Field(Type.DECIMAL, "---o"),
    "takeProfit": _PRICE,
    "stopLoss": _PRICE,
    "tpslMode": Field(Type.WORD, "-oo-", enums.TPSL_MODE),
    "tpTriggerBy": _TRIGGER_BY,
    "slTriggerBy": _TRIGGER_BY,
    "triggerBy": _TRIGGER_BY,
    "tpLimitPrice": _NOT_OPTION,
    "slLimitPrice": _NOT_OPTION,
}
CHANGES: Final = frozenset(_AMENDABLE)
_IDENTITY: Final[Fields] = {
    "category": _CATEGORY,
    "symbol": _SYMBOL,
    "orderId": _ORDER_ID,
    "orderLinkId": _LINK_ID,
}
AMEND: Final[Fields] = {**_IDENTITY, **_AMENDABLE}
CANCEL: Final[Fields] = {**_IDENTITY, "orderFilter": Field(Type.WORD, "o---", enums.ORDER_FILTER)}
CANCEL_ALL: Final[Fields] = {
    "category": _CATEGORY,
    "symbol": Field(Type.SYMBOL),
    "baseCoin": Field(Type.SYMBOL),
    "settleCoin": Field(Type.SYMBOL, "-ooo"),
    "orderFilter": Field(Type.WORD),
    "stopOrderType": Field(Type.WORD, "-oo-", ("Stop",)),
}

# The batch page knows neither of these, and a batch item names no category of its own.
_NOT_IN_BATCH: Final = frozenset(
    {
        "category",
        "slippageToleranceType",
        "slippageTolerance",
        "bboSideType",
        "bboLevel",
        "rpiTakerAccess",
    }
)
CREATE_ITEM: Final[Fields] = {name: CREATE[name] for name in CREATE if name not in _NOT_IN_BATCH}
AMEND_ITEM: Final[Fields] = {name: AMEND[name] for name in AMEND if name != "category"}
CANCEL_ITEM: Final[Fields] = {name: CANCEL[name] for name in ("symbol", "orderId", "orderLinkId")}
BATCH: Final[Fields] = {"category": _CATEGORY, "request": Field(Type.WORD, "RRRR")}
BATCH_SIZE: Final = {"spot": 10, "linear": 20, "inverse": 20, "option": 20}
