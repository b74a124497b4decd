"""What the exchange may do wrong with one topic, and what a subscriber is told meanwhile."""

import time

import pytest

from tests.public_feed.running import (
    PATIENCE_S,
    KeptBook,
    leave_endpoint,
    running_feed,
    running_folder,
    simulated,
)

NAME = "orderbook.50.BTCUSDT"
BOOK = f"linear.{NAME}."
BOOK_FEED = f"gateway.feed.{BOOK}"


@pytest.fixture(scope="module")
def simulator():
    with simulated(rate_per_s=150.0) as running:
        yield running


@pytest.fixture
def feed(simulator):
    with running_folder() as folder:
        leave_endpoint(folder, simulator)
        with running_feed(folder) as running:
            yield running
    simulator.fault("clear")


def fault(simulator, name, **fields):
    simulator.fault(name, category="linear", topic=NAME, **fields)


class Follower:
    """Keeps the book and the feed states; every rule of the protocol is checked."""

    def __init__(self, feed):
        self.listener, self.book, self.states = feed.listen(BOOK_FEED, BOOK), KeptBook(), []

    def follow(self, until):
        deadline_s = time.monotonic() + PATIENCE_S
        while not until():
            event = self.listener.read()
            assert event is not None, "the topic fell silent"
            assert time.monotonic() < deadline_s, f"waited in vain; {self.states}"
            name, body = event
            if name == BOOK_FEED:
                self.states.append(body["state"])
                if body["state"] != "live":
                    self.book.sides = None  # as a reader must
            elif name == BOOK:
                self.book.apply(body)
                bids, asks = (list(map(float, side)) for side in self.book.sides)
                assert max(bids) < min(asks)

    def follow_messages(self, count):
        last = self.book.seq + count
        self.follow(lambda: self.book.seq >= last)

    def assert_equals_exchange(self, simulator):
        """Compare with what the exchange holds of this depth at some `u` that we have seen too."""

        def truth():
            def look(running):
                running.publish()
                data = running.exchange.initial("linear", NAME, running.clock.engine_ms())["data"]
                running.publish()
                return data

            return simulator.call(look)

        data = truth()
        self.follow(lambda: data["u"] in self.book.at)
        assert self.book.at[data["u"]] == [dict(data["b"]), dict(data["a"])]


@pytest.fixture
def follower(feed):
    made = Follower(feed)
    made.follow(lambda: made.states[-1:] == ["live"] and len(made.book.at) > 3)
    made.states.clear()
    return made


@pytest.mark.parametrize(
    ("name", "fields", "counter"),
    [
        ("reorder", {}, "gaps"),
        ("drop", {}, "gaps"),
        ("skip_update_id", {}, "gaps"),
        ("bad_book", {"kind": "crossed"}, "crossed"),
        ("bad_book", {"kind": "unsorted"}, "unsorted"),
    ],
)
def test_a_message_that_does_not_follow_is_not_published_and_the_book_begins_anew(
    simulator, feed, follower, name, fields, counter
):
    fault(simulator, name, **fields)
    follower.follow(lambda: follower.states[-2:] == ["resyncing", "live"])
    follower.follow_messages(5)
    follower.assert_equals_exchange(simulator)
    assert feed.status()["counters"][counter] >= 1


def test_what_comes_twice_is_published_once(simulator, feed, follower):
    fault(simulator, "repeat", count=3)
    follower.follow_messages(10)
    follower.assert_equals_exchange(simulator)
    assert follower.states == []
    assert feed.status()["counters"]["duplicates"] == 3


@pytest.mark.parametrize("changes", [False, True])
def test_a_book_begins_with_its_snapshot_however_late_that_comes(simulator, feed, changes):
    fault(simulator, "delay_first", ms=400, changes=changes)
    follower = Follower(feed)
    follower.follow(lambda: follower.states[-1:] == ["live"])
    # What came before it is not published, for it applies to nothing.
    assert follower.book.seq == 1
    follower.follow_messages(5)
    follower.assert_equals_exchange(simulator)
    assert (feed.status()["counters"]["early"] > 0) == changes


def test_a_topic_that_the_exchange_refuses_leaves_the_others_of_its_request_alone(simulator, feed):
    fault(simulator, "refuse_topic")
    others = [f"linear.orderbook.50.{symbol}." for symbol in ("ETHUSDT", "SOLUSDT")]
    listener = feed.listen("gateway.rejected.", *others, BOOK)
    assert "handler not found" in listener.wait_for(f"gateway.rejected.{BOOK}")["reason"]
    for topic in others:
        assert listener.wait_for(topic)["type"] in ("snapshot", "delta")


def test_a_cut_connection_makes_its_topics_stale_until_they_have_begun_anew(
    simulator, feed, follower
):
    simulator.fault("cut", scope="linear", count=1)
    follower.follow(lambda: follower.states == ["stale", "live"])
    follower.follow_messages(5)
    follower.assert_equals_exchange(simulator)


def test_a_level_1_book_that_falls_silent_is_stale_until_it_speaks_again(simulator, feed):
    topic = "linear.orderbook.1.BTCUSDT."
    listener = feed.listen(f"gateway.feed.{topic}", topic)
    listener.wait_for(topic)
    simulator.fault("mute", category="linear", topic="orderbook.1.BTCUSDT")
    stale = listener.wait_for(f"gateway.feed.{topic}", lambda body: body["state"] == "stale")
    assert "nothing came for" in stale["reason"]
    simulator.fault("clear")
    listener.wait_for(f"gateway.feed.{topic}", lambda body: body["state"] == "live")
