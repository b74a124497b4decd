"""What the exchange's record of an order says, read with care: a field may be absent or odd.

Bybit V5, "Order" stream, "Get Open & Closed Orders". Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

_OLDER_MS: Final = 60_000


def is_older(record: Mapping[str, Any], timestamp_ms: int) -> bool:
    """Tell whether a record's order was there before the request with this timestamp.

    The exchange refuses a timestamp that is 1 s ahead of it, so what the request makes is not much
    older than that. An orderLinkId that was used before, and forgotten here, shows so.
    """
    created = text(record, "createdTime")
    return created.isdigit() and int(created) < timestamp_ms - _OLDER_MS


def why(record: Mapping[str, Any]) -> str:
    """Return why it ended, "" where nothing says so."""
    reason, cancel = text(record, "rejectReason"), text(record, "cancelType")
    parts = [reason if reason != "EC_NoError" else "", cancel if cancel != "UNKNOWN" else ""]
    return " ".join(part for part in parts if part)


def text(record: Mapping[str, Any], key: str) -> str:
    """Return a field, "" if it is absent or no text."""
    value = record.get(key)
    return value if isinstance(value, str) else ""


def decimal(record: Mapping[str, Any], key: str) -> Decimal:
    """Return a field as a number, 0 if it is none."""
    try:
        value = Decimal(text(record, key) or 0)
    except InvalidOperation:
        return Decimal(0)
    return value if value.is_finite() else Decimal(0)


def read_updated_ms(record: Mapping[str, Any]) -> int:
    """Return when it changed last, 0 if it does not say."""
    updated = text(record, "updatedTime")
    return int(updated) if updated.isdigit() else 0
