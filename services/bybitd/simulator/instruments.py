"""What can be traded: one frozen record per symbol, and the integer grids of its numbers.

Inside the simulator a price is a number of ticks and a size a number of lots; decimals and texts
exist only at the border, made by `Grid`. `Instrument.row` is the row of
`/v5/market/instruments-info`, of a spread that of `/v5/spread/instrument` (Bybit V5, Get
Instruments Info; Spread Trading).
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

CATEGORIES = ("spot", "linear", "inverse", "option")
SPREAD = "spread"  # traded in another way, of which only the public side is simulated
_CACHED_TEXTS = 20_000


def plain(value: Decimal) -> str:
    """Write a decimal without exponent and without trailing zeros."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


class Grid:
    """The multiples of one decimal unit: the ticks of a price or the lots of a size.

    Books count in whole numbers above 0. Where prices may be negative, they are counted from
    `zero` steps on.
    """

    __slots__ = ("_texts", "_trim", "_zero", "unit")

    def __init__(self, unit: Decimal, *, trim: bool, zero: int = 0) -> None:
        self.unit = unit
        self._trim = trim
        self._zero = zero
        self._texts: dict[int, str] = {}

    def decimal(self, steps: int) -> Decimal:
        return self.unit * (steps - self._zero)

    def text(self, steps: int) -> str:
        """Write a multiple as Bybit does: fixed decimals on derivatives, trimmed on spot."""
        text = self._texts.get(steps)
        if text is None:
            value = self.decimal(steps)
            text = plain(value) if self._trim else f"{value:f}"
            if len(self._texts) >= _CACHED_TEXTS:
                self._texts.clear()
            self._texts[steps] = text
        return text

    def steps(self, value: Decimal) -> int | None:
        """Count the units in `value`; None when it lies between two of them."""
        count, rest = divmod(value, self.unit)
        return None if rest else int(count) + self._zero

    def floor(self, value: Decimal) -> int:
        return int(value // self.unit) + self._zero

    def nearest(self, value: float) -> int:
        return round(self.at(value))

    def at(self, value: float) -> float:
        """Give the place of a value between the steps."""
        return value / float(self.unit) + self._zero


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """One tradable symbol of one category.

    `contract` is the contractType of derivatives, `Spot` or `Option`. `reference` names the coin
    whose index moves the price. `min_value` is the least order value in quote coin (None: no such
    rule). Times are ms since the Unix epoch, `delivery_ms` 0 means never. `legs` are those of a
    spread: its price is what the first costs more than the second.
    """

    category: str
    symbol: str
    symbol_id: int
    contract: str
    base: str
    quote: str
    settle: str
    reference: str
    tick: Decimal
    step: Decimal
    min_qty: Decimal
    max_qty: Decimal
    max_market_qty: Decimal
    min_value: Decimal | None
    quote_step: Decimal = Decimal("0.0000001")
    max_leverage: Decimal = Decimal("1")
    band_x: Decimal = Decimal("0.01")
    band_y: Decimal = Decimal("0.02")
    launch_ms: int = 1_585_526_400_000
    delivery_ms: int = 0
    strike: Decimal = Decimal("0")
    call: bool = False
    status: str = "Trading"
    legs: "tuple[Instrument, ...]" = ()

    @cached_property
    def price(self) -> Grid:
        zero = SPREAD_TICKS if self.legs else 0
        return Grid(self.tick, trim=self.category in _TRIMMED, zero=zero)

    @cached_property
    def size(self) -> Grid:
        return Grid(self.step, trim=self.category in _TRIMMED)

    @property
    def perpetual(self) -> bool:
        return self.contract in ("LinearPerpetual", "InversePerpetual")

    @property
    def inverse(self) -> bool:
        return self.category == "inverse"

    @property
    def has_funding(self) -> bool:
        return self.perpetual

    def value(self, lots: int, tick: int) -> Decimal:
        """Value lots at a price, in the coin that settles it (the quote coin on spot)."""
        qty = self.size.decimal(lots)
        if self.inverse:
            return qty / self.price.decimal(tick)
        return qty * self.price.decimal(tick)

    def row(self) -> dict[str, Any]:
        """Write the row of `/v5/market/instruments-info`."""
        return _ROWS[self.category](self)


# A spread costs at most so many ticks, in either direction.
SPREAD_TICKS = 19_999_998
_TRIMMED = ("spot", "option", SPREAD)


def _spot_row(it: Instrument) -> dict[str, Any]:
    largest = plain(it.max_qty)
    return {
        "symbolId": it.symbol_id,
        "symbol": it.symbol,
        "baseCoin": it.base,
        "quoteCoin": it.quote,
        "innovation": "0",
        "status": it.status,
        "marginTrading": "utaOnly",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": plain(it.step),
            "quotePrecision": plain(it.quote_step),
            "minOrderQty": plain(it.min_qty),
            "maxOrderQty": largest,
            "minOrderAmt": plain(it.min_value or Decimal(0)),
            "maxOrderAmt": "8000000",
            "maxLimitOrderQty": largest,
            "maxMarketOrderQty": plain(it.max_market_qty),
            "postOnlyMaxLimitOrderSize": largest,
        },
        "priceFilter": {"tickSize": plain(it.tick)},
        "riskParameters": {
            "priceLimitRatioX": plain(it.band_x),
            "priceLimitRatioY": plain(it.band_y),
        },
        "symbolType": "",
        "xstockMultiplier": "",
    }


def _contract_row(it: Instrument) -> dict[str, Any]:
    largest = f"{it.max_qty:f}"
    return {
        "symbol": it.symbol,
        "symbolId": it.symbol_id,
        "contractType": it.contract,
        "status": it.status,
        "baseCoin": it.base,
        "quoteCoin": it.quote,
        "launchTime": str(it.launch_ms),
        "deliveryTime": str(it.delivery_ms),
        "deliveryFeeRate": "" if it.perpetual else "0.0005",
        "priceScale": str(decimals(it.tick)),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": f"{it.max_leverage:.2f}",
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": f"{it.tick:f}",
            "maxPrice": f"{it.tick * 19_999_998:f}",
            "tickSize": f"{it.tick:f}",
        },
        "lotSizeFilter": {
            "maxOrderQty": largest,
            "minOrderQty": f"{it.min_qty:f}",
            "qtyStep": f"{it.step:f}",
            "postOnlyMaxOrderQty": largest,
            "maxMktOrderQty": f"{it.max_market_qty:f}",
            "minNotionalValue": "" if it.min_value is None else plain(it.min_value),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480 if it.perpetual else 0,
        "settleCoin": it.settle,
        "copyTrading": "both" if it.perpetual and it.settle == "USDT" else "none",
        "upperFundingRate": "0.00375" if it.perpetual else "0",
        "lowerFundingRate": "-0.00375" if it.perpetual else "0",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {
            "priceLimitRatioX": plain(it.band_x),
            "priceLimitRatioY": plain(it.band_y),
        },
        "symbolType": "",
        "displayName": "",
        "forbidUplWithdrawal": False,
    }


def _option_row(it: Instrument) -> dict[str, Any]:
    stem = it.symbol.removesuffix(f"-{it.settle}").removeprefix(f"{it.base}-")
    return {
        "symbol": it.symbol,
        "symbolId": it.symbol_id,
        "status": it.status,
        "baseCoin": it.base,
        "quoteCoin": it.quote,
        "settleCoin": it.settle,
        "optionsType": "Call" if it.call else "Put",
        "launchTime": str(it.launch_ms),
        "deliveryTime": str(it.delivery_ms),
        "deliveryFeeRate": "0.00015",
        "priceFilter": {
            "minPrice": plain(it.tick),
            "maxPrice": plain(it.tick * 222_000),
            "tickSize": plain(it.tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": plain(it.max_qty),
            "minOrderQty": plain(it.min_qty),
            "qtyStep": plain(it.step),
        },
        "displayName": f"{it.base}{it.settle}-{stem}",
    }


def _spread_row(it: Instrument) -> dict[str, Any]:
    return {
        "symbol": it.symbol,
        "contractType": it.contract,
        "status": it.status,
        "baseCoin": it.base,
        "quoteCoin": it.quote,
        "settleCoin": it.settle,
        "tickSize": plain(it.tick),
        "minPrice": plain(-it.tick * SPREAD_TICKS),
        "maxPrice": plain(it.tick * SPREAD_TICKS),
        "lotSize": plain(it.step),
        "minSize": plain(it.min_qty),
        "maxSize": plain(it.max_qty),
        "launchTime": str(it.launch_ms),
        "deliveryTime": str(it.delivery_ms),
        "legs": [{"symbol": leg.symbol, "contractType": leg.contract} for leg in it.legs],
    }


_ROWS = {
    "spot": _spot_row,
    "linear": _contract_row,
    "inverse": _contract_row,
    "option": _option_row,
    SPREAD: _spread_row,
}


def decimals(unit: Decimal) -> int:
    """Count the decimals with which a unit is written."""
    exponent = unit.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
