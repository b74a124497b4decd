"""Reads create and amend requests as a whole; what comes out makes sense by itself.

Sources: Bybit V5, Place Order and Amend Order (parameters by category) and their error codes. What
one category has and another has not is refused by name, never dropped.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bybitd.simulator.book import BUY, SELL, SelfMatch
from bybitd.simulator.instruments import Instrument
from bybitd.simulator.markets import Markets
from bybitd.simulator.orders import Leg
from bybitd.simulator.parameters import (
    TIMES_IN_FORCE,
    Body,
    bad,
    either,
    flag,
    instrument_of,
    link_id,
    number,
    price_tick,
    quantity_lots,
    text,
    whole,
)
from bybitd.simulator.refusal import Refusal, parameter_error

PRICES_BY = ("LastPrice", "MarkPrice", "IndexPrice")
RISING, FALLING = 1, 2
_CONTRACTS = ("linear", "inverse")
_NO_LEG: Final = Leg(tick=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """The condition of a conditional order; spot leaves the `direction` (0) to the market."""

    tick: int
    by: str
    direction: int
    stop_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """A create request whose parameters make sense by themselves.

    `tick` is None for a price that the market decides (market orders, BBO orders, orders by implied
    volatility). `lots` is None when `budget` says what to turn over (spot market orders by value),
    or when the whole position is to be closed (qty 0).
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
    trigger: Trigger | None
    take_profit: Leg | None
    stop_loss: Leg | None
    tpsl_mode: str
    slippage_type: str
    slippage: str
    bbo_side: str
    bbo_level: int
    order_iv: str
    mmp: bool
    rpi_taker: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Amend:
    """An amend request: None stands for what does not change, a leg of tick 0 for its removal."""

    tick: int | None
    lots: int | None
    order_iv: str
    trigger_tick: int | None
    trigger_by: str
    take_profit: Leg | None
    stop_loss: Leg | None
    tpsl_mode: str

    @property
    def nothing(self) -> bool:
        return self == Amend(
            tick=None,
            lots=None,
            order_iv="",
            trigger_tick=None,
            trigger_by="",
            take_profit=None,
            stop_loss=None,
            tpsl_mode=self.tpsl_mode,
        )


def new_order(markets: Markets, body: Body) -> NewOrder:
    """Read a create request. Raises Refusal."""
    it = instrument_of(markets, body)
    spot = it.category == "spot"
    side = {"Buy": BUY, "Sell": SELL}.get(text(body, "side"))
    if side is None:
        raise either(spot, Refusal(170117, "Invalid side."), "Side invalid")
    kind = text(body, "orderType")
    if kind not in ("Market", "Limit"):
        raise either(spot, Refusal(170116, "Invalid orderType."), "OrderType invalid")
    market = kind == "Market"
    trigger = _trigger(body, it)
    unit = _market_unit(body, spot=spot, market=market, side=side)
    reduce_only, closing = flag(body, "reduceOnly"), flag(body, "closeOnTrigger")
    lots, budget = _quantity(
        body, it, by_value=unit == "quoteCoin", market=market, close_all=reduce_only and closing
    )
    order_iv = _order_iv(body, it)
    bbo_side, bbo_level = _bbo(body, it, market=market)
    take_profit, stop_loss, mode = _legs(body, it, market=market, trigger=trigger)
    if (take_profit or stop_loss) and reduce_only:
        raise parameter_error("params error: reduceOnly orders can not have takeProfit or stopLoss")
    slippage_type, slippage = _slippage(
        body, it, plain=market and trigger is None and not (take_profit or stop_loss)
    )
    named = not (market or bbo_side or order_iv)
    return NewOrder(
        it=it,
        side=side,
        market=market,
        lots=lots,
        budget=budget,
        tick=price_tick(it, text(body, "price")) if named else None,
        time_in_force=_time_in_force(body, spot=spot, market=market),
        link_id=link_id(body, required=it.category == "option"),
        position_idx=0 if spot else whole(body, "positionIdx", (0, 1, 2)),
        reduce_only=reduce_only and not spot,
        close_on_trigger=closing and not spot,
        is_leverage=whole(body, "isLeverage", (0, 1)),
        market_unit=unit,
        self_match=_self_match(body),
        trigger=trigger,
        take_profit=take_profit,
        stop_loss=stop_loss,
        tpsl_mode=mode,
        slippage_type=slippage_type,
        slippage=slippage,
        bbo_side=bbo_side,
        bbo_level=bbo_level,
        order_iv=order_iv,
        mmp=_mmp(body, it),
        rpi_taker=flag(body, "rpiTakerAccess"),
    )


def amend(body: Body, it: Instrument) -> Amend:
    """Read an amend request. Raises Refusal."""
    price, qty, trigger = (text(body, name) for name in ("price", "qty", "triggerPrice"))
    return Amend(
        tick=price_tick(it, price) if price else None,
        lots=quantity_lots(it, qty, market=False) if qty else None,
        order_iv=_order_iv(body, it),
        trigger_tick=price_tick(it, trigger, "triggerPrice") if trigger else None,
        trigger_by=_price_by(body, "triggerBy", ""),
        take_profit=leg(body, it, "takeProfit", "tp"),
        stop_loss=leg(body, it, "stopLoss", "sl"),
        tpsl_mode=_mode(body),
    )


def leg(body: Body, it: Instrument, name: str, short: str) -> Leg | None:
    """Read one half of a TP/SL; a tick of 0 means "none from now on". Raises Refusal."""
    found, limit = text(body, name), text(body, f"{short}LimitPrice")
    kind = text(body, f"{short}OrderType")
    if kind not in ("", "Market", "Limit"):
        raise parameter_error(f"params error: {short}OrderType invalid")
    # On an option's tick there is no last price to speak of.
    usual = "MarkPrice" if it.category == "option" else "LastPrice"
    by = _price_by(body, f"{short}TriggerBy", usual)
    if not found:
        return None
    if number(found) == 0:
        return _NO_LEG
    wants_limit = kind == "Limit" or (not kind and limit not in ("", "0"))
    return Leg(
        tick=price_tick(it, found, name),
        by=by,
        limit_tick=price_tick(it, limit, f"{short}LimitPrice") if wants_limit else 0,
    )


def _legs(
    body: Body, it: Instrument, *, market: bool, trigger: Trigger | None
) -> tuple[Leg | None, Leg | None, str]:
    """Read the TP/SL that a new order brings, and its mode."""
    halves = tuple(
        half if half is not None and half.tick else None
        for half in (leg(body, it, "takeProfit", "tp"), leg(body, it, "stopLoss", "sl"))
    )
    mode = _mode(body)
    if not any(halves):
        return None, None, ""
    limited = any(half is not None and half.limit_tick for half in halves)
    if it.category == "spot":
        if market or trigger:
            raise bad("takeProfit" if halves[0] else "stopLoss")
        return halves[0], halves[1], ""
    mode = mode or "Full"
    if limited and (mode == "Full" or it.category == "option"):
        raise parameter_error("params error: tpslMode must be Partial for a Limit TP/SL")
    if mode == "Partial" and it.category == "option":
        raise parameter_error("params error: tpslMode of options must be Full")
    return halves[0], halves[1], mode


def _mode(body: Body) -> str:
    mode = text(body, "tpslMode")
    if mode not in ("", "Full", "Partial"):
        raise parameter_error("params error: tpslMode invalid")
    return mode


def _trigger(body: Body, it: Instrument) -> Trigger | None:
    found = text(body, "triggerPrice")
    kind = text(body, "orderFilter")
    direction = whole(body, "triggerDirection", (0, RISING, FALLING))
    by = _price_by(body, "triggerBy", "LastPrice")
    wanted = found != "" and number(found) != 0
    if it.category == "spot":
        if kind not in ("", "Order", "tpslOrder", "StopOrder"):
            raise bad("orderFilter")
        if wanted and kind == "Order":
            raise bad("triggerPrice")
        if not wanted and kind in ("tpslOrder", "StopOrder"):
            raise Refusal(170105, "Parameter 'triggerPrice' was empty.")
        if not wanted:
            return None
        stop_type = "tpslOrder" if kind == "tpslOrder" else "Stop"
        return Trigger(
            tick=price_tick(it, found, "triggerPrice"),
            by="LastPrice",
            direction=0,
            stop_type=stop_type,
        )
    if kind not in ("", "Order") and not (wanted and kind == "StopOrder"):
        raise parameter_error("params error: orderFilter is only for spot")
    if not wanted:
        return None
    if it.category == "option":
        raise parameter_error("params error: triggerPrice is not for options")
    if not direction:
        raise parameter_error("params error: triggerDirection invalid")
    tick = price_tick(it, found, "triggerPrice")
    return Trigger(tick=tick, by=by, direction=direction, stop_type="Stop")


def _price_by(body: Body, name: str, default: str) -> str:
    found = text(body, name) or default
    if found and found not in PRICES_BY:
        raise parameter_error(f"params error: {name} invalid")
    return found


def _time_in_force(body: Body, *, spot: bool, market: bool) -> str:
    found = text(body, "timeInForce") or ("IOC" if market else "GTC")
    if found == "RPI":
        code = 170355 if spot else 110119
        raise Refusal(code, "RPI orders are restricted to approved market makers only.")
    if found not in TIMES_IN_FORCE:
        raise either(spot, Refusal(170115, "Invalid timeInForce."), "TimeInForce invalid")
    return "IOC" if market else found


def _slippage(body: Body, it: Instrument, *, plain: bool) -> tuple[str, str]:
    """Read a slippage tolerance; `plain` tells whether the order may have one."""
    kind, found = text(body, "slippageToleranceType"), text(body, "slippageTolerance")
    if kind in ("", "UNKNOWN") and not found:
        return "", ""
    if kind not in ("TickSize", "Percent"):
        raise parameter_error("params error: slippageToleranceType invalid")
    if it.category == "option" or not plain:
        raise parameter_error("params error: slippageTolerance is only for plain market orders")
    value = number(found)
    if kind == "TickSize" and (value is None or value % 1 or not 1 <= value <= 10_000):
        raise Refusal(110108, "Allowable range: 1 to 10000 tick size")
    least = Decimal("0.01")
    if kind == "Percent" and (value is None or value * 100 % 1 or not least <= value <= 10):
        raise Refusal(110109, "Allowable range: 0.01% to 10%")
    return kind, found


def _bbo(body: Body, it: Instrument, *, market: bool) -> tuple[str, int]:
    side, level = text(body, "bboSideType"), text(body, "bboLevel")
    if not side and not level:
        return "", 0
    if it.category not in _CONTRACTS or market:
        raise parameter_error("params error: bboSideType is only for limit orders of contracts")
    if side not in ("Queue", "Counterparty"):
        raise parameter_error("params error: bboSideType invalid")
    if level not in ("1", "2", "3", "4", "5"):
        raise parameter_error("params error: bboLevel invalid")
    return side, int(level)


def _order_iv(body: Body, it: Instrument) -> str:
    found = text(body, "orderIv")
    value = number(found) if found else Decimal(0)
    if not found or value == 0:
        return ""
    if value is None or value > 50:
        raise parameter_error("params error: orderIv invalid")
    if it.category != "option":
        raise parameter_error("params error: orderIv is only for options")
    return found


def _mmp(body: Body, it: Instrument) -> bool:
    found = flag(body, "mmp")
    if found and it.category != "option":
        raise parameter_error("params error: mmp is only for options")
    return found


def _quantity(
    body: Body, it: Instrument, *, by_value: bool, market: bool, close_all: bool
) -> tuple[int | None, Decimal | None]:
    found = text(body, "qty")
    if by_value:
        value = number(found)
        if value is None or not value:
            raise bad("qty")
        if value % it.quote_step:
            raise Refusal(170148, "Market order amount decimal too long.")
        if it.min_value is not None and value < it.min_value:
            raise Refusal(170140, "Order value exceeded lower limit.")
        return None, value
    if close_all and it.category in _CONTRACTS and number(found) == 0:
        return None, None
    return quantity_lots(it, found, market=market), None


def _market_unit(body: Body, *, spot: bool, market: bool, side: int) -> str:
    found = text(body, "marketUnit")
    if not spot or not market:
        return ""
    if found not in ("", "baseCoin", "quoteCoin"):
        raise bad("marketUnit")
    return found or ("quoteCoin" if side == BUY else "baseCoin")


def _self_match(body: Body) -> SelfMatch:
    try:
        return SelfMatch(text(body, "smpType") or "None")
    except ValueError:
        raise parameter_error("params error: smpType invalid") from None
