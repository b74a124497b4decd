"""One argument of an operation: its type, where it applies, and the check of one value.

Bybit takes decimals as JSON strings and small whole numbers as JSON numbers; the other way round it
refuses them, or worse, rounds. So nothing is converted here: a value of the wrong type is refused,
with the right spelling where it can be told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from bybitd.nearest import nearest
from bybitd.venue.enums import CATEGORIES
from bybitd.venue.errors import BadField, MissingField, UnknownField

_DECIMAL: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_LINK_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)
_WORD: Final = re.compile(r"[!-~]{1,512}", re.ASCII)
_SYMBOL: Final = re.compile(r"[^\s.a-z]{1,64}")


class Type(Enum):
    """What a value must be; the text says it to people."""

    DECIMAL = 'a decimal string such as "0.01"'
    INTEGER = "a whole number"
    BOOLEAN = "true or false"
    WORD = "a string"
    SYMBOL = "a symbol in upper case"
    LINK_ID = "1 to 36 characters of A-Z a-z 0-9 _ -"


class Need(Enum):
    """Whether a field belongs to an operation in a category."""

    REQUIRED = "R"
    OPTIONAL = "o"
    ABSENT = "-"


# On the way of every order: a table is several times quicker than asking the enumeration.
_NEEDS: Final = {need.value: need for need in Need}


@dataclass(frozen=True, slots=True)
class Field:
    """One argument. `needs` has a letter of `Need` for each of CATEGORIES, in their order.

    `allowed` is a closed list, empty where there is none; `least` and `most` bound whole numbers.
    """

    type: Type
    needs: str = "oooo"
    allowed: tuple[str, ...] | tuple[int, ...] = ()
    least: int = 0
    most: int | None = None

    def need(self, category: str) -> Need:
        """Return whether the field belongs to the operation in this category."""
        return _NEEDS[self.needs[CATEGORIES.index(category)]]


Fields = Mapping[str, Field]
_REQUIRED: Final[dict[tuple[int, str], tuple[Fields, Fields]]] = {}


def check_fields(
    op: str, fields: Fields, args: Mapping[str, Any], category: str | None, path: str = ""
) -> dict[str, Any]:
    """Return the arguments, every one of them known, of its type and in its list.

    `category` decides what applies; None where the operation has no category. `path` goes before
    the names in errors, such as `request[2].`.

    Raises:
        UnknownField, MissingField, BadField: the first thing that is wrong.
    """
    for name, value in args.items():
        field = fields.get(name)
        if field is None:
            raise unknown(op, path, name, fields)
        if category is not None and field.need(category) is Need.ABSENT:
            raise BadField(op, path + name, f"does not apply to {category}")
        check_value(op, path + name, field, value)
    required = _required(fields, category or CATEGORIES[0])
    if not args.keys() >= required.keys():
        name = next(name for name in required if name not in args)
        raise MissingField(op, path + name, "is missing", map(str, fields[name].allowed))
    return dict(args)


def _required(fields: Fields, category: str) -> Fields:
    # Computed once for each table, which stays with it: so its id can not become another's.
    known = _REQUIRED.get((id(fields), category))
    if known is None:
        found = {
            name: field for name, field in fields.items() if field.need(category) is Need.REQUIRED
        }
        known = _REQUIRED[id(fields), category] = (fields, found)
    return known[1]


def check_value(op: str, name: str, field: Field, value: object) -> None:
    """Check one value against its field.

    Raises:
        BadField: wrong type, not in the list, out of bounds.
    """
    wanted = field.type
    if value is None:
        raise BadField(op, name, "is null; leave it out instead")
    if wanted is Type.BOOLEAN:
        if not isinstance(value, bool):
            raise BadField(op, name, f"must be true or false, not {_shown(value)}")
        return
    if wanted is Type.INTEGER:
        _check_integer(op, name, field, value)
    elif not isinstance(value, str):
        raise BadField(op, name, f"must be {wanted.value}, not {_shown(value)}")
    elif wanted is Type.DECIMAL:
        if not _DECIMAL.fullmatch(value):
            rule = f"must be {wanted.value}: digits, no sign, no exponent; not {value[:40]!r}"
            raise BadField(op, name, rule)
    elif field.allowed:
        if value not in field.allowed:
            raise BadField(op, name, _not_listed(value, field), map(str, field.allowed))
    elif not _pattern(wanted).fullmatch(value):
        raise BadField(op, name, f"must be {wanted.value}, not {value[:64]!r}")


def _pattern(wanted: Type) -> re.Pattern[str]:
    # On the way of every order: the hash of an enumeration's member costs more than this.
    if wanted is Type.LINK_ID:
        return _LINK_ID
    return _SYMBOL if wanted is Type.SYMBOL else _WORD


def unknown(op: str, path: str, name: object, fields: Fields) -> UnknownField:
    """Return the error for a name that is no field here, with the nearest that is."""
    # The name may be anything that a map of the wire can have as a key.
    text = name[:40] if isinstance(name, str) and name.isidentifier() else repr(name)[:40]
    if near := nearest(text, fields):
        return UnknownField(op, path + text, f"is not known; did you mean {near!r}?")
    return UnknownField(op, path + text, "is not known", fields)


def _check_integer(op: str, name: str, field: Field, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadField(op, name, f"must be a whole number, not {_shown(value)}")
    if field.allowed:
        if value not in field.allowed:
            raise BadField(op, name, f"can not be {value}", map(str, field.allowed))
    elif value < field.least or (field.most is not None and value > field.most):
        bounds = f"{field.least} to {field.most}" if field.most is not None else f"{field.least} up"
        raise BadField(op, name, f"must be {bounds}, not {value}")


def _not_listed(value: str, field: Field) -> str:
    names = [str(name) for name in field.allowed]
    alike = (name for name in names if name.lower() == value.lower())
    near = nearest(value, names) or next(alike, "")
    return f"can not be {value[:40]!r}" + (f"; did you mean {near!r}?" if near else "")


def _shown(value: object) -> str:
    """Name a value of the wrong type. Only scalars are quoted: anything else may be huge."""
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value!r:.40}"
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    return f"a {type(value).__name__}"
