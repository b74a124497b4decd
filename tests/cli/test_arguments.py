"""The exchange's parameters on the command line."""

from __future__ import annotations

import argparse

import pytest

from bybitd.cli import arguments
from bybitd.cli.arguments import ArgumentError
from bybitd.venue import order_fields


def collect(*words: str) -> dict[str, object]:
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    arguments.add_fields(parser, order_fields.CREATE)
    return arguments.collect(parser.parse_args(words), order_fields.CREATE)


def test_options_and_pairs_mean_the_same() -> None:
    wanted = {"category": "linear", "orderType": "Limit", "qty": "0.010", "positionIdx": 1}
    assert wanted == collect(
        "--category", "linear", "--orderType", "Limit", "--qty", "0.010", "--position-idx", "1"
    )
    assert wanted == collect("category=linear", "orderType=Limit", "qty=0.010", "positionIdx=1")


def test_decimals_stay_the_text_that_was_typed() -> None:
    assert collect("--qty", "1e-05", "price=00.10") == {"qty": "1e-05", "price": "00.10"}


def test_a_switch_alone_is_true_and_a_word_decides() -> None:
    assert collect("--reduceOnly") == {"reduceOnly": True}
    assert collect("--reduce-only", "false") == {"reduceOnly": False}
    assert collect("reduceOnly=true") == {"reduceOnly": True}


def test_a_name_that_is_no_parameter_is_left_for_the_gateway_to_refuse() -> None:
    assert collect("reduceonly=true") == {"reduceonly": "true"}


def test_a_value_may_hold_equals_signs() -> None:
    assert collect("orderLinkId=a=b") == {"orderLinkId": "a=b"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("qty",), "NAME=VALUE"),
        (("=5",), "NAME=VALUE"),
        (("qty=1", "qty=2"), "given twice"),
        (("--qty", "1", "qty=1"), "given twice"),
        (("reduceOnly=yes",), "true or false"),
        (("positionIdx=one",), "whole number"),
        (("positionIdx=1.0",), "whole number"),
        (("positionIdx=١",), "whole number"),
    ],
)
def test_what_can_not_be_meant_is_refused_by_name(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        collect(*words)


def test_options_can_not_be_abbreviated_since_a_new_one_could_change_their_meaning() -> None:
    with pytest.raises((SystemExit, argparse.ArgumentError)):
        collect("--pri", "5")
