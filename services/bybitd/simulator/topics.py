"""The catalogue of public topics: a table from the kind of a topic to what makes its channel.

A new kind of topic is one more row here and one more Channel.
"""

from collections.abc import Callable

from bybitd.simulator.book_topic import PERIODS, RPI_PERIOD_MS, BookTopic
from bybitd.simulator.channel import Channel
from bybitd.simulator.full_book_topic import FullBookTopic
from bybitd.simulator.kline_topic import KlineTopic
from bybitd.simulator.liquidation_topic import LiquidationTopic
from bybitd.simulator.markets import Markets
from bybitd.simulator.pool_topics import AdlTopic, InsuranceTopic
from bybitd.simulator.pools import GROUPS
from bybitd.simulator.price_limit_topic import PriceLimitTopic
from bybitd.simulator.refusal import UnknownTopic
from bybitd.simulator.ticker_topic import TickerTopic
from bybitd.simulator.trade_topic import TradeTopic
from bybitd.venue.enums import KLINE_INTERVALS

# category, whole topic, the tokens after its first, markets; None when there is no such topic
_Maker = Callable[[str, str, list[str], Markets], Channel | None]


# Not of these: whole and RPI books, candles, price limits.
_PLAIN = ("option", "spread")


def make_channel(category: str, topic: str, markets: Markets) -> Channel:
    """Make the channel of a topic. Raises UnknownTopic."""
    kind, *rest = topic.split(".")
    maker = _MAKERS.get(kind)
    channel = maker(category, topic, rest, markets) if maker else None
    if channel is None:
        raise UnknownTopic(category, topic)
    return channel


def _book(category: str, topic: str, rest: list[str], markets: Markets) -> Channel | None:
    periods = PERIODS.get(category, {})
    match rest:
        case [kind, symbol] if market := markets.find(category, symbol):
            if kind == "full" and category not in _PLAIN:
                return FullBookTopic(category, topic, market)
            if kind == "rpi" and category not in _PLAIN:
                view, period_ms = market.rpi_view(), RPI_PERIOD_MS
            elif kind in map(str, periods):
                view, period_ms = market.view(int(kind)), periods[int(kind)]
            else:
                return None
            return BookTopic(category, topic, market, view, period_ms=period_ms, whole=kind == "1")
    return None


def _trades(category: str, topic: str, rest: list[str], markets: Markets) -> Channel | None:
    match rest:
        case [coin] if category == "option":
            chosen = markets.of_base(category, coin)
            return TradeTopic(category, topic, chosen) if chosen else None
        case [symbol]:
            market = markets.find(category, symbol)
            return TradeTopic(category, topic, (market,)) if market else None
    return None


def _ticker(category: str, topic: str, rest: list[str], markets: Markets) -> Channel | None:
    match rest:
        case [symbol] if market := markets.find(category, symbol):
            return TickerTopic(category, topic, market)
    return None


def _kline(category: str, topic: str, rest: list[str], markets: Markets) -> Channel | None:
    match rest:
        case [interval, symbol] if category not in _PLAIN and interval in KLINE_INTERVALS:
            market = markets.find(category, symbol)
            return KlineTopic(category, topic, market, interval) if market else None
    return None


def _price_limit(category: str, topic: str, rest: list[str], markets: Markets) -> Channel | None:
    match rest:
        case [symbol] if category not in _PLAIN:
            market = markets.find(category, symbol)
            return PriceLimitTopic(category, topic, market) if market else None
    return None


def _liquidations(category: str, topic: str, rest: list[str], markets: Markets) -> Channel | None:
    match rest:
        case [symbol] if category in ("linear", "inverse"):
            market = markets.find(category, symbol)
            return LiquidationTopic(category, topic, market) if market else None
    return None


def _pools(category: str, topic: str, rest: list[str], markets: Markets) -> Channel | None:
    match rest:
        case [group] if group in GROUPS.get(category, ()):
            clock = markets.of(next(iter(markets.instruments[category].values())))
            pools = tuple(pool for pool in markets.pools if pool.group == group)
            made = InsuranceTopic if topic.startswith("insurance") else AdlTopic
            return made(category, topic, clock, pools)
    return None


_MAKERS: dict[str, _Maker] = {
    "orderbook": _book,
    "publicTrade": _trades,
    "tickers": _ticker,
    "kline": _kline,
    "priceLimit": _price_limit,
    "allLiquidation": _liquidations,
    "insurance": _pools,
    "adlAlert": _pools,
}
