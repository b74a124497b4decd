"""Whatever happens on the way from the exchange, no book is published that never existed there."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.public_feed.messages import BOOK, BOOK_FEED, BOOK_TOPIC, Desk, book
from tests.public_feed.running import KeptBook


class Exchange:
    """One book that changes at random; `past` holds every state that it had at each `u`."""

    def __init__(self, rng):
        self.rng, self.u, self.past = rng, 0, {}
        self.bids, self.asks = {100 - n: "1" for n in range(5)}, {101 + n: "1" for n in range(5)}
        self._note()

    def change(self):
        """Return the next delta: a level comes, changes or goes, and the spread may move."""
        side, other = self.rng.sample((self.bids, self.asks), 2)
        price = self.rng.randint(90, 110)
        crosses = price >= min(other) if side is self.bids else price <= max(other)
        removes = (len(side) > 1 and self.rng.random() < 0.4) or crosses
        size = "0" if removes else str(self.rng.randint(1, 9))
        if removes and len(side) > 1:
            price = self.rng.choice(list(side))
            del side[price]
        elif not removes:
            side[price] = size
        else:
            price, size = next(iter(side.items()))
        self._note()
        level = [(str(price), size)]
        return book(self.u, *((level, ()) if side is self.bids else ((), level)))

    def restart(self):
        self.u = 0
        self._note()
        return self.snapshot()

    def snapshot(self):
        bids = [(str(price), self.bids[price]) for price in sorted(self.bids, reverse=True)]
        asks = [(str(price), self.asks[price]) for price in sorted(self.asks)]
        return book(self.u, bids, asks, "snapshot")

    def sides(self):
        return [{str(p): s for p, s in side.items()} for side in (self.bids, self.asks)]

    def _note(self):
        self.u += 1
        self.past.setdefault(self.u, []).append(self.sides())


ACTIONS = (*(["deliver"] * 6), "drop", "repeat", "swap", "late", "restart", "garbage", "cut")


class Run:
    """A feed behind a line on which anything may happen."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.exchange, self.desk, self.now_ms = Exchange(self.rng), Desk(), 0
        self.held = []
        self.desk.line.connect(0)
        self.desk.join(BOOK_TOPIC)
        self.answer()

    def answer(self):
        """Do what the feed asks of the exchange."""
        for op, topics in self.desk.line.requests():
            if op == "subscribe" and BOOK in topics:
                self.desk.line.say(self.exchange.snapshot(), now_ms=self.now_ms)

    def act(self, action):
        self.now_ms += self.rng.choice((1, 20, 900))
        line, exchange = self.desk.line, self.exchange
        if action in ("cut", "restart"):
            self.held = []  # a connection keeps its order: nothing of before comes after these
        if action == "cut":
            line.cut()
            line.connect(self.now_ms)
            line.say(exchange.snapshot(), now_ms=self.now_ms)
            return
        if action == "garbage":
            messages = [b"\x00{", b'{"topic":"orderbook.50.BTCUSDT","type":"delta","data":5}']
        elif action == "restart":
            messages = [exchange.restart()]
        elif action == "late":
            messages = [*self.held, exchange.change()]
            self.held = []
        else:
            first, second = exchange.change(), exchange.change()
            self.held = [first] if action == "drop" else self.held
            messages = {
                "deliver": [first, second],
                "drop": [second],
                "repeat": [first, first, second, first],
                "swap": [second, first],
            }[action]
        line.say(*messages, now_ms=self.now_ms)
        self.answer()
        self.desk.beat(self.now_ms)
        self.answer()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=40))
def test_only_books_that_existed_are_published_and_the_last_one_is_the_exchanges(seed, actions):
    run = Run(seed)
    for action in actions:
        run.act(action)
    for _ in range(60):  # quiet returns
        run.now_ms += 1_000
        run.desk.beat(run.now_ms)
        run.answer()
    run.act("deliver")
    kept = KeptBook()
    for body in run.desk.outlet.of(BOOK_TOPIC):
        kept.apply(body)
        assert kept.sides in run.exchange.past[body["data"]["u"]]
    assert kept.sides == run.exchange.sides()
    assert run.desk.outlet.states(BOOK_FEED)[-1] == "live"
