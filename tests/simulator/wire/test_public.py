"""Subscriptions and fan-out, with a scripted exchange and connections that only remember."""

import json

import pytest

from bybitd.simulator.refusal import UnknownTopic
from bybitd.simulator.wire.clock import ServerClock
from bybitd.simulator.wire.faults import Faults, parse
from bybitd.simulator.wire.public import PublicSockets


class ScriptedExchange:
    """Knows the topics `a`, `b`, `c`; counts `u` per topic."""

    def __init__(self):
        self.open = set()
        self.u = {}
        self.waiting = []

    def open_topic(self, category, topic):
        if topic[0] not in "abc":
            raise UnknownTopic(category, topic)
        self.open.add((category, topic))
        self.u.setdefault((category, topic), 1)

    def close_topic(self, category, topic):
        self.open.discard((category, topic))

    def initial(self, category, topic, now_ms):
        return {"topic": topic, "type": "snapshot", "u": self.u[category, topic]}

    def take_public(self):
        taken, self.waiting = self.waiting, []
        return taken

    def change(self, category, topic):
        self.u[category, topic] += 1
        u = self.u[category, topic]
        self.waiting.append((category, topic, {"topic": topic, "type": "delta", "u": u}))


class MemoryConnection:
    """Keeps the messages that a connection would send."""

    window_bits = 0

    def __init__(self, kind):
        self.kind = kind
        self.conn_id = "id"
        self.topics = set()
        self.sent = []

    def reply(self, message):
        self.sent.append(message)

    def queue(self, frame):
        header = 2 if frame[1] < 126 else 4
        self.sent.append(json.loads(frame[header:]))

    write = queue

    def flush(self):
        pass

    def take(self):
        taken, self.sent = self.sent, []
        return taken


class Fixture:
    def __init__(self):
        self.exchange = ScriptedExchange()
        self.faults = Faults()
        self.sockets = PublicSockets(
            self.exchange, self.faults, ServerClock(), lambda: self.sockets.publish()
        )

    def client(self, kind):
        return MemoryConnection(kind)

    def ask(self, client, op, *args, **more):
        self.sockets.receive(client, json.dumps({"op": op, "args": args, **more}).encode())
        return client.take()


@pytest.fixture
def at():
    return Fixture()


def test_a_subscriber_gets_acknowledgement_snapshot_and_then_each_delta(at):
    client = at.client("linear")
    ack, snapshot = at.ask(client, "subscribe", "a", req_id="1")
    assert (ack["success"], ack["req_id"]) == (True, "1")
    assert (snapshot["type"], snapshot["u"]) == ("snapshot", 1)
    at.exchange.change("linear", "a")
    at.sockets.publish()
    assert client.take() == [{"topic": "a", "type": "delta", "u": 2}]


def test_the_snapshot_of_a_late_subscriber_continues_in_the_shared_deltas(at):
    early, late = at.client("linear"), at.client("linear")
    at.ask(early, "subscribe", "a")
    at.exchange.change("linear", "a")  # produced, not sent yet
    _, snapshot = at.ask(late, "subscribe", "a")
    assert [m["u"] for m in early.take()] == [2]
    assert (snapshot["type"], snapshot["u"]) == ("snapshot", 2)
    at.exchange.change("linear", "a")
    at.sockets.publish()
    assert [m["u"] for m in early.take()] == [m["u"] for m in late.take()] == [3]


@pytest.mark.parametrize("kind", ["linear", "inverse"])
def test_one_bad_topic_rejects_the_whole_request_and_only_the_first_is_named(at, kind):
    client = at.client(kind)
    (reply,) = at.ask(client, "subscribe", "a", "x1", "b", "x2")
    assert (reply["success"], reply["ret_msg"]) == (False, "error:handler not found,topic:x1")
    assert at.exchange.open == set()
    assert client.topics == set()


def test_a_rejected_request_leaves_other_listeners_alone(at):
    first, second = at.client("linear"), at.client("linear")
    at.ask(first, "subscribe", "a")
    at.ask(second, "subscribe", "a", "x")
    assert at.exchange.open == {("linear", "a")}
    at.exchange.change("linear", "a")
    at.sockets.publish()
    assert [m["u"] for m in first.take()] == [2]
    assert second.take() == []


def test_a_duplicate_on_linear_is_an_error_and_the_stream_goes_on(at):
    client = at.client("linear")
    at.ask(client, "subscribe", "a")
    (reply,) = at.ask(client, "subscribe", "b", "a")
    assert reply["ret_msg"] == "error:already subscribed,topic:a"
    assert at.exchange.open == {("linear", "a")}
    at.exchange.change("linear", "a")
    at.sockets.publish()
    assert [m["u"] for m in client.take()] == [2]


def test_a_duplicate_on_spot_is_confirmed_without_a_second_snapshot(at):
    client = at.client("spot")
    at.ask(client, "subscribe", "a")
    (reply,) = at.ask(client, "subscribe", "a")
    assert reply["success"] is True


def test_spot_names_the_invalid_symbol_and_takes_ten_topics_at_most(at):
    client = at.client("spot")
    (reply,) = at.ask(client, "subscribe", "tickers.XXX")
    assert reply["ret_msg"] == "Invalid symbol :[tickers.XXX]"
    (reply,) = at.ask(client, "subscribe", *(f"a{n}" for n in range(11)))
    assert reply["ret_msg"] == "args size >10"
    assert at.exchange.open == set()
    assert len(at.ask(client, "subscribe", *(f"a{n}" for n in range(10)))) == 11


def test_option_confirms_even_topics_that_never_deliver(at):
    client = at.client("option")
    ack, snapshot = at.ask(client, "subscribe", "kline.1.x", "a")
    assert ack["data"]["successTopics"] == ["kline.1.x", "a"]
    assert snapshot["topic"] == "a"


def test_the_topics_of_a_connection_have_21000_characters_together(at):
    client = at.client("linear")
    long = [f"a{n:0>999}" for n in range(22)]
    assert at.ask(client, "subscribe", *long[:20])[0]["success"] is True
    assert at.ask(client, "subscribe", *long[20:])[0]["success"] is False
    assert at.ask(client, "subscribe", long[20])[0]["success"] is True


def test_the_last_listener_closes_the_topic(at):
    first, second = at.client("linear"), at.client("linear")
    for client in (first, second):
        at.ask(client, "subscribe", "a", "b")
    at.ask(first, "unsubscribe", "a")
    at.sockets.forget(second)
    assert at.exchange.open == {("linear", "b")}
    assert at.sockets.topics == {("linear", "b"): 1}


@pytest.mark.parametrize("data", [b"hello", b"[1]", b'"subscribe"', b"\xff\xfe", b""])
def test_what_is_no_json_object_is_answered_and_the_socket_stays_open(at, data):
    client = at.client("linear")
    at.sockets.receive(client, data)
    (reply,) = client.take()
    assert reply["ret_msg"].startswith("Failed to decode incoming data:readObjectStart")
    assert at.ask(client, "ping")[0]["ret_msg"] == "pong"


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"op": "explode"}, "error:invalid op"),
        ({}, "error:invalid op"),
        ({"op": ["ping"]}, "error:invalid op"),
        ({"op": "subscribe"}, "Params Error"),
        ({"op": "subscribe", "args": []}, "Params Error"),
        ({"op": "subscribe", "args": "a"}, "Params Error"),
        ({"op": "subscribe", "args": [1]}, "Params Error"),
    ],
)
def test_malformed_requests_are_refused_with_the_text_of_the_exchange(at, request_, text):
    client = at.client("linear")
    at.sockets.receive(client, json.dumps(request_).encode())
    (reply,) = client.take()
    assert (reply["success"], reply["ret_msg"]) == (False, text)


def test_a_dropped_message_leaves_a_gap_and_a_repeated_one_comes_twice(at):
    client = at.client("linear")
    at.ask(client, "subscribe", "a")
    for name in ("drop", "repeat"):
        at.faults.arm(parse(name, {"category": "linear", "topic": "a"}), 0)
    for _ in range(3):
        at.exchange.change("linear", "a")
    at.sockets.publish()
    assert [m["u"] for m in client.take()] == [3, 3, 4]


def test_a_system_status_record_reaches_the_status_socket(at):
    client = at.client("status")
    at.ask(client, "subscribe", "system.status")
    at.sockets.announce({"topic": "system.status", "data": []})
    assert client.take() == [{"topic": "system.status", "data": []}]
