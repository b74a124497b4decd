"""The catalogue of public topics: a table from the kind of a topic to what makes its channel.

A new kind of topic is one more row here and one more Channel.
"""

from collections.abc import Callable

from bybitd.simulator.book_topic import OPTION_PERIODS, PERIODS, BookTopic
from bybitd.simulator.candles import INTERVALS
from bybitd.simulator.channel import Channel
from bybitd.simulator.kline_topic import KlineTopic
from bybitd.simulator.markets import Markets
from bybitd.simulator.refusal import UnknownTopic
from bybitd.simulator.ticker_topic import TickerTopic
from bybitd.simulator.trade_topic import TradeTopic

# category, whole topic, the tokens after its first, markets; None when there is no such topic
_Maker = Callable[[str, str, list[str], Markets], Channel | None]


def make_channel(category: str, topic: str, markets: Markets) -> Channel:
    """Make the channel of a topic. Raises UnknownTopic."""
    kind, *rest = topic.split(".")
    maker = _MAKERS.get(kind)
    channel = maker(category, topic, rest, markets) if maker else None
    if channel is None:
        raise UnknownTopic(category, topic)
    return channel


def _book(category: str, topic: str, rest: list[str], markets: Markets) -> Channel | None:
    depths = OPTION_PERIODS if category == "option" else PERIODS
    match rest:
        case [depth, symbol] if depth in map(str, depths):
            market = markets.find(category, symbol)
            return BookTopic(category, topic, market, int(depth)) if market else None
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
        case [interval, symbol] if category != "option" and interval in INTERVALS:
            market = markets.find(category, symbol)
            return KlineTopic(category, topic, market, interval) if market else None
    return None


_MAKERS: dict[str, _Maker] = {
    "orderbook": _book,
    "publicTrade": _trades,
    "tickers": _ticker,
    "kline": _kline,
}
