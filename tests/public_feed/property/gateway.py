"""One run of the feed's process: everything that `public_feed.main` composes but its sockets."""

import msgspec

from bybitbus.outgoing import Outgoing
from bybitbus.topics import split
from bybitd.net.backoff import ConnectBudget
from bybitd.public_feed.carriers import Carriers
from bybitd.public_feed.feed import Feed
from bybitd.public_feed.requests import Requests
from bybitd.public_feed.share import Share
from bybitd.runtime.late_joiners import LateJoiners

BEAT_MS = 250


class ProcessLoop:
    """The timers of one process, which end with it."""

    def __init__(self, world):
        self.world = world
        self.alive = True

    def call_later(self, delay_s, callback):
        return self.after_ms(delay_s * 1000, callback)

    def after_ms(self, delay_ms, callback):
        return self.world.clock.after_ms(delay_ms, lambda: self.alive and callback())


class Call:
    """A request that was decoded; keeps the answer."""

    def __init__(self, op, args):
        self.request = self
        self.op, self.args = op, args
        self.result = self.error = None

    def succeed(self, result):
        self.result = msgspec.msgpack.decode(msgspec.msgpack.encode(result))

    def fail(self, error):
        self.error = error


class Gateway:
    """A feed and those who read it: `readers` take what is published."""

    def __init__(self, world, epoch, replay_bytes):
        self.world = world
        self.loop = ProcessLoop(world)
        clock = world.clock
        self.outgoing = Outgoing(epoch, self._send, clock.now_ns)
        self.outgoing.keep(replay_bytes)
        self.counters = {}
        self.late_joiners = LateJoiners(self.loop, lambda topic: self.feed.resend(topic))
        self._carriers = Carriers(
            category=world.category,
            redundancy=world.redundancy,
            reactor=self.loop,
            locate=lambda: None,
            budget=ConnectBudget(),
            changed=lambda feed: None,
        )
        self.feed = Feed(
            Share(world.category),
            self.outgoing,
            linger_ms=30_000,
            book_interval_ms=100,
            later=self._later,
            counters=self.counters,
            new_carrier=self._carriers.new,
            again=self.late_joiners.joined,
            reject=lambda *refusal: world.rejected.append(refusal),
        )
        self.handlers = Requests(self.feed, None, self.outgoing).handlers()
        self.feed.start(clock.now_ns())
        self._beat()

    def _later(self, delay_ms, view):
        settle = self.feed.pipeline.settle
        self.loop.after_ms(delay_ms, lambda: settle(view, self.world.clock.now_ms))

    def _beat(self):
        self.feed.beat(self.world.clock.now_ms, self.world.clock.now_ns())
        self.loop.after_ms(BEAT_MS, self._beat)

    def _send(self, topic, body):
        for reader in self.world.readers:
            reader.sent(self, topic, body)

    def join(self, topic):
        if self.loop.alive:
            self.feed.joined(split(topic), topic, self.world.clock.now_ns())

    def ask(self, op, args):
        call = Call(op, args)
        self.handlers[op](call)
        return call

    def kill(self):
        self.loop.alive = False
        self.feed.close()
