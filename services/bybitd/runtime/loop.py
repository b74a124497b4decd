"""The one loop of a process: ZeroMQ sockets, file descriptors and timers in one thread.

Owns the clock, so that everything below it takes time as an argument. Callbacks must not block;
what blocks runs in a short-lived thread and comes back by `call_soon_threadsafe`.
"""

from __future__ import annotations

import heapq
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import zmq

Callback = Callable[[], None]
_IDLE_S = 1.0  # the longest the loop sleeps, so that its progress always shows


class Timer:
    """A callback at a moment; `cancel` before it is due and it never runs."""

    __slots__ = ("_callback", "due_s")

    def __init__(self, due_s: float, callback: Callback) -> None:
        self.due_s = due_s
        self._callback: Callback | None = callback

    def cancel(self) -> None:
        """Take the callback back. Harmless after it ran."""
        self._callback = None

    def fire(self) -> None:
        """Run the callback, once, unless cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    def __lt__(self, other: Timer) -> bool:
        return self.due_s < other.due_s


class Loop:
    """Polls until `stop`. Nothing here is thread-safe but `call_soon_threadsafe` and `stop`."""

    def __init__(self) -> None:
        self.turns = 0
        self.lag_s = 0.0  # how late the last timer ran
        self._poller = zmq.Poller()
        self._readers: dict[Any, Callback] = {}
        self._timers: list[Timer] = []
        self._soon: deque[Callback] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = False
        self.add_reader(self._wake, self._run_soon)

    def add_reader(self, source: zmq.Socket[bytes] | int, callback: Callback) -> None:
        """Call `callback` whenever the socket or descriptor can be read (or, if so modified,
        written). It need not drain the source: it is called again while anything is left.
        """
        self._readers[source] = callback
        self._poller.register(source, zmq.POLLIN)

    def modify(self, source: zmq.Socket[bytes] | int, *, write: bool) -> None:
        """Also watch for room to write, or no longer."""
        self._poller.modify(source, zmq.POLLIN | zmq.POLLOUT if write else zmq.POLLIN)

    def remove(self, source: zmq.Socket[bytes] | int) -> None:
        """Stop watching. Must precede closing the source."""
        if self._readers.pop(source, None) is not None:
            self._poller.unregister(source)

    def call_later(self, delay_s: float, callback: Callback) -> Timer:
        """Run `callback` once, `delay_s` from now."""
        timer = Timer(time.monotonic() + delay_s, callback)
        heapq.heappush(self._timers, timer)
        return timer

    def call_every(self, period_s: float, callback: Callback) -> None:
        """Run `callback` every `period_s`, the first time one period from now.

        A late turn is not made up for: the next one keeps to the original beat.
        """
        due_s = time.monotonic() + period_s

        def beat() -> None:
            nonlocal due_s
            callback()
            now_s = time.monotonic()
            due_s += period_s * (1 + max(0.0, now_s - due_s) // period_s)
            heapq.heappush(self._timers, Timer(due_s, beat))

        heapq.heappush(self._timers, Timer(due_s, beat))

    def call_soon_threadsafe(self, callback: Callback) -> None:
        """Run `callback` in the loop's thread; may be called from any thread."""
        self._soon.append(callback)
        self._awaken()

    def stop(self) -> None:
        """End `run` after the current turn; may be called from a signal handler or a thread."""
        self._stopping = True
        self._awaken()

    def stop_on_signals(self) -> None:
        """End `run` on SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self.stop())

    def run(self) -> None:
        """Poll until `stop`. An exception of a callback ends it: the process is then restarted."""
        poll, readers = self._poller.poll, self._readers
        while not self._stopping:
            self.turns += 1
            for source, _ in poll(self._until_due_ms()):
                # A callback of this same turn may have removed the source.
                if (callback := readers.get(source)) is not None:
                    callback()
            self._run_timers()

    def close(self) -> None:
        """Release what the loop itself holds."""
        self.remove(self._wake)
        os.close(self._wake)

    def _until_due_ms(self) -> int:
        if not self._timers:
            return int(_IDLE_S * 1000)
        wait_s = min(_IDLE_S, self._timers[0].due_s - time.monotonic())
        # Rounded up: waking a fraction early would spin until the timer is due.
        return max(0, -int(-wait_s * 1000 // 1))

    def _run_timers(self) -> None:
        timers = self._timers
        if not timers:
            return
        now_s = time.monotonic()
        while timers and timers[0].due_s <= now_s:
            timer = heapq.heappop(timers)
            self.lag_s = now_s - timer.due_s
            timer.fire()

    def _run_soon(self) -> None:
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            pass  # already drained by an earlier turn
        for _ in range(len(self._soon)):
            self._soon.popleft()()

    def _awaken(self) -> None:
        try:
            os.eventfd_write(self._wake, 1)
        except (BlockingIOError, OSError):
            pass  # full means awake already; closed means nobody is there to wake
