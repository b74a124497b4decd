"""Cut one connection after the other under load, and count what a subscriber misses.

Real processes: the simulator, one feed, and here a subscriber of its events.
"""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq

from bybitbus import codec
from bybitbus.endpoints import events_address, requests_address
from bybitd.runtime.exchange import endpoint_path
from tests.bench import daemon

FEED = "public-feed-linear"
_CONFIG = """
feeds: {{redundancy: {redundancy}, spot: {{enabled: false}}, inverse: {{enabled: false}},
  option: {{enabled: false}}}}
simulator: {{rate_per_s: {rate_per_s}, symbols: {{linear: {symbols}}}}}
"""
_KINDS = ("orderbook.50", "orderbook.200", "orderbook.1", "publicTrade", "tickers")
_PATIENCE_S = 30.0


@dataclass(slots=True)
class Tally:
    """What was seen of all topics. `holes` counts messages that `seq` shows to be lost, `missing`
    updates of books that `u` shows to be, `doubled` trades that came twice, `turns` what
    `gateway.feed.` said after a topic was live first.
    """

    messages: int = 0
    holes: int = 0
    missing: int = 0
    doubled: int = 0
    cuts: int = 0
    longest_silence_ms: float = 0.0
    turns: Counter[str] = field(default_factory=Counter)

    def is_clean(self) -> bool:
        """Whether nothing was lost and nobody was told so."""
        return not (self.holes or self.missing or self.doubled or self.turns)


class Reader:
    """Follows each topic as a strict client would."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.live: set[str] = set()
        self._seq: dict[str, int] = {}
        self._u: dict[str, int] = {}
        self._trades: set[str] = set()
        self._last_s: dict[str, float] = {}

    def take(self, topic: str, body: dict[str, Any]) -> None:
        """Check one event against the one before it."""
        if topic.startswith("gateway.feed."):
            named = topic.removeprefix("gateway.feed.")
            if body["state"] == "live":
                self.live.add(named)
            elif named in self.live:
                self.tally.turns[body["state"]] += 1
            return
        if body.get("resend"):
            return
        self.tally.messages += 1
        self.tally.holes += body["seq"] - self._seq.get(topic, body["seq"] - 1) - 1
        self._seq[topic] = body["seq"]
        if ".orderbook." in topic and ".orderbook.1." not in topic:
            self._follow_book(topic, body)
        elif ".publicTrade." in topic:
            ids = [f"{row['s']} {row['i']}" for row in body["data"]]
            self.tally.doubled += len(self._trades.intersection(ids))
            self._trades.update(ids)

    def _follow_book(self, topic: str, body: dict[str, Any]) -> None:
        u, last = body["data"]["u"], self._u.get(topic)
        if last is not None:
            self.tally.missing += abs(u - last - 1)
            now_s = time.monotonic()
            silence_ms = 1000 * (now_s - self._last_s.get(topic, now_s))
            self.tally.longest_silence_ms = max(self.tally.longest_silence_ms, silence_ms)
            self._last_s[topic] = now_s
        self._u[topic] = u


class Control:
    """The control endpoint of the simulator that runs in a folder."""

    def __init__(self, root: Path) -> None:
        netloc = json.loads(endpoint_path(root / "run").read_text())["netloc"]
        self._url = f"http://{netloc}/sim"

    def cut_one(self) -> None:
        """Cut the oldest connection."""
        body = json.dumps({"fault": "cut", "scope": "linear", "count": 1}).encode()
        urllib.request.urlopen(f"{self._url}/faults", body, timeout=10).read()

    def carriers(self) -> int:
        """Return how many connections carry every open topic of the category."""
        state = json.load(urllib.request.urlopen(f"{self._url}/state", timeout=10))
        listeners = [t["listeners"] for t in state["topics"] if t["category"] == "linear"]
        return min(listeners, default=0)


@contextlib.contextmanager
def _running(redundancy: int, rate_per_s: float, symbols: int) -> Iterator[Path]:
    config = _CONFIG.format(redundancy=redundancy, rate_per_s=rate_per_s, symbols=symbols)
    with daemon.folders(config) as root, daemon.programs(root, "simulator", FEED):
        daemon.wait_ready(root, "simulator")
        daemon.wait_ready(root, FEED, ("ready", "degraded"))
        yield root


def _topics(root: Path, symbols: int) -> list[str]:
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        with contextlib.suppress(daemon.RequestError):
            with daemon.Client(requests_address(root / "run", FEED)) as client:
                rows = client.request("market.instruments", {"category": "linear"})["list"]
            names = [row["symbol"] for row in rows[:symbols]]
            return [f"linear.{kind}.{name}." for kind in _KINDS for name in names]
        assert time.monotonic() < deadline_s, "the instruments do not come"
        time.sleep(0.1)


def run(
    cuts: int,
    *,
    redundancy: int = 2,
    every_s: float = 1.0,
    rate_per_s: float = 50,
    symbols: int = 5,
) -> Tally:
    """Cut a connection every `every_s` seconds, `cuts` times; return what a subscriber saw.

    The next cut waits until the one that was cut before carries everything again.
    """
    with _running(redundancy, rate_per_s, symbols) as root, zmq.Context() as context:
        topics, control, reader = _topics(root, symbols), Control(root), Reader()
        socket = context.socket(zmq.SUB)
        socket.rcvhwm = 0
        socket.linger = 0
        socket.connect(events_address(root / "run", FEED))
        for topic in (*topics, *(f"gateway.feed.{topic}" for topic in topics)):
            socket.subscribe(topic)

        def read_until(moment_s: float) -> None:
            while (left_s := moment_s - time.monotonic()) > 0:
                if socket.poll(int(left_s * 1000) + 1):
                    topic, body = socket.recv_multipart()
                    reader.take(topic.decode(), codec.decode_event(body))

        def wait_for_all() -> None:
            deadline_s = time.monotonic() + _PATIENCE_S
            while control.carriers() < redundancy:
                assert time.monotonic() < deadline_s, "the connection does not come back"
                read_until(time.monotonic() + 0.1)

        try:
            wait_for_all()
            read_until(time.monotonic() + every_s)
            for _ in range(cuts):
                next_s = time.monotonic() + every_s
                control.cut_one()
                reader.tally.cuts += 1
                read_until(next_s)
                wait_for_all()
            read_until(time.monotonic() + every_s)
        finally:
            socket.close()
        assert len(reader.live) == len(topics), f"never live: {set(topics) - reader.live}"
        return reader.tally
