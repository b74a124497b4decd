"""What topics need of REST before they can be shown: full books, and the candles of prices.

Nothing here is known before it is asked for, and an answer counts only if it can be joined to what
the stream brought: deltas that match it, ticks without a break since before it was asked for.
"""

from __future__ import annotations

import logging
from typing import Final

from bybitd.net.rest import RestReply
from bybitd.public_feed.channel import Channel
from bybitd.public_feed.derived.view import View
from bybitd.public_feed.errands import Errands
from bybitd.public_feed.fetching import Asking, Urgency
from bybitd.public_feed.filling import candle_fill
from bybitd.public_feed.pipeline import Pipeline
from bybitd.public_feed.published import Health
from bybitd.venue.full_book import FullBook, Seeding

_AHEAD_MS: Final = 3_000  # so long a book may wait for its delta
_ABSENT: Final = "the exchange has no book of it: delisted, or before its opening auction"
log = logging.getLogger(__name__)


class Seeds:
    """Completes topics of `channels` and `views`; `beat` is to be called a few times a second."""

    def __init__(
        self,
        category: str,
        channels: dict[str, Channel],
        views: dict[str, View],
        errands: Errands,
        pipeline: Pipeline,
        asking: Asking,
    ) -> None:
        self._category = category
        self._channels = channels
        self._views = views
        self._errands = errands
        self._pipeline = pipeline
        self._asking = asking
        self._now_ms = 0
        # Books that are ahead of their deltas, with until when they may be: topic -> those.
        self._ahead: dict[str, tuple[RestReply, int]] = {}

    def beat(self, now_ms: int) -> None:
        """Ask for what is lacking, if it is time to."""
        self._now_ms = now_ms
        for channel in self._channels.values():
            state = channel.state
            if isinstance(state, FullBook) and state.needs_seed:
                self._seed(channel, state, now_ms)
        for view in self._views.values():
            if view.candles is not None:
                self._complete(view, now_ms)

    def _seed(self, channel: Channel, state: FullBook, now_ms: int) -> None:
        reply, until_ms = self._ahead.pop(channel.topic, (None, 0))
        if reply is not None and now_ms < until_ms:
            self._take_book(channel, state, reply, until_ms)
            return
        errand = self._errands.of(channel)
        if not errand.may_go(now_ms):
            return

        def done(reply: RestReply | None, problem: str) -> None:
            news = errand.ended(problem)
            if not self._errands.stands(errand) or not state.needs_seed:
                return
            if reply is None:
                problem = f"its book can not be fetched: {problem}"
                log.log(
                    logging.WARNING if news else logging.DEBUG, "< %s: %s", channel.topic, problem
                )
                self._pipeline.doubt(channel, problem, channel.rx_ns or channel.since_ns)
            else:
                self._take_book(channel, state, reply, self._now_ms + _AHEAD_MS)

        params = {"category": self._category, "symbol": channel.name.rpartition(".")[2]}
        self._asking.ask(Urgency.FULL_BOOK, "/v5/market/full_orderbook", params, done)

    def _take_book(
        self, channel: Channel, state: FullBook, reply: RestReply, until_ms: int
    ) -> None:
        seeding = state.seed(reply.result)
        log.debug("= %s %s", channel.topic, seeding)
        if seeding is Seeding.SEEDED:
            self._pipeline.begin(channel, reply.received_ns, self._now_ms)
        elif seeding is Seeding.AHEAD:
            self._ahead[channel.topic] = reply, until_ms
        elif seeding is Seeding.ABSENT:
            self._pipeline.doubt(channel, _ABSENT, reply.received_ns)

    def _complete(self, view: View, now_ms: int) -> None:
        channel, candles = self._channels.get(view.source), view.candles
        if channel is None or candles is None or channel.health is not Health.LIVE:
            return
        request = candles.request(now_ms - channel.fresh_ms)
        if request is None or not (errand := self._errands.of(view)).may_go(now_ms):
            return
        breaks = candles.series.breaks

        def done(reply: RestReply | None, problem: str) -> None:
            usable = self._errands.stands(errand) and candles.series.breaks == breaks
            if usable and reply is not None:
                problem = self._take_candles(view, reply)
            news = errand.ended(problem)
            if usable and problem:
                level = logging.WARNING if news else logging.DEBUG
                log.log(level, "< %s: no candles: %s", view.topic, problem)
                candles.failed(problem)
                if candles.lacks:
                    self._pipeline.doubt(view, candles.lacks, channel.rx_ns)

        self._asking.ask(Urgency.PRICE_CANDLES, *request, done)

    def _take_candles(self, view: View, reply: RestReply) -> str:
        assert view.candles is not None
        series = view.candles.series
        edge_ms = series.hole_ms
        try:
            filled, bodies = view.candles.supply(reply.result, reply.time_ms)
        except (LookupError, TypeError, ValueError) as error:
            return f"the answer makes no sense: {error!r}"
        if edge_ms is not None:
            fill = candle_fill(view.fill, edge_ms, series, len(filled), reply.time_ms)
            if filled or series.hole_ms is None:
                self._pipeline.fill(view, filled, fill, reply.received_ns)
        self._pipeline.supply(view, bodies, reply.received_ns)
        return ""
