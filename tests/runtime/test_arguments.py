"""The check of the arguments of ops that the gateway serves itself."""

from __future__ import annotations

from typing import Any

import pytest

from bybitbus.codes import Code, Outcome
from bybitd.runtime.arguments import Argument, unknown, wrong

KNOWN = {
    "topic": Argument(str, required=True),
    "from": Argument(int),
    "ttl": Argument(int, bounds=(0, 10)),
    "limit": Argument(int, may_be_text=True),
    "category": Argument(str, words=("spot", "linear")),
    "symbol": Argument(str, filled=True),
    "check": Argument(bool),
    "params": Argument(dict),
}


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"from": -5, "ttl": 10, "category": "spot", "symbol": "BTCUSDT", "check": False},
        {"limit": 50, "params": {"a": 1}},
        {"limit": "50"},
    ],
)
def test_what_is_as_it_must_be_passes(args: dict[str, Any]) -> None:
    assert wrong("the.op", {"topic": "", **args}, KNOWN) is None


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ({"form": 5}, Code.UNKNOWN_FIELD, "args.form: the.op has no such field did you mean from?"),
        ({"colour": 5}, Code.UNKNOWN_FIELD, "it takes topic, from, ttl"),
        ({"x" * 5000: 5}, Code.UNKNOWN_FIELD, f"args.{'x' * 80}: "),
        ({"from": "5"}, Code.BAD_FIELD, "args.from: must be a whole number, not str"),
        ({"from": True}, Code.BAD_FIELD, "args.from: must be a whole number, not bool"),
        ({"ttl": 11}, Code.BAD_FIELD, "args.ttl: must be 0 to 10"),
        ({"limit": "many"}, Code.BAD_FIELD, "args.limit: must be a whole number"),
        ({"limit": -1}, Code.BAD_FIELD, "args.limit: must be a whole number"),
        ({"limit": True}, Code.BAD_FIELD, "args.limit: must be a whole number, not bool"),
        ({"limit": 1.0}, Code.BAD_FIELD, "args.limit: must be a whole number, not float"),
        ({"category": "sopt"}, Code.BAD_FIELD, "must be one of spot, linear; did you mean spot?"),
        ({"category": "futures"}, Code.BAD_FIELD, "args.category: must be one of spot, linear"),
        ({"category": ["spot"]}, Code.BAD_FIELD, "args.category: must be a string, not list"),
        ({"symbol": ""}, Code.BAD_FIELD, "args.symbol: must not be empty"),
        ({"symbol": None}, Code.BAD_FIELD, "args.symbol: must be a string, not NoneType"),
        ({"check": 1}, Code.BAD_FIELD, "args.check: must be a boolean, not int"),
        ({"params": []}, Code.BAD_FIELD, "args.params: must be a map of names and values"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(
    args: dict[str, Any], code: Code, says: str
) -> None:
    error = wrong("the.op", {"topic": "t", **args}, KNOWN)
    assert error is not None
    assert (error.code, error.outcome) == (code, Outcome.REJECTED)
    assert says in f"{error.message} {error.hint}"


def test_what_is_missing_is_named() -> None:
    error = wrong("the.op", {"from": 1}, KNOWN)
    assert error is not None
    assert error.code is Code.MISSING_FIELD
    assert error.message == "args.topic: the.op needs it"


def test_the_hint_says_what_may_be_given_and_what_else_helps() -> None:
    none = unknown("the.op", {"a": 1}, ())
    noted = unknown("the.op", {"colour": 1}, ("path",), "the rest goes into params")
    assert none is not None
    assert none.hint == "it takes none"
    assert noted is not None
    assert noted.hint == "it takes path; the rest goes into params"
    assert unknown("the.op", {"path": 1}, ("path",)) is None
