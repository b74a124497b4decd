"""`tickers.{symbol}`: snapshot and deltas on contracts, snapshots elsewhere (Bybit V5, Ticker)."""

from bybitd.simulator.channel import Channel, Envelope
from bybitd.simulator.market import Market
from bybitd.simulator.tickers import Record, TickerSource

# Marks, indices and greeks move with the time alone, once a second: then a quiet ticker is looked
# at, so that none of their values is passed over.
_SECOND_MS = 1_000


class TickerTopic(Channel):
    """The ticker of one symbol, sent on change and at most once per period."""

    def __init__(self, category: str, topic: str, market: Market) -> None:
        super().__init__(category, topic, (market,))
        self._market = market
        self._source = TickerSource(market)
        self._deltas = category in ("linear", "inverse")
        self._period_ms = 50 if category == "spot" else 100
        self._sent: Record = {}
        self._version = -1
        self._looked_ms = 0

    def initial(self, now_ms: int) -> Envelope:
        if not self._sent:
            self._look(now_ms)
        return self._envelope("snapshot", self._sent, now_ms)

    def poll(self, now_ms: int) -> list[Envelope]:
        if not self._sent:
            self._look(now_ms)
            return []
        if now_ms < self.due_ms():
            return []
        before = self._sent
        self._look(now_ms)
        if self._sent == before:
            return []
        if not self._deltas:
            return [self._envelope("snapshot", self._sent, now_ms)]
        changed = {key: text for key, text in self._sent.items() if before.get(key) != text}
        symbol = self._market.instrument.symbol
        return [self._envelope("delta", {"symbol": symbol} | changed, now_ms)]

    def due_ms(self) -> float:
        soonest_ms = self._looked_ms + self._period_ms
        if self._version != self._market.book.version:
            return soonest_ms
        return max(soonest_ms, (self._looked_ms // _SECOND_MS + 1) * _SECOND_MS)

    def _look(self, now_ms: int) -> None:
        self._sent = self._source.record(now_ms)
        self._version = self._market.book.version
        self._looked_ms = now_ms

    def _envelope(self, kind: str, data: Record, now_ms: int) -> Envelope:
        seq = self._market.seq
        data = dict(data)
        match self.category:
            case "spot":
                return {"topic": self.topic, "ts": now_ms, "type": kind, "cs": seq, "data": data}
            case "spread":
                return {"topic": self.topic, "ts": now_ms, "type": kind, "data": data}
            case "option":
                return self.option_id(seq, now_ms) | {
                    "topic": self.topic, "ts": now_ms, "data": data, "type": kind,
                }  # fmt: skip
            case _:
                return {"topic": self.topic, "type": kind, "data": data, "cs": seq, "ts": now_ms}
