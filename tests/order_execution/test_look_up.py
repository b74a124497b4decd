from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bybitd.net.errors import RestError
from bybitd.net.rest import RestClient, RestReply
from bybitd.order_execution.look_up import Question, look_up

REALTIME, HISTORY = "/v5/order/realtime", "/v5/order/history"


class Lists(RestClient):
    """The two lists of the exchange; `refuses` is a retCode that realtime answers with."""

    def __init__(self, refuses: int = 0, **rows: list[dict[str, Any]]) -> None:
        self.rows = {REALTIME: rows.get("realtime", []), HISTORY: rows.get("history", [])}
        self.refuses = refuses
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> RestReply:
        query = dict(params or {})
        self.asked.append((path, query))
        wanted = query.get("orderFilter", "Order")
        rows = [row for row in self.rows[path] if row.get("filter", "Order") == wanted]
        return RestReply(
            ret_code=self.refuses if path == REALTIME else 0,
            ret_msg="",
            result={"list": rows},
            ret_ext_info={},
            time_ms=0,
            limit=None,
            remaining=None,
            reset_ms=None,
            sent_ns=0,
            received_ns=0,
        )


def question(category: str = "linear", order_id: str = "", **args: Any) -> Question:
    return Question(
        category=category, symbol="BTCUSDT", order_id=order_id, link_id="a-1", args=args
    )


ROW = {"orderId": "ex-1", "orderLinkId": "a-1"}


def test_an_open_order_is_found_without_a_look_at_the_history() -> None:
    client = Lists(realtime=[ROW])
    assert look_up(client, question()) == {**ROW, "category": "linear"}
    assert [path for path, _ in client.asked] == [REALTIME]


def test_an_order_that_is_over_is_found_in_the_history() -> None:
    assert look_up(Lists(history=[ROW]), question()) is not None


def test_an_order_in_neither_list_is_absent() -> None:
    client = Lists()
    assert look_up(client, question()) is None
    assert [path for path, _ in client.asked] == [REALTIME, HISTORY]


def test_a_row_that_was_not_asked_for_is_not_taken_for_the_answer() -> None:
    other = {"orderId": "ex-2", "orderLinkId": "b-1"}
    assert look_up(Lists(realtime=[other]), question()) is None
    assert look_up(Lists(realtime=[{**ROW, "orderId": "ex-9"}]), question(order_id="ex-1")) is None


@pytest.mark.parametrize(
    ("category", "args", "hidden_under"),
    [
        ("spot", {"orderFilter": "tpslOrder", "triggerPrice": "1"}, "tpslOrder"),
        ("linear", {"triggerPrice": "1"}, "StopOrder"),
    ],
)
def test_an_order_that_hides_behind_a_filter_is_found(
    category: str, args: dict[str, Any], hidden_under: str
) -> None:
    client = Lists(realtime=[{**ROW, "filter": hidden_under}])
    assert look_up(client, question(category, **args)) is not None


@pytest.mark.parametrize("code", [10006, 10016, 10003])
def test_a_list_that_could_not_be_read_proves_no_absence(code: int) -> None:
    with pytest.raises(RestError):
        look_up(Lists(refuses=code), question())


def test_no_such_order_is_an_answer_too() -> None:
    client = Lists(refuses=110001, history=[ROW])
    assert look_up(client, question()) is not None


def test_an_older_order_with_the_same_link_id_is_passed_over() -> None:
    """The journal forgets ids in time, the exchange's history does not."""
    old = {**ROW, "createdTime": "1700000000000"}
    ours = {"orderId": "ex-2", "orderLinkId": "a-1", "createdTime": "1800000000100"}
    asked = Question(
        category="linear",
        symbol="BTCUSDT",
        order_id="",
        link_id="a-1",
        args={},
        timestamp_ms=1_800_000_000_000,
    )
    assert look_up(Lists(history=[old]), asked) is None
    found = look_up(Lists(history=[old, ours]), asked)
    assert found is not None
    assert found["orderId"] == "ex-2"
