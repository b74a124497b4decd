"""When the exchange may be asked something for one topic, and whether it still should be. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bybitd.public_feed.published import Published

_FIRST_PAUSE_MS: Final = 250
_MOST_PAUSE_MS: Final = 30_000
_CALM_MS: Final = 60_000  # not asked for so long, the next pause is the first again


class Errand:
    """When the exchange may be asked something for one topic: each time less soon than before."""

    __slots__ = ("_asked_ms", "_pause_ms", "_problem", "busy", "held")

    def __init__(self, held: Published) -> None:
        self.held = held
        self.busy = False
        self._asked_ms = -_CALM_MS
        self._pause_ms = 0
        self._problem = ""

    def may_go(self, now_ms: int) -> bool:
        """Tell whether it is time; if so it has begun."""
        silent_ms = now_ms - self._asked_ms
        if self.busy or silent_ms < self._pause_ms:
            return False
        calm = silent_ms >= _CALM_MS
        doubled = min(_MOST_PAUSE_MS, 2 * self._pause_ms)
        self._pause_ms = _FIRST_PAUSE_MS if calm else max(_FIRST_PAUSE_MS, doubled)
        self._asked_ms = now_ms
        self.busy = True
        return True

    def ended(self, problem: str) -> bool:
        """Note what came of it, "" for an answer; return whether that is bad news."""
        self.busy = False
        news = bool(problem) and not self._problem
        self._problem = problem
        return news


class Errands:
    """One errand for each topic that has one. `find` returns what is held of a topic now."""

    def __init__(self, find: Callable[[str], Published | None]) -> None:
        self._find = find
        self._errands: dict[str, Errand] = {}

    def of(self, held: Published) -> Errand:
        """Return the errand of a topic. One that was given up and opened anew begins anew."""
        errand = self._errands.get(held.topic)
        if errand is None or errand.held is not held:
            errand = self._errands[held.topic] = Errand(held)
        return errand

    def stands(self, errand: Errand) -> bool:
        """Tell whether its topic is still wanted."""
        return self._find(errand.held.topic) is errand.held

    def forget_gone(self) -> None:
        """Let go of those whose topic is not wanted any more."""
        gone = [topic for topic, errand in self._errands.items() if not self.stands(errand)]
        for topic in gone:
            del self._errands[topic]
