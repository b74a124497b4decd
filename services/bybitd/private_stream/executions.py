"""What an execution record is: not all that comes on that topic are fills of orders.

Bybit V5, "Execution" stream; "Enums Definitions", execType. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# `ipc/PROTOCOL.md`, "Executions".
KINDS: Final[Mapping[str, str]] = {
    "Trade": "fill",
    "BlockTrade": "fill",
    "FutureSpread": "fill",
    "AdlTrade": "adl",
    "BustTrade": "liquidation",
    "Funding": "funding",
    "Delivery": "settlement",
    "Settle": "settlement",
    "SessionSettlePnL": "settlement",
    "MovePosition": "transfer",
    "CorporateAction": "adjustment",
}


def with_kind(row: Mapping[str, Any], *, repeated: bool = False) -> dict[str, Any]:
    """Return a record with our keys: what it is, and whether it was told on the other topic.

    A type that is not known is `other`, never a fill.
    """
    marked = {**row, "kind": KINDS.get(str(row.get("execType", "")), "other")}
    if repeated:
        marked["again"] = True
    return marked


def fast_with_kind(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of `execution.fast`, which has fills only and no type, with our keys."""
    return {**row, "kind": "fill"}
