"""Books of one level, where every message is the whole book: the newest one counts. Pure.

Nothing waits: a message that was left out is not worth the delay, and a late one is dropped. When
nothing changes the exchange says the same again every 3 s, with the same `u` and a new `ts`: that
sign of life is passed on, once.

Nothing goes back in `ts` either. As in `updates`, a lane is placed once it has shown that it
follows the book as it was published; a lane on which `u` goes back has seen a restart, and the
others are not placed before they bring what is as new.
"""

from __future__ import annotations

from collections.abc import Sequence

from bybitd.public_feed.merging.copies import Arrived, Copies, Message


class _Run:
    """What one lane has brought since it began."""

    __slots__ = ("last_u", "placed")

    def __init__(self) -> None:
        self.placed = False
        self.last_u = 0


class TopOfBook(Copies):
    """One book of level 1."""

    __slots__ = ("_runs", "_ts", "_u")

    def __init__(self, lanes: int) -> None:
        super().__init__()
        self._runs = [_Run() for _ in range(lanes)]
        self._u: int | None = None
        self._ts = 0

    def offer(self, lane: int, message: Message, rx_ns: int, now_ms: int) -> Sequence[Arrived]:
        """Take one message; see `Copies`."""
        u, ts = message["data"]["u"], message["ts"]
        if not isinstance(u, int) or not isinstance(ts, int):
            raise TypeError("u and ts must be whole numbers")
        run, last = self._runs[lane], self._u
        self._carrying.add(lane)
        went_back, run.last_u = u < run.last_u, u
        if last is not None and ts < self._ts:
            run.placed = run.placed and not went_back
            return ()
        newer = last is None or u > last or (u == last and ts > self._ts)
        if run.placed:
            restarts = went_back
        elif ts > self._ts or u == last:
            restarts = not newer and u != last
        else:
            return ()
        if restarts:
            for each in self._runs:
                each.placed = False
        run.placed = True
        if not newer and not restarts:
            return ()
        self._u, self._ts = u, ts
        return (Arrived(message, rx_ns),)

    def confirmed(self, lane: int) -> None:
        """An acknowledgement proves nothing here: a book begins with a snapshot."""

    def lost(self, lane: int, now_ms: int) -> Sequence[Arrived]:
        """Note that a lane is gone, or begins anew."""
        self._runs[lane] = _Run()
        super().lost(lane, now_ms)
        if not self._carrying:
            self.forget()
        return ()

    def forget(self) -> None:
        """Begin with the next message, whoever brings it."""
        super().forget()
        self._runs = [_Run() for _ in self._runs]
        self._carrying.clear()
        self._u = None
        self._ts = 0
