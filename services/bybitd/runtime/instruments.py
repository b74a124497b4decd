"""The instruments of one category, fetched over REST and kept fresh.

Source: Bybit V5, "Get Instruments Info", of spreads "Spread Trading / Get Instruments Info". Rows
are kept as they came.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from bybitd.net.connection import Cancellable
from bybitd.net.errors import RestError
from bybitd.net.ip_gate import Gate
from bybitd.net.rest import RestClient, RestWorker
from bybitd.runtime.exchange import Endpoints, leave

REFRESH_S: Final = 900.0  # maximum quantities change twice a month, listings at any time
_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_PATH: Final = "/v5/market/instruments-info"
_PAGE: Final = 1000
_SPREAD_PATH: Final = "/v5/spread/instrument"
_SPREAD_PAGE: Final = 500
# Without a base coin the exchange lists the options on BTC only.
_OPTION_COINS: Final = ("BTC", "ETH", "SOL", "XRP", "MNT", "DOGE")
Row = dict[str, Any]
log = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one category as they were at `fetched_ns` (Unix ns)."""

    fetched_ns: int
    rows: list[Row]


def keep(path: Path, kept: Kept) -> None:
    """Leave the rows for a later run. Blocks; what can not be written is only logged."""
    try:
        leave(path, kept, 0o640)
    except OSError as error:
        log.warning("= can not write %s: %s", path, error.strerror)


def recall(path: Path) -> Kept | None:
    """Return what an earlier run has left, None if that is nothing, or nothing whole."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError):
        return None


class Timers(Protocol):
    """What is needed of the loop."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Cancellable:
        """Run a callback once."""


class Instruments:
    """Keeps the rows by symbol; `fetched_ns` is 0 until the first fetch, `problem` says why the
    last one failed. `find` is asked before each fetch, since the address may change, and `changed`
    is called after each that succeeded.
    """

    def __init__(
        self,
        category: str,
        timers: Timers,
        worker: RestWorker,
        find: Callable[[], Endpoints | None],
        gate: Gate,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.fetched_ns = 0
        self.problem = "not fetched yet"
        self._category = category
        self._timers = timers
        self._worker = worker
        self._find = find
        self._gate = gate
        self._changed = changed
        self._fetching = False
        self._timer: Cancellable | None = None
        self._rows: dict[str, Row] = {}
        self._failures = 0

    def refresh(self) -> None:
        """Fetch now, and again and again from then on. Harmless while a fetch is under way."""
        if self._fetching:
            return
        if self._timer is not None:
            self._timer.cancel()
        endpoints = self._find()
        if endpoints is None:
            self._failed("the address of the exchange is not known yet")
            return

        def job() -> list[Row]:
            return fetch(endpoints, self._category, self._gate)

        if self._worker.submit(job, self._fetched):
            self._fetching = True
        else:
            self._failed("too many REST calls wait")

    def adopt(self, kept: Kept) -> None:
        """Begin with what an earlier run has left, as long as nothing was fetched."""
        if not self.fetched_ns:
            self._take(kept.rows)
            self.fetched_ns = kept.fetched_ns

    def kept(self) -> Kept:
        """Return what a later run may begin with."""
        return Kept(fetched_ns=self.fetched_ns, rows=self.rows())

    def rows(self, symbol: str | None = None) -> list[Row]:
        """Return all rows, or the one of a symbol; [] if there is none."""
        if symbol is None:
            return list(self._rows.values())
        row = self._rows.get(symbol)
        return [] if row is None else [row]

    def describe(self) -> dict[str, Any]:
        """Return what the status shows."""
        return {"count": len(self._rows), "fetched_ns": self.fetched_ns, "problem": self.problem}

    def _fetched(self, rows: Sequence[Row] | None, error: RestError | None) -> None:
        self._fetching = False
        if rows is None:
            self._failed(str(error))
            return
        self._take(rows)
        self.fetched_ns = time.time_ns()
        self.problem = ""
        self._failures = 0
        log.info("< %d %s instruments", len(self._rows), self._category)
        self._timer = self._timers.call_later(REFRESH_S, self.refresh)
        self._changed()

    def _take(self, rows: Sequence[Row]) -> None:
        self._rows = {row["symbol"]: row for row in rows if isinstance(row.get("symbol"), str)}

    def _failed(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("= no %s instruments: %s", self._category, problem)
        self.problem = problem
        delay_s = _RETRY_S[min(self._failures, len(_RETRY_S) - 1)]
        self._failures += 1
        self._timer = self._timers.call_later(delay_s, self.refresh)


def fetch(endpoints: Endpoints, category: str, gate: Gate) -> list[Row]:
    """Return every instrument of a category, all pages. Blocks.

    Raises:
        RestError: a page did not come: a list that is not whole is none.
    """
    client = RestClient(endpoints.hosts.rest, gate, authority=endpoints.authority)
    base: Row = {"category": category, "limit": _PAGE}
    path, asked = _PATH, [base]
    if category == "spread":
        path, asked = _SPREAD_PATH, [{"limit": _SPREAD_PAGE}]
    if category == "linear":
        # Without a status it lists what is Trading only.
        asked = [base, {**base, "status": "PreLaunch"}]
    if category == "option":
        asked = [{**base, "baseCoin": coin} for coin in _OPTION_COINS]
    try:
        return [row for params in asked for page in client.pages(path, params) for row in page]
    finally:
        client.close()
