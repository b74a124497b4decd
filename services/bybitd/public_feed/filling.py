"""Trades and closed candles that were missed while a topic was not live, fetched over REST.

Only what was live before is filled, and only when the exchange has acknowledged the subscription
again, so that nothing lies between what REST tells and what comes live. Live messages are never
held back: what is filled comes after the first of them, marked, oldest first.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final, Protocol

from bybitd.net.rest import RestReply
from bybitd.public_feed.channel import Channel
from bybitd.public_feed.errands import Errands
from bybitd.public_feed.fetching import Asking, Params, Urgency
from bybitd.public_feed.pipeline import Pipeline
from bybitd.public_feed.published import Fill, FillState, Health
from bybitd.venue.klines import KlineRecord
from bybitd.venue.topics import split
from bybitd.venue.trades import MOST, MOST_ELSEWHERE, Mended, TradeTape, rest_trade

_PAGE: Final = 1_000
log = logging.getLogger(__name__)


class Holed(Protocol):
    """A series of candles that may have a hole."""

    hole_ms: int | None
    lost: tuple[int, int] | None


def candle_fill(before: Fill | None, edge_ms: int, series: Holed, count: int, time_ms: int) -> Fill:
    """Return how far a hole in a series has been filled, with `count` more candles published.
    `edge_ms` is where it began before that, `time_ms` the time of the exchange's answer.
    """
    pending = before is not None and before.state is FillState.PENDING
    from_ms = before.from_ms if before is not None and pending else edge_ms
    count += before.count if before is not None and pending else 0
    if series.hole_ms is not None:
        return Fill(FillState.PENDING, from_ms, count=count)
    if series.lost is not None:
        return Fill(FillState.INCOMPLETE, *series.lost, count)
    return Fill(FillState.COMPLETE, from_ms, time_ms, count)


class Filling:
    """Fills the holes of `channels`; `beat` is to be called a few times a second."""

    def __init__(
        self,
        category: str,
        channels: dict[str, Channel],
        errands: Errands,
        pipeline: Pipeline,
        asking: Asking,
    ) -> None:
        self._category = category
        self._channels = channels
        self._errands = errands
        self._pipeline = pipeline
        self._asking = asking

    def beat(self, now_ms: int, now_ns: int) -> None:
        """Ask for what was missed, if it is time to."""
        for channel in self._channels.values():
            state = channel.mendable
            if state is None or state.hole_ms is None:
                continue
            if isinstance(state, TradeTape) and state.out_of_reach:
                self._told(channel, state.hole_ms, state.give_up(), 0, now_ns)
            elif channel.acknowledged or channel.health is Health.LIVE:
                self._ask(channel, state, now_ms)

    def _ask(self, channel: Channel, state: TradeTape | KlineRecord, now_ms: int) -> None:
        errand = self._errands.of(channel)
        if not errand.may_go(now_ms):
            return
        breaks = state.breaks

        def done(reply: RestReply | None, problem: str) -> None:
            # After another break the answer tells nothing of what was missed since.
            usable = self._errands.stands(errand) and state.breaks == breaks
            if usable and reply is not None and state.hole_ms is not None:
                problem = self._take(channel, state, state.hole_ms, reply)
            news = errand.ended(problem)
            if usable and problem:
                level = logging.WARNING if news else logging.DEBUG
                log.log(level, "< %s: what was missed is not to be had: %s", channel.topic, problem)

        if isinstance(state, TradeTape):
            path, params = trades_request(self._category, channel.name)
            self._asking.ask(Urgency.TRADES, path, params, done)
        else:
            path, params = candles_request(self._category, channel.name, state.hole_ms or 0)
            self._asking.ask(Urgency.CANDLES, path, params, done)

    def _take(
        self, channel: Channel, state: TradeTape | KlineRecord, hole_ms: int, reply: RestReply
    ) -> str:
        """Publish what an answer tells of a hole; return what is wrong with it, "" for nothing."""
        try:
            if isinstance(state, TradeTape):
                trades = newest_first(rest_trade(row) for row in reply.result["list"])
            else:
                candles = state.mend(reply.result["list"], reply.time_ms)
        except (LookupError, TypeError, ValueError) as error:
            return f"the answer makes no sense: {error!r}"
        if isinstance(state, TradeTape):
            self._told(channel, hole_ms, state.mend(trades), reply.time_ms, reply.received_ns)
            return ""
        fill = candle_fill(channel.fill, hole_ms, state, len(candles), reply.time_ms)
        if candles or state.hole_ms is None:
            bodies = [_filled(channel, [row], reply.time_ms) for row in candles]
            self._pipeline.fill(channel, bodies, fill, reply.received_ns)
        return ""

    def _told(
        self, channel: Channel, hole_ms: int, mended: Mended, time_ms: int, now_ns: int
    ) -> None:
        count = len(mended.rows)
        if mended.whole:
            fill = Fill(FillState.COMPLETE, hole_ms, time_ms, count)
        else:
            fill = Fill(FillState.INCOMPLETE, hole_ms, mended.first_ms, count)
            log.warning("= %s: trades after %d are missing for good", channel.topic, hole_ms)
        bodies = [_filled(channel, mended.rows, time_ms)] if mended.rows else []
        self._pipeline.fill(channel, bodies, fill, now_ns)


def newest_first(trades: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return trades in the order in which REST usually has them; that is nowhere promised."""
    rows = list(trades)
    return rows[::-1] if rows and rows[0]["T"] < rows[-1]["T"] else rows


def trades_request(category: str, name: str) -> tuple[str, Params]:
    """Return path and parameters of the newest trades of a topic."""
    subject = name.partition(".")[2]
    if category == "spread":
        return "/v5/spread/recent-trade", {"symbol": subject, "limit": str(MOST_ELSEWHERE)}
    key = "baseCoin" if category == "option" else "symbol"
    most = MOST.get(category, MOST_ELSEWHERE)
    return "/v5/market/recent-trade", {"category": category, key: subject, "limit": str(most)}


def candles_request(category: str, name: str, start_ms: int) -> tuple[str, Params]:
    """Return path and parameters of the candles of a topic from one on."""
    parts = split(name)
    assert parts is not None
    _, interval, symbol = parts
    return "/v5/market/kline", {
        "category": category,
        "symbol": symbol,
        "interval": interval,
        "start": str(start_ms),
        "limit": str(_PAGE),
    }


def _filled(channel: Channel, rows: list[dict[str, Any]], time_ms: int) -> dict[str, Any]:
    return {
        "topic": channel.name,
        "type": "snapshot",
        "ts": time_ms,
        "data": rows,
        "filled": True,
    }
