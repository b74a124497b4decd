"""A position and its arithmetic: average price, realised and unrealised profit, margins.

Sizes are signed decimals (long above zero). Linear and option profit is in quote coin per unit;
an inverse contract is worth one USD and pays in coin, so its average price is harmonic.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from bybitd.simulator.instruments import Instrument, plain

PLACES = Decimal("0.00000001")
MAINTENANCE_RATE = Decimal("0.005")


def money(value: Decimal) -> Decimal:
    """Round an amount to what a wallet holds (eight decimals)."""
    return value.quantize(PLACES)


class Position(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One position of an account: `idx` 0 in one-way mode, 1 long and 2 short in hedge mode."""

    category: str
    symbol: str
    idx: int
    size: Decimal = Decimal(0)
    average: Decimal = Decimal(0)
    realised: Decimal = Decimal(0)  # of the position that is open
    realised_ever: Decimal = Decimal(0)
    created_ms: int = 0
    updated_ms: int = 0
    opened_ms: int = 0
    seq: int = -1
    status: str = "Normal"
    auto_add: int = 0
    open_fees: Decimal = Decimal(0)  # paid for what is open now
    # Its protection as the record shows it, in ticks; 0 is none.
    take_profit: int = 0
    stop_loss: int = 0
    trailing_stop: int = 0

    @property
    def side(self) -> str:
        if not self.size:
            return ""
        return "Buy" if self.size > 0 else "Sell"


@dataclass(frozen=True, slots=True)
class Change:
    """What a fill did to a position: the size it closed and the profit that this realised."""

    closed: Decimal
    profit: Decimal


def profit(it: Instrument, size: Decimal, entry: Decimal, price: Decimal) -> Decimal:
    """Give the profit of a signed size that went from `entry` to `price`, in settle coin."""
    if not size:
        return Decimal(0)
    if it.inverse:
        return money(size / entry - size / price)
    return money(size * (price - entry))


def value(it: Instrument, size: Decimal, price: Decimal) -> Decimal:
    """Give the value of a size (sign dropped) in settle coin."""
    return money(abs(size) / price if it.inverse else abs(size) * price)


def apply_fill(position: Position, it: Instrument, signed: Decimal, price: Decimal) -> Change:
    """Add a fill (`signed` > 0 bought) to a position; it may reduce, close or turn it."""
    size = position.size
    closing = Decimal(0)
    realised = Decimal(0)
    if size and (size > 0) != (signed > 0):
        closing = min(abs(size), abs(signed)).copy_sign(size)
        realised = profit(it, closing, position.average, price)
        position.size -= closing
        signed += closing
    if signed:
        if not position.size:
            position.average = price
            position.realised = Decimal(0)
        elif it.inverse:
            weight = position.size / position.average + signed / price
            position.average = ((position.size + signed) / weight).quantize(PLACES)
        else:
            paid = position.size * position.average + signed * price
            position.average = (paid / (position.size + signed)).quantize(PLACES)
        position.size += signed
    elif not position.size:
        position.average = Decimal(0)
    position.realised += realised
    position.realised_ever += realised
    return Change(abs(closing), realised)


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """What a position is valued with: mark price, leverage, and on options the greeks of one."""

    mark: Decimal
    leverage: Decimal
    greeks: tuple[Decimal, Decimal, Decimal, Decimal] | None = None


def initial_margin(it: Instrument, position: Position, at: Valuation) -> Decimal:
    """Give the initial margin in settle coin; a long option has been paid for and needs none."""
    if it.category == "option":
        if position.size >= 0:
            return Decimal(0)
        return money(abs(position.size) * (it.strike / 10 + at.mark))
    return money(value(it, position.size, at.mark) / at.leverage)


def position_record(position: Position, it: Instrument, at: Valuation) -> dict[str, Any]:
    """Write the record of the `position` topic (Bybit V5, Position stream)."""
    worth = value(it, position.size, at.mark)
    margin = initial_margin(it, position, at)
    maintenance = money(worth * MAINTENANCE_RATE)
    record = {
        "category": position.category,
        "symbol": position.symbol,
        "positionIdx": position.idx,
        "side": position.side,
        "size": plain(abs(position.size)),
        "entryPrice": plain(position.average),
        "markPrice": plain(at.mark),
        "positionValue": plain(worth),
        "leverage": "" if it.category == "option" else plain(at.leverage),
        "breakEvenPrice": plain(position.average) if position.size else "",
        "liqPrice": "",
        "bustPrice": "",
        "positionBalance": "0",
        "positionIM": plain(margin),
        "positionIMByMp": plain(margin),
        "positionMM": plain(maintenance),
        "positionMMByMp": plain(maintenance),
        "takeProfit": it.price.text(position.take_profit) if position.take_profit else "0",
        "stopLoss": it.price.text(position.stop_loss) if position.stop_loss else "0",
        "trailingStop": it.price.text(position.trailing_stop) if position.trailing_stop else "0",
        "unrealisedPnl": plain(profit(it, position.size, position.average, at.mark)),
        "curRealisedPnl": plain(position.realised),
        "cumRealisedPnl": plain(position.realised_ever),
        "sessionAvgPrice": "",
        "riskId": 1,
        "riskLimitValue": "2000000",
        "autoAddMargin": position.auto_add,
        "tradeMode": 0,
        "tpslMode": "Full",
        "positionStatus": position.status,
        "adlRankIndicator": 0,
        "isReduceOnly": False,
        "createdTime": str(position.created_ms),
        "updatedTime": str(position.updated_ms),
        "openTime": position.opened_ms,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "seq": position.seq,
    }
    if it.category == "option" and at.greeks:
        names = ("delta", "gamma", "vega", "theta")
        pairs = zip(names, at.greeks, strict=True)
        record |= {name: plain(money(one * position.size)) for name, one in pairs}
    return record


def position_row(record: dict[str, Any]) -> dict[str, Any]:
    """Turn the record of the topic into the row of `/v5/position/list`, which differs a little."""
    row = {("avgPrice" if key == "entryPrice" else key): text for key, text in record.items()}
    # REST spells one field differently (its documentation's sample does).
    row["mmrSysUpdateTime"] = row["mmrSysUpdatedTime"]
    del row["category"]
    return row
