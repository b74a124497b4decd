"""A typed view of one instruments-info row, and the checks of price and quantity that it allows
(Bybit V5, "Get Instruments Info").

Key everything by (category, symbol): BTCUSDT is a spot pair and a perpetual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any, Final

from bybitd.venue.errors import BadField, InstrumentError

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What may be traded, and in which steps. None stands for "no such limit".

    Quantities are in the unit of the category: base coin on spot, linear and option, USD on
    inverse. `quote_step` is the step of an amount in quote coin, on spot only.
    `delivery_ms` is 0 for what does not expire; on a perpetual it means that it is delisted then.
    `phase` is the phase of the auction of a pre-market contract, "" on any other.
    """

    category: str
    symbol: str
    status: str
    base_coin: str
    quote_coin: str
    settle_coin: str
    contract_type: str
    tick: Decimal
    qty_step: Decimal
    quote_step: Decimal | None
    min_price: Decimal | None
    max_price: Decimal | None
    min_qty: Decimal | None
    max_limit_qty: Decimal | None
    max_market_qty: Decimal | None
    min_notional: Decimal | None
    delivery_ms: int
    funding_interval_min: int | None
    min_leverage: Decimal | None = None
    max_leverage: Decimal | None = None
    leverage_step: Decimal | None = None
    phase: str = ""

    @property
    def trades(self) -> bool:
        """Tell whether ordinary orders are taken now."""
        return self.status == "Trading"

    def check_price(self, op: str, field: str, price: Decimal) -> None:
        """Check a price against bounds and tick.

        Raises:
            BadField: names the rule and the nearest prices that would be right.
        """
        if self.min_price is not None and price < self.min_price:
            raise BadField(
                op, field, f"is below the lowest price of {self.symbol}, {self.min_price}"
            )
        if self.max_price is not None and price > self.max_price:
            raise BadField(
                op, field, f"is above the highest price of {self.symbol}, {self.max_price}"
            )
        _check_step(op, field, price, self.tick, "tick", self.symbol)

    def check_distance(self, op: str, field: str, distance: Decimal) -> None:
        """Check a difference of two prices against the tick.

        Raises:
            BadField: names the nearest that would be right.
        """
        _check_step(op, field, distance, self.tick, "tick", self.symbol)

    def check_lots(self, op: str, field: str, qty: Decimal) -> None:
        """Check a quantity against the step alone.

        Raises:
            BadField: names the nearest that would be right.
        """
        _check_step(op, field, qty, self.qty_step, "step", self.symbol)

    def check_leverage(self, op: str, field: str, leverage: Decimal) -> None:
        """Check a leverage against bounds and step.

        Raises:
            BadField: names the rule.
        """
        if self.min_leverage is not None and leverage < self.min_leverage:
            rule = f"is below the minimum leverage of {self.symbol}, {self.min_leverage}"
            raise BadField(op, field, rule)
        if self.max_leverage is not None and leverage > self.max_leverage:
            rule = f"is above the maximum leverage of {self.symbol}, {self.max_leverage}"
            raise BadField(op, field, rule)
        if self.leverage_step:
            _check_step(op, field, leverage, self.leverage_step, "leverage step", self.symbol)

    def check_qty(self, op: str, field: str, qty: Decimal, *, market: bool) -> None:
        """Check a quantity of base coin or contracts against minimum, maximum and step.

        Raises:
            BadField: names the rule.
        """
        if self.min_qty is not None and qty < self.min_qty:
            raise BadField(op, field, f"is below the minimum of {self.symbol}, {self.min_qty}")
        most = self.max_market_qty if market else self.max_limit_qty
        if most is not None and qty > most:
            kind = "Market" if market else "Limit"
            raise BadField(op, field, f"is above the maximum of a {kind} order, {most}")
        _check_step(op, field, qty, self.qty_step, "step", self.symbol)

    def check_amount(self, op: str, field: str, amount: Decimal) -> None:
        """Check an amount of quote coin: what a spot market order may give instead of a quantity.

        Raises:
            BadField: names the rule.
        """
        self.check_notional(op, field, amount)
        if self.quote_step is not None:
            _check_step(op, field, amount, self.quote_step, "step", self.symbol)

    def check_notional(self, op: str, field: str, notional: Decimal) -> None:
        """Check price times quantity, or an amount, against the minimum value of an order.

        Reduce-only orders are exempt at the exchange; that is the caller's to know.

        Raises:
            BadField: names the minimum.
        """
        if self.min_notional is not None and notional < self.min_notional:
            rule = f"makes an order of {notional:f} {self.quote_coin}; {self.symbol} needs"
            raise BadField(op, field, f"{rule} {self.min_notional} at least")


def parse(category: str, row: Mapping[str, Any]) -> Instrument:
    """Return the instrument that a row of the REST result describes. Unknown fields are ignored.

    Raises:
        InstrumentError: a field that must be there is missing or no decimal.
    """
    symbol = row.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise InstrumentError(category, "", "the row has no symbol")
    try:
        prices, lots = row["priceFilter"], row["lotSizeFilter"]
        leverage = row.get("leverageFilter") or {}
        spot = category == "spot"
        instrument = Instrument(
            category=category,
            symbol=symbol,
            status=row["status"],
            base_coin=row["baseCoin"],
            quote_coin=row["quoteCoin"],
            settle_coin=row.get("settleCoin") or row["quoteCoin"],
            contract_type=row.get("contractType") or category,
            tick=Decimal(prices["tickSize"]),
            # Spot has no qtyStep: basePrecision is the step.
            qty_step=Decimal(lots["basePrecision" if spot else "qtyStep"]),
            quote_step=_optional(lots, "quotePrecision"),
            min_price=_optional(prices, "minPrice"),
            max_price=_optional(prices, "maxPrice"),
            # minOrderQty and maxOrderQty of spot are deprecated; an amount is its minimum.
            min_qty=None if spot else _optional(lots, "minOrderQty"),
            max_limit_qty=_optional(lots, "maxLimitOrderQty" if spot else "maxOrderQty"),
            max_market_qty=_optional(
                lots, *(("maxMarketOrderQty",) if spot else ("maxMktOrderQty", "maxOrderQty"))
            ),
            min_notional=_optional(lots, "minOrderAmt" if spot else "minNotionalValue"),
            delivery_ms=int(row.get("deliveryTime") or 0),
            funding_interval_min=row.get("fundingInterval"),
            min_leverage=_optional(leverage, "minLeverage"),
            max_leverage=_optional(leverage, "maxLeverage"),
            leverage_step=_optional(leverage, "leverageStep"),
            phase=(row.get("preListingInfo") or {}).get("curAuctionPhase", ""),
        )
    except KeyError as error:
        raise InstrumentError(category, symbol, f"{error.args[0]} is missing") from None
    except (InvalidOperation, TypeError, ValueError, AttributeError) as error:
        raise InstrumentError(category, symbol, f"no usable row: {error}") from None
    for name, step in (("tick", instrument.tick), ("step", instrument.qty_step)):
        if not step.is_finite() or step <= 0:
            raise InstrumentError(category, symbol, f"its {name} is {step}")
    return instrument


def _optional(block: Mapping[str, Any], *names: str) -> Decimal | None:
    for name in names:
        if text := block.get(name):
            return Decimal(text)
    return None


def _check_step(op: str, field: str, value: Decimal, step: Decimal, word: str, symbol: str) -> None:
    below = (value / step).to_integral_value(rounding=ROUND_DOWN) * step
    if below != value:
        near = f"{below:f} or {below + step:f}" if below > _ZERO else f"{step:f}"
        raise BadField(op, field, f"is no multiple of the {word} {step} of {symbol}; try {near}")
