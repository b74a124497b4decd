"""The public topics that are open, and the messages that they have made."""

from collections.abc import Iterator

from bybitd.simulator.book_topic import BookTopic
from bybitd.simulator.channel import Channel, Envelope
from bybitd.simulator.market import Market
from bybitd.simulator.markets import Markets
from bybitd.simulator.refusal import UnknownTopic
from bybitd.simulator.topics import make_channel


class OpenTopics:
    """Channels by (category, topic) and by market."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._channels: dict[tuple[str, str], Channel] = {}
        self._by_market: dict[Market, list[Channel]] = {}
        self._made: list[tuple[str, str, Envelope]] = []

    def open(self, category: str, topic: str) -> tuple[Market, ...]:
        """Open a topic unless it is open; return the markets that it needs."""
        if (category, topic) in self._channels:
            return ()
        channel = make_channel(category, topic, self._markets)
        self._channels[category, topic] = channel
        for market in channel.markets:
            self._by_market.setdefault(market, []).append(channel)
        return channel.markets

    def close(self, category: str, topic: str) -> None:
        channel = self._channels.pop((category, topic), None)
        if channel is None:
            return
        channel.close()
        for market in channel.markets:
            self._by_market[market].remove(channel)
            if not self._by_market[market]:
                del self._by_market[market]

    def channel(self, category: str, topic: str) -> Channel:
        """Give an open channel. Raises UnknownTopic."""
        try:
            return self._channels[category, topic]
        except KeyError:
            raise UnknownTopic(category, topic) from None

    def book(self, category: str, topic: str) -> BookTopic:
        """Give an open order book channel. Raises UnknownTopic."""
        channel = self.channel(category, topic)
        if not isinstance(channel, BookTopic):
            raise UnknownTopic(category, topic)
        return channel

    def books(self, market: Market) -> Iterator[BookTopic]:
        """Walk the open order book channels of a market."""
        for channel in self._by_market.get(market, ()):
            if isinstance(channel, BookTopic):
                yield channel

    def rendered(self, category: str, topic: str) -> bool:
        """Tell whether subscribers hold a state of this order book topic."""
        channel = self._channels.get((category, topic))
        return isinstance(channel, BookTopic) and channel.begun

    def listened(self, market: Market) -> bool:
        return market in self._by_market

    def poll(self, market: Market, now_ms: int) -> None:
        """Let the channels of a market make what is due."""
        for channel in self._by_market.get(market, ()):
            for envelope in channel.poll(now_ms):
                self._made.append((channel.category, channel.topic, envelope))

    def add(self, channel: Channel, envelope: Envelope) -> None:
        self._made.append((channel.category, channel.topic, envelope))

    def due_ms(self, market: Market) -> float:
        """Tell when the next channel of a market wants to be polled."""
        channels = self._by_market.get(market, ())
        return min((channel.due_ms() for channel in channels), default=float("inf"))

    def take(self) -> list[tuple[str, str, Envelope]]:
        """Hand over (category, topic, envelope) of what was made, in order."""
        made, self._made = self._made, []
        return made
