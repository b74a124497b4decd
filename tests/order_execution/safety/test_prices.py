"""Whether a price is fresh, with the feeds played by the test."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import zmq

from bybitbus.endpoints import events_address
from bybitbus.publisher import Publisher
from bybitd.order_execution.safety import prices as module
from bybitd.order_execution.safety.limits import Price
from bybitd.order_execution.safety.prices import Prices

BOOK = "linear.orderbook.1.BTCUSDT."
BBO = "option.bbo.BTC-1JAN30-1-C."
FEED = "gateway.status.public-feed-option."
OTHER_FEED = "gateway.status.public-feed-option-2."
PRICE = Price(bid=Decimal(99), ask=Decimal(101))


class Bus:
    """Publishes what the test says; time stands still until the test moves it."""

    def __init__(self, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = 1_000_000
        monkeypatch.setattr(module, "_now_ms", lambda: self.now_ms)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.publisher = Publisher(self.context, events_address(run_dir), epoch=1)
        self.prices = Prices(self.context, run_dir)

    def publish(self, topic: str, body: dict[str, Any]) -> None:
        self.publisher.publish(topic, body)

    def option(self, max_age_ms: int = 1000) -> Price | None:
        return self.prices.fresh("option", "BTC-1JAN30-1-C", max_age_ms)

    def book(self, max_age_ms: int = 1000) -> Price | None:
        return self.prices.fresh("linear", "BTCUSDT", max_age_ms)

    def until(self, true: Callable[[], bool], *again: tuple[str, dict[str, Any]]) -> None:
        """Publish again and again until it shows: a subscription takes a moment to arrive."""
        due_s = time.monotonic() + 10
        while not true():
            assert time.monotonic() < due_s, "waited in vain"
            for topic, body in again:
                self.publish(topic, body)
            self.prices.socket.poll(20)
            self.prices.read()

    def close(self) -> None:
        self.prices.close()
        self.publisher.close()
        self.context.destroy(linger=0)


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    folder = Path(tempfile.mkdtemp(prefix="bp", dir="/tmp"))
    made = Bus(folder, monkeypatch)
    yield made
    made.close()
    shutil.rmtree(folder)


LEVELS = {"data": {"s": "BTCUSDT", "b": [["99", "1"]], "a": [["101", "1"]]}}
BEST = {"data": {"bid1Price": "99", "ask1Price": "101"}}


def test_a_book_is_fresh_until_it_is_too_old_or_called_stale(bus: Bus) -> None:
    assert bus.book() is None
    bus.until(lambda: bus.book() == PRICE, (BOOK, LEVELS))
    bus.now_ms += 1000
    assert bus.book() == PRICE
    bus.now_ms += 1
    assert bus.book() is None
    bus.until(lambda: bus.book() == PRICE, (BOOK, LEVELS))
    bus.until(lambda: bus.book() is None, (f"gateway.feed.{BOOK}", {"state": "stale"}))


def test_a_price_of_an_option_is_good_for_as_long_as_its_feed_lives(bus: Bus) -> None:
    assert bus.option() is None
    bus.until(lambda: bus.option() == PRICE, (BBO, BEST), (FEED, {}))
    bus.now_ms += 2999  # it changes seldom: its age says nothing
    assert bus.option() == PRICE
    bus.now_ms += 1
    assert bus.option() is None  # the feed was killed and could call nothing stale
    bus.until(lambda: bus.option() == PRICE, (FEED, {}))
    bus.until(lambda: OTHER_FEED.encode() in bus.prices._feeds, (OTHER_FEED, {}))
    bus.now_ms += 3000
    bus.publish(FEED, {})
    bus.until(lambda: bus.prices._feeds[FEED.encode()][1] == bus.now_ms, (FEED, {}))
    assert bus.option() is None  # any of them may be the one


def test_a_price_of_an_option_does_not_outlive_the_run_of_its_feed(bus: Bus) -> None:
    bus.option()
    bus.until(lambda: bus.option() == PRICE, (BBO, BEST), (FEED, {}))
    bus.publisher.epoch += 1
    bus.until(lambda: bus.option() is None, (FEED, {}))
    bus.until(lambda: bus.option() == PRICE, (BBO, BEST))
