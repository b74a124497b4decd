"""Resident memory of each process of a daemon that is at work."""

from __future__ import annotations

import time

from bybitbus.subscriber import Subscriber
from bybitd.settings import Settings
from tests.bench import daemon

_SETTLE_S = 5.0
_TOPICS = (
    "spot.orderbook.50.BTCUSDT.",
    "linear.orderbook.200.BTCUSDT.",
    "linear.publicTrade.BTCUSDT.",
    "linear.tickers.BTCUSDT.",
    "inverse.tickers.BTCUSD.",
    "option.publicTrade.BTC.",
    "private.main.order.",
)


def measure() -> dict[str, float]:
    """Return MB per program, and the most of any."""
    names = Settings().programs()
    with daemon.folders() as root, daemon.programs(root, *names):
        for name in names:
            daemon.wait_ready(root, name)
        with Subscriber(root / "run", _TOPICS) as subscriber:
            until_s = time.monotonic() + _SETTLE_S
            while time.monotonic() < until_s:
                subscriber.receive(timeout_ms=100)
            sizes = {name: daemon.wait_ready(root, name)["rss_bytes"] / 1e6 for name in names}
    return {**{f"rss_mb_{name}": size for name, size in sizes.items()}, **_most(sizes)}


def _most(sizes: dict[str, float]) -> dict[str, float]:
    return {"rss_mb_max": max(sizes.values())}
