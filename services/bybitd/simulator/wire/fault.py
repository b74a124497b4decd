"""What every fault is made of: its fields, its scope, and the error for those that do not fit."""

from typing import Annotated, Literal

import msgspec

Scope = Literal[
    "all",
    "public",
    "spot",
    "linear",
    "inverse",
    "option",
    "spread",
    "status",
    "private",
    "trade",
    "rest",
]
PositiveCount = Annotated[int, msgspec.Meta(ge=1)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


_FOR_EVER = 1 << 62


class FaultError(ValueError):
    """A fault that does not exist, or fields that do not fit; the text says what would."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every fault has in common: unknown fields are an error."""


def end_ms(seconds: float, now_ms: int) -> int:
    """Tell when something that lasts `seconds` ends; 0 seconds last for ever."""
    return now_ms + int(seconds * 1_000) if seconds > 0 else _FOR_EVER
