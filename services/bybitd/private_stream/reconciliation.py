"""Reads an account's state by REST, whole or not at all. Blocks: it runs in a thread.

Bybit V5, "Get Open & Closed Orders", "Get Position Info", "Get Wallet Balance", "Get Trade
History". A listing of which one page failed is no listing: absence from it would prove nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from bybitd.net.errors import OutcomeUnknown, RestError
from bybitd.net.rest import RestClient
from bybitd.private_stream.fills import OVERLAP_MS
from bybitd.private_stream.state import Record, position_from_rest
from bybitd.venue.retcodes import Reaction, explain

# Linear needs to be told a coin, and one of the two would hide the other's contracts.
ORDER_SCOPES: Final[tuple[dict[str, str], ...]] = (
    {"category": "spot"},
    {"category": "linear", "settleCoin": "USDT"},
    {"category": "linear", "settleCoin": "USDC"},
    {"category": "inverse"},
    {"category": "option"},
)
POSITION_SCOPES: Final = ORDER_SCOPES[1:]
_CATEGORIES: Final = ("spot", "linear", "inverse", "option")
_WEEK_MS: Final = 7 * 24 * 3600 * 1000  # the most that one query may span
_LOOK_AGAIN_S: Final = (0.0, 0.5, 1.0, 2.0, 3.0, 3.5)  # the history lags
_PAGE_LIMITS: Final = {
    "/v5/order/realtime": "50",
    "/v5/position/list": "200",
    "/v5/execution/list": "100",
}


class ScopeRefused(RestError):
    """Raised when the exchange will not list something for this account, and will not later."""

    def __init__(self, path: str, code: int, text: str) -> None:
        self.path = path
        self.code = code
        self.text = text
        super().__init__(f"{path}: {code} {text} ({explain(code).meaning})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the exchange said. `asked_ms` is when it was asked first, by its own clock.

    `closed_in` are the categories whose positions were listed; `unread` says what the account may
    not list. `executions` are oldest first; `seeds` are those of before the first run, which
    nobody missed.
    """

    asked_ms: int
    orders: list[Record]
    order_categories: frozenset[str]
    positions: list[Record]
    position_categories: frozenset[str]
    wallet: Record | None
    wallet_ms: int
    executions: list[Record]
    seeds: list[Record]
    unread: dict[str, str] = field(default_factory=dict)


def read(client: RestClient, exchange_ms: Callable[[], int], since_ms: int | None) -> Reading:
    """Read everything. `since_ms` is the time of the last execution that was published.

    Raises:
        RestError: something could not be read; nothing of the rest may be used.
    """
    asked_ms = exchange_ms()
    unread: dict[str, str] = {}
    orders, order_categories = _scoped(client, "/v5/order/realtime", ORDER_SCOPES, unread)
    positions, position_categories = _scoped(client, "/v5/position/list", POSITION_SCOPES, unread)
    reply = client.get("/v5/account/wallet-balance", {"accountType": "UNIFIED"})
    if reply.ret_code != 0:
        raise OutcomeUnknown(f"wallet-balance: retCode {reply.ret_code} {reply.ret_msg}")
    wallets = reply.result.get("list") or []
    executions: list[Record] = []
    for category in _CATEGORIES:
        try:
            executions += _executions(client, category, since_ms, asked_ms)
        except ScopeRefused as refusal:
            unread[f"executions {category}"] = str(refusal)
    if not order_categories:
        raise OutcomeUnknown(f"no category can be read: {next(iter(unread.values()))}")
    return Reading(
        asked_ms=asked_ms,
        orders=orders,
        order_categories=order_categories,
        positions=[position_from_rest(row, str(row["category"])) for row in positions],
        position_categories=position_categories,
        wallet=wallets[0] if wallets else None,
        wallet_ms=reply.time_ms,
        executions=executions if since_ms is not None else [],
        seeds=executions if since_ms is None else [],
        unread=unread,
    )


def find_missing(client: RestClient, records: Iterable[Record]) -> list[Record | None]:
    """Return what became of orders that are open no more, in order; None for what is not found.

    Raises:
        RestError: it could not be asked.
    """
    return [_find(client, record) for record in records]


def _find(client: RestClient, record: Record) -> Record | None:
    query = {
        "category": str(record.get("category", "")),
        "symbol": str(record.get("symbol", "")),
        "orderId": str(record["orderId"]),
    }
    for pause_s in _LOOK_AGAIN_S:
        time.sleep(pause_s)
        for path in ("/v5/order/realtime", "/v5/order/history"):
            for row in _rows(client, path, query):
                if row.get("orderId") == query["orderId"]:
                    return {**row, "category": query["category"]}
    return None


def _scoped(
    client: RestClient,
    path: str,
    scopes: Iterable[dict[str, str]],
    unread: dict[str, str],
) -> tuple[list[Record], frozenset[str]]:
    rows: dict[tuple[object, ...], Record] = {}
    whole: dict[str, bool] = {}
    for scope in scopes:
        category = scope["category"]
        try:
            for row in _rows(client, path, scope):
                row = {**row, "category": category}
                key = (category, row.get("symbol"), row.get("orderId"), row.get("positionIdx"))
                rows[key] = row
        except ScopeRefused as refusal:
            unread[f"{path} {' '.join(scope.values())}"] = str(refusal)
            whole[category] = False
        else:
            whole.setdefault(category, True)
    return list(rows.values()), frozenset(name for name, read in whole.items() if read)


def _executions(
    client: RestClient, category: str, since_ms: int | None, now_ms: int
) -> list[Record]:
    found: list[Record] = []
    if since_ms is None:
        # Enough to know the latest; the exchange lists the last week without a time.
        reply_rows = next(_pages(client, "/v5/execution/list", {"category": category}), [])
        return [{**row, "category": category} for row in reply_rows]
    start_ms = since_ms - OVERLAP_MS
    while start_ms < now_ms + OVERLAP_MS:
        end_ms = min(start_ms + _WEEK_MS - 1, now_ms + OVERLAP_MS)
        span = {"category": category, "startTime": str(start_ms), "endTime": str(end_ms)}
        rows = _rows(client, "/v5/execution/list", span)
        found += [{**row, "category": category} for row in rows]
        start_ms = end_ms + 1
    return found


def _rows(client: RestClient, path: str, params: dict[str, str]) -> Iterator[Record]:
    for page in _pages(client, path, params):
        yield from page


def _pages(client: RestClient, path: str, params: dict[str, str]) -> Iterator[list[Record]]:
    if limit := _PAGE_LIMITS.get(path):
        params = {**params, "limit": limit}
    cursor = ""
    while True:
        reply = client.get(path, {**params, "cursor": cursor} if cursor else params)
        if reply.ret_code != 0:
            if explain(reply.ret_code).reaction in (Reaction.FATAL, Reaction.REJECT):
                raise ScopeRefused(path, reply.ret_code, reply.ret_msg)
            raise OutcomeUnknown(f"{path}: retCode {reply.ret_code} {reply.ret_msg}")
        rows = [row for row in reply.result.get("list") or () if isinstance(row, dict)]
        yield rows
        following = reply.result.get("nextPageCursor") or ""
        if not rows or following in ("", cursor):
            return
        cursor = following
