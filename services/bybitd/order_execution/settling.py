"""When to look for what is unknown, and when its absence is a proof.

A request that was stamped T with window W is refused from T + W on (Bybit V5, "Integration
Guidance", recv_window). So an order that is found neither among the open ones nor in the history,
asked after T + W and some slack for the exchange to show what it took at the last moment, does not
exist. Before that moment absence means nothing at all.

Pure: time is an argument, in ms of the exchange's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DELAYS_MS: Final = (200, 300, 500, 1000, 2000, 4000, 8000, 15_000, 30_000)
SLACK_MS: Final = 3000
# What has just ended may have left the one list and not be in the other yet. A second absence, so
# much later that it must have come there by then, leaves nothing open.
ABSENCES: Final = 2
_CONFIRM_MS: Final = SLACK_MS
# After this long the exchange's history no longer lists what ended without a fill.
HISTORY_FORGETS_MS: Final = 24 * 3600 * 1000
ALARM_AFTER_MS: Final = 30_000


@dataclass(slots=True)
class Search:
    """One thing that is being looked for."""

    began_ms: int
    valid_until_ms: int
    due_ms: int
    attempts: int = 0
    absences: int = 0
    asking: bool = False

    @property
    def proof_from_ms(self) -> int:
        """From when on an absence counts."""
        return self.valid_until_ms + SLACK_MS


class Settling:
    """Everything that is being looked for, by key, and when to look next."""

    def __init__(self) -> None:
        self._searches: dict[str, Search] = {}

    def __len__(self) -> int:
        return len(self._searches)

    def __contains__(self, key: str) -> bool:
        return key in self._searches

    def begin(self, key: str, valid_until_ms: int, now_ms: int, delay_ms: int = 0) -> None:
        """Start to look for `key`. Harmless while it is looked for already."""
        if key not in self._searches:
            self._searches[key] = Search(now_ms, valid_until_ms, now_ms + delay_ms)

    def end(self, key: str) -> None:
        """Stop looking for `key`. Harmless if it is not looked for."""
        self._searches.pop(key, None)

    def due(self, now_ms: int, most: int) -> list[str]:
        """Return what to ask for now, at most so many; each must be reported back on."""
        found = [
            key
            for key, search in self._searches.items()
            if search.due_ms <= now_ms and not search.asking
        ][:most]
        for key in found:
            self._searches[key].asking = True
        return found

    def next_due_ms(self) -> int | None:
        """Return when `due` will have something; None if nothing waits."""
        waiting = [search.due_ms for search in self._searches.values() if not search.asking]
        return min(waiting, default=None)

    def absent(self, key: str, asked_ms: int, now_ms: int) -> bool:
        """Note that `key` was in neither list, asked at `asked_ms`. True if that is the proof."""
        search = self._searches.get(key)
        if search is None:
            return False
        if asked_ms >= search.proof_from_ms:
            search.absences += 1
        if search.absences >= ABSENCES:
            return True
        self._again(search, now_ms)
        return False

    def undecided(self, key: str, now_ms: int) -> None:
        """Note that the question got no answer, or one that decides nothing."""
        if (search := self._searches.get(key)) is not None:
            self._again(search, now_ms)

    def expired(self, key: str, asked_ms: int) -> bool:
        """Tell whether the request could no longer be accepted when it was asked about."""
        search = self._searches.get(key)
        return search is not None and asked_ms >= search.proof_from_ms

    def overdue(self, now_ms: int) -> int:
        """Return how many have been looked for so long that somebody should know."""
        return sum(now_ms - s.began_ms >= ALARM_AFTER_MS for s in self._searches.values())

    @staticmethod
    def _again(search: Search, now_ms: int) -> None:
        search.asking = False
        delay_ms = DELAYS_MS[min(search.attempts, len(DELAYS_MS) - 1)]
        if search.absences:
            delay_ms = _CONFIRM_MS
        search.attempts += 1
        # Just after the moment from which an answer is a proof is the best time to ask.
        proof_ms = search.proof_from_ms
        if now_ms < proof_ms < now_ms + delay_ms:
            delay_ms = proof_ms - now_ms
        search.due_ms = now_ms + delay_ms
