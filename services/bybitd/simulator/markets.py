"""All markets of the exchange, made when they are first asked for."""

from collections.abc import Callable

from bybitd.simulator.book import Fill
from bybitd.simulator.fair_value import FairValue
from bybitd.simulator.ids import Identifiers
from bybitd.simulator.instruments import Instrument
from bybitd.simulator.market import Market, Trade
from bybitd.simulator.pools import make_pools

# Options trade rarely, and one topic (publicTrade of a base coin) keeps dozens of them awake.
_RATES = {"option": 0.1, "spread": 0.3}


class Markets:
    """Markets by (category, symbol)."""

    def __init__(
        self,
        instruments: tuple[Instrument, ...],
        fair_value: FairValue,
        ids: Identifiers,
        *,
        seed: int,
        rate_per_s: float,
        start_ms: int,
        on_user_fill: Callable[[Market, Fill, Trade], None],
    ) -> None:
        self.fair_value = fair_value
        self.instruments: dict[str, dict[str, Instrument]] = {}
        for it in instruments:
            self.instruments.setdefault(it.category, {})[it.symbol] = it
        self.pools = make_pools(it for it in instruments if it.category in ("linear", "inverse"))
        self._made: dict[tuple[str, str], Market] = {}
        self._ids = ids
        self._seed = seed
        self._rate_per_s = rate_per_s
        self._start_ms = start_ms
        self._on_user_fill = on_user_fill

    def find(self, category: str, symbol: str) -> Market | None:
        """Give the market of a symbol; None when there is no such symbol."""
        market = self._made.get((category, symbol))
        if market is None:
            it = self.instruments.get(category, {}).get(symbol)
            if it is None:
                return None
            market = self._made[category, symbol] = Market(
                it,
                self.fair_value,
                self._ids,
                seed=self._seed,
                rate_per_s=self._rate_per_s * _RATES.get(category, 1.0),
                start_ms=self._start_ms,
                on_user_fill=self._on_user_fill,
            )
        return market

    def of(self, it: Instrument) -> Market:
        """Give the market of a listed instrument."""
        market = self.find(it.category, it.symbol)
        assert market is not None
        return market

    def of_base(self, category: str, base: str) -> tuple[Market, ...]:
        """Give the markets of all instruments of a base coin."""
        chosen = self.instruments.get(category, {}).values()
        return tuple(self.of(it) for it in chosen if it.base == base)
