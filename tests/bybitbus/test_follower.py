"""Real sockets: queues too short for what is sent, and a feed that keeps what does not arrive."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
import zmq.asyncio

from bybitbus import aio
from bybitbus.codes import Code
from bybitbus.endpoints import events_address, requests_address
from bybitbus.events import Event
from bybitbus.follower import Follower
from bybitbus.messages import gateway_error
from bybitbus.publisher import Publisher
from bybitbus.sequence import Verdict
from bybitbus.server import Call, Server

Context = zmq.Context[zmq.Socket[bytes]]
TRADES, BOOK = "linear.publicTrade.BTCUSDT.", "linear.orderbook.50.BTCUSDT."
COUNT = 3_000
PAD = "x" * 300  # so that the kernel's buffers are soon full


class KeptFeed:
    """A publisher with its ring behind `market.replay`, driven by a thread of its own.

    `burst` publishes so much at once that a reader with a short queue loses most of it.
    """

    def __init__(self, run_dir: Path, context: Context, *, epoch: int, ring: int) -> None:
        self.publisher = Publisher(
            context, events_address(run_dir), epoch=epoch, high_water_mark=10
        )
        self.publisher.keep(ring)
        self.server = Server(context, requests_address(run_dir))
        self.asked: list[str] = []
        self._work: list[tuple[str, int]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def publish(self, topic: str, count: int) -> None:
        self._work.append((topic, count))

    def wait_for(self, topic: str, seq: int) -> None:
        due_s = time.monotonic() + 20
        while self.publisher.seq(topic) < seq:
            assert time.monotonic() < due_s
            time.sleep(0.005)

    def _run(self) -> None:
        while not self._stopping.is_set():
            list(self.publisher.subscriptions())
            while self._work:
                topic, count = self._work.pop(0)
                for _ in range(count):
                    seq = self.publisher.seq(topic) + 1
                    kind = "delta" if topic == BOOK and seq > 1 else "snapshot"
                    self.publisher.publish(topic, {"type": kind, "data": [seq], "pad": PAD})
            if self.server.socket.poll(2):
                for call in self.server.calls():
                    self.asked.append(call.request.op)
                    self._answer(call)

    def _answer(self, call: Call) -> None:
        args, out = call.request.args, self.publisher
        topic = args["topic"]
        if call.request.op == "market.snapshot":
            if topic == TRADES:
                call.fail(gateway_error(Code.NOT_FOUND, "no state"))
                return
            body = {"type": "snapshot", "seq": out.seq(topic), "epoch": out.epoch, "data": []}
            call.succeed({"topic": topic, "body": body})
            return
        kept = out.kept(topic)
        first = args.get("from", kept.start)
        wanted = range(first, min(args.get("to", out.seq(topic)), out.seq(topic)) + 1)
        if args["epoch"] != out.epoch or (wanted and first < kept.start):
            call.fail(gateway_error(Code.GONE, "not kept"))
            return
        bodies = out.replay(topic, wanted, 20_000) if wanted else []
        raw = [msgspec.Raw(body) for body in bodies]
        call.succeed({"topic": topic, "last": out.seq(topic), "list": raw})

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        self.publisher.close()
        self.server.close()


@contextmanager
def feeding(
    run_dir: Path, context: Context, *, epoch: int = 9, ring: int = 1 << 24
) -> Iterator[KeptFeed]:
    feed = KeptFeed(run_dir, context, epoch=epoch, ring=ring)
    try:
        yield feed
    finally:
        feed.close()


def read_until(follower: Follower, topic: str, seq: int) -> list[Event]:
    events: list[Event] = []
    while not events or (events[-1].topic, events[-1].body["seq"]) != (topic, seq):
        event = follower.receive(10_000)
        assert event is not None, f"nothing after {events[-1:]}"
        events.append(event)
    return events


def numbers(events: list[Event]) -> list[int]:
    return [event.body["seq"] for event in events]


def begin(feed: KeptFeed, follower: Follower, topic: str) -> None:
    """Publish one message after another until the first arrives, as the subscription does."""
    while follower.receive(20) is None:
        feed.publish(topic, 1)
    while follower.receive(100) is not None:
        pass


def test_a_reader_that_can_not_keep_up_has_every_message_once_and_in_order(
    run_dir: Path, context: Context
) -> None:
    with (
        feeding(run_dir, context) as feed,
        Follower(run_dir, [TRADES], context=context, high_water_mark=5) as follower,
    ):
        begin(feed, follower, TRADES)
        first = feed.publisher.seq(TRADES)
        feed.publish(TRADES, COUNT)
        feed.wait_for(TRADES, first + COUNT)  # the reader sleeps, and its queue overflows
        feed.publish(TRADES, 1)
        events = read_until(follower, TRADES, first + COUNT + 1)
        assert numbers(events) == list(range(first + 1, first + COUNT + 2))
        assert {(event.verdict, event.missing) for event in events} == {(Verdict.NEXT, 0)}
        assert [event.body["data"] for event in events] == [[n] for n in numbers(events)]
        assert follower.cure.cured > 0


def test_what_is_not_kept_any_more_is_told_exactly(run_dir: Path, context: Context) -> None:
    with (
        feeding(run_dir, context, ring=20_000) as feed,
        Follower(run_dir, [TRADES], context=context, high_water_mark=5) as follower,
    ):
        begin(feed, follower, TRADES)
        first = feed.publisher.seq(TRADES)
        feed.publish(TRADES, COUNT)
        feed.wait_for(TRADES, first + COUNT)
        follower.check()
        events = read_until(follower, TRADES, first + COUNT)
        last = first
        for event in events:
            assert event.body["seq"] == last + event.missing + 1
            last = event.body["seq"]
        missing = sum(event.missing for event in events)
        assert missing + len(events) == COUNT
        assert missing > 0


def test_a_state_that_was_lost_is_had_by_request(run_dir: Path, context: Context) -> None:
    with (
        feeding(run_dir, context, ring=20_000) as feed,
        Follower(run_dir, [BOOK], context=context, high_water_mark=5) as follower,
    ):
        begin(feed, follower, BOOK)
        first = feed.publisher.seq(BOOK)
        feed.publish(BOOK, COUNT)
        feed.wait_for(BOOK, first + COUNT)
        feed.publish(BOOK, 1)
        events = read_until(follower, BOOK, first + COUNT + 1)
        (resent,) = [event for event in events if event.missing]
        assert (resent.verdict, resent.body["resend"]) == (Verdict.RESEND, True)
        assert "market.snapshot" in feed.asked


def test_the_end_of_what_was_lost_is_found_by_asking(run_dir: Path, context: Context) -> None:
    with (
        feeding(run_dir, context) as feed,
        Follower(run_dir, [TRADES], context=context) as follower,
    ):
        begin(feed, follower, TRADES)
        first = feed.publisher.seq(TRADES)
        follower.subscriber.socket.unsubscribe(TRADES)  # deaf, and does not know it
        while follower.receive(100) is not None:
            pass
        feed.publish(TRADES, 4)
        while feed.publisher.seq(TRADES) < first + 4:
            assert follower.receive(5) is None
        follower.check()
        assert numbers(read_until(follower, TRADES, first + 4)) == list(range(first + 1, first + 5))


def test_a_gateway_that_does_not_answer_holds_a_topic_up_for_a_moment_only(
    run_dir: Path, context: Context
) -> None:
    publisher = Publisher(context, events_address(run_dir), epoch=9)
    try:
        with Follower(run_dir, [TRADES], context=context) as follower:
            assert publisher.socket.poll(5000)
            for number in range(1, 7):
                if number in (3, 4):
                    publisher._topics[TRADES].seq += 1  # lost on the way
                else:
                    publisher.publish(TRADES, {"type": "snapshot"})
            events = read_until(follower, TRADES, 6)
            assert [(event.body["seq"], event.missing) for event in events] == [
                (1, 0),
                (2, 0),
                (5, 2),
                (6, 0),
            ]
    finally:
        publisher.close()


def test_a_restarted_feed_is_read_from_its_first_message(run_dir: Path, context: Context) -> None:
    with Follower(run_dir, [TRADES], context=context) as follower:
        with feeding(run_dir, context) as feed:
            begin(feed, follower, TRADES)
        with feeding(run_dir, context, epoch=10) as feed:
            feed.publish(TRADES, 3)
            while (event := follower.receive(20)) is None:
                feed.publish(TRADES, 1)
            assert (event.body["epoch"], event.body["seq"]) == (10, 1)
            assert (event.verdict, event.missing) == (Verdict.NEW_EPOCH, 0)


def test_an_address_needs_the_one_for_requests_too(run_dir: Path, context: Context) -> None:
    with pytest.raises(ValueError, match="name the address for requests too"):
        Follower(events_address(run_dir), context=context)
    with Follower(
        events_address(run_dir), [TRADES], requests=requests_address(run_dir), context=context
    ) as follower:
        follower.unsubscribe(TRADES)
        assert follower.cure.idle
        assert follower.receive(1) is None


def test_tasks_of_asyncio_have_every_message_too(
    run_dir: Path, context: Context, async_context: zmq.asyncio.Context
) -> None:
    async def main(feed: KeptFeed) -> list[Any]:
        async with aio.Follower(
            run_dir, [TRADES], context=async_context, high_water_mark=5
        ) as follower:
            while await follower.receive(20) is None:
                feed.publish(TRADES, 1)
            while await follower.receive(100) is not None:
                pass
            first = feed.publisher.seq(TRADES)
            feed.publish(TRADES, COUNT)
            feed.wait_for(TRADES, first + COUNT)
            feed.publish(TRADES, 1)
            found = []
            async with asyncio.timeout(30):
                async for event in follower:
                    found.append((event.body["seq"] - first, event.verdict, event.missing))
                    if event.body["seq"] == first + COUNT + 1:
                        break
            assert follower.cure.cured > 0
            follower.check()
            assert await follower.receive(50) is None
            follower.unsubscribe(TRADES)
            assert follower.cure.idle
            return found

    with feeding(run_dir, context) as feed:
        found = asyncio.run(main(feed))
    assert found == [(number, Verdict.NEXT, 0) for number in range(1, COUNT + 2)]
