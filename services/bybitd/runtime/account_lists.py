"""Whole lists of what an account has at the exchange, page by page. Blocks: it runs in a thread.

Bybit V5, "Get Open & Closed Orders", "Get Position Info", "Get Trade History". A list of which one
page failed is no list: absence from it would prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from bybitd.net.errors import OutcomeUnknown, RestError
from bybitd.net.rest import RestClient
from bybitd.venue.retcodes import Reaction, explain

Record = dict[str, Any]
OPEN_ORDERS: Final = "/v5/order/realtime"
# Linear needs to be told a coin, and one of the two would hide the other's contracts.
ORDER_SCOPES: Final[tuple[dict[str, str], ...]] = (
    {"category": "spot"},
    {"category": "linear", "settleCoin": "USDT"},
    {"category": "linear", "settleCoin": "USDC"},
    {"category": "inverse"},
    {"category": "option"},
)
POSITION_SCOPES: Final = ORDER_SCOPES[1:]
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


def scoped(
    client: RestClient,
    path: str,
    scopes: Iterable[dict[str, str]],
    unread: dict[str, str],
) -> tuple[list[Record], frozenset[str]]:
    """Return the rows of all scopes, each once and with its category, and the categories that were
    listed whole. What the account may not list is noted in `unread`, with the reason.

    Raises:
        RestError: a list could not be read.
    """
    found: dict[tuple[object, ...], Record] = {}
    whole: dict[str, bool] = {}
    for scope in scopes:
        category = scope["category"]
        try:
            for row in rows_of(client, path, scope):
                row = {**row, "category": category}
                key = (category, row.get("symbol"), row.get("orderId"), row.get("positionIdx"))
                found[key] = row
        except ScopeRefused as refusal:
            unread[f"{path} {' '.join(scope.values())}"] = str(refusal)
            whole[category] = False
        else:
            whole.setdefault(category, True)
    return list(found.values()), frozenset(name for name, read in whole.items() if read)


def rows_of(client: RestClient, path: str, params: dict[str, str]) -> Iterator[Record]:
    """Yield the rows of all pages; errors as `pages`."""
    for page in pages(client, path, params):
        yield from page


def pages(client: RestClient, path: str, params: dict[str, str]) -> Iterator[list[Record]]:
    """Yield the rows page by page.

    Raises:
        ScopeRefused: this account may not list them, now or later.
        RestError: they could not be read.
    """
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
