"""Reads the parameters of requests, and refuses what they cannot be.

Sources: Bybit V5, Place Order, Amend Order, Cancel Order and their error codes. What the real
exchange knows and this one does not is refused by name (10001), never dropped.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote

from bybitd.simulator.book import BUY, SELL, SelfMatch
from bybitd.simulator.instruments import CATEGORIES, Instrument, plain
from bybitd.simulator.markets import Markets
from bybitd.simulator.refusal import Refusal, parameter_error

Body = Mapping[str, Any]
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "PostOnly")
_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_NUMBER = re.compile(r"\d{1,18}(\.\d{1,18})?")

# Conditional orders, TP/SL, implied volatility and the like: parameter -> values that mean "none".
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "triggerPrice": ("", "0"),
    "triggerDirection": (0, ""),
    "takeProfit": ("", "0"),
    "stopLoss": ("", "0"),
    "tpLimitPrice": ("", "0"),
    "slLimitPrice": ("", "0"),
    "orderIv": ("", "0"),
    "mmp": (False,),
    "bboSideType": ("",),
    "bboLevel": ("",),
    "slippageToleranceType": ("", "UNKNOWN"),
    "slippageTolerance": ("",),
    "orderFilter": ("", "Order"),
    "rpiTakerAccess": (False,),
}


def refuse_unsupported(body: Body) -> None:
    """Refuse parameters whose meaning would be lost."""
    for name, harmless in _UNSUPPORTED.items():
        if body.get(name) is not None and body[name] not in harmless:
            raise parameter_error(
                f"params error: {name} is not supported by this simulated exchange"
            )


def text(body: Body, name: str, default: str = "") -> str:
    """Read a string parameter; null counts as missing."""
    found = body.get(name)
    if found is None:
        return default
    if not isinstance(found, str):
        raise parameter_error(f"params error: {name} must be a string")
    return found


def flag(body: Body, name: str) -> bool:
    found = body.get(name)
    if found is None:
        return False
    if not isinstance(found, bool):
        raise parameter_error(f"params error: {name} must be a boolean")
    return found


def whole(body: Body, name: str, allowed: tuple[int, ...]) -> int:
    """Read an integer parameter (a string of digits will do) that must be one of `allowed`."""
    found = body.get(name)
    if found is None or found == "":
        return 0
    if isinstance(found, str) and found.isdigit():
        found = int(found)
    if isinstance(found, bool) or found not in allowed:
        raise parameter_error(f"params error: {name} invalid")
    return int(found)


def number(found: str) -> Decimal | None:
    """Read a decimal that is not negative; None when it is no such thing."""
    try:
        return Decimal(found) if _NUMBER.fullmatch(found) else None
    except InvalidOperation:
        return None


def category_of(body: Body) -> str:
    category = text(body, "category")
    if category not in CATEGORIES:
        raise parameter_error("params error: category invalid")
    return category


def instrument_of(markets: Markets, body: Body) -> Instrument:
    """Find the instrument that `category` and `symbol` name."""
    category = category_of(body)
    symbol = text(body, "symbol")
    it = markets.instruments.get(category, {}).get(symbol)
    if it is not None:
        return it
    if category == "spot":
        raise Refusal(170121, "Invalid symbol.")
    raise parameter_error(f"params error: symbol invalid {symbol}".strip())


def page_of(params: Mapping[str, str], default: int, most: int) -> tuple[int, int]:
    """Read `limit` (cut to `most`) and `cursor`, which is a row number (0: from the start)."""
    limit_text = params.get("limit") or str(default)
    if not limit_text.isdigit() or int(limit_text) < 1:
        raise parameter_error("params error: limit invalid")
    cursor = unquote(params.get("cursor") or "")
    found = re.fullmatch(r"page_token=(\d{1,18})&", cursor)
    if cursor and not found:
        raise parameter_error("params error: cursor invalid")
    return min(int(limit_text), most), int(found[1]) if found else 0


def cursor_to(row: int) -> str:
    """Make the cursor of the page that begins after `row`; already percent-encoded, as Bybit's."""
    return f"page_token%3D{row}%26"


def time_of(params: Mapping[str, str], name: str) -> int | None:
    found = params.get(name) or ""
    if not found:
        return None
    if not found.isdigit():
        raise parameter_error(f"params error: {name} invalid")
    return int(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """A create request whose parameters make sense by themselves.

    `tick` is None for a market order. `lots` is None when `budget` says what to spend (spot market
    buy by value), or when the whole position is to be closed (qty 0).
    """

    it: Instrument
    side: int
    market: bool
    lots: int | None
    budget: Decimal | None
    tick: int | None
    time_in_force: str
    link_id: str
    position_idx: int
    reduce_only: bool
    close_on_trigger: bool
    is_leverage: int
    market_unit: str
    self_match: SelfMatch


def new_order(markets: Markets, body: Body) -> NewOrder:
    """Read a create request. Raises Refusal."""
    it = instrument_of(markets, body)
    refuse_unsupported(body)
    spot = it.category == "spot"
    side = {"Buy": BUY, "Sell": SELL}.get(text(body, "side"))
    if side is None:
        raise _either(spot, Refusal(170117, "Invalid side."), "Side invalid")
    kind = text(body, "orderType")
    if kind not in ("Market", "Limit"):
        raise _either(spot, Refusal(170116, "Invalid orderType."), "OrderType invalid")
    market = kind == "Market"
    in_force = text(body, "timeInForce") or ("IOC" if market else "GTC")
    if in_force == "RPI":
        code = 170355 if spot else 110119
        raise Refusal(code, "RPI orders are restricted to approved market makers only.")
    if in_force not in TIMES_IN_FORCE:
        raise _either(spot, Refusal(170115, "Invalid timeInForce."), "TimeInForce invalid")
    unit = _market_unit(body, spot=spot, market=market, side=side)
    by_value = unit == "quoteCoin"
    reduce_only, closing = flag(body, "reduceOnly"), flag(body, "closeOnTrigger")
    lots, budget = _quantity(
        body, it, by_value=by_value, market=market, may_close_all=reduce_only and closing
    )
    return NewOrder(
        it=it,
        side=side,
        market=market,
        lots=lots,
        budget=budget,
        tick=None if market else price_tick(it, text(body, "price")),
        time_in_force="IOC" if market else in_force,
        link_id=link_id(body, required=it.category == "option"),
        position_idx=0 if spot else whole(body, "positionIdx", (0, 1, 2)),
        reduce_only=reduce_only and not spot,
        close_on_trigger=closing and not spot,
        is_leverage=whole(body, "isLeverage", (0, 1)),
        market_unit=unit if spot and market else "",
        self_match=_self_match(body),
    )


def link_id(body: Body, *, required: bool = False) -> str:
    """Read `orderLinkId` of a new order."""
    found = text(body, "orderLinkId")
    if not found:
        if required:
            raise parameter_error("params error: orderLinkId is required")
        return ""
    if not _LINK_ID.fullmatch(found):
        raise parameter_error(
            "params error: orderLinkId must be 1 to 36 letters, digits, dashes, underscores"
        )
    return found


def price_tick(it: Instrument, found: str) -> int:
    """Read a limit price on the instrument's tick."""
    spot = it.category == "spot"
    price = number(found)
    if price is None or not price:
        if spot:
            raise Refusal(170105, "Parameter 'price' was empty.") if not found else _bad("price")
        raise parameter_error("params error: price invalid")
    tick = it.price.steps(price)
    if tick is None:
        if spot:
            raise Refusal(170134, "Order price has too many decimals.")
        raise parameter_error(f"params error: price invalid, the tick size is {plain(it.tick)}")
    if tick > 19_999_998:
        raise Refusal(110003, "Order price is out of permissible range.")
    return tick


def quantity_lots(it: Instrument, found: str, *, market: bool) -> int:
    """Read a size on the instrument's step, between its minimum and maximum."""
    spot = it.category == "spot"
    qty = number(found)
    if qty is None or not qty:
        raise _either(spot, _bad("qty"), "Qty invalid")
    lots = it.size.steps(qty)
    if lots is None:
        if spot:
            raise Refusal(170137, "Order quantity has too many decimals.")
        raise parameter_error(f"Qty invalid, the step is {plain(it.step)}")
    if qty < it.min_qty:
        raise _either(
            spot,
            Refusal(170136, "Order quantity lower than the minimum."),
            "The number of contracts exceeds minimum limit allowed",
        )
    if qty > (it.max_market_qty if market else it.max_qty):
        raise _either(
            spot,
            Refusal(170381, "Order quantity too large."),
            "The number of contracts exceeds maximum limit allowed: too large",
        )
    return lots


def _quantity(
    body: Body, it: Instrument, *, by_value: bool, market: bool, may_close_all: bool
) -> tuple[int | None, Decimal | None]:
    found = text(body, "qty")
    if by_value:
        value = number(found)
        if value is None or not value:
            raise _bad("qty")
        if value % it.quote_step:
            raise Refusal(170148, "Market order amount decimal too long.")
        if it.min_value is not None and value < it.min_value:
            raise Refusal(170140, "Order value exceeded lower limit.")
        return None, value
    if may_close_all and it.category in ("linear", "inverse") and number(found) == 0:
        return None, None
    return quantity_lots(it, found, market=market), None


def _market_unit(body: Body, *, spot: bool, market: bool, side: int) -> str:
    found = text(body, "marketUnit")
    if not spot or not market:
        return ""
    if found not in ("", "baseCoin", "quoteCoin"):
        raise _bad("marketUnit")
    if found == "quoteCoin" and side == SELL:
        raise parameter_error("params error: a sell by value is not supported here")
    return found or ("quoteCoin" if side == BUY else "baseCoin")


def _self_match(body: Body) -> SelfMatch:
    try:
        return SelfMatch(text(body, "smpType") or "None")
    except ValueError:
        raise parameter_error("params error: smpType invalid") from None


def _bad(name: str) -> Refusal:
    return Refusal(170130, f"Data sent for paramter '{name}' is not valid.")


def _either(spot: bool, on_spot: Refusal, elsewhere: str) -> Refusal:
    return on_spot if spot else parameter_error(elsewhere)
