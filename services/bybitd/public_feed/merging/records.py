"""Tickers, pools and all else that replaces what was before it, or changes some fields. Pure.

There is no update id. Whole messages are told apart by `ts`, the newest one counts. Deltas of a
ticker carry `cs`, the cross sequence, which never falls: one that is late says that the lane in
front has lost it, and what it would have changed can not be known from what was published after it,
so the record has to be fetched anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bybitd.public_feed.merging.copies import Arrived, Copies, Message

_RECENT: Final = 128  # so many published deltas are known again when another lane brings them


class Records(Copies):
    """One record. `snapshot_first` tells that it begins with a snapshot, which then proves that a
    lane carries it.
    """

    __slots__ = ("_cs", "_floor_cs", "_recent", "_snapshot_first", "_ts")

    def __init__(self, snapshot_first: bool) -> None:
        super().__init__()
        self._snapshot_first = snapshot_first
        self._recent: dict[int, None] = {}
        self._cs = self._ts = self._floor_cs = -1

    def offer(self, lane: int, message: Message, rx_ns: int, now_ms: int) -> Sequence[Arrived]:
        """Take one message; see `Copies`."""
        cs, ts = message.get("cs", 0), message["ts"]
        if not isinstance(cs, int) or not isinstance(ts, int):
            raise TypeError("cs and ts must be whole numbers")
        whole = message.get("type") != "delta"
        if whole or not self._snapshot_first:
            self._carrying.add(lane)
        if whole:
            newer = ts > self._ts or (ts == self._ts and cs > self._cs)
            if not newer:
                return ()
            self._floor_cs = cs
            self._recent.clear()
        elif self._ts < 0:
            return ()  # it changes nothing that there is
        elif cs < self._cs:
            if cs > self._floor_cs and cs not in self._recent:
                self.missed = f"the change {cs} came after {self._cs}"
            return ()
        elif cs == self._cs and ts <= self._ts:
            return ()
        self._cs, self._ts = cs, ts
        self._recent[cs] = None
        if len(self._recent) > _RECENT:
            oldest = next(iter(self._recent))
            self._floor_cs = oldest
            del self._recent[oldest]
        return (Arrived(message, rx_ns),)

    def confirmed(self, lane: int) -> None:
        """Take an acknowledgement for a proof where no snapshot has to come."""
        if not self._snapshot_first:
            super().confirmed(lane)

    def lost(self, lane: int, now_ms: int) -> Sequence[Arrived]:
        """Note that a lane is gone, or begins anew."""
        super().lost(lane, now_ms)
        if not self._carrying:
            self.forget()
        return ()

    def forget(self) -> None:
        """Begin with the next whole message, whoever brings it."""
        super().forget()
        self._carrying.clear()
        self._recent.clear()
        self._cs = self._ts = self._floor_cs = -1
