"""A simulator in a thread of its own, for tests and for programs that have no asyncio loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from bybitd.simulator.exchange import ExchangeConfig
from bybitd.simulator.store import AccountStore
from bybitd.simulator.wire.server import Simulator, WireConfig

T = TypeVar("T")
_START_TIMEOUT_S = 30.0


class RunningSimulator:
    """A simulator that runs until `close`; every method may be called from any thread."""

    def __init__(
        self,
        config: ExchangeConfig,
        wire: WireConfig | None = None,
        store: AccountStore | None = None,
    ) -> None:
        self._ready: Future[Simulator] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        # What broke the markets: they stand still from then on, and nothing starts them again.
        self.broken: BaseException | None = None
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(config, wire, store)), name="simulator"
        )
        self._thread.start()
        try:
            self.simulator = self._ready.result(_START_TIMEOUT_S)
        except BaseException:
            self._thread.join(_START_TIMEOUT_S)
            raise
        self.port = self.simulator.port
        self.rest_url = self.simulator.rest_url
        self.ws_url = self.simulator.ws_url
        self.authority: Path | None = self.simulator.authority

    def call(self, action: Callable[[Simulator], T]) -> T:
        """Run `action` with the simulator in its own thread and return what it returns."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(action(self.simulator))
            except BaseException as error:
                done.set_exception(error)

        assert self._loop is not None
        self._loop.call_soon_threadsafe(run)
        return done.result(_START_TIMEOUT_S)

    def fault(self, name: str, /, **fields: Any) -> dict[str, Any]:
        """Let something go wrong (see `faults`); return what lasts. Raises FaultError."""
        return self.call(lambda simulator: simulator.fault(name, **fields))

    def state(self) -> dict[str, Any]:
        """Describe connections, topics, counters and lasting faults."""
        return self.call(lambda simulator: simulator.state())

    def orders(self, uid: int | None = None, link_id: str = "") -> list[dict[str, Any]]:
        """List every order and how often requests for it arrived (see `arrivals`)."""
        return self.call(lambda simulator: simulator.orders(uid, link_id))

    def close(self) -> None:
        """Stop it and wait until its thread has ended. Raises what broke it meanwhile."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_TIMEOUT_S)
        if self.broken is not None:
            raise self.broken

    async def _run(
        self, config: ExchangeConfig, wire: WireConfig | None, store: AccountStore | None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            simulator = Simulator(config, wire, store)
            await simulator.start()
        except BaseException as error:
            self._ready.set_exception(error)
            return
        self._ready.set_result(simulator)
        broken = asyncio.ensure_future(simulator.failure())
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((broken, stopped), return_when=asyncio.FIRST_COMPLETED)
        if broken.done():
            self.broken = broken.exception()
            # The sockets stay open meanwhile: a test sees a market that stands still, then why.
            await stopped
        await simulator.stop()
        await asyncio.gather(broken, stopped, return_exceptions=True)


@contextlib.contextmanager
def run_simulator(
    config: ExchangeConfig,
    port: int = 0,
    tls: bool = False,
    store: AccountStore | None = None,
    wire: WireConfig | None = None,
) -> Iterator[RunningSimulator]:
    """Run a simulator in a thread for the length of a `with` block.

    `port` 0 takes a free one. With `tls` its certificate lives in a temporary folder, unless
    `wire.tls_dir` names one; trust `authority`. `wire` sets everything else.
    """
    wire = wire or WireConfig()
    if port:
        wire = replace(wire, port=port)
    with contextlib.ExitStack() as resources:
        if tls and wire.tls_dir is None:
            folder = resources.enter_context(TemporaryDirectory(prefix="bybitd-sim-"))
            wire = replace(wire, tls_dir=Path(folder))
        running = RunningSimulator(config, wire, store)
        resources.callback(running.close)
        yield running
