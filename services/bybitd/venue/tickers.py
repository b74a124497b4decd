"""The kept record of `tickers.<symbol>` where deltas exist: linear and inverse (Bybit V5,
"Ticker").

In a delta an absent field is unchanged, and `""` is a value: "none". There is no update id; `cs`,
the cross sequence, only rises, and a delta with a lower one is late.
"""

from __future__ import annotations

from typing import Any

from bybitd.venue.outcome import APPLIED, DUPLICATE, WAITING, Outcome, malformed


class TickerRecord:
    """The merged ticker of one symbol."""

    __slots__ = ("_cs", "_data", "_topic", "_ts")

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._data: dict[str, Any] | None = None
        self._cs = 0
        self._ts = 0

    def drop(self) -> None:
        """Forget the record: after a disconnect."""
        self._data = None

    @property
    def data(self) -> dict[str, Any] | None:
        """All fields of the record, None before the first snapshot. Do not change it."""
        return self._data

    def apply(self, message: dict[str, Any]) -> Outcome:
        """Merge one message of the topic. Never raises."""
        try:
            fields = message["data"]
            cs = message["cs"]
            if not isinstance(fields, dict) or not isinstance(cs, int):
                return self._malformed("data must be a map and cs a whole number")
            if message["type"] == "delta":
                if self._data is None:
                    return WAITING
                if cs < self._cs:
                    return DUPLICATE
                self._data.update(fields)
            else:
                self._data = dict(fields)
            self._cs = cs
            self._ts = message["ts"]
        except (LookupError, TypeError) as error:
            return self._malformed(error)
        return APPLIED

    def message(self) -> dict[str, Any] | None:
        """Return the full record as the snapshot message of its topic, None while there is none."""
        if self._data is None:
            return None
        return {
            "topic": self._topic,
            "type": "snapshot",
            "data": dict(self._data),
            "cs": self._cs,
            "ts": self._ts,
        }

    def _malformed(self, error: BaseException | str) -> Outcome:
        self.drop()
        return malformed(error)
