"""Orders and records of the exchange, as the tests of this package need them."""

from __future__ import annotations

from typing import Any

from bybitd.order_execution import ledger
from bybitd.order_execution.ledger import Order

T_MS = 1_700_000_000_000
WINDOW_MS = 5000


def received(link_id: str = "a-1", client: str = "grid") -> Order:
    """Return an order that was only received."""
    return Order(
        link_id=link_id,
        client=client,
        category="linear",
        symbol="BTCUSDT",
        args=(
            f'{{"category":"linear","orderLinkId":"{link_id}","orderType":"Limit","price":"100",'
            '"qty":"1","side":"Buy","symbol":"BTCUSDT"}'
        ),
        received_ns=T_MS * 1_000_000,
    )


def sent(link_id: str = "a-1") -> Order:
    """Return an order whose bytes may have left."""
    return ledger.sent(
        received(link_id), timestamp_ms=T_MS, recv_window_ms=WINDOW_MS, now_ns=T_MS * 1_000_000
    )


def record(status: str, filled: str = "0", at: int = 1, **more: Any) -> dict[str, Any]:
    """Return the exchange's record of that order, `at` ms after it was sent."""
    return {
        "category": "linear",
        "symbol": "BTCUSDT",
        "orderId": "ex-1",
        "orderLinkId": "a-1",
        "orderStatus": status,
        "cumExecQty": filled,
        "leavesQty": "",
        "avgPrice": "",
        "price": "100",
        "qty": "1",
        "rejectReason": "EC_NoError",
        "cancelType": "UNKNOWN",
        "updatedTime": str(T_MS + at),
        **more,
    }
