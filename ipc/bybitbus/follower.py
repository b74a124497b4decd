"""Receive events without holes, blocking (`ipc/PROTOCOL.md`, "Holes and their cure")."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import zmq

from bybitbus.client import Client
from bybitbus.closing import Closing
from bybitbus.codes import Code
from bybitbus.correlation import deadline_for
from bybitbus.cure import Cure
from bybitbus.errors import Refused
from bybitbus.events import Event
from bybitbus.messages import Reply
from bybitbus.sequence import Verdict
from bybitbus.subscriber import DEFAULT_HIGH_WATER_MARK, Subscriber, Subscriptions
from bybitbus.waiting import Ask

ANSWER_WITHIN_MS: Final = 1_000
_BEAT_MS: Final = 50  # how often deadlines are looked at while something is asked for
AT_A_STRETCH: Final = 255  # events passed on without a look at the time


class Following:
    """What is followed over a subscriber's socket, and what is to be done about the holes in it:
    what a blocking follower and one for asyncio share.
    """

    subscriber: Subscriptions

    def __init__(self, topics: Iterable[str]) -> None:
        self.cure = Cure(self.subscriber.reader.sequences)
        for topic in topics:
            self.subscribe(topic)

    def subscribe(self, topic: str) -> None:
        """Ask for a topic, or for everything that starts with a prefix. Asking twice is once."""
        if topic not in self.subscriber.topics:
            self.subscriber.subscribe(topic)
            self.cure.followed(topic, monotonic_ms())

    def unsubscribe(self, topic: str) -> None:
        """Take a subscription back. A few messages that were on the way may still arrive."""
        if topic in self.subscriber.topics:
            self.subscriber.unsubscribe(topic)
            self.cure.forget(topic, but=self.subscriber.topics)

    def check(self) -> None:
        """Have it found out whether the last message of each topic has come.

        A lost message shows with the next one of its topic; where that may be long in coming, this
        asks. What was missing is then received like everything else.
        """
        self.cure.check(monotonic_ms())


class Follower(Following, Closing):
    """A `Subscriber` that makes good what it misses on public topics.

    Every message comes once and in order. One that was lost is fetched from the gateway
    (`market.replay`), or the state instead (`market.snapshot`); `missing` of an event tells only
    of what could not be had, or is of no use: deltas while there is no state to apply them to.
    Messages of `private.` topics are judged as by a `Subscriber`.

    `where` is a run folder (the bus's sockets in it are then used), or None for the one that the
    daemon uses without configuration. It may also be a ZeroMQ address, and `requests` the one that
    belongs to it. For one thread only; as long as it is not read nothing is made good.

    Raises:
        PathTooLong: a socket's path would exceed the system's limit.
        ValueError: an address without its `requests`.
    """

    subscriber: Subscriber

    def __init__(
        self,
        where: Path | str | None = None,
        topics: Iterable[str] = (),
        *,
        requests: str | None = None,
        client: str = "",
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        high_water_mark: int = DEFAULT_HIGH_WATER_MARK,
    ) -> None:
        self.subscriber = Subscriber(where, context=context, high_water_mark=high_water_mark)
        try:
            self.client = Client(belonging(where, requests), client=client, context=context)
        except BaseException:
            self.subscriber.close()
            raise
        self._flights: dict[str, tuple[Ask, int]] = {}  # request id -> what, due (monotonic ms)
        self._beat_ms = 0
        self._left = 0
        self._poller = zmq.Poller()
        self._poller.register(self.subscriber.socket, zmq.POLLIN)
        self._poller.register(self.client.socket, zmq.POLLIN)
        super().__init__(topics)

    def receive(self, timeout_ms: int | None = None) -> Event | None:
        """Return the next event, or None after `timeout_ms` without one (None waits for ever)."""
        due_ms = None if timeout_ms is None else monotonic_ms() + timeout_ms
        cure, receive = self.cure, self.subscriber.receive
        while True:
            if cure.ready:
                return cure.ready.popleft()
            event = receive(0)
            if event is not None and event.verdict is Verdict.NEXT and cure.idle and self._left:
                self._left -= 1
                return event
            self._left = AT_A_STRETCH
            now_ms = monotonic_ms()
            if event is not None:
                cure.take(event, now_ms)
            self._serve(now_ms)
            if event is None and not cure.ready and not self._wait(due_ms):
                return None

    def __iter__(self) -> Iterator[Event]:
        """Yield events for ever."""
        while (event := self.receive()) is not None:
            yield event

    def _serve(self, now_ms: int) -> None:
        """Send what is to be asked, take what was answered, let deadlines pass."""
        for ask in self.cure.asks():
            self._send(ask, now_ms)
        if self._flights:
            while (reply := self.client.receive(0)) is not None:
                self._settle(reply, now_ms)
        if now_ms >= self._beat_ms:
            self._beat_ms = now_ms + _BEAT_MS
            late = [number for number, (_, due_ms) in self._flights.items() if due_ms <= now_ms]
            for number in late:
                self.client.give_up(number)
                self.cure.refuse(self._flights.pop(number)[0], Code.NO_ANSWER, now_ms)
            self.cure.tick(now_ms)
        for ask in self.cure.asks():
            self._send(ask, now_ms)

    def _send(self, ask: Ask, now_ms: int) -> None:
        # A program that is down must not hold the others up: nothing here waits.
        deadline_ms = deadline_for(ANSWER_WITHIN_MS, time.time_ns() // 1_000_000)
        try:
            number = self.client.send(ask.op, ask.args, deadline_ms=deadline_ms, timeout_ms=0)
        except Refused as refused:
            self.cure.refuse(ask, refused.code, now_ms)
        else:
            self._flights[number] = ask, now_ms + ANSWER_WITHIN_MS

    def _settle(self, reply: Reply, now_ms: int) -> None:
        flight = self._flights.pop(reply.id, None)
        if flight is None:
            return
        if reply.ok:
            self.cure.answer(flight[0], reply.result, now_ms)
        else:
            code = reply.error.code if reply.error is not None else Code.INTERNAL
            self.cure.refuse(flight[0], code, now_ms)

    def _wait(self, due_ms: int | None) -> bool:
        """Wait for something to do; False when the time is over."""
        left_ms = None if due_ms is None else max(0, due_ms - monotonic_ms())
        beat_ms = _BEAT_MS if self._flights else self.cure.next_deadline_ms() - monotonic_ms()
        beat_ms = max(0, beat_ms, self._beat_ms - monotonic_ms())
        self._poller.poll(beat_ms if left_ms is None else min(beat_ms, left_ms))
        return left_ms is None or left_ms > 0

    def close(self) -> None:
        """Close the sockets."""
        self.subscriber.close()
        self.client.close()


def belonging(where: Path | str | None, requests: str | None) -> Path | str | None:
    """Return where requests go that are about the events of `where`.

    Raises:
        ValueError: `where` is the address of one socket, which does not tell the other's.
    """
    if requests is None and isinstance(where, str) and "://" in where:
        raise ValueError(f"{where} is for events only: name the address for requests too")
    return where if requests is None else requests


def monotonic_ms() -> int:
    """Return the monotonic time, ms."""
    return time.monotonic_ns() // 1_000_000
