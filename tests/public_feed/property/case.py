"""One case: a random market, random faults, an early reader and two late ones.

The simulator's exchange and its public sockets at one end, the feed as its process composes it in
the middle, readers as `bybitbus` has them at the other; no socket, thread or sleep between them.
Everything is drawn from the seed.
"""

import logging
import random
from collections import Counter
from dataclasses import dataclass, field
from unittest.mock import patch

from bybitd.public_feed import bundle, carriers, upstream
from bybitd.simulator.exchange import Exchange, ExchangeConfig
from bybitd.simulator.wire.faults import Faults
from bybitd.simulator.wire.public import PublicSockets
from tests.public_feed.property import faults
from tests.public_feed.property.clock import Clock
from tests.public_feed.property.gateway import Gateway
from tests.public_feed.property.line import Line
from tests.public_feed.property.reader import Reader
from tests.public_feed.property.truth import Truth

_DEPTHS = {
    "spot": ("1", "50", "200", "1000", "rpi"),
    "linear": ("1", "50", "200", "1000", "rpi"),
    "inverse": ("1", "50", "200", "1000", "rpi"),
    "option": ("25", "100"),
}
_PATIENCE_MS = 900_000  # an exchange that did not answer is asked after 10 s, 20 s, ... 300 s
_SETTLE_MS = 1_500


class Wrong(AssertionError):
    """A promise was broken; the seed brings it back."""


@dataclass
class Outcome:
    """What one case has been through."""

    faults: Counter = field(default_factory=Counter)
    asked: Counter = field(default_factory=Counter)
    counters: Counter = field(default_factory=Counter)
    compared: int = 0
    final: int = 0
    events: int = 0
    cured: int = 0
    missing: int = 0
    topics: Counter = field(default_factory=Counter)


class World:
    """Everything there is in one case."""

    def __init__(self, seed):
        self.rng = rng = random.Random(f"books/{seed}")
        self.clock = Clock()
        self.category = rng.choice(list(_DEPTHS))
        rate = rng.choice((3.0, 10.0, 40.0)) * (10 if self.category == "option" else 1)
        config = ExchangeConfig(
            api_keys=(), seed=rng.getrandbits(32), rate_per_s=rate, symbols={self.category: 3}
        )
        self.exchange = Exchange(config, self.clock.now_ms)
        self.sockets = PublicSockets(self.exchange, Faults(), self, lambda: self.sockets.publish())
        self.truth = Truth(self.exchange, self.category)
        self.strength = faults.draw(rng)
        self.noisy = True
        self.frozen = False
        self.outage_until_ms = self.stalled_until_ms = 0
        self.lines, self.rejected = [], []
        self.counted, self.asked, self.counters = Counter(), Counter(), Counter()
        self.compared = 0
        self.epoch = 0
        self.readers = []
        self.gateway = None
        self._restarted = set()
        self._ring = rng.choice((0, 3_000, 30_000, 10_000_000))
        self.redundancy = rng.choice((1, 1, 2))

    # The clock of the simulator's sockets

    def engine_ms(self):
        return self.clock.now_ms

    shown_ms = engine_ms

    # Chance

    def count(self, kind):
        self.counted[kind] += 1

    def draws(self, kind):
        """Draw whether a fault of a message happens."""
        chance = faults.OF_A_MESSAGE.get(kind, 100) / 1000 * self.strength.get(kind, 0)
        return self.noisy and chance > 0 and self.rng.random() < chance

    def strikes(self, kind):
        """Draw whether a fault of a message happens, and count it."""
        if struck := self.draws(kind):
            self.count(kind)
        return struck

    @staticmethod
    def source(topic):
        """Return the book of the exchange that a topic shows."""
        return "orderbook." + topic.removesuffix(".").split(".", 2)[2]

    # Time

    def run(self, until_ms):
        """Let time pass; a frozen market stands still."""
        clock, exchange = self.clock, self.exchange
        while True:
            due_ms = until_ms
            timer_ms = clock.next_ms()
            if timer_ms is not None:
                due_ms = min(due_ms, timer_ms)
            tick = not self.frozen and (market_ms := exchange.next_deadline_ms()) <= due_ms
            if tick:
                due_ms = market_ms
            clock.now_ms = max(clock.now_ms, due_ms)
            if tick:
                exchange.tick(clock.now_ms)
                self.sockets.publish()
            clock.run_due()
            if (
                clock.now_ms >= until_ms
                and not tick
                and (clock.next_ms() or until_ms + 1) > until_ms
            ):
                return

    def beat_readers(self):
        for reader in self.readers:
            if reader.joined:
                reader.tick()
        self.clock.after_ms(50, self.beat_readers)

    def check_marked(self, names):
        """Check that whoever loses nothing on the bus knows that these books are out of date."""
        for reader in self.readers:
            for topic, book in reader.books.items():
                if reader.is_up_to_date() and self.source(topic) in names:
                    assert not book.valid, f"{reader.name} holds {topic} for live after a cut"

    def traded(self):
        """Return what the trades are of that every reader follows: a symbol, on option a coin."""
        symbol = self.rng.choice(list(self.exchange._markets.instruments[self.category]))
        return symbol.partition("-")[0] if self.category == "option" else symbol

    # What happens to a case as a whole

    def start_gateway(self):
        self.epoch += 1
        self.gateway = Gateway(self, self.epoch, self._ring)

    def strike_at_random(self, until_ms):
        """Set the faults that concern more than one message."""
        for kind, mean in faults.OF_A_CASE.items():
            expected = mean * self.strength.get(kind, 0)
            number = int(expected) + (self.rng.random() < expected % 1)
            for _ in range(number):
                delay_ms = self.rng.randint(1, until_ms - self.clock.now_ms)
                act = getattr(self, "_" + kind.replace(" ", "_"))
                self.clock.after_ms(delay_ms, act)

    def _cut(self):
        for line in list(self.lines):
            self.count("cut")
            line.drop("cut")

    def _stall(self):
        self.count("stall")
        for_ms = self.rng.choice((200, 1_000, 5_000, 5_000, 35_000))
        self.stalled_until_ms = self.clock.now_ms + for_ms

    def _outage(self):
        self.count("outage")
        self.outage_until_ms = self.clock.now_ms + self.rng.randint(500, 5_000)
        self._cut()

    def _restart(self):
        # Once for each symbol: ids that began anew twice may fit each other by chance, which
        # nobody could tell.
        left = [
            name for name in self.truth.existed if name.rpartition(".")[2] not in self._restarted
        ]
        if not left:
            return
        symbol = self.rng.choice(left).rpartition(".")[2]
        self._restarted.add(symbol)
        self.count("restart")
        self.exchange.restart_books(self.category, symbol, self.clock.now_ms)
        self.truth.restarted(symbol)
        self.sockets.publish()

    def _skipped_update(self):
        name = self.rng.choice(list(self.truth.existed))
        if (self.category, name) in self.sockets.topics:
            self.count("skipped update")
            self.exchange.skip_update_id(self.category, name)

    def _restart_of_the_feed(self):
        if not self.gateway.loop.alive:
            return
        self.count("restart of the feed")
        self._close_gateway()
        self.clock.after_ms(self.rng.randint(100, 2_000), self._start_again)

    def _start_again(self):
        self.start_gateway()
        for reader in self.readers:
            if reader.joined:
                self.clock.after_ms(self.rng.randint(0, 200), reader.rejoin)

    def _close_gateway(self):
        self.counters.update(self.gateway.counters)
        self.gateway.kill()


def choose(world):
    """Return the topics of a case: books of some depths and symbols, some of them derived."""
    rng, depths = world.rng, _DEPTHS[world.category]
    symbols = list(world.exchange._markets.instruments[world.category])
    every = [f"orderbook.{depth}.{symbol}" for depth in depths for symbol in symbols]
    names = rng.sample(every, rng.randint(1, min(4, len(every))))
    for name in names:
        world.truth.watch(name)
    shown = [*names, *(n.replace("orderbook", "book", 1) for n in names if rng.random() < 0.3)]
    shown = [name for name in shown if not name.startswith("book.rpi")]
    return [f"{world.category}.{name}." for name in shown]


def run_case(seed):
    """Run one case and return what it has been through.

    Raises:
        Wrong: a book was shown that had never existed, a message came twice, out of order or was
            missed in silence, or a book was not that of the exchange when all was quiet again.
    """
    world = World(seed)
    try:
        with (
            patch.object(upstream, "Connection", Line),
            patch.object(upstream, "time", world.clock),
            patch.object(bundle, "time", world.clock),
            patch.object(carriers, "time", world.clock),
            world.truth.watching(),
        ):
            return _run(world)
    except AssertionError as error:
        raise Wrong(f"seed {seed}: {error}; faults: {dict(world.counted)}") from error


def _run(world):
    rng, clock = world.rng, world.clock
    topics = choose(world)
    losses = (0.0, rng.choice((0.0, 0.02, 0.1)), rng.choice((0.02, 0.1, 0.3)))
    names = ("early", "late", "later")
    trades = f"{world.category}.publicTrade.{world.traded()}."
    world.readers = [
        Reader(world, name, topics, trades, loss) for name, loss in zip(names, losses, strict=True)
    ]
    if rng.random() < 0.3:
        world.strength["lost request"] = 1
    world.start_gateway()
    if rng.random() < 0.3:  # one bad topic costs a whole request, on some sockets
        world.gateway.join(f"{world.category}.{rng.choice(topics).split('.', 1)[1]}X")
    world.beat_readers()
    quiet_ms = clock.now_ms + rng.choice((2_000, 5_000, 12_000))
    world.strike_at_random(quiet_ms)
    joins = (0, rng.randint(1, quiet_ms - clock.now_ms), rng.randint(1, quiet_ms - clock.now_ms))
    for reader, delay_ms in zip(world.readers, joins, strict=True):
        clock.after_ms(delay_ms, reader.join)
    world.run(quiet_ms)
    world.noisy = False
    _wait_for_agreement(world)
    world._close_gateway()
    outcome = Outcome(world.counted, world.asked, world.counters, world.compared)
    outcome.final = sum(len(reader.books) for reader in world.readers)
    outcome.events = sum(reader.handed_over for reader in world.readers)
    outcome.cured = sum(reader.cure.cured for reader in world.readers)
    outcome.missing = sum(reader.missing for reader in world.readers)
    outcome.topics.update(".".join(topic.split(".")[:3]) for topic in topics)
    return outcome


def _wait_for_agreement(world):
    """Let the market go on, stop it now and then, and compare every reader with it."""
    until_ms = world.clock.now_ms + _PATIENCE_MS
    pause_ms = 500
    while True:
        world.frozen = False
        world.run(world.clock.now_ms + pause_ms)
        world.frozen = True
        world.run(world.clock.now_ms + _SETTLE_MS)
        problems = [each for reader in world.readers for each in reader.problems()]
        if not problems:
            return
        assert world.clock.now_ms < until_ms, "; ".join(problems)
        pause_ms = min(10_000, 2 * pause_ms)


logging.getLogger("bybitd").setLevel(logging.CRITICAL)
