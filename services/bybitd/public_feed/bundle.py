"""Several connections to the exchange that carry the same topics, so that each may be lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from bybitd.net.connection import Reactor
from bybitd.public_feed.channel import Channel
from bybitd.public_feed.lanes import Lanes
from bybitd.public_feed.pipeline import Pipeline
from bybitd.public_feed.upstream import Taker, Upstream, monotonic_ms
from bybitd.venue.session import Session

QUICK_AFTER_S: Final = 0.5  # a lane that lived this long is made again without a growing delay
_START_GAP_S: Final = 0.1

NewLine = Callable[[int, Taker], Upstream]


class Bundle:
    """A carrier (see `feed`) of `count` connections. `new_line(lane, taker)` makes each; they are
    made one after another, and share nothing but the address.
    """

    def __init__(
        self,
        category: str,
        count: int,
        reactor: Reactor,
        pipeline: Pipeline,
        channels: dict[str, Channel],
        new_line: NewLine,
    ) -> None:
        self.desired: dict[str, None] = {}
        self._reactor = reactor
        self._closed = False
        self._lanes = Lanes(category, count, pipeline, channels, self._ask_lane_again)
        self.lines = tuple(new_line(lane, Lane(self._lanes, lane)) for lane in range(count))

    @property
    def live(self) -> bool:
        """Whether topics can be asked for on one of them at least."""
        return any(line.live for line in self.lines)

    @property
    def reason(self) -> str:
        """Why not."""
        return "" if self.live else self.lines[0].reason

    def start(self) -> None:
        """Begin to connect."""
        for number, line in enumerate(self.lines):
            self._reactor.call_later(number * _START_GAP_S, partial(self._start, line))

    def close(self) -> None:
        """End for good."""
        self._closed = True
        for line in self.lines:
            line.close()

    def has_room(self, name: str) -> bool:
        """Tell whether each of them may carry this topic too."""
        return all(line.has_room(name) for line in self.lines)

    def add(self, name: str) -> None:
        """Carry a topic from now on."""
        self.desired[name] = None
        self._lanes.add(name)
        for line in self.lines:
            line.add(name)

    def remove(self, name: str) -> None:
        """Carry a topic no longer."""
        self.desired.pop(name, None)
        self._lanes.remove(name)
        for line in self.lines:
            line.remove(name)

    def ask_again(self, name: str, now_ms: int) -> None:
        """Have the exchange begin a topic anew on all of them."""
        for line in self.lines:
            line.ask_again(name, now_ms)

    def beat(self, now_ms: int) -> None:
        """Let deadlines pass."""
        for line in self.lines:
            line.beat(now_ms)
        self._lanes.beat(now_ms, time.time_ns())

    def _start(self, line: Upstream) -> None:
        if not self._closed:
            line.start()

    def _ask_lane_again(self, lane: int, name: str, now_ms: int) -> None:
        self.lines[lane].ask_again(name, now_ms)


class Lane:
    """Hands what one connection of a bundle brings to where it is put together."""

    def __init__(self, lanes: Lanes, number: int) -> None:
        self._lanes = lanes
        self._number = number

    def asked(self, names: Iterable[str], now_ms: int) -> None:
        """Note that the exchange was asked for these topics."""
        self._lanes.asked(self._number, names, now_ms, time.time_ns())

    def acknowledged(self, name: str, proved: bool) -> None:
        """Note that the exchange took the request for a topic; `proved`: that it serves it."""
        self._lanes.acknowledged(self._number, name, proved)

    def take(self, session: Session, payloads: list[bytes], rx_ns: int, now_ms: int) -> None:
        """Take what one read brought."""
        self._lanes.take(self._number, session, payloads, rx_ns, now_ms)

    def bad_frame(self, reason: str, excerpt: str, now_ns: int) -> None:
        """Take a frame that could not be understood."""
        self._lanes.pipeline.bad_frame(reason, excerpt, now_ns)

    def lost(self, names: Iterable[str], reason: str, now_ns: int) -> None:
        """Note that the connection is gone."""
        self._lanes.lost(self._number, names, reason, monotonic_ms(), now_ns)
