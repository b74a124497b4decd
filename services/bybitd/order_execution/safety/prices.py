"""The best prices of what is traded, as the daemon's own feed tells them, and whether they are new.

A symbol is subscribed to when it is first asked for. The book of level 1 is repeated at least every
three seconds, so its age tells whether the market is still seen; on option there is none, and the
feed's word that the topic is live has to do (`ipc/PROTOCOL.md`, "Feed state").
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
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.rcvhwm = 10_000
        self.socket.connect(events_address(run_dir, "bus"))

    def want(self, category: str, symbol: str) -> None:
        """Follow a symbol from now on."""
        if (category, symbol) in self._seen:
            return
        self._seen[category, symbol] = _Seen(category)
        name = f"{_OPTION if category == 'option' else _BOOK}.{symbol}"
        book = topics.join(category, name)
        state = topics.join("gateway", f"feed.{category}.{name}")
        self._books[book.encode()] = self._states[state.encode()] = category, symbol
        self.socket.subscribe(state.encode())
        self.socket.subscribe(book.encode())

    def fresh(self, category: str, symbol: str, max_age_ms: int) -> Price | None:
        """Return the best prices if they are no older than that, None if they are not known."""
        self.want(category, symbol)
        seen = self._seen[category, symbol]
        return seen.price if seen.fresh(max_age_ms, _now_ms()) else None

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
