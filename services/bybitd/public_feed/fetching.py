"""What the streams do not bring, asked for over REST: few calls at once, the most urgent first."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping
from enum import IntEnum
from itertools import count
from typing import Final, Protocol

from bybitd.net.errors import IpBanned, NotSent, OverBudget, RestError
from bybitd.net.ip_gate import Gate
from bybitd.net.rest import RestClient, RestReply
from bybitd.runtime.exchange import Endpoints

AT_ONCE: Final = 2
_SHORTEST_S, _LONGEST_S = 0.05, 5.0  # the budget is one of calls within 5 s
Params = Mapping[str, str]
Fetched = Callable[[RestReply | None, str], None]
Turn = tuple["Urgency", int, str, Params, Fetched]


class Urgency(IntEnum):
    """What is asked first. REST reaches back over so many trades and no more, and a full book can
    not be shown without; candles wait for nobody.
    """

    TRADES = 0
    FULL_BOOK = 1
    PRICE_CANDLES = 2
    CANDLES = 3


class Asking(Protocol):
    """What fills and seeds need of a `Fetcher`."""

    def ask(self, urgency: Urgency, path: str, params: Params, done: Fetched) -> None:
        """Ask, and call `done` with the answer or the problem."""


class Worker(Protocol):
    """What is needed of a `RestWorker`."""

    def submit(
        self,
        job: Callable[[], RestReply],
        done: Callable[[RestReply | None, RestError | None], None],
    ) -> bool:
        """Run a job in a thread and `done` in the loop; False if it can not."""


class Fetcher:
    """Makes public GETs, `AT_ONCE` at a time; the others wait their turn. `find` tells where the
    exchange is, since its address may change; every call passes `gate`. `later(seconds, callback)`
    runs a callback then. `done(reply, "")` has a reply with `retCode` 0, `done(None, problem)` says
    why there is none. Where the budget of the address is used up, all wait until it is not.
    """

    def __init__(
        self,
        worker: Worker,
        find: Callable[[], Endpoints | None],
        gate: Gate,
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.asked = self.failed = 0
        self._worker = worker
        self._find = find
        self._gate = gate
        self._later = later
        self._holding = False
        self._number = count()
        self._waiting: list[Turn] = []
        self._under_way = 0
        self._endpoints: Endpoints | None = None
        self._client: RestClient | None = None

    def ask(self, urgency: Urgency, path: str, params: Params, done: Fetched) -> None:
        """Ask when it is this one's turn."""
        heapq.heappush(self._waiting, (urgency, next(self._number), path, params, done))
        self._go_on()

    def close(self) -> None:
        """Forget what waits, and let go of the connections."""
        self._waiting.clear()
        if self._client is not None:
            self._client.close()

    def describe(self) -> dict[str, int]:
        """Return what the status shows."""
        waiting = len(self._waiting) + self._under_way
        return {"asked": self.asked, "failed": self.failed, "waiting": waiting}

    def _go_on(self) -> None:
        while self._waiting and self._under_way < AT_ONCE and not self._holding:
            turn = heapq.heappop(self._waiting)
            _, _, path, params, _ = turn
            if not self._worker.submit(self._job(path, params), self._finish(turn)):
                heapq.heappush(self._waiting, turn)  # its turn comes when another call has ended
                return
            self._under_way += 1
            self.asked += 1

    def _job(self, path: str, params: Params) -> Callable[[], RestReply]:
        endpoints = self._find()
        if endpoints is not None and endpoints != self._endpoints:
            self._endpoints = endpoints
            self._client = RestClient(
                endpoints.hosts.rest, self._gate, authority=endpoints.authority
            )
        client = None if endpoints is None else self._client

        def get() -> RestReply:
            if client is None:
                raise NotSent(f"{path}: the address of the exchange is not known yet")
            return client.get(path, params)

        return get

    def _finish(self, turn: Turn) -> Callable[[RestReply | None, RestError | None], None]:
        def finish(reply: RestReply | None, error: RestError | None) -> None:
            self._under_way -= 1
            if isinstance(error, OverBudget) and not isinstance(error, IpBanned):
                heapq.heappush(self._waiting, turn)
                self._hold(error.until_ms)
                return
            problem = "" if error is None else str(error)
            if reply is not None and reply.ret_code != 0:
                problem = f"retCode {reply.ret_code} {reply.ret_msg}"
                reply = None
            self.failed += reply is None
            turn[-1](reply, problem)
            self._go_on()

        return finish

    def _hold(self, until_ms: int) -> None:
        if self._holding:
            return
        self._holding = True

        def go_on() -> None:
            self._holding = False
            self._go_on()

        wait_ms = until_ms - time.time_ns() // 1_000_000
        self._later(min(_LONGEST_S, max(_SHORTEST_S, wait_ms / 1000)), go_on)
