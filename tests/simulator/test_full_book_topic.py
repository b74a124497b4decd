import itertools

import pytest

from bybitd.simulator.exchange import Refusal, UnknownTopic
from bybitd.venue.full_book import FullBook, Seeding
from bybitd.venue.outcome import Result

SECOND = 1_000
SYMBOLS = [("spot", "BTCUSDT"), ("linear", "BTCUSDT"), ("inverse", "BTCUSD")]


class Client:
    """Keeps a full book as the documentation says: buffer, fetch, match, apply."""

    def __init__(self, desk, category="spot", symbol="BTCUSDT"):
        self.desk = desk
        self.where = {"category": category, "symbol": symbol}
        self.topic = f"orderbook.full.{symbol}"
        self.book = FullBook(self.topic)
        self.first = desk.open(category, self.topic)
        self.messages = []
        self.outcomes = []

    def follow(self, ms):
        for _, topic, message in self.desk.run(self.desk.now + ms):
            if topic == self.topic:
                self.messages.append(message)
                self.outcomes.append(self.book.apply(message))

    def fetch(self):
        return self.desk.market("full_orderbook", **self.where)

    def start(self):
        for _ in range(50):
            self.follow(200)
            if self.book.needs_seed and self.book.seed(self.fetch()) is Seeding.SEEDED:
                return
        raise AssertionError("no REST book ever matched")

    def assert_equal(self):
        rest, mine = self.fetch(), self.book.message()["data"]
        assert (mine["u"], mine["seq"]) == (rest["u"], rest["seq"])
        assert (mine["b"], mine["a"]) == (rest["b"], rest["a"])


@pytest.mark.parametrize(("category", "symbol"), SYMBOLS)
def test_a_full_book_seeded_over_rest_follows_the_deltas(new_desk, category, symbol):
    client = Client(new_desk(rate=200.0), category, symbol)
    assert client.first is None
    client.start()
    client.follow(5 * SECOND)
    assert {message["type"] for message in client.messages} == {"delta"}
    times = [message["ts"] for message in client.messages]
    assert min(b - a for a, b in itertools.pairwise(times)) >= 200
    us = [message["data"]["u"] for message in client.messages]
    assert us == list(range(us[0], us[0] + len(us)))
    client.assert_equal()
    assert len(client.fetch()["b"]) > 200


def test_the_full_book_goes_on_where_the_others_end(new_desk):
    desk = new_desk(rate=50.0)
    full = desk.market("full_orderbook", category="linear", symbol="BTCUSDT")
    part = desk.market("orderbook", category="linear", symbol="BTCUSDT", limit="200")
    assert full["b"][:200] == part["b"]
    assert len(full["b"]) > 200


def test_a_late_subscriber_starts_in_the_middle_of_the_stream(new_desk):
    desk = new_desk(rate=200.0)
    early = Client(desk)
    early.start()
    early.follow(SECOND)
    assert desk.exchange.initial("spot", early.topic, desk.now) is None
    late = FullBook(early.topic)
    for _ in range(50):
        known = len(early.messages)
        early.follow(200)
        for message in early.messages[known:]:
            late.apply(message)
        if late.needs_seed and late.seed(early.fetch()) is Seeding.SEEDED:
            break
    assert late.message()["data"] == early.book.message()["data"]


def test_a_restart_is_an_empty_delta_that_sends_the_client_to_rest_again(new_desk):
    client = Client(new_desk(rate=200.0))
    client.start()
    client.desk.exchange.restart_books("spot", "BTCUSDT", client.desk.now)
    known = len(client.messages)
    client.follow(SECOND)
    restart = client.messages[known]
    assert (restart["type"], restart["data"]["u"]) == ("delta", 1)
    assert restart["data"]["b"] == restart["data"]["a"] == []
    assert client.outcomes[known].result is Result.GAP
    client.start()
    client.follow(SECOND)
    client.assert_equal()


def test_a_lost_delta_is_a_gap_and_a_new_start_mends_it(new_desk):
    client = Client(new_desk(rate=200.0))
    client.start()
    client.desk.exchange.skip_update_id("spot", client.topic)
    client.follow(2 * SECOND)
    assert client.outcomes[-1].result is not Result.APPLIED
    assert Result.GAP in {outcome.result for outcome in client.outcomes}
    client.start()
    client.follow(SECOND)
    client.assert_equal()


def test_options_have_no_full_book(desk):
    symbol = desk.market("instruments-info", category="option")["list"][0]["symbol"]
    with pytest.raises(UnknownTopic):
        desk.exchange.open_topic("option", f"orderbook.full.{symbol}")
    with pytest.raises(Refusal):
        desk.market("full_orderbook", category="option", symbol=symbol)
