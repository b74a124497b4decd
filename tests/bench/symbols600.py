"""600 symbols with books, trades and tickers at once, from the exchange's socket to a subscriber.

What rate goes through without loss, how late messages are at half of that, what each process costs,
with one program for the category, with two, and with two connections for each topic. How long it
takes until all topics flow, at the start and after a cut. Then how the cost of a message grows with
symbols, topics of a symbol and subscribers. The baseline is a loop that only receives the same
flood.
"""

from __future__ import annotations

import contextlib
import os
import time
from array import array
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import websocket
import zmq

from bybitbus.endpoints import events_address, requests_address
from bybitbus.publisher import SUBSCRIPTIONS_MARK
from bybitd.settings import feed_program
from tests.bench import crowd, daemon
from tests.bench.feed import point_at
from tests.bench.figures import child, expect, median, percentile

SYMBOLS = 600
_STEP_S = 2.0
_STEPS = 5  # so often is the range halved, which begins with these parts of what an unpaced flood
_LEAST, _MOST = 0.25, 1.0  # brings into the feed
_LATEST_S = 0.25  # a rate is sustained when the last message of a step is not later than this
_CALM = 0.5  # latency is measured at this part of the sustained rate
_CONFIG = """
feeds: {{redundancy: {redundancy}, linear: {{shards: {shards}}}, spot: {{enabled: false}},
  inverse: {{enabled: false}}, option: {{enabled: false}}}}

"""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Report(NamedTuple):
    """What a subscriber has seen since the last one; delays in ns."""

    received: int
    lost: int
    delays: array[int]
    cpu_s: float


def follow(pipe: Connection, addresses: Sequence[str], topics: Sequence[str]) -> None:
    """Subscribe and say `start`, decode every message, watch `seq`; say `ready` once each book and
    ticker is there, then a `Report` whenever asked.
    """
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.rcvhwm = 1_000_000
    socket.sndhwm = SUBSCRIPTIONS_MARK
    socket.linger = 0
    for address in addresses:
        socket.connect(address)
    for topic in topics:
        socket.subscribe(f"linear.{topic}.")
    pipe.send("start")
    decode = msgspec.msgpack.Decoder(dict[str, Any]).decode
    receive = partial(zmq.backend.Socket.recv, socket)  # pyzmq's wrapper costs more than the call
    waited_for = {f"linear.{topic}.".encode() for topic in topics if "Trade" not in topic}
    last: dict[bytes, int] = {}
    received = lost = 0
    delays = array("q")
    since_s = time.process_time()
    socket.rcvtimeo = 20
    with contextlib.suppress(EOFError, OSError):
        while True:
            for _ in range(2000):
                try:
                    topic, body = receive(), receive()
                except zmq.Again:
                    break
                message = decode(body)
                seq = message["seq"]
                if message.get("resend"):
                    last.setdefault(topic, seq)
                elif topic in last or topic not in waited_for:
                    lost += seq - last.get(topic, 0) - 1
                    last[topic] = seq
                    received += 1
                    delays.append(time.time_ns() - message["ts"])
                else:
                    last[topic] = seq
            if waited_for and waited_for <= last.keys():
                waited_for = set()
                pipe.send("ready")
            while pipe.poll():
                pipe.recv()
                now_s = time.process_time()
                pipe.send(Report(received, lost, delays, now_s - since_s))
                received, lost, delays, since_s = 0, 0, array("q"), now_s


def listen(pipe: Connection, addresses: Sequence[str], topics: Sequence[str], count: int) -> None:
    """Be so many subscribers who only receive."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    poller = zmq.Poller()
    for _ in range(count):
        socket = context.socket(zmq.SUB)
        socket.rcvhwm = 1_000_000
        socket.sndhwm = SUBSCRIPTIONS_MARK
        for address in addresses:
            socket.connect(address)
        for topic in topics:
            socket.subscribe(f"linear.{topic}.")
        poller.register(socket, zmq.POLLIN)
    while not pipe.poll():
        for socket, _ in poller.poll(100):
            with contextlib.suppress(zmq.Again):
                for _ in range(200):
                    zmq.backend.Socket.recv(socket, zmq.NOBLOCK)


class Step(NamedTuple):
    """One run of the flood."""

    rate_per_s: float
    report: Report
    lost: int
    lateness_s: float
    cpu_us: dict[str, float]  # per message, by process

    @property
    def sustained(self) -> bool:
        """Whether all came, and no later at the end than at the beginning."""
        latest_s = max(self.report.delays[-1000:], default=0) / 1e9
        return not self.lost and max(latest_s, self.lateness_s) < _LATEST_S


class Setting:
    """A flood, the programs and a subscriber."""

    def __init__(
        self,
        root: Path,
        source: Connection,
        reader: Connection,
        pids: dict[str, int],
        start_s: float,
    ) -> None:
        self._root, self._source, self._reader, self._pids = root, source, reader, pids
        self.start_s = start_s  # from the subscriptions until every book and ticker was there

    def run(self, rate_per_s: float, seconds: float = _STEP_S) -> Step:
        """Send at a rate (0: as fast as it goes) and wait until all is there."""
        before = {name: _cpu_s(pid) for name, pid in self._pids.items()}
        self._ask()
        self._source.send((rate_per_s, seconds))
        sent, took_s, lateness_s, flood_s = expect(self._source, "end of the flood")
        report, patience_s = self._ask(), time.monotonic() + 5.0
        while report.received + report.lost < sent and time.monotonic() < patience_s:
            time.sleep(0.05)
            more = self._ask()
            report = Report(
                report.received + more.received,
                report.lost + more.lost,
                report.delays + more.delays,
                report.cpu_s + more.cpu_s,
            )
        used = {name: _cpu_s(pid) - before[name] for name, pid in self._pids.items()}
        used |= {"flood": flood_s, "subscriber": report.cpu_s}
        cpu_us = {name: used_s / sent * 1e6 for name, used_s in used.items()}
        lost = sent - report.received
        return Step(sent / took_s, report, lost, lateness_s, cpu_us)

    def cut(self) -> float:
        """Cut all connections; return after how many s every book and ticker was there again."""
        begin_s = time.monotonic()
        self._source.send("cut")
        expect(self._source, "subscriptions after the cut")
        for name in self._pids:
            if name.startswith("public-feed-"):
                self._wait_until_live(name)
        return time.monotonic() - begin_s

    def _wait_until_live(self, name: str) -> None:
        patience_s = time.monotonic() + 30
        with daemon.Client(requests_address(self._root / "run", name)) as client:
            while True:
                topics = client.request("gateway.status", {"program": name})["topics"]
                # Trades begin with the first trade, not with a snapshot.
                if topics["live"] >= 2 * sum(topics.values()) / 3:
                    return
                assert time.monotonic() < patience_s, topics
                time.sleep(0.01)

    def rss_mb(self) -> dict[str, float]:
        """Return the resident memory of each program."""
        return {name: _resident_mb(pid) for name, pid in self._pids.items()}

    def _ask(self) -> Report:
        self._reader.send("report")
        return Report(*expect(self._reader, "report"))


@contextlib.contextmanager
def setting(
    symbols: int,
    kinds: tuple[str, ...] = crowd.KINDS,
    *,
    shards: int = 1,
    redundancy: int = 1,
    listeners: int = 0,
    through_bus: bool = True,
) -> Iterator[Setting]:
    """Start all of it and wait until every topic flows."""
    topics = crowd.topics(symbols, kinds)
    feeds = [feed_program("linear", number) for number in range(1, shards + 1)]
    programs = ["bus", *feeds] if through_bus else feeds
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(child(crowd.serve, symbols, kinds, redundancy))
        config = _CONFIG.format(shards=shards, redundancy=redundancy)
        root = stack.enter_context(daemon.folders(config))
        point_at(root, expect(source, "port"))
        running = stack.enter_context(daemon.programs(root, *programs))
        front = ["bus"] if through_bus else feeds
        addresses = [events_address(root / "run", name) for name in front]
        for name in programs:
            daemon.wait_ready(root, name)
        if listeners:
            stack.enter_context(child(listen, addresses, topics, listeners))
        reader = stack.enter_context(child(follow, addresses, topics))
        expect(reader, "start")
        begin_s = time.monotonic()
        expect(source, "subscribed")
        expect(reader, "ready")
        start_s = time.monotonic() - begin_s
        pids = {name: it.pid for name, it in running.items()}
        yield Setting(root, source, reader, pids, start_s)


def _only_receive(pipe: Connection, port: int, topics: Sequence[str]) -> None:
    link = websocket.create_connection(
        f"ws://127.0.0.1:{port}/v5/public/linear", skip_utf8_validation=True
    )
    link.send(msgspec.json.encode({"op": "subscribe", "req_id": "b", "args": topics}).decode())
    for _ in range(1 + sum("Trade" not in topic for topic in topics)):
        link.recv()
    pipe.send("ready")
    link.recv()
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < 2:
        for _ in range(1000):
            link.recv()
        count += 1000
    pipe.send(count / (time.perf_counter() - begin))


def _baseline() -> float:
    with child(crowd.serve, SYMBOLS) as source:
        port = expect(source, "port")
        with child(_only_receive, port, crowd.topics(SYMBOLS)) as receiver:
            expect(source, "subscribed")
            expect(receiver, "ready")
            source.send((0.0, 6.0))
            return float(expect(receiver, "rate"))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _campaign(name: str, shards: int = 1, redundancy: int = 1) -> dict[str, float]:
    """Find the highest rate that is sustained, then look closer at half of it."""
    with setting(SYMBOLS, shards=shards, redundancy=redundancy) as it:
        most = it.run(0.0).rate_per_s
        low, high, best = _LEAST * most, _MOST * most, None
        for _ in range(_STEPS):
            rate = (low + high) / 2
            step = it.run(rate)
            if step.sustained:
                low, best = rate, step
            else:
                high = rate
        best = best or it.run(low)
        rate = best.rate_per_s if best.sustained else 0.0
        calm = it.run(_CALM * low, 4.0)
        delays = calm.report.delays
        figures = {
            f"{name}_msgs_per_s": rate,
            f"{name}_unpaced_msgs_per_s": most,
            f"{name}_lost": float(best.lost + calm.lost),
            f"{name}_latency_rate_per_s": calm.rate_per_s,
            f"{name}_p50_us": percentile(delays, 50) / 1000,
            f"{name}_p99_us": percentile(delays, 99) / 1000,
        }
        for program, cpu_us in best.cpu_us.items():
            figures[f"{name}_cpu_us_per_msg_{program}"] = cpu_us
        for program, size in it.rss_mb().items():
            figures[f"{name}_rss_mb_{program}"] = size
        figures[f"{name}_start_s"] = it.start_s
        figures[f"{name}_after_cut_s"] = it.cut()
        return figures


_GROWTH_RATE_PER_S = 8_000
_MANY_RATE_PER_S = 1_000


def _growth() -> dict[str, float]:
    """Return what the feed costs per message (CPU us), one thing changed at a time."""
    figures = {}
    for count in (10, 100, SYMBOLS):
        with setting(count, through_bus=False) as it:
            cost = it.run(_GROWTH_RATE_PER_S).cpu_us[feed_program("linear", 1)]
            figures[f"symbols600_growth_{count}_symbols_cpu_us"] = cost
    for kinds in (crowd.KINDS[:1], crowd.KINDS):
        with setting(100, kinds, through_bus=False) as it:
            cost = it.run(_GROWTH_RATE_PER_S).cpu_us[feed_program("linear", 1)]
            figures[f"symbols600_growth_{len(kinds)}_topics_per_symbol_cpu_us"] = cost
    for subscribers in (1, 8, 64):
        with setting(100, listeners=subscribers - 1, through_bus=False) as it:
            cost = it.run(_MANY_RATE_PER_S).cpu_us[feed_program("linear", 1)]
            figures[f"symbols600_growth_{subscribers}_subscribers_cpu_us"] = cost
    return figures


def measure() -> dict[str, float]:
    """Return all figures."""
    baselines = [_baseline()]
    figures = _campaign("symbols600")
    baselines.append(_baseline())
    figures |= _campaign("symbols600_2_shards", shards=2)
    figures |= _campaign("symbols600_2_connections", redundancy=2)
    baselines.append(_baseline())
    figures["symbols600_baseline_msgs_per_s"] = median(baselines)
    rate, baseline = figures["symbols600_msgs_per_s"], figures["symbols600_baseline_msgs_per_s"]
    figures["symbols600_throughput_ratio"] = rate / baseline
    figures["symbols600_2_shards_ratio"] = figures["symbols600_2_shards_msgs_per_s"] / (rate or 1)
    return figures | _growth()
