"""The check of an op's own arguments: nothing unknown, nothing missing, the right types.

For the ops that the gateway serves itself; those with the exchange's parameters are checked by
`venue`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error

_TYPES: Final = {str: "a string", int: "a whole number", bool: "a boolean"}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: its type, whether it must be there, and for a number what it lies between."""

    type: type
    required: bool = False
    bounds: tuple[int, int] | None = None


def wrong(op: str, args: Mapping[str, Any], known: Mapping[str, Argument]) -> ErrorBody | None:
    """Return the first thing that is wrong with the arguments of an op, None if nothing is."""
    for name in sorted(args.keys() - known.keys()):
        hint = f"it takes {', '.join(known)}" if known else "it takes none"
        return gateway_error(Code.UNKNOWN_FIELD, f"args.{name}: {op} has no such field", hint=hint)
    for name, argument in known.items():
        if name not in args:
            if argument.required:
                return gateway_error(Code.MISSING_FIELD, f"args.{name}: {op} needs it")
            continue
        value: Any = args[name]
        kind = type(value)
        if kind is not argument.type:
            problem = f"must be {_TYPES[argument.type]}, not {kind.__name__}"
            return gateway_error(Code.BAD_FIELD, f"args.{name}: {problem}")
        if argument.bounds is not None:
            low, high = argument.bounds
            if not low <= value <= high:
                return gateway_error(Code.BAD_FIELD, f"args.{name}: must be {low} to {high}")
    return None
