"""An exchange of many symbols that floods: any number of connections, each with its own topics.

Frames are rendered ahead of time but for the update id and the moment of sending, which have a
fixed width, so that what this process costs stays small beside what is measured. Each message says
in `ts`, as Unix ns, when it was due: one that left late because the reader did not take it counts
as late.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from tests.bench import messages
from tests.bench.flood import client_texts, shake_hands

KINDS = ("orderbook.50", "publicTrade", "tickers")
# One symbol in a second: a book at 20 ms, a ticker at 100 ms, a few trades.
_PER_ROUND = {"orderbook.50": 10, "publicTrade": 1, "tickers": 2}
_FIRST_U = 1_000_000_000
_TICK_S = 0.002
_VARIANTS = 3
_U, _TS = b"1111111111", b"2222222222222222222"


def symbols(count: int) -> list[str]:
    """Return the names of so many symbols."""
    return [f"S{number:03d}USDT" for number in range(count)]


def topics(count: int, kinds: tuple[str, ...] = KINDS) -> list[str]:
    """Return the exchange's topics of so many symbols."""
    return [f"{kind}.{name}" for name in symbols(count) for kind in kinds]


class _Topic:
    """Renders one topic: some variants of its message, cut where number and time go."""

    def __init__(self, market: messages.Market, kind: str) -> None:
        self.u = _FIRST_U
        self.peers: list[_Peer] = []
        self._name = f"{kind}.{market.symbol}"
        first = market.first(self._name)
        self._first = None if first is None else _cut(first)
        self._variants = [_cut(market.next(kind)) for _ in range(_VARIANTS)]

    def first(self) -> bytes:
        """Return what a new subscriber gets."""
        return b"" if self._first is None else self._render(self._first, time.time_ns())

    def next(self, due_ns: int) -> bytes:
        """Return the next message."""
        self.u += 1
        return self._render(self._variants[self.u % _VARIANTS], due_ns)

    def _render(self, pieces: list[bytes], due_ns: int) -> bytes:
        head, middle, tail = pieces
        return b"%b%d%b%d%b" % (head, self.u, middle, due_ns, tail)


def _cut(message: dict[str, Any]) -> list[bytes]:
    """Return a frame in three pieces: up to the number, between number and `ts`, the rest."""
    message = {key: value for key, value in message.items() if key != "ts"}
    data = message["data"]
    if "cs" in message:
        message["cs"] = int(_U)
    elif isinstance(data, list):
        data[0]["i"] = _U.decode()
    else:
        data["u"] = int(_U)
    frame = messages.frame(msgspec.json.encode({**message, "ts": int(_TS)}))
    head, _, rest = frame.partition(_U)
    middle, _, tail = rest.partition(_TS)
    assert tail, frame
    return [head, middle, tail]


class _Peer:
    """One connection of a reader; `lock` is held while a piece is written."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.lock = threading.Lock()

    def send(self, data: bytes) -> None:
        """Write all of it, however long the reader takes."""
        with self.lock:
            self.link.sendall(data)


class Crowd:
    """The topics of so many symbols, and who has asked for them; `complete` is set while each is
    asked for on `copies` connections.
    """

    def __init__(self, count: int, kinds: tuple[str, ...], copies: int = 1) -> None:
        self._topics = {}
        for number, name in enumerate(symbols(count)):
            market = messages.Market(name, number)
            for kind in kinds:
                self._topics[f"{kind}.{name}"] = _Topic(market, kind)
        order = [
            topic
            for name, topic in self._topics.items()
            for _ in range(_PER_ROUND[name.rpartition(".")[0]])
        ]
        random.Random(1).shuffle(order)
        self._order = order
        self._at = 0
        self._lock = threading.Lock()
        self._copies = copies
        self._missing = copies * len(self._topics)
        self._peers: list[_Peer] = []
        self.complete = threading.Event()

    def serve(self, link: socket.socket) -> None:
        """Answer one connection until it ends."""
        with link, contextlib.suppress(OSError):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not shake_hands(link):
                return
            peer, buffer = _Peer(link), b""
            with self._lock:
                self._peers.append(peer)
            while piece := link.recv(65536):
                texts, buffer = client_texts(buffer + piece)
                for text in texts:
                    self._answer(peer, msgspec.json.decode(text))

    def cut(self) -> float:
        """End every connection; return after how many s all topics were asked for again."""
        begin_s = time.monotonic()
        with self._lock:
            for topic in self._topics.values():
                topic.peers = []
            self._missing = self._copies * len(self._topics)
            self.complete.clear()
            for peer in self._peers:
                with contextlib.suppress(OSError):
                    peer.link.shutdown(socket.SHUT_RDWR)
            self._peers = []
        self.complete.wait()
        return time.monotonic() - begin_s

    def run(self, rate_per_s: float, seconds: float) -> tuple[int, float, float]:
        """Send at a rate (0: as fast as it is taken); return the number of messages, how long it
        took and how late the last ones were, in s.
        """
        begin_ns, count = time.time_ns(), 0
        while (elapsed_s := (time.time_ns() - begin_ns) / 1e9) < seconds:
            due_ns = begin_ns + int(count / rate_per_s * 1e9) if rate_per_s else time.time_ns()
            wait_s = (due_ns - time.time_ns()) / 1e9
            if wait_s > 0:
                time.sleep(min(wait_s, _TICK_S))
                continue
            # All that is due by now, and what comes within this tick.
            target = int((elapsed_s + _TICK_S) * rate_per_s) if rate_per_s else count + 500
            portion = min(target - count, 2000)
            self._send(portion, begin_ns, count, rate_per_s)
            count += portion
        took_s = (time.time_ns() - begin_ns) / 1e9
        return count, took_s, (took_s - count / rate_per_s if rate_per_s else 0.0)

    def _send(self, portion: int, begin_ns: int, count: int, rate_per_s: float) -> None:
        pieces: dict[_Peer, list[bytes]] = {}
        due_ns = begin_ns + int(count / rate_per_s * 1e9) if rate_per_s else time.time_ns()
        order, at = self._order, self._at
        for _ in range(portion):
            topic = order[at]
            at = at + 1 if at + 1 < len(order) else 0
            frame = topic.next(due_ns)
            for peer in topic.peers:
                pieces.setdefault(peer, []).append(frame)
        self._at = at
        for peer, frames in pieces.items():
            peer.send(b"".join(frames))

    def _answer(self, peer: _Peer, request: dict[str, Any]) -> None:
        op, names = request.get("op"), request.get("args", ())
        reply = {"success": True, "ret_msg": "", "conn_id": "bench"}
        reply |= {"req_id": request.get("req_id", ""), "op": op}
        if op == "ping":
            reply["ret_msg"] = "pong"
        peer.send(messages.frame(msgspec.json.encode(reply)))
        if op != "subscribe":
            return
        with self._lock:
            peer.send(b"".join(self._topics[name].first() for name in names))
            for name in names:
                self._topics[name].peers.append(peer)
            self._missing -= len(names)
            if not self._missing:
                self.complete.set()


def serve(pipe: Connection, count: int, kinds: tuple[str, ...] = KINDS, copies: int = 1) -> None:
    """Say the port; say `subscribed` once every topic is asked for; then for each (rate, seconds)
    that comes send so much and say (messages, seconds, lateness in s, CPU seconds), and for each
    `cut` end all connections and say after how many s every topic was asked for again.
    """
    crowd = Crowd(count, kinds, copies)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        pipe.send(listener.getsockname()[1])

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    threading.Thread(target=crowd.serve, args=(link,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        crowd.complete.wait()
        pipe.send("subscribed")
        with contextlib.suppress(EOFError, OSError):
            while True:
                if (told := pipe.recv()) == "cut":
                    pipe.send(crowd.cut())
                    continue
                before_s = time.process_time()
                pipe.send((*crowd.run(*told), time.process_time() - before_s))
