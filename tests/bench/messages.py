"""Frames as the exchange sends them: public messages of linear symbols, rendered ahead of time.

A mix in the proportions of a busy feed: of ten messages six are 50-level book deltas, three are
trades and one is a ticker delta; about 300 bytes each.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import msgspec

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT")
KINDS = ("orderbook.50", "publicTrade", "tickers")
_PATTERN = ("orderbook.50",) * 6 + ("publicTrade",) * 3 + ("tickers",)
_DEPTH = 50


def topics() -> list[str]:
    """Return the exchange's topics of the mix."""
    return [f"{kind}.{symbol}" for kind in KINDS for symbol in SYMBOLS]


def frame(text: bytes) -> bytes:
    """Return an unmasked WebSocket text frame."""
    if len(text) < 126:
        return struct.pack("!BB", 0x81, len(text)) + text
    return struct.pack("!BBH", 0x81, 126, len(text)) + text


class Market:
    """Renders the messages of one symbol; its book stays whole and uncrossed."""

    def __init__(self, symbol: str, seed: int) -> None:
        self.symbol = symbol
        self._random = random.Random(seed)
        self._u = self._seq = 1000
        self._ts = 1_700_000_000_000

    def first(self, topic: str) -> dict[str, object] | None:
        """Return what a new subscriber of `topic` gets first, if anything."""
        if topic.startswith("orderbook"):
            levels = [[f"{30000 - i * 0.1:.2f}", "1.000"] for i in range(_DEPTH)]
            asks = [[f"{30000.1 + i * 0.1:.2f}", "1.000"] for i in range(_DEPTH)]
            return self._book(topic, "snapshot", levels, asks)
        if topic.startswith("tickers"):
            data = {"symbol": self.symbol, "lastPrice": "30000.00", "markPrice": "30000.05"}
            return self._envelope(topic, "snapshot", {**data, "volume24h": "1"}, cs=self._seq)
        return None

    def next(self, kind: str) -> dict[str, object]:
        """Return the next message of `kind`."""
        topic, draw = f"{kind}.{self.symbol}", self._random
        self._ts += 1
        self._seq += 7
        if kind == "orderbook.50":
            self._u += 1
            size = f"{draw.randrange(1, 90_000) / 1000:.3f}"
            bids = [[f"{30000 - i * 0.1:.2f}", size] for i in draw.sample(range(_DEPTH), 3)]
            asks = [[f"{30000.1 + i * 0.1:.2f}", size] for i in draw.sample(range(_DEPTH), 3)]
            return self._book(topic, "delta", bids, asks)
        if kind == "publicTrade":
            return self._envelope(topic, "snapshot", [self.trade(f"{draw.getrandbits(128):032x}")])
        data = {
            "symbol": self.symbol,
            "bid1Price": "29999.90",
            "bid1Size": f"{draw.randrange(1, 90_000) / 1000:.3f}",
            "ask1Price": "30000.10",
            "ask1Size": f"{draw.randrange(1, 90_000) / 1000:.3f}",
            "markPrice": f"{30000 + draw.randrange(100) / 100:.2f}",
            "volume24h": f"{self._seq}.120",
        }
        return self._envelope(topic, "delta", data, cs=self._seq)

    def trade(self, trade_id: str) -> dict[str, object]:
        """Return one row of a trade message."""
        return {
            "T": self._ts,
            "s": self.symbol,
            "S": "Buy",
            "v": "0.012",
            "p": "30000.10",
            "L": "PlusTick",
            "i": trade_id,
            "BT": False,
            "RPI": False,
            "seq": self._seq,
        }

    def _book(
        self, topic: str, kind: str, bids: list[list[str]], asks: list[list[str]]
    ) -> dict[str, object]:
        bids, asks = sorted(bids, reverse=True), sorted(asks)
        data = {"s": self.symbol, "b": bids, "a": asks, "u": self._u, "seq": self._seq}
        return self._envelope(topic, kind, data, cts=self._ts - 2)

    def _envelope(self, topic: str, kind: str, data: object, **more: object) -> dict[str, object]:
        return {"topic": topic, "type": kind, "ts": self._ts, "data": data, **more}


def snapshots() -> dict[str, bytes]:
    """Return the first message of each topic that has one, as a frame."""
    found = {}
    for market in markets():
        for kind in KINDS:
            topic = f"{kind}.{market.symbol}"
            if (message := market.first(topic)) is not None:
                found[topic] = frame(msgspec.json.encode(message))
    return found


def markets() -> list[Market]:
    """Return fresh markets; the same each time."""
    return [Market(symbol, seed) for seed, symbol in enumerate(SYMBOLS)]


def flow(count: int, kinds: tuple[str, ...] = _PATTERN) -> Iterator[bytes]:
    """Yield `count` frames of the mix."""
    lines = markets()
    for number in range(count):
        market = lines[number % len(lines)]
        yield frame(msgspec.json.encode(market.next(kinds[number // len(lines) % len(kinds)])))
