"""Candles: the newest state of the newest one, and the end of each, once. Pure.

A candle's last message (`confirm`) is what users wait for, so it is published also where another
lane has begun the next candle already; all else that is late is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bybitd.public_feed.merging.copies import Arrived, Copies, Message

_RECENT: Final = 16  # so many ended candles are known again


class Candles(Copies):
    """One `kline` topic."""

    __slots__ = ("_ended", "_last")

    def __init__(self) -> None:
        super().__init__()
        self._ended: dict[int, None] = {}
        self._last = (-1, -1, -1)  # start, ts and time of the last trade

    def offer(self, lane: int, message: Message, rx_ns: int, now_ms: int) -> Sequence[Arrived]:
        """Take one message; see `Copies`."""
        candle, ts = message["data"][-1], message["ts"]
        start, ends = candle["start"], candle["confirm"]
        place = (start, ts, candle["timestamp"])
        self._carrying.add(lane)
        if start in self._ended or (place <= self._last and not ends):
            return ()
        if len(self._ended) == _RECENT and start < next(iter(self._ended)):
            return ()  # from before what is remembered
        self._last = max(place, self._last)
        if ends:
            self._ended[start] = None
            if len(self._ended) > _RECENT:
                del self._ended[next(iter(self._ended))]
        return (Arrived(message, rx_ns),)
