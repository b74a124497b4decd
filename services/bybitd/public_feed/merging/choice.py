"""What puts the copies of a topic together, by the kind of topic. Pure."""

from __future__ import annotations

from bybitd.public_feed.merging.candles import Candles
from bybitd.public_feed.merging.copies import Copies
from bybitd.public_feed.merging.records import Records
from bybitd.public_feed.merging.rows import Messages, Rows, trade_id
from bybitd.public_feed.merging.top_of_book import TopOfBook
from bybitd.public_feed.merging.updates import Updates
from bybitd.venue.topics import Kind, Topic


def merging_for(topic: Topic, lanes: int) -> Copies:
    """Return what puts the copies of this topic together."""
    kind = topic.kind
    if kind in (Kind.BOOK, Kind.RPI_BOOK, Kind.FULL_BOOK):
        if topic.behaviour.snapshot_only:
            return TopOfBook(lanes)
        return Updates(lanes, snapshot_first=kind is not Kind.FULL_BOOK)
    if kind is Kind.TRADES:
        return Rows(trade_id)
    if kind is Kind.KLINE:
        return Candles()
    if kind in (Kind.LIQUIDATIONS, Kind.STATUS):
        return Messages()
    return Records(snapshot_first=kind is Kind.TICKERS)
