"""The prices round which synthetic participants trade: pure functions of the time.

A price is a sum of slow waves with seeded phases, so it is bounded, costs the same to know for any
moment, needs no history, and is the same again after a restart. Floats are allowed here and end
here: whatever leaves the simulator has been put on an integer grid.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from bybitd.simulator.instruments import Instrument

_YEAR_MS = 365 * 86_400_000
# (relative amplitude, period in seconds): the short waves move the touch, the long ones the day.
_WAVES = (
    (0.012, 93_600.0),
    (0.006, 30_240.0),
    (0.003, 7_560.0),
    (0.0012, 1_980.0),
    (0.0004, 540.0),
    (0.00006, 67.0),
    (0.00001, 11.0),
)
_SPREAD_SWING = 0.05
_FUNDING_CAP = 0.00375
FUNDING_INTERVAL_MS = 8 * 3_600_000


@dataclass(frozen=True, slots=True)
class OptionValue:
    """Price of an option in its quote coin, its greeks, and what they were computed from."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float
    iv: float
    underlying: float


class FairValue:
    """Index, mark, funding and option values of all instruments at any moment (ms)."""

    def __init__(self, seed: int, usd: Mapping[str, float]) -> None:
        self._seed = seed
        self._usd = dict(usd)
        self._rates: dict[str, tuple[float, float]] = {}  # interval and rate last asked for
        self._waves: dict[str, tuple[tuple[float, float, float], ...]] = {}

    def mean_price(self, coin: str) -> float:
        """Give the USD price round which a coin moves."""
        return self._usd.get(coin, 1.0)

    def index(self, coin: str, at_ms: float) -> float:
        """Give the USD price of a coin; stable coins are worth one dollar."""
        base = self._usd.get(coin, 1.0)
        if base == 1.0:
            return base
        return base * (1.0 + self.swing(coin, at_ms))

    def mark(self, it: Instrument, at_ms: float) -> float:
        """Give the mark price of an instrument (the last-price level round which it trades)."""
        if it.category == "option":
            return self.option(it, at_ms).price
        index = self.index(it.reference, at_ms)
        if it.legs:
            # Beside what follows from the legs it has a life of its own, on both sides of zero.
            first, second = (self.mark(leg, at_ms) for leg in it.legs)
            return first - second + index * _SPREAD_SWING * self.swing(it.symbol, at_ms)
        if it.category == "spot":
            return index
        if it.delivery_ms:
            years = max(0.0, (it.delivery_ms - at_ms) / _YEAR_MS)
            return index * (1.0 + 0.06 * years)
        return index * (1.0 + 0.25 * self.funding_rate(it, at_ms))

    def funding_rate(self, it: Instrument, at_ms: float) -> float:
        """Give the rate (a fraction per interval) that is expected at the next funding time."""
        interval = at_ms // FUNDING_INTERVAL_MS
        known = self._rates.get(it.symbol)
        if known is None or known[0] != interval:
            tilt = random.Random(f"{self._seed}/{it.symbol}/{interval:.0f}").uniform(-0.8, 1.2)
            known = (interval, max(-_FUNDING_CAP, min(_FUNDING_CAP, 0.0001 * tilt)))
            self._rates[it.symbol] = known
        return known[1]

    def option(self, it: Instrument, at_ms: float) -> OptionValue:
        """Value an option by Black and Scholes with a simple smile, rates at zero."""
        moneyness = math.log(float(it.strike) / self.index(it.reference, at_ms))
        return self.option_at(it, at_ms, 0.52 + 0.35 * moneyness * moneyness)

    def option_at(self, it: Instrument, at_ms: float, iv: float) -> OptionValue:
        """Value an option at an implied volatility (0.1 is 10 percent)."""
        underlying = self.index(it.reference, at_ms)
        strike = float(it.strike)
        years = max(1e-6, (it.delivery_ms - at_ms) / _YEAR_MS)
        moneyness = math.log(strike / underlying)
        spread = iv * math.sqrt(years)
        d1 = -moneyness / spread + spread / 2
        density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
        below, above = _normal(d1), _normal(d1 - spread)
        call = underlying * below - strike * above
        return OptionValue(
            price=max(0.0, call if it.call else call - underlying + strike),
            delta=below if it.call else below - 1.0,
            gamma=density / (underlying * spread),
            vega=underlying * density * math.sqrt(years) / 100,
            theta=-underlying * density * iv / (2 * math.sqrt(years)) / 365,
            iv=iv,
            underlying=underlying,
        )

    def open_interest(self, it: Instrument, at_ms: float) -> int:
        """Give the open interest of one side, in lots."""
        worth = 4e8 if it.reference in ("BTC", "ETH") else 2e7
        price = 1.0 if it.inverse else self.index(it.reference, at_ms)
        if it.category == "option":
            worth /= 400
        swing = 1.0 + 10 * self.swing(f"{it.category}/{it.symbol}/oi", at_ms // 300_000 * 300_000)
        return max(1, int(worth * swing / price / float(it.step)))

    def swing(self, name: str, at_ms: float) -> float:
        """Give the deviation, a small fraction, of a seeded quantity from its mean."""
        waves = self._waves.get(name)
        if waves is None:
            rng = random.Random(f"{self._seed}/{name}")
            waves = tuple(
                (size, 2 * math.pi / (period * rng.uniform(0.9, 1.1) * 1000), rng.uniform(0, 6.28))
                for size, period in _WAVES
            )
            self._waves[name] = waves
        return sum(size * math.sin(speed * at_ms + phase) for size, speed, phase in waves)


def _normal(x: float) -> float:
    return 0.5 * (1.0 + math.erf(x / math.sqrt(2.0)))
