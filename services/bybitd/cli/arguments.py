"""Command line arguments that are the exchange's parameters, from the tables of its operations."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any

from bybitd.errors import BybitdError
from bybitd.venue import order_fields
from bybitd.venue.fields import Field, Type

_PREFIX = "field:"
ORDER_QUERY: Mapping[str, Field] = {
    "category": order_fields.CREATE["category"],
    "symbol": Field(Type.SYMBOL),
    "baseCoin": Field(Type.SYMBOL),
    "settleCoin": Field(Type.SYMBOL),
    "orderId": Field(Type.WORD),
    "orderLinkId": Field(Type.LINK_ID),
}


class ArgumentError(BybitdError):
    """Raised for an argument that is no value of its field. Says which and what would be."""


def add_fields(parser: argparse.ArgumentParser, fields: Mapping[str, Field]) -> None:
    """Add an option for each field, by the exchange's name and in small letters with dashes, and
    `name=value` for any.
    """
    group = parser.add_argument_group("parameters of the exchange")
    for name, field in fields.items():
        spellings = dict.fromkeys((f"--{name}", f"--{_dashed(name)}"))
        listed = (
            "{" + ",".join(map(str, field.allowed)) + "}" if field.allowed else field.type.value
        )
        if field.type is Type.BOOLEAN:
            group.add_argument(
                *spellings, dest=_PREFIX + name, nargs="?", const="true", metavar="true|false"
            )
        else:
            group.add_argument(*spellings, dest=_PREFIX + name, metavar=_metavar(name), help=listed)
    parser.add_argument("pairs", metavar="NAME=VALUE", nargs="*", help="a parameter, by its name")


def collect(options: argparse.Namespace, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Return the parameters that were given, with the types that the exchange wants.

    A name that is not in `fields` is passed on: the gateway refuses it, with the nearest.

    Raises:
        ArgumentError: no `name=value`, given twice, or no value of its field's type.
    """
    given = [
        (name, text)
        for name in fields
        if (text := getattr(options, _PREFIX + name, None)) is not None
    ]
    for pair in options.pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise ArgumentError(f"{pair!r} is no NAME=VALUE")
        given.append((name, text))
    args: dict[str, Any] = {}
    for name, text in given:
        if name in args:
            raise ArgumentError(f"{name} is given twice")
        args[name] = _value(name, text, fields.get(name))
    return args


def _value(name: str, text: str, field: Field | None) -> Any:
    if field is None:
        return text
    if field.type is Type.BOOLEAN:
        if text not in ("true", "false"):
            raise ArgumentError(f"{name} must be true or false, not {text!r}")
        return text == "true"
    if field.type is Type.INTEGER:
        if not re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII):
            raise ArgumentError(f"{name} must be a whole number, not {text!r}")
        return int(text)
    return text


def _dashed(name: str) -> str:
    return re.sub(r"([A-Z])", lambda match: "-" + match[1].lower(), name)


def _metavar(name: str) -> str:
    return _dashed(name).replace("-", "_").upper()
