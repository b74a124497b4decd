"""Two connections of one feed, without sockets: what is published, and how well it is."""

import pytest

from bybitd.public_feed.bundle import Lane
from bybitd.public_feed.lanes import SILENT_MS, Lanes
from bybitd.public_feed.merging.updates import HOLD_MS
from bybitd.venue.session import Session
from tests.public_feed.messages import (
    BOOK,
    BOOK_FEED,
    BOOK_TOPIC,
    Desk,
    book,
    frame,
    snapshot,
    ticker,
    trade,
)

TRADES = "publicTrade.BTCUSDT"
TRADES_FEED = f"gateway.feed.linear.{TRADES}."


class FakeLine:
    """One lane: `connect`, `say` and `cut` are what the exchange does."""

    def __init__(self, bundle, number):
        self.name, self.bundle, self.number = f"line-{number}", bundle, number
        self.taker = Lane(bundle.lanes, number)
        self.session, self.reason = None, "not connected: no line"

    @property
    def live(self):
        return self.session is not None

    def describe(self):
        return {"name": self.name}

    def connect(self, now_ms=0):
        desired = self.bundle.desired
        self.bundle.lanes.asked(self.number, desired, now_ms, 1)
        self.session = Session(self.bundle.category, desired, now_ms)
        self.session.data_to_send()

    def say(self, *messages, now_ms=0):
        payloads = [each if isinstance(each, bytes) else frame(each) for each in messages]
        self.taker.take(self.session, payloads, 1_000_000 * now_ms + self.number, now_ms)

    def cut(self, now_ms=0):
        self.session, self.reason = None, "connection lost: cut"
        lost = self.bundle.desired, self.reason, now_ms, 1_000_000 * now_ms
        self.bundle.lanes.lost(self.number, *lost)


class FakeBundle:
    """A carrier of two lanes."""

    def __init__(self, feed):
        self.category, self.desired, self.again = feed.category, {}, []
        self.lanes = Lanes(feed.category, 2, feed.pipeline, feed.channels, self.ask_lane)
        self.lines = [FakeLine(self, number) for number in (0, 1)]

    @property
    def live(self):
        return any(line.live for line in self.lines)

    @property
    def reason(self):
        return "" if self.live else self.lines[0].reason

    def start(self):
        pass

    def has_room(self, name):
        return True

    def add(self, name):
        self.desired[name] = None
        self.lanes.add(name)
        for line in self.lines:
            if line.live:
                self.lanes.asked(line.number, (name,), 0, 1)

    def remove(self, name):
        self.desired.pop(name, None)
        self.lanes.remove(name)

    def ask_lane(self, lane, name, now_ms):
        self.again.append((lane, name))
        self.lanes.asked(lane, (name,), now_ms, 1)

    def ask_again(self, name, now_ms):
        for lane in (0, 1):
            self.ask_lane(lane, name, now_ms)

    def beat(self, now_ms):
        self.lanes.beat(now_ms, 1_000_000 * now_ms)


class TwoLines(Desk):
    """A feed whose carrier has two lanes, both connected; a book of `u` 10 flows on them."""

    def __init__(self, *topics):
        super().__init__(new_carrier=lambda _, feed: FakeBundle(feed))
        self.a, self.b = self.line.lines
        self.a.connect()
        self.b.connect()
        for topic in topics or (BOOK_TOPIC,):
            self.join(topic)
        if not topics:
            self.a.say(snapshot(10))
            self.b.say(snapshot(10))

    def updates(self):
        return [body["data"]["u"] for body in self.outlet.of(BOOK_TOPIC)]

    def seqs(self, topic=BOOK_TOPIC):
        return [body["seq"] for body in self.outlet.of(topic)]


def test_what_comes_first_is_published_and_the_copy_is_dropped_and_counted():
    desk = TwoLines()
    desk.a.say(book(11))
    desk.b.say(book(11), book(12))
    desk.a.say(book(12), book(13))
    assert desk.updates() == [10, 11, 12, 13]
    assert desk.seqs() == [1, 2, 3, 4]
    assert desk.counters["copies"] == 3
    assert desk.counters["frames"] == 7
    assert desk.counters["duplicates"] == 0


def test_losing_one_connection_loses_no_message_and_makes_nothing_stale():
    desk = TwoLines()
    desk.a.say(book(11))
    desk.a.cut()
    desk.b.say(book(11), book(12))
    assert desk.updates() == [10, 11, 12]
    assert desk.outlet.states(BOOK_FEED) == ["live"]
    state, reason = desk.feed.condition(started=True)
    assert state == "degraded"
    assert reason.startswith("line-0 connection lost: cut; another connection")
    desk.a.connect(now_ms=5)
    desk.a.say(snapshot(12), now_ms=5)
    desk.a.say(book(13), now_ms=5)
    desk.b.say(book(13), now_ms=5)
    assert desk.updates() == [10, 11, 12, 13]
    assert desk.feed.condition(started=True) == ("ready", "")


def test_a_topic_is_stale_only_when_no_connection_carries_it():
    desk = TwoLines()
    desk.a.cut()
    assert desk.outlet.states(BOOK_FEED) == ["live"]
    desk.b.cut()
    assert desk.outlet.states(BOOK_FEED) == ["live", "stale"]
    assert desk.feed.condition(started=True) == ("degraded", "connection lost: cut")
    assert desk.feed.condition(started=False) == ("starting", "")
    desk.a.connect()
    desk.a.say(book(11), snapshot(20), book(21))
    assert desk.updates() == [10, 20, 21]
    assert desk.outlet.states(BOOK_FEED) == ["live", "stale", "live"]


def test_a_connection_that_has_not_brought_the_topic_yet_does_not_carry_it():
    desk = TwoLines()
    desk.b.cut(now_ms=10_000)
    desk.b.connect(now_ms=10_000)
    desk.a.cut(now_ms=10_100)
    assert desk.outlet.states(BOOK_FEED) == ["live", "stale"]
    assert desk.line.again == []  # it was asked for just now
    desk.b.say(snapshot(15), now_ms=10_200)
    assert desk.outlet.states(BOOK_FEED) == ["live", "stale", "live"]


def test_a_connection_that_should_have_brought_the_topic_long_ago_is_asked_for_it_again():
    desk = TwoLines()
    desk.b.cut(now_ms=10_000)
    desk.b.connect(now_ms=10_000)
    desk.a.cut(now_ms=15_000)
    assert desk.line.again == [(1, BOOK)]


def test_a_topic_is_stale_when_the_only_connection_that_carries_it_begins_it_anew():
    desk = TwoLines()
    desk.b.cut()
    desk.line.ask_lane(0, BOOK, 1_000)
    assert desk.outlet.states(BOOK_FEED) == ["live", "stale"]
    desk.a.say(book(14), snapshot(15), now_ms=1_100)
    assert desk.updates() == [10, 15]
    assert desk.outlet.states(BOOK_FEED) == ["live", "stale", "live"]


def test_trades_flow_on_and_are_live_as_soon_as_the_exchange_has_said_that_it_serves_them():
    desk = TwoLines("linear.publicTrade.BTCUSDT.")
    desk.a.say(trade(1))
    desk.b.taker.acknowledged(TRADES, True)
    desk.a.cut()
    assert desk.outlet.states(TRADES_FEED) == ["live"]
    desk.b.say(trade(1), trade(2))
    assert [body["data"][0]["i"] for body in desk.outlet.of(f"linear.{TRADES}.")] == ["1", "2"]
    desk.b.cut()
    assert desk.outlet.states(TRADES_FEED) == ["live", "stale"]


def test_a_hole_that_nobody_fills_in_time_is_a_resync_on_every_connection():
    desk = TwoLines()
    desk.a.say(book(12), now_ms=1_000)
    desk.beat(1_000 + HOLD_MS - 1)
    assert desk.outlet.states(BOOK_FEED) == ["live"]
    desk.beat(1_000 + HOLD_MS)
    assert desk.outlet.states(BOOK_FEED) == ["live", "resyncing"]
    told = desk.outlet.of(BOOK_FEED)[-1]
    assert told["reason"] == "update 12 came after 10"
    assert sorted(desk.line.again) == [(0, BOOK), (1, BOOK)]
    assert desk.counters["gaps"] == 1
    assert desk.counters["resyncs"] == 1
    desk.a.say(book(13))
    desk.b.say(snapshot(14))
    desk.a.say(snapshot(14), book(15))
    assert desk.updates() == [10, 14, 15]
    assert desk.outlet.states(BOOK_FEED)[-1] == "live"


def test_what_was_held_keeps_the_time_at_which_it_was_read():
    desk = TwoLines()
    stamps = []
    publish = desk.feed.pipeline._publish
    desk.feed.pipeline._publish = lambda topic, body, rx_ns: (
        stamps.append((body["data"]["u"], rx_ns)),
        publish(topic, body, rx_ns),
    )
    desk.a.say(book(12), book(13), now_ms=3)
    desk.b.say(book(11), now_ms=5)
    assert stamps == [(11, 5_000_001), (12, 3_000_000), (13, 3_000_000)]


def test_a_book_that_breaks_a_rule_is_dropped_whoever_brings_it():
    desk = TwoLines()
    desk.a.say(book(11, [("101.0", "5")]), book(12))
    assert desk.updates() == [10]
    assert desk.outlet.states(BOOK_FEED) == ["live", "resyncing"]
    assert sorted(desk.line.again) == [(0, BOOK), (1, BOOK)]
    desk.b.say(book(11), book(12), snapshot(13))
    assert desk.updates() == [10, 13]


def test_a_message_that_makes_no_sense_costs_nothing_while_another_connection_carries_the_topic():
    desk = TwoLines()
    broken = frame({"topic": BOOK, "type": "delta", "ts": 1, "data": {"u": [5]}})
    desk.a.say(broken, b"not json", now_ms=1)
    desk.b.say(book(11), now_ms=1)
    assert desk.updates() == [10, 11]
    assert desk.counters["bad_frames"] == 1
    assert desk.outlet.states(BOOK_FEED) == ["live"]
    desk.b.cut()
    desk.a.say(broken, now_ms=2)
    assert desk.outlet.states(BOOK_FEED) == ["live", "resyncing"]


@pytest.mark.parametrize("data", [None, 5, "x", [], {}, {"u": "a"}, [None], [{"s": 1}]])
def test_no_shape_of_data_can_stop_a_lane(data):
    names = ("orderbook.50", "orderbook.1", "tickers", "publicTrade", "kline.1", "priceLimit")
    desk = TwoLines(*(f"linear.{name}.BTCUSDT." for name in names))
    for name in list(desk.feed.channels):
        for kind in ("snapshot", "delta", 7):
            for line in (desk.a, desk.b):
                line.say(frame({"topic": name, "type": kind, "data": data, "ts": 1, "cs": 1}))
    desk.a.say(snapshot(50))
    assert desk.outlet.states(BOOK_FEED)[-1] == "live"


def test_a_ticker_change_that_comes_late_has_the_record_fetched_anew():
    desk = TwoLines("linear.tickers.BTCUSDT.")
    topic, feed = "linear.tickers.BTCUSDT.", "gateway.feed.linear.tickers.BTCUSDT."
    desk.a.say(ticker(1, "snapshot", lastPrice="1"), ticker(3, markPrice="3"))
    desk.b.say(ticker(1, "snapshot", lastPrice="1"), ticker(2, lastPrice="2"))
    assert desk.outlet.states(feed) == ["live", "resyncing"]
    desk.b.say(ticker(4, "snapshot", lastPrice="2", markPrice="3"))
    desk.a.say(ticker(5, lastPrice="5"))
    assert [body["cs"] for body in desk.outlet.of(topic)] == [1, 3, 4, 5]
    assert desk.outlet.states(feed)[-1] == "live"


def test_a_lane_that_brings_nothing_of_a_topic_that_flows_is_asked_for_it_again():
    desk = TwoLines()
    now_ms, u = 1_000, 10
    while now_ms < 1_000 + 2 * SILENT_MS:
        u += 1
        desk.a.say(book(u), now_ms=now_ms)
        desk.beat(now_ms)
        now_ms += 500
    assert set(desk.line.again) == {(1, BOOK)}
    assert desk.outlet.states(BOOK_FEED) == ["live"]
    desk.b.say(snapshot(u), now_ms=now_ms)
    desk.a.say(book(u + 1), now_ms=now_ms)
    desk.b.say(book(u + 1), now_ms=now_ms)
    asked = len(desk.line.again)
    desk.beat(now_ms + 2_500)
    desk.beat(now_ms + 60_000)
    assert len(desk.line.again) == asked


def test_a_slow_lane_is_not_taken_for_a_silent_one():
    desk = TwoLines()
    for step in range(40):
        now_ms = 1_000 + 1_000 * step
        desk.a.say(book(11 + step), now_ms=now_ms)
        desk.beat(now_ms)
        desk.b.say(book(11 + step), now_ms=now_ms + 900)
    assert desk.line.again == []


def test_a_topic_that_is_not_wanted_any_more_is_forgotten():
    desk = TwoLines()
    desk.feed.rejected(BOOK, "no", 0, 0)
    desk.a.say(book(11))
    desk.beat(100)
    assert desk.counters["unasked"] == 1
    assert desk.updates() == [10]
