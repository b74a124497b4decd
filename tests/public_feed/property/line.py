"""A connection between the feed and the simulated exchange, without a socket.

At the far end stand the simulator's own public sockets. What they send is delivered later, and by
the faults of the case lost, repeated, reordered, changed or held up.
"""

from bybitd.simulator.wire import frames
from tests.public_feed.property import faults

_TOLD_WITHIN_MS = 20  # the bus takes 3


class FarEnd:
    """The connection as the simulator sees it."""

    window_bits = 0

    def __init__(self, kind, deliver):
        self.kind = kind
        self.conn_id = "00000000-0000"
        self.topics = set()
        self.open = True
        self._deliver = deliver

    def reply(self, message):
        self._deliver(frames.encode_reply(message), True)

    def queue(self, frame):
        header = {126: 4, 127: 10}.get(frame[1], 2)
        self._deliver(frame[header:], False)

    write = queue

    def flush(self):
        """Everything has left already."""


class Line:
    """Stands in for `bybitd.net.connection.Connection`."""

    def __init__(self, name, reactor, locate, peer, **delays):
        self.name = name
        self.state, self.reason = "waiting", "not started"
        self._loop, self._peer = reactor, peer
        self._world = reactor.world
        self._rng = self._world.rng
        self._far = None
        self._due_ms = self._sent_ms = 0
        self._connects = 0

    def start(self):
        self._loop.after_ms(self._rng.randint(1, 20), self._attempt)

    def _attempt(self):
        if self._world.clock.now_ms < self._world.outage_until_ms:
            self.reason = "refused"
            self._loop.after_ms(250, self._attempt)
            return
        self._far = far = FarEnd(self._world.category, lambda *sent: self._carry(far, *sent))
        self._due_ms = 0
        self.state, self.reason = "open", ""
        self._world.lines.append(self)
        self._peer.opened()

    def send(self, text):
        far = self._far
        if far is None:
            return False
        if self._world.strikes("lost control frame"):
            return True
        # In their order, as TCP keeps it: one unsubscribes and subscribes anew.
        now_ms = self._world.clock.now_ms
        self._sent_ms = max(self._sent_ms, now_ms + self._rng.randint(1, 5))
        self._loop.after_ms(self._sent_ms - now_ms, lambda: self._arrive(far, text))
        return True

    def _arrive(self, far, text):
        if far.open:
            self._world.sockets.receive(far, text)

    def drop(self, reason):
        """End this connection and make another."""
        if self._far is None:
            return
        self._release()
        self.state, self.reason = "waiting", reason
        self._connects += 1
        self._loop.after_ms(self._rng.randint(50, 1500), self._attempt)
        self._peer.lost(reason)
        self._loop.after_ms(_TOLD_WITHIN_MS, self._must_be_known)

    def _must_be_known(self):
        """Check that nobody takes what this connection carried for live any more, unless another
        one carries it.
        """
        if self._far is None:
            carried = {name for line in self._world.lines for name in line._peer.desired}
            self._world.check_marked(self._peer.desired.keys() - carried)

    def close(self):
        if self._far is not None:
            self._release()

    def _release(self):
        self._far.open = False
        self._world.sockets.forget(self._far)
        self._far = None
        self._world.lines.remove(self)

    def describe(self):
        return {"name": self.name}

    def _carry(self, far, payload, control):
        """Take what the exchange sends on its way."""
        world, rng = self._world, self._rng
        if control:
            if not world.strikes("lost control frame"):
                self._schedule(far, payload)
            return
        if world.strikes("drop"):
            return
        if b"orderbook." in payload:
            if world.draws("lost restart") and faults.is_restart(payload):
                world.count("lost restart")
                return
            for kind, replace in faults.REPLACING.items():
                if world.draws(kind) and (broken := replace(payload, rng)) is not None:
                    world.count(kind)
                    payload = broken
                    break
        if world.strikes("garbage"):
            self._schedule(far, rng.choice(faults.GARBAGE))
        if world.strikes("reorder"):
            self._schedule(far, payload, late_ms=rng.choice((1, 30, 300)))
            return
        self._schedule(far, payload)
        if world.strikes("repeat"):
            self._schedule(far, payload)
        if world.strikes("late repeat"):
            self._schedule(far, payload, late_ms=rng.choice((30, 300, 3_000)))

    def _schedule(self, far, payload, late_ms=0):
        now_ms = self._world.clock.now_ms
        due_ms = max(self._due_ms, now_ms + self._rng.randint(1, 8), self._world.stalled_until_ms)
        if late_ms:
            due_ms += late_ms
        else:
            self._due_ms = due_ms
        self._loop.after_ms(due_ms - now_ms, lambda: self._receive(far, payload))

    def _receive(self, far, payload):
        if far.open:
            self._peer.received([payload], self._world.clock.now_ns())
