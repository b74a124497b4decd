"""One connection's topics, with the far end of the line in the test's hand."""

import json
from types import SimpleNamespace

import pytest

from bybitd.net.backoff import ConnectBudget
from bybitd.public_feed import upstream
from bybitd.public_feed.upstream import Upstream
from tests.public_feed.messages import frame, snapshot

BOOKS = [f"orderbook.50.S{number}USDT" for number in range(4)]


class FakeConnection:
    """Keeps what is sent; `peer` is the upstream."""

    def __init__(self, name, reactor, locate, peer, *, budget, quick_after_s, uniform):
        self.name, self.peer, self.sent = name, peer, []
        self.reason, self.state = "", "open"
        self.dropped = []

    def start(self):
        pass

    close = start

    def send(self, data):
        self.sent.append(json.loads(data))
        return True

    def drop(self, reason):
        self.dropped.append(reason)
        self.peer.lost(reason)

    def describe(self):
        return {}


class FakePipeline:
    """Notes what it is told, and reads with the session as the real one does."""

    def __init__(self):
        self.lost_names, self.bad, self.taken = [], [], []

    def asked(self, names, now_ms):
        pass

    def acknowledged(self, name, proved):
        pass

    def take(self, session, payloads, rx_ns, now_ms):
        self.taken += [m for m in (session.receive(p, now_ms) for p in payloads) if m is not None]

    def lost(self, names, reason, now_ns):
        self.lost_names.append((list(names), reason))

    def bad_frame(self, reason, excerpt, now_ns):
        self.bad.append(reason)


class Desk:
    def __init__(self, monkeypatch, socket="linear"):
        monkeypatch.setattr(upstream, "Connection", FakeConnection)
        self.now_ms = 1_000_000
        monkeypatch.setattr(upstream, "monotonic_ms", lambda: self.now_ms)
        self.later, self.rejected = [], []
        self.pipeline = FakePipeline()
        reactor = SimpleNamespace(call_later=self._call_later)
        self.upstream = Upstream(
            "public-0",
            socket,
            reactor,
            lambda: None,
            self.pipeline,
            rejected=self._reject,
            changed=lambda: None,
            budget=ConnectBudget(),
        )
        self.line = self.upstream._connection

    def _call_later(self, delay_s, callback):
        self.later.append(callback)
        return SimpleNamespace(cancel=lambda: self.later.remove(callback))

    def _reject(self, name, reason):
        self.rejected.append((name, reason))
        self.upstream.remove(name)  # as the feed does

    def add(self, *names):
        for name in names:
            self.upstream.add(name)

    def gather(self):
        """Let the time pass in which topics are gathered."""
        waiting, self.later = self.later, []
        for callback in waiting:
            callback()

    def said(self):
        """Take what was sent, as (op, topics, req_id)."""
        sent, self.line.sent = self.line.sent, []
        return [(each["op"], each.get("args"), each.get("req_id")) for each in sent]

    def hear(self, *messages):
        payloads = [each if isinstance(each, bytes) else frame(each) for each in messages]
        self.upstream.received(payloads, 1)


@pytest.fixture
def desk(monkeypatch):
    return Desk(monkeypatch)


def ack(req_id, success=True, ret_msg=""):
    return {"success": success, "ret_msg": ret_msg, "req_id": req_id, "op": "subscribe"}


def test_topics_that_are_wanted_at_about_the_same_time_go_into_one_request(desk):
    desk.upstream.opened()
    desk.add(*BOOKS)
    assert desk.said() == []
    desk.gather()
    assert desk.said() == [("subscribe", BOOKS, "s1")]


def test_whatever_was_wanted_before_is_asked_for_when_the_connection_is_open(desk):
    desk.add(*BOOKS[:2])
    assert not desk.upstream.live
    desk.upstream.opened()
    assert desk.upstream.live
    assert desk.said() == [("subscribe", BOOKS[:2], "s1")]


def test_a_topic_that_is_given_up_is_unsubscribed_for_real(desk):
    desk.add(*BOOKS[:2])
    desk.upstream.opened()
    desk.said()
    desk.upstream.remove(BOOKS[0])
    assert desk.said() == [("unsubscribe", [BOOKS[0]], "u2")]
    desk.upstream.remove(BOOKS[0])
    assert desk.said() == []
    desk.upstream.lost("cut")
    desk.upstream.opened()
    assert desk.said() == [("subscribe", [BOOKS[1]], "s1")]


def test_a_topic_that_is_given_up_before_it_was_asked_for_costs_no_request(desk):
    desk.upstream.opened()
    desk.add(*BOOKS[:2])
    desk.upstream.remove(BOOKS[0])
    desk.gather()
    assert desk.said() == [("subscribe", [BOOKS[1]], "s1")]


def test_one_bad_topic_is_told_and_the_others_of_its_request_are_asked_for_again(desk):
    desk.add(*BOOKS)
    desk.upstream.opened()
    desk.said()
    desk.hear(ack("s1", False, f"error:handler not found,topic:{BOOKS[1]}"))
    others = [name for name in BOOKS if name != BOOKS[1]]
    assert desk.said() == [("subscribe", others, "s2")]
    ((name, reason),) = desk.rejected
    assert (name, reason) == (BOOKS[1], f"error:handler not found,topic:{BOOKS[1]}")
    assert list(desk.upstream.desired) == others


@pytest.mark.parametrize("socket", ["spot", "linear", "option"])
def test_a_connection_has_room_for_as_many_characters_as_the_exchange_takes(monkeypatch, socket):
    desk = Desk(monkeypatch, socket)
    names = [f"tickers.{'X' * 80}{number:03}" for number in range(300)]
    for name in names:
        if desk.upstream.has_room(name):
            desk.add(name)
    taken = list(desk.upstream.desired)
    written = len(json.dumps(taken, separators=(",", ":")))
    assert 21_000 - 100 < written <= 21_000
    desk.upstream.remove(taken[0])
    assert desk.upstream.has_room(names[-1])


def test_a_rejected_topic_gives_its_room_back(desk):
    desk.add(BOOKS[0])
    before = desk.upstream._characters
    desk.add(BOOKS[1])
    desk.upstream.opened()
    desk.hear(ack("s1", False, f"error:handler not found,topic:{BOOKS[1]}"))
    assert desk.upstream._characters == before


def test_an_option_connection_has_2000_topics(monkeypatch):
    desk = Desk(monkeypatch, "option")
    for number in range(2_000):
        desk.upstream.desired[f"t{number}"] = None
    assert not desk.upstream.has_room("tickers.X")


def test_a_topic_is_begun_anew_only_on_a_connection_and_once_it_was_asked_for(desk):
    desk.add(BOOKS[0])
    desk.upstream.ask_again(BOOKS[0], desk.now_ms)
    assert desk.said() == []
    desk.upstream.opened()
    desk.said()
    desk.upstream.ask_again(BOOKS[0], desk.now_ms)
    assert [(op, topics) for op, topics, _ in desk.said()] == [
        ("unsubscribe", [BOOKS[0]]),
        ("subscribe", [BOOKS[0]]),
    ]
    desk.add(BOOKS[1])
    desk.upstream.ask_again(BOOKS[1], desk.now_ms)  # it goes out with the next request anyway
    assert desk.said() == []


def test_a_lost_connection_is_told_of_every_topic_and_hears_nothing_more(desk):
    desk.add(*BOOKS[:2])
    desk.upstream.opened()
    desk.upstream.lost("reset by peer")
    assert desk.pipeline.lost_names == [(BOOKS[:2], "connection lost: reset by peer")]
    desk.hear(snapshot(1))
    assert desk.pipeline.taken == []


def test_a_connection_that_answers_no_ping_is_replaced(desk):
    desk.add(BOOKS[0])
    desk.upstream.opened()
    desk.said()
    desk.hear(ack("s1"))
    for _ in range(31):
        desk.now_ms += 1_000
        desk.hear(snapshot(1, BOOKS[0]))
        desk.upstream.beat(desk.now_ms)
    assert ("ping", None, None) in desk.said()
    assert desk.line.dropped == ["no pong within 10 s"]
    assert not desk.upstream.live


def test_a_bad_frame_goes_into_quarantine_and_the_next_one_is_read(desk):
    desk.add(BOOKS[0])
    desk.upstream.opened()
    desk.hear(b"\xff\xfe", snapshot(1, BOOKS[0]))
    assert len(desk.pipeline.bad) == 1
    assert [message["topic"] for message in desk.pipeline.taken] == [BOOKS[0]]
