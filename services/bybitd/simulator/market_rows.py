"""Texts about a market that topics and REST share: candles and the figures of the last 24 hours."""

from dataclasses import dataclass
from decimal import Decimal

from bybitd.simulator.candles import Candle
from bybitd.simulator.instruments import Instrument, plain
from bybitd.simulator.market import Market
from bybitd.venue.intervals import MINUTE_MS

_HOUR_MS = 3_600_000
_DAY_MS = 86_400_000
_TURNOVER_PLACES = Decimal("0.0001")
_INVERSE_PLACES = Decimal("0.00000001")


def turnover_of(it: Instrument, turnover: Decimal) -> Decimal:
    """Turn a sum of ticks x lots (inverse: lots / tick) into coins."""
    if it.inverse:
        return (turnover * it.step / it.tick).quantize(_INVERSE_PLACES)
    return (turnover * it.step * it.tick).quantize(_TURNOVER_PLACES)


def candle_texts(it: Instrument, candle: Candle) -> list[str]:
    """Write open, high, low, close, volume, turnover."""
    price = it.price
    return [
        plain(price.decimal(candle.open)),
        plain(price.decimal(candle.high)),
        plain(price.decimal(candle.low)),
        plain(price.decimal(candle.close)),
        plain(it.size.decimal(candle.lots)),
        plain(turnover_of(it, candle.turnover)),
    ]


@dataclass(slots=True)
class DayFigures:
    """The last 24 hours of a market, in ticks and lots; renewed once a minute.

    In between, the extremes follow the last trade.
    """

    market: Market
    minute: int = -1
    previous: int = 0
    hour_ago: int = 0
    high: int = 0
    low: int = 0
    lots: int = 0
    turnover: Decimal = Decimal(0)

    def at(self, now_ms: int) -> "DayFigures":
        """Bring the figures up to date and return them."""
        minute = now_ms // MINUTE_MS
        if minute != self.minute:
            self.minute = minute
            end = minute * MINUTE_MS
            day = self.market.candles.span(end - _DAY_MS, end)
            self.previous = self.market.candles.price(now_ms - _DAY_MS)
            self.hour_ago = self.market.candles.price(now_ms - _HOUR_MS)
            self.high, self.low = day.high, day.low
            self.lots, self.turnover = day.lots, day.turnover
        last = self.market.last_tick(now_ms)
        self.high, self.low = max(self.high, last), min(self.low, last)
        return self
