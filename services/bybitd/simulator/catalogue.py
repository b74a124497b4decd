"""Builds the instruments of a simulated exchange; expiries and strikes follow from the time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bybitd.simulator.instruments import CATEGORIES, SPREAD, Instrument

_DAY_MS = 86_400_000
# A contract that ends sooner than this is not listed any more, so that none ends during a run.
_LEAST_LIFE = timedelta(days=3)
_QUARTER_CODES = {3: "H", 6: "M", 9: "U", 12: "Z"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coin:
    """Price in USD and the grids of a coin: ticks of its contracts and of its spot pair."""

    name: str
    usd: float
    tick: str
    step: str
    spot_tick: str
    spot_step: str
    leverage: str = "50"


_COINS = (
    _Coin(name="BTC", usd=96_000.0, tick="0.10", step="0.001", spot_tick="0.1",
          spot_step="0.000001", leverage="100"),
    _Coin(name="ETH", usd=3_300.0, tick="0.01", step="0.01", spot_tick="0.01",
          spot_step="0.00001", leverage="100"),
    _Coin(name="SOL", usd=190.0, tick="0.010", step="0.1", spot_tick="0.01", spot_step="0.001",
          leverage="100"),
    _Coin(name="XRP", usd=2.4, tick="0.0001", step="0.1", spot_tick="0.0001", spot_step="0.01",
          leverage="75"),
    _Coin(name="DOGE", usd=0.32, tick="0.00001", step="1", spot_tick="0.00001", spot_step="0.1",
          leverage="75"),
    _Coin(name="ADA", usd=0.95, tick="0.0001", step="1", spot_tick="0.0001", spot_step="0.01"),
    _Coin(name="AVAX", usd=38.0, tick="0.001", step="0.1", spot_tick="0.01", spot_step="0.001"),
    _Coin(name="LINK", usd=21.0, tick="0.001", step="0.1", spot_tick="0.001", spot_step="0.001"),
    _Coin(name="LTC", usd=105.0, tick="0.01", step="0.1", spot_tick="0.01", spot_step="0.00001"),
    _Coin(name="BNB", usd=690.0, tick="0.10", step="0.01", spot_tick="0.1", spot_step="0.0001"),
    _Coin(name="DOT", usd=7.2, tick="0.0010", step="0.1", spot_tick="0.001", spot_step="0.001"),
    _Coin(name="SUI", usd=4.1, tick="0.0001", step="10", spot_tick="0.0001", spot_step="0.01"),
)  # fmt: skip
_BY_NAME = {coin.name: coin for coin in _COINS}
_STABLE = ("USDT", "USDC")

# Default number of symbols: the whole hand-made catalogue of each category.
_STRIKE_STEP = {"BTC": 2_000, "ETH": 100}
_STRIKES_EACH_SIDE = 2


def build(now_ms: int, counts: Mapping[str, int] | None = None) -> tuple[Instrument, ...]:
    """List all instruments as of `now_ms`, at most `counts[category]` of each category.

    Linear can be asked for more symbols than there are coins: the rest are `SIM001USDT` and on.
    Raises ValueError for a category that does not exist.
    """
    wanted = dict(counts or {})
    known = (*CATEGORIES, SPREAD)
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise ValueError(f"symbols: no category {unknown[0]!r}; there are {', '.join(known)}")
    listed: list[Instrument] = []
    for category, make in _MAKERS.items():
        limit = wanted.get(category)
        rows = list(make(now_ms, 0 if limit is None else limit))
        listed.extend(rows if limit is None else rows[:limit])
    return tuple(listed)


def usd_prices(instruments: tuple[Instrument, ...]) -> dict[str, float]:
    """Give the starting USD price of every coin that moves an instrument, and of wallet coins."""
    prices = {coin.name: coin.usd for coin in _COINS}
    for it in instruments:
        if it.reference not in prices:
            prices[it.reference] = _synthetic(it.reference).usd
    return prices


def _synthetic(name: str) -> _Coin:
    number = int(name.removeprefix("SIM"))
    usd = 0.5 + (number * 7919 % 997) / 10
    return _Coin(name=name, usd=usd, tick="0.0010", step="0.1", spot_tick="0.001",
                 spot_step="0.01")  # fmt: skip


def _spot(_now_ms: int, _limit: int) -> Iterator[Instrument]:
    pairs = [(coin, "USDT") for coin in _COINS]
    pairs += [(_BY_NAME[name], "USDC") for name in ("BTC", "ETH")]
    for number, (coin, quote) in enumerate(pairs, start=1):
        step = Decimal(coin.spot_step)
        most = _round_size(8_000_000 / coin.usd, step)
        yield Instrument(
            category="spot",
            symbol=coin.name + quote,
            symbol_id=number,
            contract="Spot",
            base=coin.name,
            quote=quote,
            settle=quote,
            reference=coin.name,
            tick=Decimal(coin.spot_tick),
            step=step,
            min_qty=max(step, _round_size(1 / coin.usd, step)),
            max_qty=most,
            max_market_qty=_round_size(float(most) / 2, step),
            min_value=Decimal("5"),
            band_x=Decimal("0.01"),
            band_y=Decimal("0.02"),
        )


def _linear(now_ms: int, limit: int) -> Iterator[Instrument]:
    number = 0

    def contract(coin: _Coin, symbol: str, kind: str, settle: str, delivery: int) -> Instrument:
        nonlocal number
        number += 1
        step = Decimal(coin.step)
        most = _round_size(50_000_000 / coin.usd, step)
        return Instrument(
            category="linear",
            symbol=symbol,
            symbol_id=number,
            contract=kind,
            base=coin.name,
            quote="USDT" if settle == "USDT" else "USD",
            settle=settle,
            reference=coin.name,
            tick=Decimal(coin.tick),
            step=step,
            min_qty=step,
            max_qty=most,
            max_market_qty=_round_size(float(most) / 5, step),
            min_value=Decimal("5"),
            max_leverage=Decimal(coin.leverage),
            delivery_ms=delivery,
        )

    btc, eth = _BY_NAME["BTC"], _BY_NAME["ETH"]
    expiry = _month_end(now_ms, 1)
    dated = _stamp(expiry, padded=True)
    ends = _ms(expiry)
    for coin in _COINS[:5]:
        yield contract(coin, coin.name + "USDT", "LinearPerpetual", "USDT", 0)
    yield contract(btc, "BTCPERP", "LinearPerpetual", "USDC", 0)
    yield contract(btc, f"BTCUSDT-{dated}", "LinearFutures", "USDT", ends)
    yield contract(btc, f"BTC-{dated}", "LinearFutures", "USDC", ends)
    yield contract(eth, "ETHPERP", "LinearPerpetual", "USDC", 0)
    yield contract(eth, f"ETHUSDT-{dated}", "LinearFutures", "USDT", ends)
    for coin in _COINS[5:]:
        yield contract(coin, coin.name + "USDT", "LinearPerpetual", "USDT", 0)
    for extra in range(1, limit - number + 1):
        coin = _synthetic(f"SIM{extra:03d}")
        yield contract(coin, coin.name + "USDT", "LinearPerpetual", "USDT", 0)


def _inverse(now_ms: int, _limit: int) -> Iterator[Instrument]:
    expiry = _quarter_end(now_ms)
    code = f"{_QUARTER_CODES[expiry.month]}{expiry:%y}"
    ticks = {"BTC": "0.50", "ETH": "0.05", "SOL": "0.010", "XRP": "0.0001"}
    rows = [("BTC", "", 0), ("ETH", "", 0), ("BTC", code, _ms(expiry)), ("ETH", code, _ms(expiry)),
            ("SOL", "", 0), ("XRP", "", 0)]  # fmt: skip
    for number, (name, suffix, delivery) in enumerate(rows, start=1):
        yield Instrument(
            category="inverse",
            symbol=f"{name}USD{suffix}",
            symbol_id=number,
            contract="InverseFutures" if suffix else "InversePerpetual",
            base=name,
            quote="USD",
            settle=name,
            reference=name,
            tick=Decimal(ticks[name]),
            step=Decimal("1"),
            min_qty=Decimal("1"),
            max_qty=Decimal("25000000"),
            max_market_qty=Decimal("5000000"),
            min_value=None,
            max_leverage=Decimal("100"),
            delivery_ms=delivery,
        )


def _option(now_ms: int, _limit: int) -> Iterator[Instrument]:
    number = 0
    expiries = sorted({_friday(now_ms), *(_month_end(now_ms, nth) for nth in (1, 2, 3))})[:3]
    for settle in _STABLE:
        suffix = "-USDT" if settle == "USDT" else ""
        for expiry in expiries:
            for name, step in _STRIKE_STEP.items():
                middle = round(_BY_NAME[name].usd / step)
                for nth in range(-_STRIKES_EACH_SIDE, _STRIKES_EACH_SIDE + 1):
                    for call in (True, False):
                        number += 1
                        strike = (middle + nth) * step
                        stem = f"{name}-{_stamp(expiry, padded=False)}-{strike}"
                        yield Instrument(
                            category="option",
                            symbol=f"{stem}-{'C' if call else 'P'}{suffix}",
                            symbol_id=number,
                            contract="Option",
                            base=name,
                            quote=settle,
                            settle=settle,
                            reference=name,
                            tick=Decimal("5") if name == "BTC" else Decimal("0.1"),
                            step=Decimal("0.01") if name == "BTC" else Decimal("0.1"),
                            min_qty=Decimal("0.01") if name == "BTC" else Decimal("0.1"),
                            max_qty=Decimal("500"),
                            max_market_qty=Decimal("500"),
                            min_value=None,
                            launch_ms=_ms(expiry) - 90 * _DAY_MS,
                            delivery_ms=_ms(expiry),
                            strike=Decimal(strike),
                            call=call,
                        )


def _spread(now_ms: int, _limit: int) -> Iterator[Instrument]:
    spot = {it.symbol: it for it in _spot(now_ms, 0)}
    linear = {it.symbol: it for it in _linear(now_ms, 0)}
    dated = {it.base: it for it in linear.values() if it.delivery_ms and it.settle == "USDT"}
    rows: list[tuple[str, Instrument, Instrument]] = []
    for name in ("BTC", "ETH", "SOL"):
        rows.append(("FundingRateArb", linear[f"{name}USDT"], spot[f"{name}USDT"]))
    for name in ("BTC", "ETH"):
        rows.append(("CarryTrade", dated[name], spot[f"{name}USDT"]))
        rows.append(("PerpBasis", dated[name], linear[f"{name}USDT"]))
    for number, (kind, first, second) in enumerate(rows, start=1):
        coin = _BY_NAME[first.base]
        other = f"{coin.name}/USDT" if second.category == "spot" else second.symbol
        yield Instrument(
            category=SPREAD,
            symbol=f"{first.symbol}_{other}",
            symbol_id=number,
            contract=kind,
            base=coin.name,
            quote="USDT",
            settle="USDT",
            reference=coin.name,
            tick=Decimal(coin.tick).normalize() / 10,
            step=first.step,
            min_qty=first.min_qty,
            max_qty=first.max_qty,
            max_market_qty=first.max_market_qty,
            min_value=None,
            delivery_ms=first.delivery_ms,
            legs=(first, second),
        )


_MAKERS = {
    "spot": _spot,
    "linear": _linear,
    "inverse": _inverse,
    "option": _option,
    SPREAD: _spread,
}


def _round_size(size: float, step: Decimal) -> Decimal:
    """Round to two leading digits on the grid: listed limits are round numbers."""
    two = Decimal(f"{size:.1e}")
    return max(step, (two // step) * step)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def _stamp(moment: datetime, *, padded: bool) -> str:
    day = f"{moment.day:02d}" if padded else str(moment.day)
    return f"{day}{moment:%b}{moment:%y}".upper()


def _listed_from(now_ms: int) -> datetime:
    return datetime.fromtimestamp(now_ms / 1000, UTC) + _LEAST_LIFE


def _friday(now_ms: int) -> datetime:
    """Find the first Friday, 08:00 UTC, that is far enough away."""
    day = _listed_from(now_ms)
    friday = day + timedelta(days=(4 - day.weekday()) % 7)
    friday = friday.replace(hour=8, minute=0, second=0, microsecond=0)
    return friday if friday >= day else friday + timedelta(days=7)


def _last_friday(year: int, month: int) -> datetime:
    year, month = year + month // 12, month % 12 + 1
    day = datetime(year, month, 1, 8, tzinfo=UTC) - timedelta(days=1)
    return day - timedelta(days=(day.weekday() - 4) % 7)


def _month_end(now_ms: int, nth: int) -> datetime:
    """Find the nth last-Friday-of-a-month that is far enough away."""
    start = _listed_from(now_ms)
    year, month = start.year, start.month
    while True:
        expiry = _last_friday(year, month)
        if expiry >= start:
            nth -= 1
            if nth == 0:
                return expiry
        year, month = year + month // 12, month % 12 + 1


def _quarter_end(now_ms: int) -> datetime:
    nth = 1
    while (expiry := _month_end(now_ms, nth)).month not in _QUARTER_CODES:
        nth += 1
    return expiry
