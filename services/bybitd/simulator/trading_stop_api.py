"""`/v5/position/trading-stop`: TP/SL and trailing stop of a position (Bybit V5, Position)."""

from collections.abc import Callable
from typing import Any

from bybitd.simulator.account import Account
from bybitd.simulator.instruments import Instrument
from bybitd.simulator.market import Market
from bybitd.simulator.markets import Markets
from bybitd.simulator.order_requests import leg
from bybitd.simulator.orders import Leg
from bybitd.simulator.parameters import (
    Body,
    category_of,
    instrument_of,
    number,
    price_tick,
    quantity_lots,
    text,
    whole,
)
from bybitd.simulator.refusal import Refusal, parameter_error
from bybitd.simulator.stops import check_leg
from bybitd.simulator.trading import Trading

Reply = tuple[dict[str, Any], dict[str, Any]]
_HALVES = (("TakeProfit", "takeProfit", "tp"), ("StopLoss", "stopLoss", "sl"))


class TradingStopApi:
    """Reads trading-stop requests and has the protecting orders set."""

    def __init__(self, markets: Markets, trading: Trading) -> None:
        self._markets = markets
        self._trading = trading
        self.routes: dict[str, Callable[[Account, Body, int], Reply]] = {
            "/v5/position/trading-stop": self._trading_stop,
        }

    def _trading_stop(self, account: Account, body: Body, now_ms: int) -> Reply:
        if category_of(body) == "spot":
            raise parameter_error("params error: category invalid")
        it = instrument_of(self._markets, body)
        mode = text(body, "tpslMode") or "Full"
        if mode not in ("Full", "Partial") or (mode == "Partial" and it.category == "option"):
            raise parameter_error("params error: tpslMode invalid")
        idx = whole(body, "positionIdx", (0, 1, 2))
        if idx not in account.indexes(it):
            raise parameter_error("position idx not match position mode")
        legs = {
            kind: found
            for kind, name, short in _HALVES
            if (found := leg(body, it, name, short)) is not None
        }
        if mode == "Full" and any(found.limit_tick for found in legs.values()):
            raise parameter_error("params error: a Limit TP/SL needs tpslMode Partial")
        trail, active = _trailing(body, it)
        market = self._trading.awake(it, now_ms)
        if not account.position(it, idx).size:
            raise parameter_error("can not set tp/sl/ts for zero position")
        changed = False
        if mode == "Partial":
            changed = self._partial(account, market, idx, legs, body, now_ms)
        else:
            side = 1 if account.position(it, idx).size > 0 else -1
            for kind, found in legs.items():
                if found.tick:  # all of them are checked before any is set
                    check_leg(market, side, kind, found, None, now_ms)
            for kind, found in legs.items():
                changed |= self._trading.stops.set_whole(account, market, idx, kind, found, now_ms)
        if trail is not None:
            changed |= self._trading.stops.set_trailing(account, market, idx, trail, active, now_ms)
        if not changed:
            raise Refusal(34040, "not modified")
        return {}, {}

    def _partial(
        self,
        account: Account,
        market: Market,
        idx: int,
        legs: dict[str, Leg],
        body: Body,
        now_ms: int,
    ) -> bool:
        """Add a TP/SL for a part of the position; one that is there is left alone."""
        it = market.instrument
        wanted = {kind: found for kind, found in legs.items() if found.tick}
        if not wanted:
            return False
        sizes = {short: text(body, f"{short}Size") for _, _, short in _HALVES}
        given = {size for size in sizes.values() if size}
        if len(given) > 1 and len({number(size) for size in given}) > 1:
            raise parameter_error("params error: tpSize and slSize must be equal")
        held = it.size.floor(abs(account.position(it, idx).size))
        lots = quantity_lots(it, given.pop(), market=False) if given else held
        if lots > held:
            raise parameter_error("params error: tpSize or slSize exceeds the position")
        self._trading.stops.add_partial(account, market, idx, wanted, lots, now_ms)
        return True


def _trailing(body: Body, it: Instrument) -> tuple[int | None, int]:
    """Read distance and activation price of a trailing stop, in ticks; None where none is given."""
    distance, active = text(body, "trailingStop"), text(body, "activePrice")
    if not distance:
        return None, 0
    if number(distance) == 0:
        return 0, 0
    trail = price_tick(it, distance, "trailingStop")
    has_start = active != "" and number(active) != 0
    return trail, price_tick(it, active, "activePrice") if has_start else 0
