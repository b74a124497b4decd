"""Reads single parameters of requests, and refuses what they cannot be.

Sources: Bybit V5, Place Order, Amend Order, Cancel Order and their error codes. Whole requests are
read in `order_requests`.
"""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote

from bybitd.simulator.instruments import CATEGORIES, Instrument, plain
from bybitd.simulator.markets import Markets
from bybitd.simulator.refusal import Refusal, parameter_error

Body = Mapping[str, Any]
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "PostOnly")
_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_WEEK_MS = 7 * 86_400_000
_NUMBER = re.compile(r"\d{1,18}(\.\d{1,18})?")


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


def span_of(params: Mapping[str, str], now_ms: int, usual_ms: int = _WEEK_MS) -> tuple[int, int]:
    """Read startTime and endTime: at most seven days, by default the last `usual_ms`."""
    first, last = time_of(params, "startTime"), time_of(params, "endTime")
    if first is None and last is None:
        return now_ms - usual_ms, now_ms
    if first is None:
        first = (last or 0) - usual_ms
    if last is None:
        last = first + usual_ms
    if last < first:
        raise parameter_error("params error: endTime is before startTime")
    if last - first > _WEEK_MS:
        raise parameter_error("The time range between startTime and endTime exceeds 7 days.")
    return first, last


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


def price_tick(it: Instrument, found: str, name: str = "price") -> int:
    """Read a price on the instrument's tick; `name` is the parameter that it was given as."""
    spot = it.category == "spot"
    price = number(found)
    if price is None or not price:
        if spot:
            raise Refusal(170105, f"Parameter '{name}' was empty.") if not found else bad(name)
        raise parameter_error(f"params error: {name} invalid")
    tick = it.price.steps(price)
    if tick is None:
        if spot:
            raise Refusal(170134, "Order price has too many decimals.")
        raise parameter_error(f"params error: {name} invalid, the tick size is {plain(it.tick)}")
    if tick > 19_999_998:
        raise Refusal(110003, "Order price is out of permissible range.")
    return tick


def quantity_lots(it: Instrument, found: str, *, market: bool) -> int:
    """Read a size on the instrument's step, between its minimum and maximum."""
    spot = it.category == "spot"
    qty = number(found)
    if qty is None or not qty:
        raise either(spot, bad("qty"), "Qty invalid")
    lots = it.size.steps(qty)
    if lots is None:
        if spot:
            raise Refusal(170137, "Order quantity has too many decimals.")
        raise parameter_error(f"Qty invalid, the step is {plain(it.step)}")
    if qty < it.min_qty:
        raise either(
            spot,
            Refusal(170136, "Order quantity lower than the minimum."),
            "The number of contracts exceeds minimum limit allowed",
        )
    if qty > (it.max_market_qty if market else it.max_qty):
        raise either(
            spot,
            Refusal(170381, "Order quantity too large."),
            "The number of contracts exceeds maximum limit allowed: too large",
        )
    return lots


def bad(name: str) -> Refusal:
    """Make the refusal of spot for a parameter that is not valid."""
    return Refusal(170130, f"Data sent for paramter '{name}' is not valid.")


def either(spot: bool, on_spot: Refusal, elsewhere: str) -> Refusal:
    """Choose between the codes of spot and the one code of the other categories."""
    return on_spot if spot else parameter_error(elsewhere)
