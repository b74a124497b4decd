"""Several connections that carry the same topics, each a lane: first come, first published. Pure.

What the lanes bring is put together (`merging`) before the pipeline sees it, which proves and
publishes it like the messages of a single connection. A topic is lost when no lane carries it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from bybitd.public_feed.channel import Channel
from bybitd.public_feed.merging.choice import merging_for
from bybitd.public_feed.merging.copies import Arrived, Copies
from bybitd.public_feed.pipeline import Pipeline
from bybitd.public_feed.published import Health
from bybitd.venue.session import Session
from bybitd.venue.topics import check

_READ_AT: Final = attrgetter("rx_ns")
_LOOK_EVERY_MS: Final = 2_500
SILENT_MS: Final = 10_000  # a lane that brings nothing of a topic that flows is asked for it again
_SETTLED_MS: Final = 2_000  # within this a topic that was asked for has come, or soon will


class _Topic:
    """One topic. Of each lane, monotonic ms: when it was asked for it, when it last brought
    something, and since when it is known to lack something (0: it does not).
    """

    __slots__ = ("asked_ms", "copies", "heard_ms", "lacking_ms")

    def __init__(self, copies: Copies, lanes: int) -> None:
        self.copies = copies
        self.asked_ms = [0] * lanes
        self.heard_ms = [0] * lanes
        self.lacking_ms = [0] * lanes

    def is_settled(self, lane: int, now_ms: int) -> bool:
        """Tell whether a lane has brought by now what it was asked for, or never will."""
        asked_ms = self.asked_ms[lane]
        return self.heard_ms[lane] > asked_ms or now_ms - asked_ms > _SETTLED_MS


class Lanes:
    """The topics of one bundle of connections. `ask_again(lane, name, now_ms)` has a lane begin a
    topic anew, if it is connected.
    """

    def __init__(
        self,
        category: str,
        count: int,
        pipeline: Pipeline,
        channels: dict[str, Channel],
        ask_again: Callable[[int, str, int], None],
    ) -> None:
        self._category = category
        self._count = count
        self.pipeline = pipeline
        self._channels = channels
        self._ask_again = ask_again
        self._topics: dict[str, _Topic] = {}
        self._connected: set[int] = set()
        self._missed: list[str] = []
        self._to_ask: dict[tuple[int, str], None] = {}
        self._look_ms = 0
        pipeline.counters.setdefault("copies", 0)

    def add(self, name: str) -> None:
        """Put a topic together from now on."""
        copies = merging_for(check(self._category, name), self._count)
        self._topics[name] = _Topic(copies, self._count)

    def remove(self, name: str) -> None:
        """Forget a topic."""
        self._topics.pop(name, None)

    # What the lanes tell

    def asked(self, lane: int, names: Iterable[str], now_ms: int, now_ns: int) -> None:
        """Note that a lane was asked for topics: what it brought before ends here."""
        self._connected.add(lane)
        ready: list[Arrived] = []
        for name, topic, channel in self._known(names):
            ready += topic.copies.lost(lane, now_ms)
            topic.asked_ms[lane] = topic.heard_ms[lane] = now_ms
            topic.lacking_ms[lane] = 0
            if channel.health is Health.LIVE and not self._is_carried(topic):
                # No other lane brings it: what comes until one begins anew is missed.
                self.pipeline.lost((name,), "it is asked for anew", now_ns)
                topic.copies.forget()
            if channel.health is not Health.LIVE:
                channel.asked(now_ms)
                channel.acknowledged = self._is_carried(topic)
            self._note(name, topic)
        self._publish(ready, now_ms, now_ns)

    def acknowledged(self, lane: int, name: str, proved: bool) -> None:
        """Note that the exchange took the request for a topic on a lane; `proved`: that it serves
        it there.
        """
        self.pipeline.acknowledged(name, proved)
        topic = self._topics.get(name)
        if topic is not None and proved:
            topic.copies.confirmed(lane)

    def take(
        self, lane: int, session: Session, payloads: Sequence[bytes], rx_ns: int, now_ms: int
    ) -> None:
        """Take what one read of a lane brought, and publish what no other lane has brought."""
        receive, find = session.receive, self._topics.get
        counters = self.pipeline.counters
        ready: list[Arrived] = []
        offered = 0
        for payload in payloads:
            message = receive(payload, now_ms)
            if message is None:
                continue
            topic = find(message["topic"])
            if topic is None:
                counters["unasked"] += 1
                continue
            topic.heard_ms[lane] = now_ms
            offered += 1
            try:
                ready += topic.copies.offer(lane, message, rx_ns, now_ms)
            except (LookupError, TypeError, AttributeError) as error:
                if self._is_carried(topic, but=lane):
                    reason = f"{message['topic']}: {error!r}"
                    self.pipeline.bad_frame(reason, repr(payload)[:200], rx_ns)
                else:
                    ready.append(Arrived(message, rx_ns))  # it is refused like any other
            if topic.copies.missed:
                self._missed.append(message["topic"])
        counters["frames"] += len(payloads)
        counters["copies"] += offered  # less those that are published
        if ready or self._missed:
            self._publish(ready, now_ms, rx_ns)
        if self._to_ask:
            self._ask(now_ms)

    def lost(self, lane: int, names: Iterable[str], reason: str, now_ms: int, now_ns: int) -> None:
        """Note that a lane is gone. A topic that no other one carries is stale."""
        self._connected.discard(lane)
        ready: list[Arrived] = []
        for name, topic, channel in self._known(names):
            ready += topic.copies.lost(lane, now_ms)
            live = channel.health is Health.LIVE
            if not self._connected or (live and not self._is_carried(topic)):
                self.pipeline.lost((name,), reason, now_ns)
                topic.copies.forget()
                self._want(name, (n for n in self._connected if topic.is_settled(n, now_ms)))
                if self._connected:
                    channel.asked(now_ms)  # should nothing come of it, they are asked again
            self._note(name, topic)
        self._publish(ready, now_ms, now_ns)
        self._ask(now_ms)

    def beat(self, now_ms: int, now_ns: int) -> None:
        """Let deadlines pass."""
        ready: list[Arrived] = []
        for name, topic in self._topics.items():
            if topic.copies.waiting:
                ready += topic.copies.overdue(now_ms)
                self._note(name, topic)
        self._publish(ready, now_ms, now_ns)
        if now_ms >= self._look_ms:
            self._look_ms = now_ms + _LOOK_EVERY_MS
            for name, topic, channel in self._known(self._topics):
                self._want(name, self._silent(topic, channel, now_ms))
        self._ask(now_ms)

    # What the pipeline needs of a session: the messages are decoded, asking concerns all lanes.

    def receive(self, payload: Any, now_ms: int) -> dict[str, Any] | None:
        """Return the message."""
        message: dict[str, Any] = payload
        return message

    def resubscribe(self, topic: str, now_ms: int) -> None:
        """Have every lane begin a topic anew, as soon as nothing else is being done."""
        self._want(topic, self._connected)

    def _publish(self, ready: Sequence[Arrived], now_ms: int, now_ns: int) -> None:
        counters = self.pipeline.counters
        resyncs = counters["resyncs"]
        for rx_ns, arrived in groupby(ready, key=_READ_AT):
            self.pipeline.take(self, [each.message for each in arrived], rx_ns, now_ms)
        counters["copies"] -= len(ready)
        counters["frames"] -= len(ready)  # the pipeline has counted them once more
        if counters["resyncs"] != resyncs:
            for _, topic, channel in self._known({each.message["topic"] for each in ready}):
                if channel.health is Health.RESYNCING:
                    topic.copies.forget()
        missed, self._missed = self._missed, []
        for name, topic, _ in self._known(dict.fromkeys(missed)):
            if reason := topic.copies.missed:
                topic.copies.forget()
                self.pipeline.missed(name, reason, self, now_ns, now_ms)

    def _known(self, names: Iterable[str]) -> Iterator[tuple[str, _Topic, Channel]]:
        """Yield what is still wanted of these topics."""
        for name in names:
            topic, channel = self._topics.get(name), self._channels.get(name)
            if topic is not None and channel is not None:
                yield name, topic, channel

    def _note(self, name: str, topic: _Topic) -> None:
        if topic.copies.missed:
            self._missed.append(name)

    def _want(self, name: str, lanes: Iterable[int]) -> None:
        self._to_ask.update({(lane, name): None for lane in lanes})

    def _ask(self, now_ms: int) -> None:
        # Only here: a connection may break while it is used, which comes back as `lost`.
        while self._to_ask:
            (lane, name), _ = self._to_ask.popitem()
            if lane in self._connected and name in self._topics:
                self._ask_again(lane, name, now_ms)

    def _is_carried(self, topic: _Topic, but: int = -1) -> bool:
        return any(topic.copies.carries(lane) for lane in self._connected if lane != but)

    def _silent(self, topic: _Topic, channel: Channel, now_ms: int) -> list[int]:
        """Return the lanes that have brought nothing of a topic for too long while it flowed."""
        silent = []
        for lane in self._connected if channel.health is Health.LIVE else ():
            carries, since_ms = topic.copies.carries(lane), topic.lacking_ms[lane]
            got_ms = topic.heard_ms[lane] if carries else topic.asked_ms[lane]
            if got_ms >= channel.fresh_ms:
                topic.lacking_ms[lane] = 0
            elif not since_ms or got_ms > since_ms:
                topic.lacking_ms[lane] = now_ms
            elif now_ms - since_ms >= SILENT_MS:
                topic.lacking_ms[lane] = 0
                silent.append(lane)
        return silent
