"""Whatever happens on the way of two connections, no book is published that never existed."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.public_feed.messages import BOOK, BOOK_FEED, BOOK_TOPIC
from tests.public_feed.running import KeptBook
from tests.public_feed.test_any_stream import Exchange
from tests.public_feed.test_lanes import TwoLines

ACTIONS = (
    *(["change"] * 6),
    *(["deliver"] * 8),
    *("lose", "lose", "cut", "restart", "half restart", "gap", "garbage", "wait", "repeat"),
)


class Numbered(Exchange):
    """An exchange whose cross sequence and times rise over restarts, as the real one's do."""

    def __init__(self, rng):
        self.stamp = 1_000
        super().__init__(rng)
        self.past[100] = self.past.pop(self.u)
        self.u = 100

    def _note(self):
        self.stamp += 1
        super()._note()

    def change(self):
        return self.stamped(super().change())

    def snapshot(self):
        return self.stamped(super().snapshot())

    def stamped(self, message):
        message["data"]["seq"] = message["ts"] = message["cts"] = self.stamp
        return message


class Run:
    """A feed with two lines, each with what is under way on it."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.exchange, self.desk, self.now_ms = Numbered(self.rng), TwoLines("linear.x."), 0
        self.lines = (self.desk.a, self.desk.b)
        self.way = [[], []]
        self.desk.line.ask_lane = self.ask
        self.desk.line.lanes._ask_again = self.ask
        self.desk.join(BOOK_TOPIC)
        for number in (0, 1):
            self.way[number].append(self.exchange.snapshot())

    def ask(self, lane, name, now_ms):
        """The exchange begins the topic anew behind what is under way already."""
        if self.lines[lane].live:
            self.desk.line.lanes.asked(lane, (name,), now_ms, 1)
            self.way[lane].append(self.exchange.snapshot())

    def deliver(self, lane, count):
        line = self.lines[lane]
        messages, self.way[lane] = self.way[lane][:count], self.way[lane][count:]
        if line.live and messages:
            line.say(*messages, now_ms=self.now_ms)

    def act(self, action):
        self.now_ms += self.rng.choice((1, 5, 20, 100))
        lane = self.rng.randrange(2)
        exchange, line = self.exchange, self.lines[lane]
        lost_on = {"lose": (lane,), "gap": (0, 1)}.get(action, ())
        if action in ("change", "lose", "gap"):
            message = exchange.change()
            for number in (0, 1):
                if self.lines[number].live and number not in lost_on:
                    self.way[number].append(message)
        elif action in ("restart", "half restart"):
            # A lane that lost the restart of a young book can not tell it from its continuation.
            action = action if exchange.u > 40 else "restart"
            message = exchange.restart()
            for number in (0, 1):
                if self.lines[number].live and (action == "restart" or number == lane):
                    self.way[number].append(message)
        elif action == "deliver":
            self.deliver(lane, self.rng.randint(1, 6))
        elif action == "repeat" and self.way[lane]:
            self.way[lane].insert(0, self.way[lane][0])
        elif action == "garbage" and line.live:
            line.say(b"\x00{", b'{"topic":"orderbook.50.BTCUSDT","type":"delta","data":5}')
        elif action == "cut":
            self.way[lane] = []
            if line.live:
                line.cut(self.now_ms)
            else:
                line.connect(self.now_ms)
                self.way[lane] = [exchange.snapshot()]
        elif action == "wait":
            self.now_ms += 600
        self.desk.beat(self.now_ms)

    def settle(self):
        """Quiet returns: both lines come back and everything arrives."""
        for lane, line in enumerate(self.lines):
            if not line.live:
                line.connect(self.now_ms)
                self.way[lane] = [self.exchange.snapshot()]
        for second in range(60):
            self.now_ms += 1_000
            if second % 10 == 0 or second == 59:
                self.act("change")  # only what comes next tells that something is missing
            for lane in (0, 1):
                self.deliver(lane, len(self.way[lane]))
            self.desk.beat(self.now_ms)


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(ACTIONS), min_size=5, max_size=80))
def test_only_books_that_existed_are_published_in_order_and_the_last_one_is_the_exchanges(
    seed, actions
):
    run = Run(seed)
    for action in actions:
        run.act(action)
    run.settle()
    kept, newest = KeptBook(), 0
    for topic, body in run.desk.outlet.sent:
        if topic == BOOK_FEED and body["state"] != "live":
            newest = 0  # it was told that the book is not to be trusted
        if topic != BOOK_TOPIC:
            continue
        kept.apply(body)
        assert kept.sides in run.exchange.past[body["data"]["u"]]
        assert body["data"]["seq"] >= newest
        newest = body["data"]["seq"]
    assert kept.sides == run.exchange.sides()
    assert run.desk.outlet.states(BOOK_FEED)[-1] == "live"
    assert all(run.desk.line.lanes._topics[BOOK].copies.carries(lane) for lane in (0, 1))
