"""The stream `system`: the exchange's announcements, carried by one program beside its category.

After each connection what was announced before it is read over REST, so that whoever joins is told
what is to come or under way. What the exchange calls "status" is no market data: should its socket
be down, the feed state of the topic says so, and the program is as ready as its category is.
Source: Bybit V5, "Websocket / System / System Status", "Get System Status".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from bybitbus import topics as bus_topics
from bybitd.net.backoff import Connects
from bybitd.net.connection import Address, Cancellable
from bybitd.net.errors import RestError
from bybitd.net.ip_gate import Gate
from bybitd.net.rest import RestClient, RestReply, RestWorker
from bybitd.public_feed.feed import Feed
from bybitd.public_feed.share import Share
from bybitd.public_feed.upstream import Upstream, monotonic_ms
from bybitd.runtime.exchange import Endpoints
from bybitd.runtime.late_joiners import LateJoiners
from bybitd.runtime.program import Program
from bybitd.venue.state import Announcements
from bybitd.venue.topics import Kind

STREAM: Final = "system"
_SOCKET: Final = "status"
_NAME: Final = str(Kind.STATUS)
_TOPIC: Final = bus_topics.join(STREAM, _NAME)
_PATH: Final = "/v5/system/status"
_RETRY_S: Final = (0.5, 2.0, 10.0, 60.0)
log = logging.getLogger(__name__)


class SystemStream:
    """Publishes `system.system.status.` for `program`; `find` tells where the exchange is."""

    def __init__(
        self,
        program: Program,
        find: Callable[[], Endpoints | None],
        gate: Gate,
        worker: RestWorker,
        budget: Connects,
        beat_s: float,
    ) -> None:
        self._program = program
        self._find = find
        self._gate = gate
        self._worker = worker
        self._budget = budget
        self._failures = 0
        self._problem = ""
        self._retry: Cancellable | None = None
        settings, loop = program.settings, program.loop
        self.feed = Feed(
            Share(STREAM),
            program.publisher,
            always=(_NAME,),
            linger_ms=int(settings.feeds.linger_s * 1000),
            book_interval_ms=settings.feeds.book_interval_ms,
            later=lambda _ms, _view: None,  # nothing is derived from announcements
            counters=program.counters,
            new_carrier=self._new_upstream,
            again=lambda topic: late_joiners.joined(topic),
            reject=program.reject_topic,
        )
        late_joiners = LateJoiners(loop, self.feed.resend)
        program.on_subscription(
            lambda topic, written: self.feed.joined(topic, written, time.time_ns()),
            lambda topic, written: self.feed.left(topic, written, monotonic_ms()),
        )
        loop.call_every(beat_s, lambda: self.feed.beat(monotonic_ms(), time.time_ns()))
        self.feed.start(time.time_ns())

    def describe(self) -> Mapping[str, Any]:
        """Return what the status of the program shows of it."""
        channel = self.feed.find(_TOPIC)
        return {
            "connections": [line.describe() for each in self.feed.carriers for line in each.lines],
            "state": str(channel.health) if channel is not None else "",
        }

    def close(self) -> None:
        """End its connection."""
        self.feed.close()

    def _new_upstream(self, number: int, feed: Feed) -> Upstream:
        return Upstream(
            f"public-{_SOCKET}-{number}",
            _SOCKET,
            self._program.loop,
            self._locate,
            feed.pipeline,
            rejected=lambda name, why: feed.rejected(name, why, monotonic_ms(), time.time_ns()),
            confirmed=lambda _name: self._read(),
            changed=self._forget,
            budget=self._budget,
        )

    def _locate(self) -> Address | None:
        found = self._find()
        if found is None:
            return None
        return Address(found.hosts.websocket(_SOCKET), found.authority)

    def _forget(self) -> None:
        self._failures = 0
        if self._retry is not None:
            self._retry.cancel()

    def _read(self) -> None:
        """Ask for what was announced before the topic was subscribed to."""
        endpoints, channel = self._find(), self.feed.channels.get(_NAME)
        if endpoints is None or channel is None:
            return

        def job() -> RestReply:
            client = RestClient(endpoints.hosts.rest, self._gate, authority=endpoints.authority)
            try:
                return client.get(_PATH)
            finally:
                client.close()

        def done(reply: RestReply | None, error: RestError | None) -> None:
            if channel is not self.feed.channels.get(_NAME) or not self.feed.carriers[0].live:
                return  # another connection asks anew
            try:
                self._take(reply, error)
            except (LookupError, TypeError) as problem:
                self._failed(f"it lists no records: {problem!r}")

        if not self._worker.submit(job, done):
            self._failed("too many REST calls wait")

    def _take(self, reply: RestReply | None, error: RestError | None) -> None:
        if reply is None or reply.ret_code:
            self._failed(str(error) if reply is None else f"{reply.ret_code} {reply.ret_msg}")
            return
        self._problem = ""
        channel = self.feed.channels[_NAME]
        state = channel.state
        assert isinstance(state, Announcements)
        state.fill(reply.result.get("list") or (), reply.time_ms)
        body = state.message()
        assert body is not None, "it was filled"
        # What is known comes before the word that it can be trusted.
        self._program.publisher.resend(channel.topic, body, reply.received_ns)
        self.feed.pipeline.prove(channel, reply.received_ns, monotonic_ms())

    def _failed(self, problem: str) -> None:
        if problem != self._problem:
            log.warning("< %s could not be read: %s", _PATH, problem)
        self._problem = problem
        delay_s = _RETRY_S[min(self._failures, len(_RETRY_S) - 1)]
        self._failures += 1
        self._retry = self._program.loop.call_later(delay_s, self._read)
