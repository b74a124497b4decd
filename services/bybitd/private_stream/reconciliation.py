"""Reads an account's state by REST, whole or not at all. Blocks: it runs in a thread.

Bybit V5, "Get Open & Closed Orders", "Get Position Info", "Get Wallet Balance", "Get Coin Greeks",
"Get Trade History". A listing of which one page failed is no listing: absence from it would prove
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from bybitd.net.errors import OutcomeUnknown
from bybitd.net.rest import RestClient
from bybitd.private_stream.fills import OVERLAP_MS
from bybitd.private_stream.state import Record, position_from_rest
from bybitd.runtime.account_lists import (
    OPEN_ORDERS,
    ORDER_SCOPES,
    POSITION_SCOPES,
    ScopeRefused,
    pages,
    rows_of,
    scoped,
)
from bybitd.venue.retcodes import Reaction, explain

_CATEGORIES: Final = ("spot", "linear", "inverse", "option")
_WEEK_MS: Final = 7 * 24 * 3600 * 1000  # the most that one query may span
_LOOK_AGAIN_S: Final = (0.0, 0.5, 1.0, 2.0, 3.0, 3.5)  # the history lags


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the exchange said. `asked_ms` is when it was asked first, by its own clock.

    The two sets are the categories that were listed whole; `unread` says what the account may not
    list. `executions` are oldest first; `seeds` are those of before the first run, which
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
    greeks: list[Record] | None
    greeks_ms: int
    unread: dict[str, str] = field(default_factory=dict)


def read(client: RestClient, exchange_ms: Callable[[], int], since_ms: int | None) -> Reading:
    """Read everything. `since_ms` is up to when no execution is missing.

    Raises:
        RestError: something could not be read; nothing of the rest may be used.
    """
    asked_ms = exchange_ms()
    unread: dict[str, str] = {}
    orders, order_categories = scoped(client, OPEN_ORDERS, ORDER_SCOPES, unread)
    positions, position_categories = scoped(client, "/v5/position/list", POSITION_SCOPES, unread)
    reply = client.get("/v5/account/wallet-balance", {"accountType": "UNIFIED"})
    if reply.ret_code != 0:
        raise OutcomeUnknown(f"wallet-balance: retCode {reply.ret_code} {reply.ret_msg}")
    wallets = reply.result.get("list") or []
    greeks, greeks_ms = _greeks(client, unread)
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
        greeks=greeks,
        greeks_ms=greeks_ms,
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
        for path in (OPEN_ORDERS, "/v5/order/history"):
            for row in rows_of(client, path, query):
                if row.get("orderId") == query["orderId"]:
                    return {**row, "category": query["category"]}
    return None


def _greeks(client: RestClient, unread: dict[str, str]) -> tuple[list[Record] | None, int]:
    path = "/v5/asset/coin-greeks"
    reply = client.get(path, {})
    if reply.ret_code == 0:
        listed = reply.result.get("list") or ()
        return [row for row in listed if isinstance(row, dict)], reply.time_ms
    if explain(reply.ret_code).reaction not in (Reaction.FATAL, Reaction.REJECT):
        raise OutcomeUnknown(f"{path}: retCode {reply.ret_code} {reply.ret_msg}")
    unread["greeks"] = str(ScopeRefused(path, reply.ret_code, reply.ret_msg))
    return None, 0


def _executions(
    client: RestClient, category: str, since_ms: int | None, now_ms: int
) -> list[Record]:
    found: list[Record] = []
    if since_ms is None:
        # Enough to know the latest; the exchange lists the last week without a time.
        reply_rows = next(pages(client, "/v5/execution/list", {"category": category}), [])
        return [{**row, "category": category} for row in reply_rows]
    start_ms = since_ms - OVERLAP_MS
    while start_ms < now_ms + OVERLAP_MS:
        end_ms = min(start_ms + _WEEK_MS - 1, now_ms + OVERLAP_MS)
        span = {"category": category, "startTime": str(start_ms), "endTime": str(end_ms)}
        rows = rows_of(client, "/v5/execution/list", span)
        found += [{**row, "category": category} for row in rows]
        start_ms = end_ms + 1
    return found
