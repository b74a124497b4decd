"""The best prices of what is traded, as the daemon's own feed tells them, and whether they are new.

A symbol is subscribed to when it is first asked for. The book of level 1 is repeated at least every
three seconds, so its age tells whether the market is still seen; on option there is none, and the
feed's word that the topic is live has to do (`ipc/PROTOCOL.md`, "Feed state"), for as long as the
feed itself gives a sign of life.
"""

from __future__ import annotations

import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import zmq

from bybitbus import codec, topics
from bybitbus.endpoints import events_address
from bybitbus.errors import CodecError
from bybitd.order_execution.safety.limits import Price

_BOOK: Final = "orderbook.1"
_OPTION: Final = "bbo"
_LIVE: Final = "live"
_OPTION_FEEDS: Final = b"gateway.status.public-feed-option"  # a prefix: it may be several programs
_SILENT_MS: Final = 3000  # three statuses missed
Symbol = tuple[str, str]


class _Seen:
    """What was heard of one symbol."""

    def __init__(self, category: str) -> None:
        self.price: Price | None = None
        self.at_ms = 0
        self.bad = ""
        self.ages = category != "option"

    def fresh(self, max_age_ms: int, now_ms: int) -> bool:
        if self.price is None or self.bad:
            return False
        return not self.ages or now_ms - self.at_ms <= max_age_ms


class Prices:
    """Subscriptions to books of the bus."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], run_dir: Path) -> None:
        self._seen: dict[Symbol, _Seen] = {}
        self._books: dict[bytes, Symbol] = {}
        self._states: dict[bytes, Symbol] = {}
        # Feeds of option -> their run and when they spoke last. A dead one calls nothing stale.
        self._feeds: dict[bytes, tuple[object, int]] = {}
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.rcvhwm = 10_000
        self.socket.connect(events_address(run_dir, "bus"))

    def want(self, category: str, symbol: str) -> None:
        """Follow a symbol from now on."""
        if (category, symbol) in self._seen:
            return
        self._seen[category, symbol] = seen = _Seen(category)
        if not seen.ages:
            self.socket.subscribe(_OPTION_FEEDS)
        name = f"{_OPTION if category == 'option' else _BOOK}.{symbol}"
        book = topics.join(category, name)
        state = topics.join("gateway", f"feed.{category}.{name}")
        self._books[book.encode()] = self._states[state.encode()] = category, symbol
        self.socket.subscribe(state.encode())
        self.socket.subscribe(book.encode())

    def fresh(self, category: str, symbol: str, max_age_ms: int) -> Price | None:
        """Return the best prices if they are no older than that, None if they are not known."""
        self.want(category, symbol)
        seen, now_ms = self._seen[category, symbol], _now_ms()
        if not seen.fresh(max_age_ms, now_ms) or not (seen.ages or self._feeds_live(now_ms)):
            return None
        return seen.price

    def read(self) -> None:
        """Take what has come in."""
        while True:
            try:
                topic, body = self.socket.recv_multipart(zmq.NOBLOCK)
                event = codec.decode_event(body)
            except zmq.Again:
                return
            except (CodecError, ValueError):
                continue
            if (symbol := self._books.get(topic)) is not None:
                self._book(self._seen[symbol], event)
            elif (symbol := self._states.get(topic)) is not None:
                state = str(event.get("state", ""))
                self._seen[symbol].bad = "" if state == _LIVE else state
            elif topic.startswith(_OPTION_FEEDS):
                self._feed_spoke(topic, event)

    def describe(self) -> dict[str, Any]:
        """Return what the status shows: the symbols that are followed, and their age in ms."""
        now_ms = _now_ms()
        return {
            f"{category}.{symbol}": None if seen.price is None else now_ms - seen.at_ms
            for (category, symbol), seen in self._seen.items()
        }

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _feeds_live(self, now_ms: int) -> bool:
        spoken = [at_ms for _, at_ms in self._feeds.values()]
        return bool(spoken) and now_ms - min(spoken) < _SILENT_MS

    def _feed_spoke(self, topic: bytes, status: dict[str, Any]) -> None:
        run, before = status.get("epoch"), self._feeds.get(topic)
        if before is not None and before[0] != run:
            for seen in self._seen.values():
                if not seen.ages:
                    seen.price = None  # of the run before: the new one tells it anew
        self._feeds[topic] = run, _now_ms()

    @staticmethod
    def _book(seen: _Seen, event: dict[str, Any]) -> None:
        data = event.get("data")
        if not isinstance(data, dict):
            return
        if seen.ages:
            seen.price = Price(bid=_best(data.get("b")), ask=_best(data.get("a")))
        else:
            bid, ask = data.get("bid1Price"), data.get("ask1Price")
            seen.price = Price(bid=_best([[bid]]), ask=_best([[ask]]))
        if "resend" not in event:
            seen.at_ms = _now_ms()
        elif isinstance(event.get("rx"), int):
            # Repeated for us: as old as it is, not as new as it came.
            seen.at_ms = _now_ms() - max(0, (time.time_ns() - event["rx"]) // 1_000_000)


def _best(levels: Any) -> Decimal | None:
    try:
        return Decimal(levels[0][0])
    except (LookupError, TypeError, InvalidOperation):
        return None


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
