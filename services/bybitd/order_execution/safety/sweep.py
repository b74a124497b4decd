"""Cancelling everything that an account has open, until there is nothing.

First what one call cancels by the coin or category, while the list of what is open is fetched; then
whatever that list still shows, by its symbol, and in the end one by one. It goes on for as long as
something is open or an order of ours may yet turn out to live: nothing here gives up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from bybitbus.messages import ErrorBody
from bybitbus.server import Call
from bybitd.net.errors import RestError
from bybitd.net.rest import RestClient, RestWorker
from bybitd.order_execution.answers import arguments
from bybitd.order_execution.ledger import Order
from bybitd.order_execution.own_call import OwnCall
from bybitd.runtime.account_lists import OPEN_ORDERS, ORDER_SCOPES, scoped
from bybitd.venue.enums import CANCEL_ALL_FILTER

CLIENT: Final = "kill-switch"  # in whose name it cancels
WAIT_MS: Final = 5000
# One call for each of these; inverse has no call for all of its coins, the list names its symbols.
WHOLE: Final[tuple[dict[str, str], ...]] = (
    {"category": "linear", "settleCoin": "USDT"},
    {"category": "linear", "settleCoin": "USDC"},
    *({"category": "spot", "orderFilter": name} for name in CANCEL_ALL_FILTER["spot"]),
    {"category": "option"},
)
_PAUSES_S: Final = (0.1, 0.3, 1.0, 2.0, 5.0)
_ONE_BY_ONE: Final = 50  # in a round, that they do not stand in each other's way
_SYMBOL_ROUNDS: Final = 2
Row = dict[str, Any]
Requests = list[tuple[str, dict[str, Any]]]
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """How far a sweep is. `cancelled` are the orders by orderId, with their orderLinkId; `open` is
    how many were in the last list, None before there was one; `problem` is why there is none, or
    what the exchange would not list.
    """

    cancelled: dict[str, str] = field(default_factory=dict)
    open: int | None = None
    problem: str = "the open orders were not listed yet"
    over: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing is open: a list that was refused in part does not tell."""
        return self.over and not self.problem


def of_listed(rows: list[Row], number: int) -> Requests:
    """Return the requests of round `number` (from 0) that cancel what is listed. Pure."""
    if number < _SYMBOL_ROUNDS:
        scopes: dict[tuple[str, ...], dict[str, Any]] = {}
        for row in rows:
            args = {"category": str(row["category"]), "symbol": str(row.get("symbol", ""))}
            if args["category"] == "spot" and (name := _spot_filter(row)) != "Order":
                args["orderFilter"] = name
            scopes[tuple(args.values())] = args
        return [("order.cancel-all", args) for args in scopes.values()]
    singles: Requests = []
    for row in rows[:_ONE_BY_ONE]:
        args = {name: str(row.get(name, "")) for name in ("category", "symbol", "orderId")}
        if args["category"] == "spot" and (name := _spot_filter(row)) != "Order":
            args["orderFilter"] = name
        singles.append(("order.cancel", args))
    return singles


def of_ours(orders: Iterable[Order]) -> Requests:
    """Return the requests that cancel orders of ours, for while nothing can be listed. Pure."""
    found: Requests = []
    for order in orders:
        args = {"category": order.category, "symbol": order.symbol, "orderLinkId": order.link_id}
        if order.category == "spot" and (name := arguments(order).get("orderFilter")):
            args["orderFilter"] = name
        found.append(("order.cancel", args))
    return found[:_ONE_BY_ONE]


def _unlisted(unread: dict[str, str]) -> str:
    # What may not be listed may hold orders: it is not asked for again and again, but it is told.
    return f"not listed: {'; '.join(unread.values())}" if unread else ""


def _spot_filter(row: Row) -> str:
    # Without it a conditional order of spot is not found (Bybit V5, "Cancel Order").
    kind = row.get("stopOrderType")
    if kind == "tpslOrder":
        return "tpslOrder"
    return "StopOrder" if kind == "Stop" else "Order"


class Sweeper:
    """Sweeps one account. `act` takes a request of ours, `client` is how the list is fetched (None
    while the exchange is not known), `alive` returns the orders of ours that may live, `doubt` has
    them looked up, `later` runs something after a pause. `news` is called when nothing is open.
    """

    def __init__(
        self,
        act: Callable[[Call], None],
        worker: RestWorker,
        client: Callable[[], RestClient | None],
        alive: Callable[[], Iterable[Order]],
        doubt: Callable[[str], None],
        later: Callable[[float, Callable[[], None]], object],
        news: Callable[[], None],
    ) -> None:
        self.progress = Progress()
        self._act = act
        self._worker = worker
        self._client = client
        self._alive = alive
        self._doubt = doubt
        self._later = later
        self._news = news
        self._wanted = False
        self._running = False
        self._round = 0
        self._rows: list[Row] | None = None
        self._due = 0

    def begin(self) -> None:
        """Sweep until nothing is open. Harmless while it is under way."""
        self.progress = Progress(cancelled=self.progress.cancelled)
        self._wanted = True
        if not self._running:
            self._running = True
            self._round = 0
            self._ask([("order.cancel-all", dict(args)) for args in WHOLE])

    def end(self) -> None:
        """Cancel nothing any more; what is under way is not taken back."""
        self._wanted = False
        self.progress = Progress()

    def look(self) -> None:
        """Begin again if an order of ours lives after all, such as one whose outcome was unknown.

        Orders made elsewhere are cancelled once, with the first sweep: after that whoever made them
        knows of the kill, and may be closing positions by hand.
        """
        if self._wanted and not self._running and any(self._alive()):
            self.begin()

    def _ask(self, requests: Requests) -> None:
        self._due = len(requests) + 1
        self._rows = None
        self._list()
        for op, args in requests:
            self._act(OwnCall(op, args, client=CLIENT, wait_ms=WAIT_MS, done=self._acted))

    def _acted(self, result: Any, error: ErrorBody | None) -> None:
        if error is not None:
            # Nothing to cancel, no such product on this account, no answer: the list is the truth.
            log.info("= sweep: %s", error.message)
        elif isinstance(result, dict):
            rows = result.get("list", [result])
            for row in rows if isinstance(rows, list) else ():
                self.progress.cancelled[str(row.get("orderId"))] = str(row.get("orderLinkId", ""))
        self._step()

    def _list(self) -> None:
        client = self._client()
        unread: dict[str, str] = {}

        def job() -> list[Row]:
            assert client is not None
            return scoped(client, OPEN_ORDERS, ORDER_SCOPES, unread)[0]

        def done(rows: list[Row] | None, error: RestError | None) -> None:
            self._rows = rows
            self.progress.problem = str(error) if rows is None else _unlisted(unread)
            self._step()

        if client is None or not self._worker.submit(job, done):
            self.progress.problem = "the exchange can not be asked now"
            self._step()

    def _step(self) -> None:
        self._due -= 1
        if self._due:
            return
        if not self._wanted:
            self._running = False
            return
        pause_s = _PAUSES_S[min(self._round, len(_PAUSES_S) - 1)]
        self._later(pause_s, self._next)

    def _next(self) -> None:
        """Decide after a round what is left to do. The list was asked for before its cancels were
        answered, so that only an empty one, asked for after everything else, is the end.
        """
        if not self._wanted:
            self._running = False
            return
        rows = self._rows
        if rows is not None:
            self.progress.open = len(rows)
        ours = list(self._alive())
        if rows == [] and self._round and not ours:
            self._running = False
            self.progress.over = True
            what = self.progress.problem or "nothing is open"
            log.warning("= swept: %s; %d were cancelled", what, len(self.progress.cancelled))
            self._news()
            return
        self._round += 1
        if rows == [] and ours:
            self._doubt("nothing is listed as open")
        self._ask(of_ours(ours) if rows is None else of_listed(rows, self._round))
