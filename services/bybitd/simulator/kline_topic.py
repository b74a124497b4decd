"""`kline.{interval}.{symbol}`: the running candle, and its close (Bybit V5, Kline)."""

from bybitd.simulator.channel import Channel, Envelope
from bybitd.simulator.market import Market
from bybitd.simulator.market_rows import candle_texts
from bybitd.venue.intervals import candle_end, candle_start

_PERIOD_MS = 1_000
_QUIET_MS = 60_000


class KlineTopic(Channel):
    """One interval of one symbol: once a second while it trades, once a minute while it does not.

    The close is sent with `confirm` true as soon as the interval is over.
    """

    def __init__(self, category: str, topic: str, market: Market, interval: str) -> None:
        super().__init__(category, topic, (market,))
        self._market = market
        self._interval = interval
        self._start_ms = -1
        self._end_ms = 0
        self._pushed_ms = 0
        self._pushed_lots = 0

    def initial(self, now_ms: int) -> Envelope:
        self._begin(now_ms)
        return self._envelope(now_ms, confirm=False)

    def poll(self, now_ms: int) -> list[Envelope]:
        self._begin(now_ms)
        messages = []
        while now_ms >= self._end_ms:
            messages.append(self._envelope(now_ms, confirm=True))
            self._start_ms = self._end_ms
            self._end_ms = candle_end(self._interval, self._start_ms)
        if now_ms >= self._push_due_ms():
            self._pushed_ms = now_ms
            self._pushed_lots = self._market.traded_lots
            messages.append(self._envelope(now_ms, confirm=False))
        return messages

    def due_ms(self) -> float:
        return min(self._end_ms, self._push_due_ms())

    def _push_due_ms(self) -> int:
        traded = self._market.traded_lots != self._pushed_lots
        return self._pushed_ms + (_PERIOD_MS if traded else _QUIET_MS)

    def _begin(self, now_ms: int) -> None:
        if self._start_ms < 0:
            self._start_ms = candle_start(self._interval, now_ms)
            self._end_ms = candle_end(self._interval, self._start_ms)
            self._pushed_ms = now_ms
            self._pushed_lots = self._market.traded_lots

    def _envelope(self, now_ms: int, *, confirm: bool) -> Envelope:
        candle = self._market.candles.candle(self._interval, self._start_ms, now_ms)
        texts = candle_texts(self._market.instrument, candle)
        return {
            "topic": self.topic,
            "data": [
                {
                    "start": self._start_ms,
                    "end": self._end_ms - 1,
                    "interval": self._interval,
                    "open": texts[0],
                    "close": texts[3],
                    "high": texts[1],
                    "low": texts[2],
                    "volume": texts[4],
                    "turnover": texts[5],
                    "confirm": confirm,
                    "timestamp": min(candle.last_ms, now_ms),
                }
            ],
            "ts": now_ms,
            "type": "snapshot",
        }
