"""One topic of the exchange as this process carries it: its state, how well it is, when to ask.

Pure. `ipc/PROTOCOL.md`, "Feed state".
"""

from __future__ import annotations

import sys
from typing import Any, Final

from bybitd.public_feed.derived.view import View
from bybitd.public_feed.published import Fill, FillState, Health, Published
from bybitd.venue.klines import KlineRecord
from bybitd.venue.state import state_for
from bybitd.venue.topics import Kind, Topic
from bybitd.venue.trades import TradeTape

ANSWER_MS: Final = 10_000  # a book or ticker begins with a snapshot, at once
_MOST_ANSWER_MS: Final = 300_000
_FIRST_PAUSE_MS: Final = 500
_MOST_PAUSE_MS: Final = 30_000
_CALM_MS: Final = 60_000  # without a break for so long, the next one is again the first
NEVER: Final = sys.maxsize
_BEGINS_WITH_SNAPSHOT: Final = frozenset({Kind.BOOK, Kind.RPI_BOOK, Kind.TICKERS})


class Channel(Published):
    """One topic of the exchange. Times in ms are monotonic, those in ns are Unix time.

    `apply` is that of its state; `fresh_ms` is when the last message that could be published came,
    `rx_ns` its stamp. `retry_ms` is when the exchange is to be asked again if the topic is not live
    by then. `views` are the derived topics that follow it. `acknowledged`: what happens now comes.
    `mendable` is the state of a topic whose holes can be filled over REST.
    """

    __slots__ = (
        "_asked_ms",
        "_broken_ms",
        "_pause_ms",
        "_snapshot_first",
        "_wait_ms",
        "acknowledged",
        "apply",
        "fresh_ms",
        "kind",
        "mendable",
        "retry_ms",
        "silence_ms",
        "state",
        "views",
    )

    def __init__(self, topic: Topic, now_ns: int) -> None:
        super().__init__(topic.stream, topic.name, topic.behaviour.has_state, now_ns)
        self.kind = topic.kind
        self.state = state_for(topic)
        self.apply = self.state.apply
        self.silence_ms = topic.behaviour.silence_ms or NEVER
        self.views: tuple[View, ...] = ()
        state = self.state
        self.mendable = state if isinstance(state, TradeTape | KlineRecord) else None
        self.acknowledged = False
        self.fresh_ms = 0
        self.retry_ms = NEVER
        self._snapshot_first = topic.kind in _BEGINS_WITH_SNAPSHOT
        self._asked_ms = 0
        self._broken_ms = -_CALM_MS
        self._pause_ms = 0
        self._wait_ms = ANSWER_MS

    def message(self) -> dict[str, Any] | None:
        """Return the state as one message, None while there is none."""
        return self.state.message()

    def turn(self, health: Health, reason: str, now_ns: int) -> bool:
        """Note how the topic is. What may be missed from now on will have to be filled."""
        if health is not Health.LIVE and self.mendable is not None:
            if self.health is Health.LIVE:
                self.mendable.interrupt()
            if (hole_ms := self.mendable.hole_ms) is not None:
                self.fill = Fill(FillState.PENDING, hole_ms)
        return super().turn(health, reason, now_ns)

    def asked(self, now_ms: int) -> None:
        """Note that the exchange was asked for the topic; each wait for an answer is longer."""
        self._asked_ms = now_ms
        self.acknowledged = False
        if self._snapshot_first:
            self.retry_ms = now_ms + self._wait_ms
            self._wait_ms = min(_MOST_ANSWER_MS, 2 * self._wait_ms)
        else:
            self.retry_ms = NEVER

    def answered(self) -> None:
        """Note that the topic flows."""
        self.retry_ms = NEVER
        self._wait_ms = ANSWER_MS

    def broke(self, now_ms: int) -> None:
        """Note that a message broke a rule. The first time the exchange may be asked at once;
        a topic that breaks again and again is asked for less and less often.
        """
        if self.kind is Kind.FULL_BOOK:
            return  # its deltas go on; what is asked anew is the book over REST
        if now_ms - self._broken_ms >= _CALM_MS:
            self._pause_ms = 0
        self._broken_ms = now_ms
        self.retry_ms = max(now_ms, self._asked_ms + self._pause_ms)
        self._pause_ms = min(_MOST_PAUSE_MS, max(_FIRST_PAUSE_MS, 2 * self._pause_ms))

    def lost(self) -> None:
        """Forget the state: the connection that carried it has gone."""
        self.state.drop()
        self.acknowledged = False
        self.retry_ms = NEVER
        self._wait_ms = ANSWER_MS
