"""Whole frames as the exchange sends them, and a feed whose sockets are lists."""

import json

from bybitbus import codec
from bybitbus.outgoing import Outgoing
from bybitbus.topics import split
from bybitd.public_feed.feed import Feed
from bybitd.public_feed.share import Share
from bybitd.venue.session import Session

SECOND = 1_000
BOOK = "orderbook.50.BTCUSDT"
BOOK_TOPIC = "linear.orderbook.50.BTCUSDT."
BOOK_FEED = "gateway.feed.linear.orderbook.50.BTCUSDT."


def frame(message):
    return json.dumps(message).encode()


def book(u, bids=(), asks=(), kind="delta", topic=BOOK):
    return {
        "topic": topic,
        "type": kind,
        "ts": 1_700_000_000_000 + u,
        "data": {
            "s": topic.rpartition(".")[2],
            "b": [list(level) for level in bids],
            "a": [list(level) for level in asks],
            "u": u,
            "seq": 10 * u,
        },
        "cts": 1_700_000_000_000 + u,
    }


def snapshot(u, topic=BOOK):
    return book(u, [("100.0", "1"), ("99.5", "2")], [("100.5", "3")], "snapshot", topic)


def ticker(cs, kind="delta", topic="tickers.BTCUSDT", **fields):
    data = {"symbol": topic.rpartition(".")[2], **fields}
    return {"topic": topic, "type": kind, "data": data, "cs": cs, "ts": 1_700_000_000_000 + cs}


def trade(i, topic="publicTrade.BTCUSDT"):
    row = {"T": 1_700_000_000_000, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": "100", "i": str(i)}
    return {"topic": topic, "type": "snapshot", "ts": 1_700_000_000_000, "data": [row]}


class FakeOutlet(Outgoing):
    """A publisher that keeps what it sends: (topic, body) without our stamps, resends marked.
    `frames` has the bytes.
    """

    def __init__(self, replay_bytes=1 << 20):
        self.sent = []
        self.frames = []
        super().__init__(77, self._take, lambda: 0)
        self.keep(replay_bytes)

    def _take(self, topic, body):
        self.frames.append((topic.decode(), body))
        message = codec.decode_event(body)
        for ours in ("epoch", "rx", "tx"):
            message.pop(ours, None)
        self.sent.append((topic.decode(), message))

    def of(self, topic):
        return [body for name, body in self.sent if name == topic]

    def states(self, feed_topic):
        return [body["state"] for body in self.of(feed_topic)]

    def topics(self):
        return [name for name, _ in self.sent]


class FakeCarrier:
    """A connection without a socket: `connect`, `say` and `cut` are what the exchange does."""

    def __init__(self, feed, most=1000):
        self.feed, self.most = feed, most
        self.desired = {}
        self.live, self.reason = False, "not connected: no line"
        self.started = self.closed = False
        self.session = None
        self.asked_again = []

    def start(self):
        self.started = True

    def close(self):
        self.closed = True

    def has_room(self, name):
        return len(self.desired) < self.most

    def add(self, name):
        self.desired[name] = None
        if self.session:
            self.session.subscribe((name,), 0)

    def remove(self, name):
        self.desired.pop(name, None)

    def ask_again(self, name, now_ms):
        self.asked_again.append(name)
        if self.session:
            self.session.resubscribe(name, now_ms)
            self.feed.channels[name].asked(now_ms)

    def beat(self, now_ms):
        pass

    @property
    def lines(self):
        return [self]

    def describe(self):
        return {"topics": len(self.desired)}

    def connect(self, now_ms=0):
        self.live = True
        self.session = Session(self.feed.category, self.desired, now_ms)
        for name in self.desired:
            self.feed.channels[name].asked(now_ms)
        self.requests()

    def say(self, *messages, now_ms=0):
        payloads = [each if isinstance(each, bytes) else frame(each) for each in messages]
        self.feed.pipeline.take(self.session, payloads, 1_000_000 * now_ms, now_ms)

    def cut(self, reason="the line was cut"):
        self.live, self.session, self.reason = False, None, reason
        self.feed.pipeline.lost(self.desired, reason, 7)

    def requests(self):
        """Take what the session wants to send, as (op, topics)."""
        sent = [json.loads(data) for data in self.session.data_to_send()]
        return [(message["op"], message["args"]) for message in sent]


class Desk:
    """A whole feed, wired to lists."""

    def __init__(
        self,
        always=(),
        linger_ms=30_000,
        most=1000,
        category="linear",
        share=None,
        new_carrier=None,
    ):
        self.outlet = FakeOutlet()
        self.again, self.rejected, self.later = [], [], []
        self.counters = {}
        self.feed = Feed(
            share or Share(category),
            self.outlet,
            always=always,
            linger_ms=linger_ms,
            book_interval_ms=100,
            later=lambda delay_ms, view: self.later.append((delay_ms, view)),
            counters=self.counters,
            new_carrier=new_carrier or (lambda _, feed: FakeCarrier(feed, most)),
            again=self.again.append,
            reject=lambda *refusal: self.rejected.append(refusal),
        )
        self.feed.start(1)

    @property
    def line(self):
        return self.feed.carriers[0]

    def join(self, topic):
        self.feed.joined(split(topic), topic, 1)

    def leave(self, topic, now_ms=0):
        self.feed.left(split(topic), topic, now_ms)

    def beat(self, now_ms):
        self.feed.beat(now_ms, 1_000_000 * now_ms)

    def settle(self, now_ms):
        """Have what was put off until later happen now."""
        waiting, self.later = self.later, []
        for _, view in waiting:
            self.feed.pipeline.settle(view, now_ms)

    def live_book(self):
        """Join a book and have its snapshot come."""
        self.line.connect()
        self.join(BOOK_TOPIC)
        self.line.requests()
        self.line.say(snapshot(10))
        return self.feed.channels[BOOK]
