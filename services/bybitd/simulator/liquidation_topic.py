"""`allLiquidation.{symbol}` (Bybit V5, All Liquidation)."""

from bybitd.simulator.channel import NEVER, Channel, Envelope
from bybitd.simulator.liquidations import Liquidations
from bybitd.simulator.market import Market, side_name

_PERIOD_MS = 500


class LiquidationTopic(Channel):
    """The liquidations of one symbol: those of half a second together, nothing when none was."""

    def __init__(self, category: str, topic: str, market: Market) -> None:
        super().__init__(category, topic, (market,))
        self._market = market
        self._source: Liquidations | None = None
        self._pushed_ms = 0

    def initial(self, now_ms: int) -> None:
        self._begin(now_ms)

    def poll(self, now_ms: int) -> list[Envelope]:
        source = self._begin(now_ms)
        if now_ms < max(source.next_ms, self._pushed_ms + _PERIOD_MS):
            return []
        it = self._market.instrument
        rows = [
            {
                "T": one.at_ms,
                "s": it.symbol,
                "S": side_name(one.side),
                "v": it.size.text(one.lots),
                "p": it.price.text(one.tick),
            }
            for one in source.take(now_ms)
        ]
        if not rows:
            return []
        self._pushed_ms = now_ms
        return [{"topic": self.topic, "type": "snapshot", "ts": now_ms, "data": rows}]

    def due_ms(self) -> float:
        if self._source is None:
            return NEVER
        return max(self._source.next_ms, self._pushed_ms + _PERIOD_MS)

    def _begin(self, now_ms: int) -> Liquidations:
        if self._source is None:
            self._source = Liquidations(self._market, now_ms)
        return self._source
