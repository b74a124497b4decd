"""DCP: has the exchange cancel an account's orders itself when it hears nothing of it any more.

A window is set by REST for each product, and the private socket that counts is one that has the
product's `dcp.*` topic (Bybit V5, "Set Disconnect Cancel All", "Get DCP Info", "Dcp"). The exchange
grants it to some accounts only, so whether it is armed is always told, and never presumed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from bybitd.net.errors import RestError
from bybitd.net.rest import RestReply, RestWorker
from bybitd.venue.session import PING_EVERY_MS

# Product of the REST call -> the topic whose socket it watches.
PRODUCTS: Final = {"SPOT": "dcp.spot", "DERIVATIVES": "dcp.future", "OPTIONS": "dcp.option"}
SET: Final = "/v5/order/disconnected-cancel-all"
ASK: Final = "/v5/account/query-dcp-info"
_NOT_YET: Final = "the private stream is not ready yet"
_NOT_SHOWN: Final = "it was set, and the exchange does not show it yet"
# For so long the exchange does not show what was set.
_TAKES_S: Final = 10.0
_RETRY_S: Final = (1.0, 5.0, 15.0, 60.0)
log = logging.getLogger(__name__)


class Client(Protocol):
    """What is needed of a REST client."""

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> RestReply:
        """Ask."""

    def post(self, path: str, body: Mapping[str, Any]) -> RestReply:
        """Act."""


def arm(client: Client, window_s: int) -> dict[str, str]:
    """Set the window of every product that does not have it; return why not, "" where the exchange
    shows it. Blocks. Setting it twice does no harm.

    Raises:
        RestError: no answer, so that nothing is known.
    """
    window = str(window_s)
    known = _windows(client)
    problems = dict.fromkeys(PRODUCTS, "")
    for product in [product for product in PRODUCTS if known.get(product) != window]:
        reply = client.post(SET, {"product": product, "timeWindow": window_s})
        refused = f"the exchange refused: {reply.ret_code} {reply.ret_msg}"
        problems[product] = refused if reply.ret_code else _NOT_SHOWN
    if _NOT_SHOWN in problems.values():
        known = _windows(client)
        for product, problem in problems.items():
            if problem == _NOT_SHOWN and known.get(product) == window:
                problems[product] = ""
    return problems


def _windows(client: Client) -> dict[str, str]:
    reply = client.get(ASK)
    rows = reply.result.get("dcpInfos") if reply.ret_code == 0 else None
    return {
        str(row.get("product")): str(row.get("timeWindow"))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and row.get("dcpStatus") == "ON"
    }


class Dcp:
    """Keeps DCP armed with `window_s` seconds; without, it asks and sets nothing.

    `generation()` numbers the comparisons of the account, 0 while it is not ready: after each one
    the windows are looked at again. `refused` are the topics that the exchange will not serve.
    """

    def __init__(
        self,
        window_s: int | None,
        worker: RestWorker,
        client: Callable[[], Client | None],
        generation: Callable[[], int],
        refused: Callable[[], Mapping[str, str]],
    ) -> None:
        self.topics: tuple[str, ...] = tuple(PRODUCTS.values()) if window_s is not None else ()
        # A dead connection must be noticed, and another one up, before the window is over.
        self.ping_every_ms = min(PING_EVERY_MS, (window_s or 300) * 1000 // 3)
        self._window_s = window_s
        self._worker = worker
        self._client = client
        self._generation = generation
        self._refused = refused
        self._problems = dict.fromkeys(PRODUCTS, _NOT_YET)
        self._done = 0
        self._busy = False
        self._failures = 0
        self._not_before_s = 0.0

    def tick(self, now_s: float) -> None:
        """Arm what is not armed. To be called every second or so, `now_s` never goes back."""
        generation, client, window_s = self._generation(), self._client(), self._window_s
        if window_s is None or client is None or self._busy or generation in (0, self._done):
            return
        if now_s < self._not_before_s:
            return

        def done(problems: dict[str, str] | None, error: RestError | None) -> None:
            self._busy = False
            if problems is None:
                self._not_before_s = now_s + self._pause_s()
                # What the exchange holds is not known: it may have been set, or be another one.
                self._keep(dict.fromkeys(PRODUCTS, f"not known: {error}"))
                return
            if _NOT_SHOWN in problems.values():
                self._not_before_s = now_s + max(_TAKES_S, self._pause_s())
                self._keep(problems)
                return
            self._failures = 0
            self._done = generation
            self._keep(problems)

        self._busy = self._worker.submit(lambda: arm(client, window_s), done)

    def _pause_s(self) -> float:
        self._failures += 1
        return _RETRY_S[min(self._failures, len(_RETRY_S)) - 1]

    def describe(self) -> dict[str, Any]:
        """Return what the status shows: nothing where it is not configured."""
        if self._window_s is None:
            return {}
        problems = self._all_problems()
        return {
            "dcp": {
                "window_s": self._window_s,
                "armed": [product for product in PRODUCTS if product not in problems],
                "problems": problems,
            }
        }

    def _keep(self, problems: dict[str, str]) -> None:
        if problems == self._problems:
            return
        self._problems = problems
        found = self._all_problems()
        for product, problem in found.items():
            log.error("= DCP of %s is not armed: %s", product, problem)
        armed = [product for product in PRODUCTS if product not in found]
        if armed:
            log.info("= DCP is armed with %s s for %s", self._window_s, ", ".join(armed))

    def _all_problems(self) -> dict[str, str]:
        found = {product: problem for product, problem in self._problems.items() if problem}
        if not self._generation():  # cut off: the window may be running out this very moment
            return {product: found.get(product, _NOT_YET) for product in PRODUCTS}
        refused = self._refused()
        for product, topic in PRODUCTS.items():
            if topic in refused and product not in found:
                found[product] = f"the exchange refused the topic {topic}: {refused[topic]}"
        return found
