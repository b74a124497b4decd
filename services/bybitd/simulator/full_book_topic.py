"""`orderbook.full.{symbol}`: deltas of nearly the whole book (Bybit V5, Full Orderbook).

There is no snapshot: a subscriber starts from `/v5/market/full_orderbook`, whose `u` and `seq` are
those of the last delta. A restart is an empty delta with `u` = 1, which sends it there again.
"""

from bybitd.simulator.book_topic import BookTopic
from bybitd.simulator.channel import Envelope
from bybitd.simulator.market import Market

LEVELS = 10_000
_PERIOD_MS = 200


class FullBookTopic(BookTopic):
    """The full book of one symbol."""

    def __init__(self, category: str, topic: str, market: Market) -> None:
        super().__init__(category, topic, market, market.view(LEVELS), period_ms=_PERIOD_MS)

    def initial(self, now_ms: int) -> None:
        self._begin(now_ms)

    def restart(self, now_ms: int) -> Envelope:
        super().restart(now_ms)
        return self._envelope("delta", [], [], now_ms)
