"""The publisher and the blocking subscriber over real sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bybitbus.endpoints import events_address
from bybitbus.events import Event
from bybitbus.publisher import Publisher, Subscription
from bybitbus.sequence import Verdict
from bybitbus.subscriber import Subscriber

Context = zmq.Context[zmq.Socket[bytes]]
TOPIC = "linear.orderbook.50.BTCUSDT."


@pytest.fixture
def publisher(run_dir: Path, context: Context) -> Iterator[Publisher]:
    made = Publisher(context, events_address(run_dir), epoch=9)
    yield made
    made.close()


def wait_for(publisher: Publisher, wanted: list[Subscription]) -> None:
    due_s = time.monotonic() + 5
    came: list[Subscription] = []
    while len(came) < len(wanted):
        assert time.monotonic() < due_s, f"only {came}"
        publisher.socket.poll(100)
        came += publisher.subscriptions()
    assert came == wanted


def received(subscriber: Subscriber) -> Event:
    event = subscriber.receive(5000)
    assert event is not None
    return event


def test_what_is_published_arrives_numbered_and_stamped(
    publisher: Publisher, run_dir: Path, context: Context
) -> None:
    with Subscriber(run_dir, [TOPIC], context=context) as subscriber:
        wait_for(publisher, [Subscription(TOPIC, True)])
        before_ns = time.time_ns()
        assert publisher.publish(TOPIC, {"type": "snapshot", "data": {}}, rx_ns=7) == 1
        assert publisher.publish(TOPIC, {"type": "delta", "data": {}}) == 2
        first, second = received(subscriber), received(subscriber)
        assert (first.topic, first.verdict, second.verdict) == (TOPIC, Verdict.FIRST, Verdict.NEXT)
        assert before_ns <= first.body.pop("tx") <= time.time_ns()
        assert first.body == {"type": "snapshot", "data": {}, "seq": 1, "epoch": 9, "rx": 7}
        assert "rx" not in second.body
        assert publisher.published == 2


def test_a_resend_carries_the_last_number_and_counts_nothing(
    publisher: Publisher, run_dir: Path, context: Context
) -> None:
    with Subscriber(run_dir, [TOPIC], context=context) as subscriber:
        wait_for(publisher, [Subscription(TOPIC, True)])
        publisher.resend(TOPIC, {})
        publisher.publish(TOPIC, {})
        publisher.resend(TOPIC, {})
        publisher.publish(TOPIC, {})
        events = [received(subscriber) for _ in range(4)]
    assert [event.body["seq"] for event in events] == [0, 1, 1, 2]
    assert [event.body.get("resend") for event in events] == [True, None, True, None]
    assert [event.verdict for event in events] == [
        Verdict.RESEND,
        Verdict.NEXT,
        Verdict.RESEND,
        Verdict.NEXT,
    ]
    assert publisher.seq(TOPIC) == 2


def test_every_subscriber_shows_and_the_last_one_leaving_does_too(
    publisher: Publisher, run_dir: Path, context: Context
) -> None:
    first = Subscriber(run_dir, [TOPIC], context=context)
    wait_for(publisher, [Subscription(TOPIC, True)])
    second = Subscriber(run_dir, [TOPIC], context=context)
    wait_for(publisher, [Subscription(TOPIC, True)])
    first.close()
    second.unsubscribe(TOPIC)
    wait_for(publisher, [Subscription(TOPIC, False)])
    second.subscribe("linear.")
    wait_for(publisher, [Subscription("linear.", True)])
    second.resubscribe("linear.")
    wait_for(publisher, [Subscription("linear.", False), Subscription("linear.", True)])
    second.close()


def test_a_prefix_that_is_no_text_and_a_message_of_a_subscriber_are_passed_over(
    publisher: Publisher, run_dir: Path, context: Context
) -> None:
    with context.socket(zmq.XSUB) as raw:
        raw.connect(events_address(run_dir))
        for frame in (b"\x01\xff\xfe", b"hello", b"", b"\x02x", b"\x01a.b."):
            raw.send(frame)
        wait_for(publisher, [Subscription("a.b.", True)])
        raw.close(linger=0)


def test_subscriptions_never_block(publisher: Publisher) -> None:
    assert list(publisher.subscriptions()) == []


def test_a_restarted_publisher_finds_its_subscriptions_again_and_shows_a_new_epoch(
    run_dir: Path, context: Context
) -> None:
    publisher = Publisher(context, events_address(run_dir), epoch=9)
    with Subscriber(run_dir, [TOPIC], context=context) as subscriber:
        wait_for(publisher, [Subscription(TOPIC, True)])
        publisher.publish(TOPIC, {})
        assert received(subscriber).verdict is Verdict.FIRST
        publisher.close()
        assert subscriber.receive(20) is None
        publisher = Publisher(context, events_address(run_dir), epoch=10)
        due_s = time.monotonic() + 5
        while not (came := list(publisher.subscriptions())):
            assert subscriber.receive(10) is None  # its own reading is what asks again
            assert time.monotonic() < due_s
        assert came == [Subscription(TOPIC, True)]
        publisher.publish(TOPIC, {})
        assert received(subscriber).verdict is Verdict.NEW_EPOCH
    publisher.close()


def test_a_reader_that_falls_behind_loses_frames_and_is_told_how_many(
    run_dir: Path, context: Context
) -> None:
    publisher = Publisher(context, events_address(run_dir), epoch=9, high_water_mark=10)
    with Subscriber(run_dir, [TOPIC], context=context, high_water_mark=10) as subscriber:
        wait_for(publisher, [Subscription(TOPIC, True)])
        sent = 3000
        for _ in range(sent):
            publisher.publish(TOPIC, {"data": "x" * 3000})
        events = []
        while (event := subscriber.receive(200)) is not None:
            events.append(event)
        publisher.publish(TOPIC, {})
        events.append(received(subscriber))
    publisher.close()
    assert len(events) < sent
    assert any(event.verdict is Verdict.HOLE for event in events)
    assert sum(event.missing for event in events) + len(events) == sent + 1
