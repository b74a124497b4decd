"""The check of an op's own arguments: nothing unknown, nothing missing, the right types.

For the ops that the gateway serves itself; those with the exchange's parameters are checked by
`venue`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitd.nearest import nearest

_TYPES: Final = {
    str: "a string",
    int: "a whole number",
    bool: "a boolean",
    dict: "a map of names and values",
}
_LONGEST: Final = 80  # of a name or word that is quoted


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: its type, whether it must be there, and what it may be.

    `bounds` are those of a number. A number that `may_be_text` can come as its digits too, as the
    exchange's own parameters do, and is none below 0. `words` is the list of the strings that it
    may be; () for any, and `filled` for any but the empty one.
    """

    type: type
    required: bool = False
    bounds: tuple[int, int] | None = None
    may_be_text: bool = False
    words: tuple[str, ...] = ()
    filled: bool = False

    def problem(self, value: Any) -> str:
        """Return what is wrong with a value, "" if nothing is."""
        kind = type(value)
        if self.may_be_text and (kind is int or kind is str):
            return "" if str(value).isdecimal() else f"must be {_TYPES[self.type]}"
        if kind is not self.type:
            return f"must be {_TYPES[self.type]}, not {kind.__name__}"
        if self.bounds is not None:
            low, high = self.bounds
            return "" if low <= value <= high else f"must be {low} to {high}"
        if self.words and value not in self.words:
            near = nearest(value[:_LONGEST], self.words)
            problem = f"must be one of {', '.join(self.words)}"
            return f"{problem}; did you mean {near}?" if near else problem
        return "must not be empty" if self.filled and not value else ""


def wrong(
    op: str, args: Mapping[str, Any], known: Mapping[str, Argument], note: str = ""
) -> ErrorBody | None:
    """Return the first thing that is wrong with the arguments of an op, None if nothing is.

    `note` is what else helps somebody who gave a name that is not known.
    """
    if (error := unknown(op, args, known, note)) is not None:
        return error
    for name, argument in known.items():
        if name not in args:
            if argument.required:
                return gateway_error(Code.MISSING_FIELD, f"args.{name}: {op} needs it")
        elif problem := argument.problem(args[name]):
            return gateway_error(Code.BAD_FIELD, f"args.{name}: {problem}")
    return None


def unknown(
    op: str, args: Mapping[str, Any], known: Iterable[str], note: str = ""
) -> ErrorBody | None:
    """Return the error for the first argument that is none of the `known`, None if all are."""
    names = tuple(known)
    for name in sorted(args.keys() - set(names)):
        word = name[:_LONGEST]
        if near := nearest(word, names):
            hint = f"did you mean {near}?"
        else:
            hint = f"it takes {', '.join(names) or 'none'}" + (f"; {note}" if note else "")
        return gateway_error(Code.UNKNOWN_FIELD, f"args.{word}: {op} has no such field", hint=hint)
    return None
