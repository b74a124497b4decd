"""A lossy way between a real feed and a reader that cures what it loses."""

import pytest

from bybitbus.book import Book
from bybitbus.endpoints import events_address, requests_address
from bybitbus.follower import Follower
from tests.public_feed.running import (
    PATIENCE_S,
    leave_endpoint,
    running_feed,
    running_folder,
    simulated,
    wait_until,
)

TRADES = "linear.publicTrade.BTCUSDT."


class LossyReader:
    """Lets all but every `nth` event through, as if the others had been lost on the bus."""

    def __init__(self, reader, nth):
        self.sequences, self.lost = reader.sequences, 0
        self._read, self._nth, self._number = reader.read, nth, 0

    def read(self, frames):
        self._number += 1
        if self._number % self._nth:
            return self._read(frames)
        self.lost += 1
        return None


@pytest.fixture(scope="module")
def feed():
    with running_folder() as folder, simulated(rate_per_s=200.0) as simulator:
        leave_endpoint(folder, simulator)
        with running_feed(folder) as feed:
            yield feed


def following(feed, *topics, nth):
    follower = Follower(
        events_address(feed.run_dir, feed.name),
        requests=requests_address(feed.run_dir, feed.name),
        context=feed.context,
    )
    follower.subscriber.reader = LossyReader(follower.subscriber.reader, nth)
    for topic in topics:
        follower.subscribe(topic)
    return follower


@pytest.mark.parametrize("nth", [3, 7])
def test_books_and_trades_come_whole_over_a_way_that_loses_many(feed, nth):
    book = Book("linear.orderbook.50.BTCUSDT.")
    last, valid = {}, 0
    with following(feed, TRADES, book.topic, book.feed_topic, nth=nth) as follower:
        while valid < 50 or TRADES not in last or follower.cure.cured < 10:
            event = follower.receive(int(PATIENCE_S * 1000))
            assert event is not None
            seq = event.body["seq"]
            # A resend stands for the messages up to its number, its own among them.
            before = seq - event.missing - (not event.body.get("resend", False))
            assert last.get(event.topic, before) == before
            last[event.topic] = seq
            # Before the first snapshot nothing can be done with deltas, and none is fetched.
            assert not (event.missing and valid)
            valid += book.apply(event)
        assert follower.subscriber.reader.lost >= 10


def test_a_reader_holds_the_book_of_one_that_loses_nothing(feed):
    lossy, sound = (Book("linear.orderbook.200.ETHUSDT.") for _ in range(2))
    with (
        following(feed, sound.topic, nth=10**9) as follower,
        following(feed, lossy.topic, nth=3) as other,
    ):

        def same():
            for book, reader in ((sound, follower), (lossy, other)):
                event = reader.receive(10)
                if event is not None:
                    book.apply(event)
            return sound.seq > 60 and sound.seq == lossy.seq and sound.valid and lossy.valid

        wait_until(same, "two readers at the same number")
        assert (sound.bids(), sound.asks()) == (lossy.bids(), lossy.asks())
        assert other.subscriber.reader.lost
