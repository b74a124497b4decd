"""Shares out what the private stream tells: to the ledger what is ours, the rest to the limits."""

from __future__ import annotations

import time
from typing import Any

from bybitd.order_execution.safety.account_state import AccountState
from bybitd.order_execution.searcher import Searcher


class AccountEvents:
    """Listens to `PrivateEvents`."""

    def __init__(self, searcher: Searcher, state: AccountState) -> None:
        self._searcher = searcher
        self._state = state

    def order(self, record: dict[str, Any], repeated: bool) -> None:
        """Take a record of an order."""
        self._state.filled(record, monotonic_ms(), repeated=repeated)
        if self._searcher.observe(record) is None:
            self._state.foreign(record)

    def position(self, record: dict[str, Any]) -> None:
        """Take a record of a position."""
        self._state.positions.take(record)

    def status(self, vouched: bool) -> None:
        """Take the private stream's word on itself."""
        self._state.status(vouched, monotonic_ms())

    def missed(self, topic: str, why: str) -> None:
        """Trust no more what may be wrong now."""
        self._state.doubt(topic)
        if topic == "order":
            self._searcher.check_all(why)

    def repeated(self, topic: str) -> None:
        """Begin anew with what is told next."""
        self._state.begin(topic)


def monotonic_ms() -> int:
    """Return the clock that ages are kept on."""
    return time.monotonic_ns() // 1_000_000
