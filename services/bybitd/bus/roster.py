"""What is known of every program: its last status, or that it is silent or gone.

Pure: time is an argument. A program's own word counts only while it keeps speaking
(`ipc/PROTOCOL.md`, "Status").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

SILENT_S = 3.0  # three missed statuses
LAST_WORDS_S = 1.0


class _Seen(NamedTuple):
    status: Mapping[str, Any]
    at_s: float


class Roster:
    """The last status of each of `programs`."""

    def __init__(self, programs: Iterable[str]) -> None:
        self._last: dict[str, _Seen | None] = dict.fromkeys(programs)
        self._gone_at_s: dict[str, float] = {}

    def heard(self, program: str, status: Mapping[str, Any], now_s: float) -> None:
        """Note a status that `program` published. One that is not in the roster is ignored."""
        if program not in self._last or self._is_last_words(program, status, now_s):
            return
        self._last[program] = _Seen(status, now_s)
        self._gone_at_s.pop(program, None)

    def gone(self, program: str, now_s: float) -> None:
        """Note that `program` ended."""
        self._gone_at_s[program] = now_s

    def view(self, now_s: float) -> dict[str, dict[str, Any]]:
        """Return the status map of each program; `state` is `down` or `silent` where it has no
        say any more.
        """
        return {program: self._entry(program, now_s) for program in self._last}

    def states(self, now_s: float) -> dict[str, str]:
        """Return the state of each program."""
        return {program: entry["state"] for program, entry in self.view(now_s).items()}

    def _is_last_words(self, program: str, status: Mapping[str, Any], now_s: float) -> bool:
        # What a program sent before it ended may be read after we learnt of the end.
        gone_at_s, last = self._gone_at_s.get(program), self._last[program]
        if gone_at_s is None or last is None:
            return False
        same_run = status.get("started_ns") == last.status.get("started_ns")
        return same_run and now_s - gone_at_s < LAST_WORDS_S

    def _entry(self, program: str, now_s: float) -> dict[str, Any]:
        last = self._last[program]
        if last is None:
            return {"program": program, "state": "down", "reason": "has not been heard of yet"}
        entry: dict[str, Any] = {"program": program, **last.status}
        if program in self._gone_at_s:
            entry.update(state="down", reason="ended, and has not been heard of since")
        elif now_s - last.at_s > SILENT_S:
            entry.update(state="silent", reason=f"no status for {int(now_s - last.at_s)} s")
        return entry
