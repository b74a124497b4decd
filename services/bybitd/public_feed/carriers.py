"""Makes the connections of one feed, single ones or bundles of several that carry the same."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from string import ascii_lowercase

from bybitd.net.backoff import STABLE_S, Connects, staggered
from bybitd.net.connection import Address, Reactor
from bybitd.public_feed.bundle import QUICK_AFTER_S, Bundle
from bybitd.public_feed.feed import Carrier, Feed
from bybitd.public_feed.upstream import Taker, Upstream, monotonic_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Carriers:
    """Makes carriers. `redundancy` is the number of connections that each consists of, `budget`
    what they all share; `changed(feed)` is called when one of them came or went.
    """

    category: str
    redundancy: int
    reactor: Reactor
    locate: Callable[[], Address | None]
    budget: Connects
    changed: Callable[[Feed], None]

    def new(self, number: int, feed: Feed) -> Carrier:
        """Make the carrier of this number, from 0."""
        name, count = f"public-{self.category}-{number}", self.redundancy
        if count == 1:
            return self._line(name, feed, feed.pipeline)

        def new_line(lane: int, taker: Taker) -> Upstream:
            uniform = staggered(random.uniform, lane, count)
            lettered = f"{name}{ascii_lowercase[lane]}"
            return self._line(lettered, feed, taker, QUICK_AFTER_S, uniform)

        reactor, pipeline, channels = self.reactor, feed.pipeline, feed.channels
        return Bundle(self.category, count, reactor, pipeline, channels, new_line)

    def _line(
        self,
        name: str,
        feed: Feed,
        taker: Taker,
        quick_after_s: float = STABLE_S,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> Upstream:
        return Upstream(
            name,
            self.category,
            self.reactor,
            self.locate,
            taker,
            rejected=lambda topic, why: feed.rejected(topic, why, monotonic_ms(), time.time_ns()),
            changed=lambda: self.changed(feed),
            budget=self.budget,
            quick_after_s=quick_after_s,
            uniform=uniform,
        )
