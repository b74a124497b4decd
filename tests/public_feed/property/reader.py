"""A subscriber in another process: loses messages on its way, and cures what it has lost."""

from bybitbus.book import Book
from bybitbus.cure import Cure
from bybitbus.events import EventReader
from bybitbus.sequence import Verdict
from tests.public_feed.property.truth import key_of

_ANSWER_WITHIN_MS = 1_000
_JOIN_WITHIN_MS = 100  # joiners share a snapshot every 50 ms


class Reader:
    """Follows some books of the gateway, and the trades of something. `loss` is the part of the
    messages that never arrives.
    """

    def __init__(self, world, name, topics, trades, loss):
        self.world, self.name, self.loss = world, name, loss
        self.books = {topic: Book(topic) for topic in topics}
        self._trades = trades
        self.joined = False
        self._events = EventReader()
        self.cure = Cure(self._events.sequences)
        self._by_topic = {}
        for book in self.books.values():
            self._by_topic[book.feed_topic] = self._by_topic[book.topic] = book
        self._u = {}
        self._seen = {}  # topic -> epochs, last seq
        self._gateway = None
        self._due_ms = self._joined_ms = 0
        self.missing = 0
        self.handed_over = 0

    # The bus

    def join(self):
        """Subscribe, as a socket does after each connect."""
        self.joined = True
        self._gateway = self.world.gateway
        self._joined_ms = self.world.clock.now_ms
        for topic in (*self._by_topic, self._trades):
            self.cure.followed(topic, self.world.clock.now_ms)
            self._gateway.join(topic)

    def rejoin(self):
        """Find the gateway that came after the one that was killed."""
        self._gateway = self.world.gateway
        self._joined_ms = self.world.clock.now_ms
        for topic in (*self._by_topic, self._trades):
            self._gateway.join(topic)

    def is_up_to_date(self):
        """Tell whether it must know by now what the gateway says: nothing was lost to it."""
        settled = self.world.clock.now_ms >= self._joined_ms + _JOIN_WITHIN_MS
        return not self.loss and self._gateway is self.world.gateway and settled and self.cure.idle

    def sent(self, gateway, topic, body):
        """Let a message of the gateway come, perhaps."""
        if gateway is not self._gateway or topic.decode() not in (self._trades, *self._by_topic):
            return
        if self.world.noisy and self.loss and self.world.rng.random() < self.loss:
            self.world.count("lost on the bus")
            return
        clock = self.world.clock
        self._due_ms = max(self._due_ms, clock.now_ms + self.world.rng.randint(0, 3))
        clock.after_ms(self._due_ms - clock.now_ms, lambda: self._arrive(topic, body))

    def _arrive(self, topic, body):
        event = self._events.read([topic, body])
        assert event is not None
        if event.verdict is Verdict.NEXT and self.cure.idle:
            self._check(event)  # as `Follower` does
            return
        self.cure.take(event, self.world.clock.now_ms)
        self.go_on()

    def tick(self):
        if self.cure.next_deadline_ms() <= self.world.clock.now_ms:
            self.cure.tick(self.world.clock.now_ms)
            self.go_on()

    def go_on(self):
        """Do what `Follower` does with its sockets."""
        while self.cure.ready:
            self._check(self.cure.ready.popleft())
        for ask in self.cure.asks():
            self._ask(ask)

    def _ask(self, ask):
        clock, rng = self.world.clock, self.world.rng
        if self.world.strikes("lost request"):
            clock.after_ms(_ANSWER_WITHIN_MS, lambda: self._refuse(ask, "no_answer"))
            return
        clock.after_ms(rng.randint(1, 10), lambda: self._serve(ask))

    def _serve(self, ask):
        gateway = self.world.gateway
        if not gateway.loop.alive:
            self._refuse(ask, "unavailable")
            return
        call = gateway.ask(ask.op, ask.args)
        self.world.asked[ask.op, "ok" if call.error is None else str(call.error.code)] += 1
        self.world.clock.after_ms(self.world.rng.randint(1, 10), lambda: self._settle(ask, call))

    def _settle(self, ask, call):
        if call.error is not None:
            self._refuse(ask, call.error.code)
            return
        self.cure.answer(ask, call.result, self.world.clock.now_ms)
        self.go_on()

    def _refuse(self, ask, code):
        self.cure.refuse(ask, code, self.world.clock.now_ms)
        self.go_on()

    # What must hold of everything that the reader is given

    def _check(self, event):
        self.handed_over += 1
        self._check_order(event)
        if event.topic == self._trades:
            return
        book = self._by_topic[event.topic]
        if event.topic == book.topic:
            self._u[book.topic] = event.body["data"]["u"]
        if book.apply(event):
            shown = key_of(self._u[book.topic], book.bids(), book.asks())
            assert shown in self.world.truth.existed[self.world.source(book.topic)], (
                f"{self.name} shows a {book.topic} that never existed, u {self._u[book.topic]}"
            )
            self.world.compared += 1

    def _check_order(self, event):
        epoch, seq = event.body["epoch"], event.body["seq"]
        resend = event.body.get("resend", False)
        epochs, last = self._seen.get(event.topic, ([], 0))
        if not epochs:
            missing = 0
            epochs = [epoch]
        elif epoch == epochs[-1]:
            missing = seq - last - (not resend)
        else:
            assert epoch not in epochs, f"{self.name}: {event.topic} goes back to an old epoch"
            assert event.verdict is Verdict.NEW_EPOCH
            missing = seq - (not resend)
            epochs.append(epoch)
        assert event.missing == missing >= 0, (
            f"{self.name}: {event.topic} {seq} after {last}: {event.missing} said to be missing"
        )
        self.missing += missing
        self._seen[event.topic] = epochs, seq

    def problems(self):
        """Return what is not as it is at the exchange; nothing is on its way any more."""
        found = []
        for topic, book in self.books.items():
            if not book.valid:
                found.append(f"{self.name}: {topic} {book.problem}")
            elif key_of(self._u[topic], book.bids(), book.asks()) != self.world.truth.now(
                self.world.source(topic)
            ):
                found.append(f"{self.name}: {topic} differs from the exchange")
        return found
