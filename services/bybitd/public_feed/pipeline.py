"""From the bytes of one connection to events on the bus. The hot path; pure.

What does not follow from what came before is not published: the topic's state is dropped and the
topic asked for anew. `gateway.feed.` tells the bad news before anything else of the topic, and the
good news (`live`) after the message that proves it, so that at no moment old data counts as live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from bybitd.public_feed.channel import Channel
from bybitd.public_feed.derived.view import View
from bybitd.public_feed.published import Fill, Health, Published
from bybitd.public_feed.quarantine import Quarantine
from bybitd.venue.outcome import Outcome, Result, broken

Publish = Callable[[str, dict[str, Any], int], int]
Announce = Callable[[Published], None]
Later = Callable[[int, View], None]
_COUNTED: Final = {
    Result.DUPLICATE: "duplicates",
    Result.WAITING: "early",
    Result.GAP: "gaps",
    Result.CROSSED: "crossed",
    Result.UNSORTED: "unsorted",
}


class Source(Protocol):
    """Where messages come from, and where a topic can be asked for anew: a session."""

    def receive(self, payload: Any, now_ms: int) -> dict[str, Any] | None:
        """Return the message that a payload is, None where it is none of a topic."""

    def resubscribe(self, topic: str, now_ms: int) -> None:
        """Have the exchange begin a topic anew."""


class Pipeline:
    """Proves and publishes messages of the topics in `channels`, which its owner fills.

    `publish(topic, body, rx_ns)` stamps the map in place. `announce(topic)` publishes how a
    topic is. `later(ms, view)` calls `settle(view)` then. `counters` are those of the status.
    """

    def __init__(
        self,
        channels: dict[str, Channel],
        publish: Publish,
        announce: Announce,
        later: Later,
        counters: dict[str, int],
    ) -> None:
        self.quarantine = Quarantine()
        self.counters = counters
        self._channels = channels
        self._publish = publish
        self._announce = announce
        self._later = later
        for name in ("frames", "bad_frames", "resyncs", "unasked", "filled", *_COUNTED.values()):
            counters.setdefault(name, 0)

    def take(self, session: Source, payloads: Sequence[Any], rx_ns: int, now_ms: int) -> None:
        """Take what one read of the session's connection brought."""
        receive, find, publish = session.receive, self._channels.get, self._publish
        for payload in payloads:
            message = receive(payload, now_ms)
            if message is None:
                continue
            channel = find(message["topic"])
            if channel is None:
                # What still trickles in after an unsubscribe.
                self.counters["unasked"] += 1
                continue
            outcome = channel.apply(message)
            if outcome.publish:
                publish(channel.topic, message, rx_ns)
                channel.fresh_ms = now_ms
                channel.rx_ns = rx_ns
                if channel.views:
                    for view in channel.views:
                        self._publish_view(view, message, rx_ns, now_ms)
                if channel.health is not Health.LIVE:
                    channel.answered()
                    self._turn(channel, Health.LIVE, "", rx_ns)
            else:
                self._refuse(channel, outcome, payload, session, rx_ns, now_ms)
        self.counters["frames"] += len(payloads)

    def prove(self, channel: Channel, rx_ns: int, now_ms: int) -> None:
        """Note that what is held of a topic was proved by other means than a message of it."""
        channel.fresh_ms = now_ms
        channel.rx_ns = rx_ns
        channel.answered()
        self._turn(channel, Health.LIVE, "", rx_ns)

    def missed(self, name: str, reason: str, session: Source, now_ns: int, now_ms: int) -> None:
        """Drop what is kept of a topic of which something is missing, and ask for it anew."""
        channel = self._channels[name]
        channel.state.drop()
        self._refuse(channel, broken(Result.GAP, reason), b"", session, now_ns, now_ms)

    def asked(self, names: Iterable[str], now_ms: int) -> None:
        """Note that the exchange was asked for topics."""
        for name in names:
            self._channels[name].asked(now_ms)

    def acknowledged(self, name: str, proved: bool) -> None:
        """Note that the exchange took the request for a topic: what happens now comes."""
        if (channel := self._channels.get(name)) is not None:
            channel.acknowledged = True

    def bad_frame(self, reason: str, excerpt: str, now_ns: int) -> None:
        """Count and keep a frame that could not be understood."""
        self.quarantine.add(now_ns, reason, excerpt)
        self.counters["bad_frames"] = self.quarantine.count

    def lost(self, names: Iterable[str], reason: str, now_ns: int) -> None:
        """Drop what a connection carried that has gone."""
        for name in names:
            channel = self._channels[name]
            channel.lost()
            self._turn(channel, Health.STALE, reason, now_ns)

    def gone(self, name: str, reason: str, now_ns: int) -> None:
        """Take a topic out that is not carried any more, and say so."""
        self._turn(self._channels.pop(name), Health.STALE, reason, now_ns)

    def begin(self, channel: Channel, rx_ns: int, now_ms: int) -> None:
        """Publish the state of a topic that was completed over REST, which makes it live."""
        body = channel.message()
        assert body is not None
        self._publish(channel.topic, body, rx_ns)
        channel.fresh_ms, channel.rx_ns = now_ms, rx_ns
        self._turn(channel, Health.LIVE, "", rx_ns)

    def supply(self, view: View, bodies: Iterable[dict[str, Any]], rx_ns: int) -> None:
        """Publish what REST told of a derived topic, and see whether that was all it lacked."""
        for body in bodies:
            self._publish(view.topic, body, rx_ns)
        view.rx_ns = rx_ns
        self._judge(view, rx_ns)

    def fill(
        self, held: Published, bodies: Iterable[dict[str, Any]], fill: Fill, rx_ns: int
    ) -> None:
        """Publish what was missed of a topic, and then how far that makes it good."""
        for body in bodies:
            self._publish(held.topic, body, rx_ns)
        self.counters["filled"] += fill.count - (held.fill.count if held.fill else 0)
        held.fill = fill
        if isinstance(held, Channel) and not held.has_state:
            # The exchange said what there is, and what comes now comes live.
            held.turn(Health.LIVE, "", rx_ns)
        self._announce(held)

    def doubt(self, held: Published, reason: str, now_ns: int) -> None:
        """Say why a topic of a connection that is up can not be shown."""
        if isinstance(held, View):
            held.broken = reason
            news = held.wait(reason, now_ns)
        else:
            news = held.turn(Health.STALE, reason, now_ns)
        if news:
            self._announce(held)

    def settle(self, view: View, now_ms: int) -> None:
        """Publish what had to wait for its time."""
        if view.owed:
            view.owed = False
            self._publish_view(view, None, view.rx_ns, now_ms)

    def show(self, view: View, channel: Channel, now_ns: int) -> None:
        """Have a derived topic follow a channel from now on, and say what is known already."""
        view.follow(channel.state)
        channel.views += (view,)
        if channel.health is Health.LIVE:
            self._publish_view(view, None, channel.rx_ns, channel.fresh_ms)
        if channel.health is not Health.PENDING:
            self._turn_view(view, channel.health, channel.reason, now_ns)

    def hide(self, view: View, channel: Channel | None, reason: str, now_ns: int) -> None:
        """Take a derived topic out, and say so."""
        if channel is not None:
            channel.views = tuple(each for each in channel.views if each is not view)
        self._turn_view(view, Health.STALE, reason, now_ns)

    def overdue(self, now_ms: int, now_ns: int) -> list[str]:
        """Mark what has been silent for too long; return the topics to ask for again."""
        again = []
        for channel in self._channels.values():
            if channel.health is Health.LIVE:
                silent_ms = now_ms - channel.fresh_ms
                if silent_ms < channel.silence_ms:
                    continue
                reason = f"nothing came for {silent_ms // 1000} s"
                self._turn(channel, Health.STALE, reason, now_ns)
                again.append(channel.name)
            elif now_ms >= channel.retry_ms:
                if channel.health is Health.PENDING:
                    self._turn(channel, Health.STALE, "the exchange sends no snapshot", now_ns)
                again.append(channel.name)
        return again

    def _refuse(
        self,
        channel: Channel,
        outcome: Outcome,
        payload: Any,
        session: Source,
        rx_ns: int,
        now_ms: int,
    ) -> None:
        if (name := _COUNTED.get(outcome.result)) is not None:
            self.counters[name] += 1
        else:
            self.bad_frame(f"{channel.name}: {outcome.reason}", repr(payload)[:200], rx_ns)
        if not outcome.resync:
            return
        self.counters["resyncs"] += 1
        self._turn(channel, Health.RESYNCING, outcome.reason or str(outcome.result), rx_ns)
        channel.broke(now_ms)
        if channel.retry_ms <= now_ms:
            session.resubscribe(channel.name, now_ms)
            channel.asked(now_ms)

    def _turn(self, channel: Channel, health: Health, reason: str, now_ns: int) -> None:
        if channel.turn(health, reason, now_ns):
            self._announce(channel)
        for view in channel.views:
            self._turn_view(view, health, reason, now_ns)

    def _publish_view(
        self, view: View, message: dict[str, Any] | None, rx_ns: int, now_ms: int
    ) -> None:
        view.rx_ns = rx_ns
        if now_ms < view.next_ms:
            if not view.owed:
                view.owed = True
                self._later(view.next_ms - now_ms, view)
            return
        try:
            bodies = view.after(message)
        except (LookupError, TypeError, AttributeError) as error:
            self.bad_frame(f"{view.name}: {error!r}", repr(message), rx_ns)
            view.broken = f"{view.source} has a message that makes no sense here"
            self._turn_view(view, Health.STALE, view.broken, rx_ns)
            return
        for body in bodies:
            self._publish(view.topic, body, rx_ns)
        if bodies and view.pause_ms:
            view.next_ms = now_ms + view.pause_ms
        if view.broken or view.candles is not None:
            self._judge(view, rx_ns)

    def _judge(self, view: View, now_ns: int) -> None:
        """See whether a derived topic can be vouched for, now that its source is live."""
        if view.lacks != view.broken:
            view.broken = view.lacks
            self._turn_view(view, Health.LIVE, "", now_ns)

    def _turn_view(self, view: View, health: Health, reason: str, now_ns: int) -> None:
        if view.broken and health is Health.LIVE:
            # Its source is live, it is not. What was never told of needs no bad news.
            news = view.health is not Health.PENDING and view.wait(view.broken, now_ns)
        else:
            news = view.turn(health, reason, now_ns)
        if news:
            self._announce(view)
