"""Books of more than one level: every `u` once, in order, none left out. Pure.

`u` is the same on every connection, so the next message is the one with the last `u` + 1, whoever
brings it. What can not be next yet waits in the queue of its lane:

* a message ahead, because this lane has lost what comes before it, or has just begun with a newer
  snapshot: another lane is about to bring what is between;
* a restart (`u` goes back to 1): another lane may still bring the end of what was before.

It waits until another lane has come as far, for `HOLD_MS` at most, and no longer than until no
other lane can bring what is missing. Then a snapshot is taken as it is, while a delta says that an
update is missing for good.

Because of restarts a `u` alone does not say where a lane is. A lane is *placed* once it has brought
a message that was published already (same `u` and `seq`), or that was published because it brought
it; when the book restarts on one lane, the others are not placed until they show the same.
What a lane brings before it is placed proves nothing and is never published as a continuation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from bybitd.public_feed.merging.copies import Arrived, Copies, Message

HOLD_MS: Final = 500
_RECENT: Final = 128  # so many published messages are known again when another lane brings them


class _Held(NamedTuple):
    u: int
    whole: bool  # a snapshot, or as good as one
    same: Any  # what tells it from another message with this `u`
    ts: int
    arrived: Arrived


class _Run:
    """What one lane has brought since it began (`begun`: it has begun with a snapshot). `last_u`
    is that of the last message dealt with.
    """

    __slots__ = ("begun", "last_u", "placed", "queue", "since_ms")

    def __init__(self) -> None:
        self.begun = False
        self.placed = False
        self.last_u = 0
        self.queue: deque[_Held] = deque()
        self.since_ms = 0  # since when the head of the queue is the head

    @property
    def restarts(self) -> bool:
        """Whether what waits is the book's restart, or comes after it."""
        return bool(self.queue) and self.queue[0].u <= self.last_u


class Updates(Copies):
    """One book. `snapshot_first` is False for a topic of deltas only."""

    __slots__ = ("_left_over", "_recent", "_runs", "_snapshot_first", "_ts", "_u", "_waits")

    def __init__(self, lanes: int, *, snapshot_first: bool = True) -> None:
        super().__init__()
        self._snapshot_first = snapshot_first
        self._runs = [_Run() for _ in range(lanes)]
        self._left_over: list[_Run] = []  # of lanes that are gone: still good for what they hold
        self._recent: dict[int, Any] = {}  # u -> what else the published message has
        self._u: int | None = None
        self._ts = 0
        self._waits = False

    def offer(self, lane: int, message: Message, rx_ns: int, now_ms: int) -> Sequence[Arrived]:
        """Take one message; see `Copies`."""
        data = message["data"]
        u, same = data["u"], data.get("seq")
        run, last = self._runs[lane], self._u
        if run.placed and last is not None and u == last + 1 and _in_turn(run, u, same):
            self._note(run, u, same, message["ts"])
            arrived = Arrived(message, rx_ns)
            return (arrived, *self._go_on(now_ms)) if self._waits else (arrived,)
        if u in self._recent and self._recent[u] == same:
            run.begun = run.placed = True
            run.last_u = u
            if run.queue:
                run.queue.clear()  # whatever waited was before this
            return ()
        arrived = Arrived(message, rx_ns)
        held = _Held(u, message["type"] != "delta" or u == 1, same, message["ts"], arrived)
        if not isinstance(u, int) or not isinstance(held.ts, int):
            raise TypeError("u and ts must be whole numbers")
        if self._u is None:
            begins = held.whole or not self._snapshot_first
            return (self._publish(run, held), *self._go_on(now_ms)) if begins else ()
        if not run.queue:
            run.since_ms = now_ms
        run.begun = run.begun or held.whole or not self._snapshot_first
        run.queue.append(held)
        self._waits = True
        return self._go_on(now_ms)

    def confirmed(self, lane: int) -> None:
        """An acknowledgement proves nothing here: a book begins with a snapshot."""

    def carries(self, lane: int) -> bool:
        """Tell whether a lane has begun the book."""
        run = self._runs[lane]
        return run.placed or bool(run.queue)

    def lost(self, lane: int, now_ms: int) -> Sequence[Arrived]:
        """Note that a lane is gone; what it has brought and could not be published may still be."""
        run, self._runs[lane] = self._runs[lane], _Run()
        if run.queue:
            self._left_over.append(run)
        if not any(map(self.carries, range(len(self._runs)))):
            self.forget()
            return ()
        return self._go_on(now_ms)

    def overdue(self, now_ms: int) -> Sequence[Arrived]:
        """Return what has waited for `HOLD_MS`, and what follows from it."""
        late_ms = now_ms - HOLD_MS
        self._left_over = [run for run in self._left_over if run.since_ms > late_ms]
        ready: list[Arrived] = []
        for run in self._runs:
            if run.queue and run.since_ms <= late_ms:
                ready += self._force(run, now_ms)
        return ready + self._go_on(now_ms)

    @property
    def waiting(self) -> bool:
        """Whether something waits."""
        return self._waits

    def forget(self) -> None:
        """Begin with the next snapshot, whoever brings it."""
        super().forget()
        self._runs = [_Run() for _ in self._runs]
        self._left_over = []
        self._recent = {}
        self._u = None
        self._ts = 0
        self._waits = False

    def _go_on(self, now_ms: int) -> list[Arrived]:
        """Return what can be published now of all that waits."""
        ready: list[Arrived] = []
        moved = True
        while moved and not self.missed:
            moved = False
            for run in (*self._left_over, *self._runs):
                while run.queue and not self.missed:
                    count = len(run.queue)
                    ready += self._deal_with_head(run, now_ms)
                    if len(run.queue) == count:
                        break
                    moved = True
                    run.since_ms = now_ms
        self._left_over = [run for run in self._left_over if run.queue]
        self._waits = bool(self._left_over) or any(run.queue for run in self._runs)
        if self._u is not None and not self._waits and not any(run.placed for run in self._runs):
            # What a lane held was all that carried the book, and it proved to be of no use.
            self.missed = self.missed or f"no connection continues it after {self._u}"
        return ready

    def _deal_with_head(self, run: _Run, now_ms: int) -> Sequence[Arrived]:
        head, u = run.queue[0], self._u
        if u is None:
            return ()
        if not run.placed:
            if self._place(run):
                return ()
            if not head.whole and (self._snapshot_first or head.u <= u):
                run.queue.popleft()
                return ()
        elif head.u == u + 1 and head.u > run.last_u:
            run.queue.popleft()
            return (self._publish(run, head),)
        elif self._is_known(head) or run.last_u < head.u <= u:
            # Seen, or passed by when a newer snapshot was taken.
            run.queue.popleft()
            run.last_u = head.u
            return ()
        elif run.restarts and not head.whole:
            # It has lost the restart itself, and nothing tells which one that was.
            run.queue.popleft()
            run.placed = False
            return ()
        return () if self._has_to_wait(run) else self._force(run, now_ms)

    def _has_to_wait(self, run: _Run) -> bool:
        """Tell whether another lane may still bring what comes before the head of the queue."""
        if run in self._left_over:
            return True
        others = [each for each in self._runs if each is not run and each.begun]
        if run.queue[0].whole and (run.restarts or not run.placed):
            return any(each.placed and not each.queue for each in others)
        # What a lane has passed it does not bring any more.
        return any(not (each.placed and each.queue) for each in others)

    def _force(self, run: _Run, now_ms: int) -> Sequence[Arrived]:
        """Take the head of a queue although it does not follow."""
        head = run.queue[0]
        run.since_ms = now_ms
        if head.whole and (run.placed or not self._is_older(head)):
            run.queue.popleft()
            return (self._publish(run, head),)
        if not head.whole and (run.placed or not any(each.placed for each in self._runs)):
            self.missed = f"update {head.u} came after {self._u}"
        else:
            run.queue.clear()  # older than what was published: not worth to wait for
        return ()

    def _place(self, run: _Run) -> bool:
        """Tell whether something that waits has been published meanwhile."""
        for index, held in enumerate(run.queue):
            if self._is_known(held):
                for _ in range(index + 1):
                    run.queue.popleft()
                run.placed, run.last_u = True, held.u
                return True
        return False

    def _publish(self, run: _Run, held: _Held) -> Arrived:
        if self._u is not None and held.u != self._u + 1:
            self._recent.clear()
        if self._u is not None and held.u <= self._u:
            for each in self._runs:
                each.placed = False  # until it shows the same restart
        self._note(run, held.u, held.same, held.ts)
        return held.arrived

    def _note(self, run: _Run, u: int, same: Any, ts: int) -> None:
        recent = self._recent
        recent[u] = same
        recent.pop(u - _RECENT, None)
        self._u, self._ts = u, ts
        run.begun = run.placed = True
        run.last_u = u

    def _is_known(self, held: _Held) -> bool:
        return held.u in self._recent and self._recent[held.u] == held.same

    def _is_older(self, held: _Held) -> bool:
        """Tell whether a snapshot was made before what was published last; both its time and the
        cross sequence must say so.
        """
        last = None if self._u is None else self._recent.get(self._u)
        if isinstance(last, int) and isinstance(held.same, int) and held.same >= last:
            return False
        return held.ts < self._ts


def _in_turn(run: _Run, u: int, seq: Any) -> bool:
    """Tell whether a message is not behind a restart that waits, but before what waits."""
    if u <= run.last_u:
        return False
    if not run.queue:
        return True
    waits = run.queue[0].same
    return isinstance(seq, int) and isinstance(waits, int) and seq < waits
