from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from bybitbus.endpoints import events_address
from bybitbus.publisher import Publisher
from bybitd.order_execution.private_events import PrivateEvents

TOPIC = "private.main.order."
STATUS = "gateway.status.private-stream-main."


class Wired:
    """The subscription and the publisher that it listens to."""

    def __init__(self, run_dir: Path) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.records: list[dict[str, Any]] = []
        self.holes: list[str] = []
        self.address = events_address(run_dir, "private-stream-main")
        self.positions: list[dict[str, Any]] = []
        self.states: list[bool] = []
        self.wholes: list[str] = []
        self.events = PrivateEvents(self.context, run_dir, "main", self)
        self.publisher = self.publish_as(epoch=1)

    def publish_as(self, epoch: int) -> Publisher:
        publisher = Publisher(self.context, self.address, epoch=epoch)
        due_s = time.monotonic() + 10
        while not publisher.socket.poll(10):
            # libzmq subscribes again at a new publisher when the subscriber looks at its socket.
            self.events.socket.poll(10)
            assert time.monotonic() < due_s, "nobody subscribed"
        return publisher

    def send(self, name: str, resend: bool = False) -> None:
        send = self.publisher.resend if resend else self.publisher.publish
        send(TOPIC, {"topic": "order", "data": [{"orderId": name}]})
        wanted = len(self.records) + 1
        while len(self.records) < wanted:
            assert self.events.socket.poll(10_000), "nothing came"
            self.events.read()

    def order(self, record: dict[str, Any], _repeated: bool) -> None:
        self.records.append(record)

    def position(self, record: dict[str, Any]) -> None:
        self.positions.append(record)

    def status(self, vouched: bool) -> None:
        self.states.append(vouched)

    def missed(self, topic: str, why: str) -> None:
        self.holes.append(why)

    def repeated(self, topic: str) -> None:
        self.wholes.append(topic)

    def subscribed_again(self) -> list[str]:
        """Return what is asked for anew after the private stream says that it is ready."""
        list(self.publisher.subscriptions())
        self.publisher.publish(STATUS, {"vouched": True})
        wanted = len(self.states) + 1
        while len(self.states) < wanted:
            assert self.events.socket.poll(10_000), "nothing came"
            self.events.read()
        found: list[str] = []
        while self.publisher.socket.poll(200):
            found += [each.prefix for each in self.publisher.subscriptions() if each.joined]
        return sorted(found)

    def close(self) -> None:
        self.events.close()
        self.publisher.close()
        self.context.destroy(linger=0)


@pytest.fixture
def wired() -> Iterator[Wired]:
    folder = tempfile.mkdtemp(prefix="bd", dir="/tmp")
    both = Wired(Path(folder))
    yield both
    both.close()
    shutil.rmtree(folder)


def test_the_first_message_says_that_all_before_it_was_missed(wired: Wired) -> None:
    wired.send("a")
    assert wired.records == [{"orderId": "a"}]
    assert wired.holes == ["the private stream was joined"]


def test_messages_without_a_hole_are_only_handed_over(wired: Wired) -> None:
    for name in "abc":
        wired.send(name)
    wired.send("d", resend=True)
    assert [row["orderId"] for row in wired.records] == list("abcd")
    assert len(wired.holes) == 1


@pytest.mark.parametrize("resend", [False, True])
def test_a_hole_is_noticed_also_when_a_repetition_shows_it(wired: Wired, resend: bool) -> None:
    wired.send("a")
    wired.publisher._topics[TOPIC].seq += 2
    wired.send("b", resend=resend)
    assert len(wired.holes) == 2
    assert "missing" in wired.holes[1]


def test_a_new_epoch_means_that_something_was_missed(wired: Wired) -> None:
    wired.send("a")
    wired.publisher.close()
    wired.publisher = wired.publish_as(epoch=2)
    wired.send("b")
    assert wired.holes[1:] == ["the private stream began anew"]


def test_what_is_no_event_is_passed_over(wired: Wired) -> None:
    wired.publisher.socket.send_multipart([TOPIC.encode(), b"\xc1"])
    wired.send("a")
    assert wired.records == [{"orderId": "a"}]


def test_what_was_missed_is_asked_for_until_all_of_it_was_repeated(wired: Wired) -> None:
    assert wired.subscribed_again() == [TOPIC, "private.main.position."]
    wired.send("a", resend=True)
    assert wired.wholes == ["order"]
    assert wired.subscribed_again() == ["private.main.position."]
    wired.send("b")
    wired.send("c", resend=True)
    assert wired.wholes == ["order"]  # a repetition that nobody waits for is no whole
