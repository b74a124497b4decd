"""The insurance pools of contracts, and how near each contract is to auto-deleveraging.

BTC and ETH contracts share the pool of their coin, every other contract has an isolated one. All
figures follow from the time and the seed (Bybit V5, Insurance; ADL Alert).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from bybitd.simulator.fair_value import FairValue
from bybitd.simulator.instruments import Instrument

# Which groups the sockets of a category have.
GROUPS = {"linear": ("USDT", "USDC"), "inverse": ("inverse",)}
_SHARING = ("BTC", "ETH")
_SHARED_WORTH, _ISOLATED_WORTH = 250_000_000.0, 40_000.0
_DAY_MS = 86_400_000
_PLACES = Decimal("0.00000001")
TRIGGER_THRESHOLD = 10_000
TRIGGER_RATIO, STOP_RATIO = -0.3, -0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One pool: `step_ms` is how often its balance moves."""

    group: str
    coin: str
    members: tuple[Instrument, ...]
    isolated: bool
    step_ms: int

    @property
    def symbols(self) -> str:
        """The contracts of the pool as the exchange lists them."""
        return ",".join(it.symbol for it in self.members)


def make_pools(contracts: Iterable[Instrument]) -> tuple[Pool, ...]:
    """Group contracts into their pools."""
    members: dict[tuple[str, str, str], list[Instrument]] = {}
    for it in contracts:
        group = "inverse" if it.inverse else it.settle
        own = "" if it.base in _SHARING else it.symbol
        members.setdefault((group, it.settle, own), []).append(it)
    return tuple(
        Pool(
            group=group,
            coin=coin,
            members=tuple(chosen),
            isolated=bool(own),
            # Isolated pools do not all move at the same time; shared ones do once a day.
            step_ms=1_000 * (2 + chosen[0].symbol_id % 7) if own else _DAY_MS,
        )
        for (group, coin, own), chosen in members.items()
    )


def moved_ms(pool: Pool, at_ms: int) -> int:
    """Tell when the balance of a pool last moved."""
    return at_ms // pool.step_ms * pool.step_ms


def balance(pool: Pool, fair_value: FairValue, at_ms: int) -> Decimal:
    """Give the balance of a pool in its coin."""
    worth = _ISOLATED_WORTH if pool.isolated else _SHARED_WORTH
    name = f"pool/{pool.group}/{pool.members[0].symbol}"
    swing = 1.0 + 10 * fair_value.swing(name, moved_ms(pool, at_ms))
    price = 1.0 if pool.group != "inverse" else fair_value.mean_price(pool.coin)
    return Decimal(worth * swing / price).quantize(_PLACES)


def drawdown_ratio(it: Instrument, fair_value: FairValue, at_ms: int) -> float:
    """Give how the pool fares on a contract, over eight hours; too well for ADL to begin."""
    swing = 8 * fair_value.swing(f"adl/{it.category}/{it.symbol}", at_ms // 1_000 * 1_000)
    return round(max(STOP_RATIO + 0.01, swing), 6)
