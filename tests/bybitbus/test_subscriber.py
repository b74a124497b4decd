from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import zmq

from bybitbus.endpoints import events_address
from bybitbus.errors import PathTooLong
from bybitbus.publisher import Publisher
from bybitbus.sequence import Verdict
from bybitbus.subscriber import Subscriber

Context = zmq.Context[zmq.Socket[bytes]]
TOPIC, OTHER = "linear.tickers.BTCUSDT.", "linear.tickers.BTCUSDT-26DEC26."


@pytest.fixture
def publisher(run_dir: Path, context: Context) -> Iterator[Publisher]:
    made = Publisher(context, events_address(run_dir), epoch=9)
    yield made
    made.close()


def joined(publisher: Publisher, number: int = 1) -> None:
    for _ in range(number):
        assert publisher.socket.poll(5000)
        publisher.socket.recv()


def test_a_topic_with_its_closing_dot_matches_no_longer_symbol(
    publisher: Publisher, run_dir: Path, context: Context
) -> None:
    with Subscriber(run_dir, [TOPIC], context=context) as subscriber:
        joined(publisher)
        publisher.publish(OTHER, {})
        publisher.publish(TOPIC, {})
        event = subscriber.receive(5000)
        assert event is not None
        assert event.topic == TOPIC


def test_topics_can_be_asked_for_and_left_at_any_time(
    publisher: Publisher, run_dir: Path, context: Context
) -> None:
    with Subscriber(run_dir, context=context) as subscriber:
        subscriber.subscribe(TOPIC)
        subscriber.subscribe(TOPIC)  # asked for once all the same
        subscriber.subscribe(OTHER)
        joined(publisher, 2)
        for topic in (TOPIC, OTHER):
            publisher.publish(topic, {})
        assert [event.topic for event in islice(subscriber, 2)] == [TOPIC, OTHER]
        subscriber.unsubscribe(TOPIC)
        subscriber.unsubscribe("never.asked.")
        joined(publisher)
        for topic in (TOPIC, OTHER):
            publisher.publish(topic, {})
        event = subscriber.receive(5000)
        assert event is not None
        assert (event.topic, event.verdict) == (OTHER, Verdict.NEXT)
        assert subscriber.topics == {OTHER}


def test_what_was_missed_between_leaving_and_joining_again_is_no_hole(
    publisher: Publisher, run_dir: Path, context: Context
) -> None:
    with Subscriber(run_dir, [TOPIC], context=context) as subscriber:
        joined(publisher)
        publisher.publish(TOPIC, {})
        assert subscriber.receive(5000) is not None
        subscriber.unsubscribe(TOPIC)
        joined(publisher)
        publisher.publish(TOPIC, {})
        subscriber.subscribe(TOPIC)
        joined(publisher)
        publisher.publish(TOPIC, {})
        event = subscriber.receive(5000)
        assert event is not None
        assert (event.verdict, event.body["seq"]) == (Verdict.FIRST, 3)


def test_malformed_messages_are_counted_and_reading_goes_on(
    publisher: Publisher, run_dir: Path, context: Context
) -> None:
    with Subscriber(run_dir, [""], context=context) as subscriber:
        joined(publisher)
        for frames in ([b"a.b."], [b"a.b.", b"\xc1"], [b"a.b.", b"\x80", b""], [b"\xff", b"\x80"]):
            publisher.socket.send_multipart(frames)
        publisher.publish("a.b.", {})
        event = subscriber.receive(5000)
        assert event is not None
        assert event.body["seq"] == 1
        assert subscriber.reader.malformed == 4


def test_receive_returns_nothing_when_its_time_is_over(run_dir: Path, context: Context) -> None:
    with Subscriber(run_dir, [TOPIC], context=context) as subscriber:
        begin_s = time.monotonic()
        assert subscriber.receive(0) is None
        assert subscriber.receive(30) is None
        assert 0.02 < time.monotonic() - begin_s < 3


def test_malformed_messages_do_not_prolong_the_wait(
    publisher: Publisher, run_dir: Path, context: Context
) -> None:
    with Subscriber(run_dir, [""], context=context) as subscriber:
        joined(publisher)
        publisher.socket.send_multipart([b"x"])
        begin_s = time.monotonic()
        assert subscriber.receive(50) is None
        assert time.monotonic() - begin_s < 3
        assert subscriber.reader.malformed == 1


def test_the_queue_of_a_subscriber_is_finite(run_dir: Path, context: Context) -> None:
    with Subscriber(run_dir, context=context) as subscriber:
        assert subscriber.socket.rcvhwm == 50_000


def test_an_address_may_be_given_instead_of_a_run_folder(
    publisher: Publisher, run_dir: Path, context: Context
) -> None:
    with Subscriber(events_address(run_dir), [TOPIC], context=context):
        joined(publisher)


def test_without_anything_said_the_run_folder_of_the_environment_is_used(
    publisher: Publisher, run_dir: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BYBITD_RUN_DIR", str(run_dir))
    with Subscriber(topics=[TOPIC], context=context):
        joined(publisher)


def test_a_folder_that_is_too_long_is_refused_and_nothing_is_left_open(context: Context) -> None:
    with pytest.raises(PathTooLong):
        Subscriber("/tmp/" + "x" * 120, context=context)


def test_a_publisher_that_is_killed_and_comes_back_needs_no_new_subscription(
    run_dir: Path, context: Context
) -> None:
    program = (
        "import sys, time, zmq\n"
        "from bybitbus.endpoints import BinderLock, events_address\n"
        "from bybitbus.publisher import Publisher\n"
        "from pathlib import Path\n"
        "run_dir = Path(sys.argv[1])\n"
        "lock = BinderLock(run_dir, 'bus')\n"
        "publisher = Publisher(zmq.Context(), events_address(run_dir), epoch=time.time_ns())\n"
        "while True:\n"
        f"    publisher.publish({TOPIC!r}, {{}})\n"
        "    time.sleep(0.005)\n"
    )
    command = [sys.executable, "-c", program, str(run_dir)]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with Subscriber(run_dir, [TOPIC], context=context) as subscriber:
        verdicts = []
        for _ in range(2):
            with subprocess.Popen(command, env=environ) as child:
                try:
                    event = subscriber.receive(10_000)
                    assert event is not None
                    verdicts.append(event.verdict)
                finally:
                    child.kill()
            while subscriber.receive(100) is not None:
                pass
    assert verdicts == [Verdict.FIRST, Verdict.NEW_EPOCH]
