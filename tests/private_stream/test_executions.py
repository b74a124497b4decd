from __future__ import annotations

import pytest

from bybitd.private_stream.executions import KINDS, fast_with_kind, with_kind


@pytest.mark.parametrize(
    ("exec_type", "kind"),
    [
        ("Trade", "fill"),
        ("BlockTrade", "fill"),
        ("FutureSpread", "fill"),
        ("AdlTrade", "adl"),
        ("BustTrade", "liquidation"),
        ("Funding", "funding"),
        ("Delivery", "settlement"),
        ("Settle", "settlement"),
        ("MovePosition", "transfer"),
        ("CorporateAction", "adjustment"),
    ],
)
def test_each_type_of_execution_is_told_apart(exec_type: str, kind: str) -> None:
    row = {"execType": exec_type, "execId": "e-1"}
    assert with_kind(row) == {**row, "kind": kind}


@pytest.mark.parametrize("row", [{}, {"execType": "UNKNOWN"}, {"execType": "Novelty"}])
def test_what_is_not_known_is_never_called_a_fill(row: dict[str, str]) -> None:
    assert with_kind(row)["kind"] == "other"


def test_only_what_is_an_order_s_own_trade_is_a_fill() -> None:
    assert {name for name, kind in KINDS.items() if kind == "fill"} == {
        "Trade",
        "BlockTrade",
        "FutureSpread",
    }


def test_a_fill_that_was_told_before_says_so() -> None:
    assert with_kind({"execType": "Trade"}, repeated=True)["again"] is True
    assert "again" not in with_kind({"execType": "Trade"})


def test_the_fast_topic_has_fills_only_and_no_types() -> None:
    assert fast_with_kind({"execId": "e-1"}) == {"execId": "e-1", "kind": "fill"}
