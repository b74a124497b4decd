"""`markPrice.<interval>.<symbol>.`, `indexPrice.<interval>.<symbol>.`: candles of a price that the
ticker carries, begun with a row that was fetched over REST. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bybitd.public_feed.derived.candle_series import CandleSeries, Row
from bybitd.public_feed.derived.catalogue import DerivedKind, DerivedTopic
from bybitd.venue.state import TopicState

_PATHS: Final = {
    DerivedKind.MARK_PRICE: "/v5/market/mark-price-kline",
    DerivedKind.INDEX_PRICE: "/v5/market/index-price-kline",
}
_MOST: Final = {"option": 500}
_NOT_FETCHED: Final = "its running candle has not been fetched yet"


class PriceCandles:
    """Follows the kept ticker of one symbol. `lacks` says why nothing can be told yet, else ""."""

    __slots__ = ("_field", "_path", "_topic", "lacks", "series")

    def __init__(self, topic: DerivedTopic) -> None:
        self.series = CandleSeries(topic.parameter)
        self.lacks = _NOT_FETCHED
        self._topic = topic
        self._field = str(topic.kind)  # the exchange's key has the name of our topic
        self._path = _PATHS[topic.kind]

    def after(self, source: TopicState, message: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return the candles that a message of the ticker changes or closes.

        Raises:
            LookupError, TypeError: the message has no price, or no time.
        """
        if message is None or (self.series.idle and message["type"] == "delta"):
            message = source.message()  # a delta need not have the price
        if message is None:
            return []
        data, ts_ms = message["data"], message["ts"]
        price = data.get(self._field)
        if price is None and message["type"] != "delta":
            raise LookupError(self._field)
        if not isinstance(ts_ms, int):
            raise TypeError("ts must be a whole number")
        if price == "":
            self.forget()
            self.lacks = f"the ticker has no {self._field} now"
            return []
        rows = self.series.tick(ts_ms, price)
        self._judge()
        return [self._body(row, ts_ms) for row in rows]

    def whole(self, source: object) -> dict[str, Any] | None:
        """Return the running candle, None while it can not be vouched for."""
        row = self.series.row()
        return None if row is None else self._body(row, row["timestamp"])

    def forget(self) -> None:
        """Note that messages of the ticker are being missed."""
        self.series.forget()
        self._judge()

    def request(self, silent_ms: int) -> tuple[str, dict[str, str]] | None:
        """Return what the exchange is to be asked now (path and parameters), None for nothing.
        `silent_ms` is how long ago the last message of the ticker came.
        """
        count = self.series.wanted(silent_ms)
        if not count:
            return None
        topic = self._topic
        return self._path, {
            "category": topic.stream,
            "symbol": topic.subject,
            "interval": topic.parameter,
            "limit": str(min(count, _MOST.get(topic.stream, 1_000))),
        }

    def supply(
        self, result: Mapping[str, Any], time_ms: int
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Take the answer to `request`, as of `time_ms` (Unix ms, the exchange's); return the
        messages that make good what was missed, and those that go on with them.

        Raises:
            LookupError, TypeError, ValueError: it has not the shape that it must have.
        """
        answer: Iterable[Sequence[str]] = result["list"]
        missed, rows = self.series.supply(answer, time_ms)
        self._judge()
        filled = [{**self._body(row, time_ms), "filled": True} for row in missed]
        return filled, [self._body(row, time_ms) for row in rows]

    def failed(self, problem: str) -> None:
        """Note why the exchange's rows do not come."""
        if not self.series.whole:
            self.lacks = f"its running candle can not be fetched: {problem}"

    def _judge(self) -> None:
        if self.series.whole:
            self.lacks = ""
        elif not self.lacks:
            self.lacks = _NOT_FETCHED

    def _body(self, row: Row, ts_ms: int) -> dict[str, Any]:
        return {"topic": self._topic.name, "type": "snapshot", "ts": ts_ms, "data": [row]}
