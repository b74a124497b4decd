"""The feed of one category: what subscribers want, what the exchange is asked for, who is told."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from bybitbus import topics as bus_topics
from bybitbus.topics import Topic as BusTopic
from bybitd.public_feed.channel import Channel
from bybitd.public_feed.demand import Demand
from bybitd.public_feed.derived.catalogue import DerivedTopic
from bybitd.public_feed.derived.view import View
from bybitd.public_feed.offered import is_prefix, offered
from bybitd.public_feed.pipeline import Later, Pipeline
from bybitd.public_feed.published import Health, Published
from bybitd.public_feed.share import Share
from bybitd.venue.errors import TopicError
from bybitd.venue.topics import Topic, check

_REFUSED_RETRY_MS: Final = 60_000  # a symbol may be listed meanwhile
_UNWANTED: Final = "dropped: nobody subscribes to it any more"
_FEED_PREFIX: Final = "gateway.feed."
log = logging.getLogger(__name__)


class Outlet(Protocol):
    """What the feed needs of the publisher."""

    def publish(self, topic: str, body: dict[str, Any], rx_ns: int | None = None) -> int:
        """Send the next message of a topic."""

    def resend(self, topic: str, body: dict[str, Any], rx_ns: int | None = None) -> None:
        """Send state again."""

    def forget(self, topic: str) -> None:
        """Keep no messages of a topic that nobody reads any more."""


class Line(Protocol):
    """What is said of one connection."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def live(self) -> bool:
        """Whether topics can be asked for now."""

    @property
    def reason(self) -> str:
        """Why not."""

    def describe(self) -> dict[str, Any]:
        """Return what the status shows."""


class Carrier(Protocol):
    """What the feed needs of a connection, or of several that carry the same topics; see
    `upstream.Upstream` and `bundle.Bundle`.
    """

    desired: dict[str, None]

    @property
    def lines(self) -> Sequence[Line]:
        """The connections that it consists of."""

    @property
    def live(self) -> bool:
        """Whether topics can be asked for now."""

    @property
    def reason(self) -> str:
        """Why not."""

    def has_room(self, name: str) -> bool:
        """Whether it may carry this topic too."""

    def add(self, name: str) -> None:
        """Carry a topic."""

    def remove(self, name: str) -> None:
        """Carry it no longer."""

    def ask_again(self, name: str, now_ms: int) -> None:
        """Have a topic begin anew."""

    def beat(self, now_ms: int) -> None:
        """Let deadlines pass."""

    def start(self) -> None:
        """Begin to connect."""

    def close(self) -> None:
        """End for good."""


class Feed:
    """Follows the subscriptions of one category, or of its share in one.

    Derived whole books are published once in `book_interval_ms` each at most. `later(ms, view)`
    calls `pipeline.settle(view)` then.
    `new_carrier(number, feed)` makes another connection when those there are full. `again(topic)`
    is called when somebody joined a topic and may need its state: it ends in `resend`. `reject`
    tells that a topic can not exist.
    """

    def __init__(
        self,
        share: Share,
        outlet: Outlet,
        *,
        always: Iterable[str] = (),
        linger_ms: int,
        book_interval_ms: int,
        later: Later,
        counters: dict[str, int],
        new_carrier: Callable[[int, Feed], Carrier],
        again: Callable[[str], None],
        reject: Callable[[str, str, str], None],
    ) -> None:
        self.category = category = share.category
        self.share = share
        self.channels: dict[str, Channel] = {}
        self.views: dict[str, View] = {}
        self.pipeline = Pipeline(self.channels, outlet.publish, self._announce, later, counters)
        self.carriers: list[Carrier] = []
        self._always = tuple(offered(category, name) for name in always)
        self._demand = Demand((name for topic in self._always for name in _names(topic)), linger_ms)
        self._book_interval_ms = book_interval_ms
        self._outlet = outlet
        self._new_carrier = new_carrier
        self._again = again
        self._reject = reject
        self._carried_by: dict[str, Carrier] = {}
        self._by_topic: dict[str, Published] = {}  # of ours, `gateway.feed.` ones too
        self._refused: dict[str, int] = {}  # name -> when to try it again

    def start(self, now_ns: int) -> None:
        """Connect, and open what the configuration wants always on."""
        self._add_carrier()
        for topic in self._always:
            self._want(topic, now_ns)

    def configure(self, linger_ms: int, book_interval_ms: int) -> None:
        """Go by these from now on; who left before lingers as it was then."""
        self._demand.linger_ms = linger_ms
        self._book_interval_ms = book_interval_ms
        for view in self.views.values():
            view.pause(book_interval_ms)

    def close(self) -> None:
        """End every connection."""
        for carrier in self.carriers:
            carrier.close()

    # What subscribers do

    def joined(self, topic: BusTopic, as_written: str, now_ns: int) -> None:
        """Take a subscription: open its topic, or answer with the state that is held."""
        if as_written.startswith(_FEED_PREFIX):
            for each in (*self.channels.values(), *self.views.values()):
                if each.feed_topic.startswith(as_written):
                    self._again(each.feed_topic)
            return
        wanted = self._checked(topic, as_written)
        if wanted is None:
            return
        # A derived topic wants its source too, and for as long.
        for name in _names(wanted):
            self._demand.joined(name, as_written)
        if not self._want(wanted, now_ns):
            self._again(bus_topics.join(self.category, wanted.name))

    def left(self, topic: BusTopic, as_written: str, now_ms: int) -> None:
        """Take note that the last subscriber has gone."""
        if topic.stream == self.category:
            view = self.views.get(topic.name)
            for name in (topic.name,) if view is None else (topic.name, view.source):
                self._demand.left(name, as_written, now_ms)

    def resend(self, topic: str) -> None:
        """Send again what is known of a topic of ours, if it can be trusted."""
        held = self._by_topic.get(topic)
        if held is None:
            return
        if topic == held.feed_topic:
            if held.health is not Health.PENDING:
                self._outlet.resend(topic, held.feed_state())
        elif held.health is Health.LIVE and (body := held.message()) is not None:
            self._outlet.resend(topic, body, held.rx_ns)

    def find(self, topic: str) -> Published | None:
        """Return what is held of a topic of the bus, None where nobody wants it."""
        return self._by_topic.get(topic)

    # What time and the exchange do

    def beat(self, now_ms: int, now_ns: int) -> None:
        """Let deadlines pass; to be called a few times a second."""
        for carrier in self.carriers:
            carrier.beat(now_ms)
        for name in self._demand.expired(now_ms):
            self._refused.pop(name, None)
            if name in self.views:
                self._hide(name, _UNWANTED, now_ns)
            elif name in self.channels:
                self._drop(name, _UNWANTED, now_ns)
        for name in self.pipeline.overdue(now_ms, now_ns):
            self._carried_by[name].ask_again(name, now_ms)
        for name in [name for name, at_ms in self._refused.items() if at_ms <= now_ms]:
            del self._refused[name]
            if name in self._demand:
                self._open(name, now_ns)

    def rejected(self, name: str, reason: str, now_ms: int, now_ns: int) -> None:
        """Tell that the exchange does not serve a topic; it is tried again later."""
        channel = self.channels[name]
        hint = "check the symbol (market.instruments lists them)"
        self._reject(channel.topic, f"the exchange refuses it: {reason}", hint)
        for view in channel.views:
            problem = f"the exchange refuses {channel.name}, which it is made of: {reason}"
            self._reject(view.topic, problem, hint)
        self._drop(name, f"the exchange refuses it: {reason}", now_ns)
        self._refused[name] = now_ms + _REFUSED_RETRY_MS

    def condition(self, started: bool) -> tuple[str, str]:
        """Return the state of the program, and why it is not `ready`."""
        down = next((line for each in self.carriers for line in each.lines if not line.live), None)
        if down is None:
            return "ready", ""
        alone = next((each for each in self.carriers if not each.live), None)
        if alone is not None:
            return ("degraded", alone.reason) if started else ("starting", "")
        return "degraded", f"{down.name} {down.reason}; another connection carries its topics"

    def describe(self) -> dict[str, Any]:
        """Return the keys that the status of a feed has beside the usual ones."""
        states = Counter(str(channel.health) for channel in self.channels.values())
        return {
            "connections": [line.describe() for each in self.carriers for line in each.lines],
            "derived": len(self.views),
            "topics": {**dict.fromkeys(map(str, Health), 0), **states},
            "refused": len(self._refused),
            "quarantine": self.pipeline.quarantine.last(5),
        }

    def _checked(self, topic: BusTopic, as_written: str) -> Topic | DerivedTopic | None:
        if topic.stream != self.category or not self.share.owns(topic.name):
            return None  # the bus shows every subscription to every program
        try:
            return offered(self.category, topic.name)
        except TopicError as error:
            if not is_prefix(self.category, topic.name):
                self._reject(as_written, error.problem, error.hint)
            return None

    def _want(self, topic: Topic | DerivedTopic, now_ns: int) -> bool:
        """Open a topic, and what it is made of; return whether it was not open before."""
        source = _names(topic)[-1]
        new = source not in self.channels
        if new:
            self._refused.pop(source, None)
            self._open(source, now_ns)
        if isinstance(topic, DerivedTopic):
            new = topic.name not in self.views
            if new:
                self.views[topic.name] = view = View(topic, now_ns, self._book_interval_ms)
                self._by_topic[view.topic] = self._by_topic[view.feed_topic] = view
                self.pipeline.show(view, self.channels[source], now_ns)
        return new

    def _hide(self, name: str, reason: str, now_ns: int) -> None:
        view = self.views.pop(name)
        self.pipeline.hide(view, self.channels.get(view.source), reason, now_ns)
        self._forget(view)

    def _open(self, name: str, now_ns: int) -> None:
        channel = Channel(check(self.category, name), now_ns)
        self.channels[name] = channel
        self._by_topic[channel.topic] = self._by_topic[channel.feed_topic] = channel
        for view in self.views.values():
            if view.source == name:  # it was refused by the exchange, and is tried again
                self.pipeline.show(view, channel, now_ns)
        carrier = next((each for each in self.carriers if each.has_room(name)), None)
        carrier = carrier or self._add_carrier()
        self._carried_by[name] = carrier
        carrier.add(name)
        if not carrier.live:
            self.pipeline.lost((name,), carrier.reason, now_ns)

    def _drop(self, name: str, reason: str, now_ns: int) -> None:
        channel = self.channels[name]
        self.pipeline.gone(name, reason, now_ns)
        self._forget(channel)
        carrier = self._carried_by.pop(name)
        carrier.remove(name)
        if not carrier.desired and carrier is not self.carriers[0]:
            self.carriers.remove(carrier)
            carrier.close()

    def _forget(self, held: Published) -> None:
        for topic in (held.topic, held.feed_topic):
            del self._by_topic[topic]
            self._outlet.forget(topic)

    def _add_carrier(self) -> Carrier:
        carrier = self._new_carrier(len(self.carriers), self)
        self.carriers.append(carrier)
        carrier.start()
        return carrier

    def _announce(self, held: Published) -> None:
        broken = held.health is Health.RESYNCING
        level = logging.WARNING if broken else logging.DEBUG
        log.log(level, "= %s %s: %s", held.topic, held.health, held.reason)
        self._outlet.publish(held.feed_topic, held.feed_state())


def _names(topic: Topic | DerivedTopic) -> tuple[str, ...]:
    """Return the names that are to be held for a topic; the last is what the exchange is asked."""
    if isinstance(topic, DerivedTopic):
        return topic.name, topic.source
    return (topic.name,)
