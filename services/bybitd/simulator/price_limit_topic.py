"""`priceLimit.{symbol}` (Bybit V5, Order Price Limit)."""

from typing import Any

from bybitd.simulator.channel import Channel, Envelope
from bybitd.simulator.market import Market
from bybitd.simulator.price_band import price_band

_PERIOD_MS = 300


class PriceLimitTopic(Channel):
    """The limit-price band of one symbol, whole, each time it has moved."""

    def __init__(self, category: str, topic: str, market: Market) -> None:
        super().__init__(category, topic, (market,))
        self._market = market
        self._sent: dict[str, Any] = {}
        self._looked_ms = 0

    def initial(self, now_ms: int) -> Envelope:
        if not self._sent:
            self._look(now_ms)
        return self._envelope(now_ms)

    def poll(self, now_ms: int) -> list[Envelope]:
        if self._sent and now_ms < self.due_ms():
            return []
        before = self._sent
        self._look(now_ms)
        return [self._envelope(now_ms)] if before and self._sent != before else []

    def due_ms(self) -> float:
        return self._looked_ms + _PERIOD_MS

    def _look(self, now_ms: int) -> None:
        self._sent = limit_texts(self._market, now_ms)
        self._looked_ms = now_ms

    def _envelope(self, now_ms: int) -> Envelope:
        return {"topic": self.topic, "data": dict(self._sent), "ts": now_ms}


def limit_texts(market: Market, now_ms: int) -> dict[str, Any]:
    """Write the band as the topic and REST do."""
    it = market.instrument
    band = price_band(market, now_ms)
    return {
        "symbol": it.symbol,
        "buyLmt": it.price.text(band.highest_buy),
        "sellLmt": it.price.text(band.lowest_sell),
    }
