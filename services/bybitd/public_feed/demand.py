"""Which topics somebody wants, and for how long after the last one left. Pure.

`ipc/PROTOCOL.md`, "Subscriptions drive the upstream".
"""

from __future__ import annotations

from collections.abc import Iterable


class Demand:
    """Topics by name. `always` are wanted whoever asks; times are monotonic ms."""

    def __init__(self, always: Iterable[str], linger_ms: int) -> None:
        self._always = frozenset(always)
        self.linger_ms = linger_ms
        # A topic may be subscribed with and without its closing dot: two subscriptions to ZeroMQ.
        self._wanted: dict[str, set[str]] = {}
        self._leaving: dict[str, int] = {}  # name -> when it is given up

    def __contains__(self, name: object) -> bool:
        return name in self._wanted or name in self._leaving or name in self._always

    def joined(self, name: str, as_written: str) -> None:
        """Note that somebody subscribed."""
        self._wanted.setdefault(name, set()).add(as_written)
        self._leaving.pop(name, None)

    def left(self, name: str, as_written: str, now_ms: int) -> None:
        """Note that the last subscriber of this spelling has gone."""
        spellings = self._wanted.get(name)
        if spellings is None:
            return
        spellings.discard(as_written)
        if not spellings:
            del self._wanted[name]
            self._leaving[name] = now_ms + self.linger_ms

    def expired(self, now_ms: int) -> list[str]:
        """Return the topics that nobody has wanted for long enough, each once."""
        over = [name for name, at_ms in self._leaving.items() if at_ms <= now_ms]
        for name in over:
            del self._leaving[name]
        return [name for name in over if name not in self._always]
