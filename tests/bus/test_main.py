"""The bus as a process, between real sockets."""

from __future__ import annotations

import subprocess
import sys
import time

import msgpack
import pytest
import zmq

from bybitbus.codes import Code, Outcome
from bybitbus.errors import Refused
from bybitbus.publisher import Subscription
from bybitbus.subscriber import Subscriber
from tests.bus.conftest import Bus, FakeProgram, wait_for

FEED = "public-feed-linear"
TRADER = "order-execution-main"
TOPIC = "linear.publicTrade.BTCUSDT."


def receive(socket: zmq.Socket[bytes]) -> tuple[str, dict[str, object]]:
    assert socket.poll(10_000), "nothing came"
    topic, body = socket.recv_multipart()
    return topic.decode(), msgpack.unpackb(body)


def refused(bus: Bus, op: str, args: dict[str, object] | None = None) -> Refused:
    with bus.client() as client, pytest.raises(Refused) as caught:
        client.request(op, args)
    return caught.value


def test_events_come_through_unchanged_and_in_order(bus: Bus) -> None:
    feed, socket = bus.play(FEED), bus.subscriber(TOPIC)
    assert feed.next_subscription(TOPIC) == Subscription(TOPIC, True)
    for number in range(100):
        feed.publisher.publish(TOPIC, {"data": [{"p": f"{number}.5"}]})
    got = [receive(socket) for _ in range(100)]
    assert {topic for topic, _ in got} == {TOPIC}
    assert [body["seq"] for _, body in got] == list(range(1, 101))
    assert [body["data"] for _, body in got] == [[{"p": f"{n}.5"}] for n in range(100)]
    assert {body["epoch"] for _, body in got} == {feed.epoch}


def test_a_second_subscriber_shows_and_only_the_last_one_to_leave_does(bus: Bus) -> None:
    feed = bus.play(FEED)
    first = bus.subscriber(TOPIC)
    assert feed.next_subscription(TOPIC).joined
    second = bus.subscriber(TOPIC)
    assert feed.next_subscription(TOPIC).joined
    first.close()
    assert feed.subscriptions_within(TOPIC, 0.3) == []
    second.close()
    assert not feed.next_subscription(TOPIC).joined


def test_thousands_of_topics_can_be_asked_for_at_once_and_again_after_a_restart(bus: Bus) -> None:
    topics = {f"linear.tickers.S{number}USDT." for number in range(5000)}

    def all_asked_for(feed: FakeProgram) -> None:
        due_s, missing = time.monotonic() + 20, set(topics)
        while missing:
            assert time.monotonic() < due_s, f"{len(missing)} topics were not asked for"
            feed.publisher.socket.poll(50)
            missing -= {news.prefix for news in feed.publisher.subscriptions()}

    feed = bus.play(FEED)
    with Subscriber(bus.run_dir, topics):
        all_asked_for(feed)
        feed.die()
        all_asked_for(bus.program(FEED))


def test_a_program_that_comes_back_is_asked_for_everything_again(bus: Bus) -> None:
    feed, socket = bus.play(FEED), bus.subscriber(TOPIC)
    feed.next_subscription(TOPIC)
    feed.publisher.publish(TOPIC, {})
    epochs = [receive(socket)[1]["epoch"]]
    feed.die()
    feed = bus.program(FEED)
    assert feed.next_subscription(TOPIC).joined
    feed.publisher.publish(TOPIC, {})
    epochs.append(receive(socket)[1]["epoch"])
    assert epochs == [1, 2]


def test_subscribers_get_what_they_asked_for_after_the_bus_was_killed(bus: Bus) -> None:
    feed, socket = bus.play(FEED), bus.subscriber(TOPIC)
    feed.next_subscription(TOPIC)
    bus.restart()
    due_s = time.monotonic() + 10
    while True:  # the socket is read, which is what makes ZeroMQ ask again
        feed.publisher.publish(TOPIC, {})
        if socket.poll(50):
            break
        assert time.monotonic() < due_s
    assert receive(socket)[0] == TOPIC


@pytest.mark.parametrize(
    "topic",
    ["lineer.publicTrade.BTCUSDT.", "spot.tickers.BTCUSDT.", "private.other.order.", "linear..x."],
)
def test_a_topic_that_no_program_serves_is_rejected_aloud(bus: Bus, topic: str) -> None:
    rejected = f"gateway.rejected.{topic}"
    told, body = receive(bus.subscriber(rejected, topic))
    assert told == rejected
    assert body["topic"] == topic
    assert body["reason"]
    assert body["program"] == "bus"


def test_prefixes_garbage_and_the_feed_s_own_topics_leave_the_bus_at_work(bus: Bus) -> None:
    socket = bus.subscriber("gateway.rejected.", "", "linear.", TOPIC)
    socket.setsockopt(zmq.SUBSCRIBE, b"\xff\xfe\x00")
    socket.setsockopt(zmq.SUBSCRIBE, b"x" * 5000)
    # Among the bus's own statuses, only the long one is rejected, and cut to a topic's length.
    due_s = time.monotonic() + 5
    while time.monotonic() < due_s:
        topic, body = receive(socket)
        if topic.startswith("gateway.rejected."):
            break
    assert body["topic"] == "x" * 255
    with bus.client() as client:
        assert client.request("gateway.ping") == {"program": "bus"}


def test_a_request_travels_to_its_program_and_the_reply_back_unchanged(bus: Bus) -> None:
    trader = bus.play(TRADER)
    with bus.client() as client:
        sent = client.send("order.create", {"qty": "0.1"}, deadline_ms=5000)
        call = trader.next_call()
        assert (call.request.id, call.request.args) == (sent, {"qty": "0.1"})
        call.stamp("sent", 7)
        call.succeed({"orderLinkId": "x"})
        reply = client.receive(5000)
    assert reply is not None
    assert (reply.id, reply.result, reply.t["sent"]) == (sent, {"orderLinkId": "x"}, 7)


def test_a_plain_req_socket_gets_the_reply_of_a_program(bus: Bus) -> None:
    trader = bus.play(TRADER)
    socket = bus.requester(zmq.REQ)
    socket.send(msgpack.packb({"id": "a", "op": "order.status", "args": {"orderLinkId": "x"}}))
    trader.next_call().succeed({"state": "open"})
    assert socket.poll(5000)
    reply = msgpack.unpackb(socket.recv())
    assert (reply["id"], reply["ok"], reply["result"]) == ("a", True, {"state": "open"})


def test_a_program_that_is_not_up_costs_nothing_and_gets_nothing_later(bus: Bus) -> None:
    error = refused(bus, "order.create", {"qty": "1"})
    assert error.code == Code.UNAVAILABLE
    assert error.outcome == Outcome.REJECTED
    assert error.retry_safe
    # Nothing was kept for it: once it is there, only what is asked now arrives.
    trader = bus.play(TRADER)
    assert not trader.server.socket.poll(200)


def test_a_program_that_dies_with_an_order_leaves_it_unknown_at_once(bus: Bus) -> None:
    trader = bus.play(TRADER)
    with bus.client() as client:
        client.send("order.create", {"qty": "1"}, deadline_ms=60_000)
        trader.next_call()
        began_s = time.monotonic()
        trader.die()
        reply = client.receive(5000)
    assert reply is not None
    assert reply.error is not None
    assert reply.error.code == Code.NO_ANSWER
    assert reply.error.outcome == Outcome.UNKNOWN
    assert not reply.error.retry_safe
    assert time.monotonic() - began_s < 1.0


def test_a_program_that_hangs_past_the_deadline_is_answered_for_and_its_late_reply_dropped(
    bus: Bus,
) -> None:
    trader = bus.play(TRADER)
    with bus.client() as client:
        client.send("order.status", {"orderLinkId": "x"}, deadline_ms=100)
        late = trader.next_call()
        reply = client.receive(5000)
        assert reply is not None
        assert reply.error is not None
        assert reply.error.code == Code.NO_ANSWER
        assert reply.error.outcome == Outcome.REJECTED
        late.succeed({"state": "open"})
        assert client.receive(300) is None
        wait_for(
            lambda: client.request("gateway.status", {"program": "bus"})["late"] == 1,
            "the count of late replies",
        )


def test_requests_that_can_not_be_routed_say_why(bus: Bus) -> None:
    assert refused(bus, "order.creat").code == Code.UNKNOWN_OP
    assert "order.create" in refused(bus, "order.creat").hint
    assert refused(bus, "market.snapshot", {"category": "spot"}).code == Code.BAD_FIELD
    assert refused(bus, "gateway.ping", {"program": "nobody"}).code == Code.UNKNOWN_PROGRAM
    unknown = refused(bus, "gateway.hello", {"colour": "green"})
    assert unknown.code == Code.UNKNOWN_FIELD
    assert "colour" in unknown.message


def test_garbage_on_the_request_socket_is_answered_and_costs_nothing(bus: Bus) -> None:
    socket = bus.requester(zmq.DEALER)
    for body in (b"", b"\xc1", b"\xff" * 100, msgpack.packb({"id": 5}), b"x" * (2 << 20)):
        socket.send(body)
        assert socket.poll(5000)
        reply = msgpack.unpackb(socket.recv())
        assert reply["ok"] is False
        assert reply["error"]["code"] in (Code.BAD_MESSAGE, Code.TOO_LARGE)
    with bus.client() as client:
        assert client.request("gateway.ping") == {"program": "bus"}


def test_hello_tells_who_answers_and_how_everybody_is(bus: Bus) -> None:
    feed = bus.play(FEED)
    with bus.client() as client:

        def state() -> object:
            feed.say("ready")
            return client.request("gateway.hello")["programs"][FEED]

        wait_for(lambda: state() == "ready", "the feed's status")
        hello = client.request("gateway.hello")
        assert hello["protocol"] == 1
        assert hello["environment"] == "sim"
        assert hello["accounts"] == ["main"]
        assert hello["categories"] == ["linear"]
        assert hello["programs"]["bus"] == "ready"
        assert hello["programs"][TRADER] == "down"
        whole = client.request("gateway.status")
        assert whole["ready"] is False
        assert whole["programs"][FEED]["state"] == "ready"
        feed.die()
        wait_for(lambda: client.request("gateway.hello")["programs"][FEED] == "down", "the news")


def test_subscriptions_tells_what_clients_of_the_bus_ask_for(bus: Bus) -> None:
    socket = bus.subscriber(TOPIC)
    with bus.client() as client:
        wait_for(lambda: client.request("gateway.subscriptions")["topics"] == [TOPIC], "the topic")
        socket.close()
        wait_for(lambda: client.request("gateway.subscriptions")["topics"] == [], "its end")


def test_a_second_bus_in_the_same_run_folder_is_refused(bus: Bus) -> None:
    words = ["run", "bus", "--run-dir", str(bus.run_dir), "--state-dir", str(bus.run_dir)]
    refusal = subprocess.run(
        [sys.executable, "-m", "bybitd.cli.main", *words],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert refusal.returncode == 1
    assert f"process {bus.process.pid}" in refusal.stderr
    assert "--run-dir" in refusal.stderr


def test_a_plain_req_socket_survives_a_request_without_an_answer(bus: Bus) -> None:
    trader = bus.play(TRADER)
    requester = bus.requester(zmq.REQ)
    # The recipe for REQ: without these two it could neither send nor receive any more.
    requester.setsockopt(zmq.REQ_RELAXED, 1)
    requester.setsockopt(zmq.REQ_CORRELATE, 1)
    order = {"id": "lost", "op": "order.create", "args": {}, "deadline_ms": 60_000}
    requester.send(msgpack.packb(order))
    lost = trader.next_call()
    assert not requester.poll(50)  # given up
    requester.send(msgpack.packb({"id": "next", "op": "gateway.ping"}))
    assert requester.poll(10_000)
    assert msgpack.unpackb(requester.recv())["id"] == "next"
    lost.succeed({})  # nobody waits for it any more, and it is taken for no other answer
    requester.send(msgpack.packb({"id": "last", "op": "gateway.ping"}))
    assert requester.poll(10_000)
    assert msgpack.unpackb(requester.recv())["id"] == "last"


def test_status_flows_once_a_second_although_nothing_happens(bus: Bus) -> None:
    socket = bus.subscriber("gateway.status.bus.")
    receive(socket)  # the answer to the subscription
    stamps_ns = [int(str(receive(socket)[1]["tx"])) for _ in range(4)]
    # A beat and no flood; on a busy machine two of them may come close.
    assert stamps_ns[-1] - stamps_ns[0] > 1_000_000_000


def test_a_subscriber_that_never_reads_holds_up_nobody(bus: Bus) -> None:
    feed = bus.play(FEED)
    bus.subscriber(TOPIC)  # never read
    assert feed.next_subscription(TOPIC).joined
    reader = bus.subscriber(TOPIC)
    assert feed.next_subscription(TOPIC).joined
    filling = "x" * 4000
    for number in range(5000):  # 20 MB: more than the sockets between them hold
        feed.publisher.publish(TOPIC, {"data": filling, "number": number})
        assert receive(reader)[1]["number"] == number
