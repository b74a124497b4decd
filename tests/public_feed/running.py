"""A feed in a thread, reading a simulator in another, and a subscriber of its events."""

import contextlib
import shutil
import tempfile
import threading
import time
from pathlib import Path

import zmq

from bybitbus import codec
from bybitbus.endpoints import events_address, requests_address
from bybitd.public_feed.main import main
from bybitd.runtime import exchange
from bybitd.runtime.program import Program
from bybitd.settings import Feed, Feeds, Rest, Settings, feed_program
from bybitd.simulator.exchange import ExchangeConfig
from bybitd.simulator.wire import run_simulator

PATIENCE_S = 15.0


def wait_until(true, what="it"):
    """Wait for a condition and return what it gave."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)
    return found


class Listener:
    """A SUB socket; `wait_for` reads until an event fits. `seen` is all that came."""

    def __init__(self, context, run_dir, program, topics):
        self.seen = []
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.connect(events_address(run_dir, program))
        for topic in topics:
            self.socket.subscribe(topic)

    def read(self, timeout_s=PATIENCE_S):
        """Return the next event as (topic, body), None if there is none in time."""
        if not self.socket.poll(int(timeout_s * 1000)):
            return None
        topic, body = self.socket.recv_multipart()
        self.seen.append((topic.decode(), codec.decode_event(body)))
        return self.seen[-1]

    def wait_for(self, topic, fits=lambda body: True):
        """Return the next body of a topic that fits."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            event = self.read()
            if event and event[0] == topic and fits(event[1]):
                return event[1]
        tail = [(name, str(body)[:150]) for name, body in self.seen[-5:]]
        raise AssertionError(f"no event of {topic} fits; the last ones: {tail}")

    def leave(self, topic):
        self.socket.unsubscribe(topic)


class RunningFeed:
    """One `public-feed-<category>` in a thread."""

    def __init__(self, run_dir, category, settings, number=1):
        self.run_dir, self.name, self.category = run_dir, feed_program(category, number), category
        self.context = zmq.Context()
        self.program = Program(self.name, settings, run_dir, run_dir)
        # Signals belong to the main thread, which is pytest's.
        self.program.loop.stop_on_signals = lambda: None
        self.broken = None
        self.listeners = []
        self.thread = threading.Thread(target=self._run, name=self.name)
        self.thread.start()

    def _run(self):
        try:
            main(self.program)
        except BaseException as error:
            self.broken = error

    def listen(self, *topics):
        self.listeners.append(Listener(self.context, self.run_dir, self.name, topics))
        return self.listeners[-1]

    def ask(self, op, **args):
        """Return the reply to one request."""
        with self.context.socket(zmq.REQ) as socket:
            socket.linger = 0
            socket.connect(requests_address(self.run_dir, self.name))
            socket.send(codec.encode({"id": "1", "op": op, "args": args}))
            assert socket.poll(PATIENCE_S * 1000), f"no answer to {op}"
            return codec.decode_reply(socket.recv())

    def status(self):
        return self.ask("gateway.status").unwrap("gateway.status")

    def close(self):
        self.program.loop.stop()
        self.thread.join(PATIENCE_S)
        for listener in self.listeners:
            listener.socket.close()
        self.context.destroy(linger=0)
        assert not self.thread.is_alive()
        if self.broken is not None:
            raise self.broken


@contextlib.contextmanager
def running_folder():
    """A run folder whose sockets have short paths."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="byf-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def leave_endpoint(run_dir, simulator):
    """Tell the feed where the simulator is, as its process does."""
    netloc = simulator.rest_url.partition("://")[2]
    endpoint = exchange.SimulatorEndpoint(netloc=netloc)
    exchange.leave(exchange.endpoint_path(run_dir), endpoint, 0o600)


@contextlib.contextmanager
def running_feed(
    run_dir, category="linear", *, topics=(), linger_s=30.0, redundancy=1, calls_per_5s=500
):
    """A feed that looks for its exchange in the run folder."""
    only = {category: Feed(topics=topics)}
    settings = Settings(
        feeds=Feeds(linger_s=linger_s, redundancy=redundancy, **only),
        rest=Rest(calls_per_5s=calls_per_5s),
    )
    feed = RunningFeed(run_dir, category, settings)
    try:
        yield feed
    finally:
        feed.close()


@contextlib.contextmanager
def simulated(rate_per_s=50.0, port=0):
    """A small simulator."""
    config = ExchangeConfig(
        api_keys=(),
        rate_per_s=rate_per_s,
        symbols={"spot": 2, "linear": 3, "inverse": 1, "option": 4},
    )
    with run_simulator(config, port=port) as simulator:
        yield simulator


def truth(simulator, category, symbol):
    """Return the exchange's own deep book as (u, bids, asks)."""
    params = {"category": category, "symbol": symbol, "limit": "1000"}
    book = simulator.call(
        lambda s: s.exchange.public_get("/v5/market/orderbook", params, s.clock.engine_ms())
    )
    return book["u"], dict(book["b"]), dict(book["a"])


class KeptBook:
    """A book kept as a client would, with every rule checked; remembers what it was at each u."""

    def __init__(self):
        self.seq = 0
        self.sides = None
        self.at = {}

    def apply(self, body):
        if not body.get("resend"):
            assert self.seq in (0, body["seq"] - 1), "a hole in seq"
        self.seq = body["seq"]
        if body["type"] == "snapshot":
            self.sides = [dict(body["data"]["b"]), dict(body["data"]["a"])]
        else:
            assert self.sides is not None, "a delta before any snapshot"
            for side, levels in zip(
                self.sides, (body["data"]["b"], body["data"]["a"]), strict=True
            ):
                for price, size in levels:
                    if size == "0":
                        side.pop(price, None)
                    else:
                        side[price] = size
        self.at[body["data"]["u"]] = [dict(side) for side in self.sides]
