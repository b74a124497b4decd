"""The markets and programs of the demo: what is watched, and the tables of it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from bybitbus.book import Book
from bybitbus.client import Client
from bybitbus.closing import Closing
from bybitbus.errors import Refused
from bybitbus.events import Event
from bybitbus.subscriber import Subscriber
from bybitd.cli import display
from bybitd.errors import StartError

_PATIENCE_S = 20.0
_BEAT_MS = 50
_COINS = ("BTC", "ETH")


class Watched(NamedTuple):
    """One symbol of one category."""

    category: str
    symbol: str

    @property
    def book_topic(self) -> str:
        """The topic of its best bid and ask."""
        depth = 25 if self.category == "option" else 1
        return f"{self.category}.orderbook.{depth}.{self.symbol}."

    @property
    def trade_topic(self) -> str:
        """The topic of its trades; options share one for each coin."""
        name = self.symbol.partition("-")[0] if self.category == "option" else self.symbol
        return f"{self.category}.publicTrade.{name}."


def choose(client: Client, category: str) -> list[dict[str, Any]]:
    """Return the instrument rows of one symbol for each of the great coins, where there is one.

    Raises:
        StartError: the category has no instruments, or does not answer.
    """
    due_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            rows = client.request("market.instruments", {"category": category})["list"]
            break
        except Refused as error:
            if not error.retry_safe or time.monotonic() >= due_s:
                raise
            time.sleep(0.2)
    chosen = [
        next((row for row in rows if row["symbol"].startswith(coin)), None) for coin in _COINS
    ]
    found = [row for row in chosen if row is not None] or rows[:1]
    if not found:
        raise StartError(f"{category} has no instruments")
    return found


class _Quote:
    def __init__(self, topic: str) -> None:
        self.book = Book(topic)
        self.trade = ""
        self.messages = 0
        self.lost = 0
        self.rate = 0.0


class MarketView(Closing):
    """Subscribes to book and trades of each watched symbol and keeps the latest of each."""

    def __init__(self, run_dir: Path, watched: Iterable[Watched]) -> None:
        self._quotes = {item: _Quote(item.book_topic) for item in watched}
        self._books = {item.book_topic: item for item in self._quotes}
        trades = {item.trade_topic for item in self._quotes}
        self._subscriber = Subscriber(run_dir, [*self._books, *trades])
        self._rated_at_s = time.monotonic()
        self._published: dict[str, tuple[int, float]] = {}
        self._program_rates: dict[str, float] = {}
        self._not_ready: dict[str, str] = {"programs": "no status"}

    def receive(self) -> None:
        """Take in what has come, and wait a moment for more."""
        event = self._subscriber.receive(_BEAT_MS)
        due_s = time.monotonic() + _BEAT_MS / 1000
        while event is not None and time.monotonic() < due_s:
            self._take(event)
            event = self._subscriber.receive(0)

    def programs(self, statuses: dict[str, dict[str, Any]]) -> None:
        """Take in the status of all programs."""
        now_s = time.monotonic()
        for name, status in statuses.items():
            published = int(status.get("counters", {}).get("published", 0))
            before, at_s = self._published.get(name, (published, now_s))
            if now_s > at_s:
                self._program_rates[name] = max(0.0, (published - before) / (now_s - at_s))
            self._published[name] = (published, now_s)
        self._not_ready = {
            name: status["state"] for name, status in statuses.items() if status["state"] != "ready"
        }
        elapsed_s = now_s - self._rated_at_s
        self._rated_at_s = now_s
        for quote in self._quotes.values():
            quote.rate, quote.messages = quote.messages / elapsed_s, 0

    def missing(self) -> list[str]:
        """Return what has not been seen."""
        missing = [f"{name} ({state})" for name, state in self._not_ready.items()]
        for item, quote in self._quotes.items():
            if not (quote.book.best_bid and quote.book.best_ask):
                missing.append(f"the book of {item.category} {item.symbol} ({quote.book.problem})")
            if quote.lost:
                missing.append(f"{quote.lost} messages of {item.category} {item.symbol}")
        for topic in sorted({item.trade_topic for item in self._quotes}):
            if not any(q.trade for item, q in self._quotes.items() if item.trade_topic == topic):
                missing.append(f"a trade on {topic}")
        return missing

    def table(self) -> list[str]:
        """Return the lines of the table of symbols."""
        rows = [
            (
                item.category,
                item.symbol,
                quote.book.best_bid or "",
                quote.book.best_ask or "",
                quote.trade,
                f"{quote.rate:.0f}/s",
            )
            for item, quote in self._quotes.items()
        ]
        return display.table(rows, ("CATEGORY", "SYMBOL", "BID", "ASK", "LAST TRADE", "EVENTS"))

    def program_table(self, statuses: dict[str, dict[str, Any]]) -> list[str]:
        """Return the lines of the table of programs."""
        rows = [
            (name, status["state"], status.get("pid", ""),
             f"{status.get('rss_bytes', 0) / 1e6:.0f} MB",
             f"{self._program_rates.get(name, 0.0):.0f}/s", status.get("reason", ""))
            for name, status in statuses.items()
        ]  # fmt: skip
        return display.table(rows, ("PROGRAM", "STATE", "PID", "MEMORY", "PUBLISHED", "REASON"))

    def record(self) -> list[dict[str, Any]]:
        """Return the table of symbols as data."""
        return [
            {
                "category": item.category,
                "symbol": item.symbol,
                "bid": quote.book.best_bid,
                "ask": quote.book.best_ask,
                "trade": quote.trade,
                "events_per_s": round(quote.rate, 1),
            }
            for item, quote in self._quotes.items()
        ]

    def _take(self, event: Event) -> None:
        if (item := self._books.get(event.topic)) is not None:
            quote = self._quotes[item]
            quote.messages += 1
            quote.lost += event.missing
            quote.book.apply(event)
            return
        for trade in event.body.get("data", []):
            item = Watched(event.topic.partition(".")[0], trade["s"])
            if (quote_or_none := self._quotes.get(item)) is not None:
                quote_or_none.messages += 1
                quote_or_none.trade = f"{trade['S']} {trade['v']} @ {trade['p']}"

    def close(self) -> None:
        """Close the socket."""
        self._subscriber.close()
