from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from bybitd.net.errors import OutcomeUnknown
from bybitd.net.rest import RestClient, RestReply
from bybitd.private_stream.fills import OVERLAP_MS
from bybitd.private_stream.reconciliation import read

DAY_MS = 24 * 3600 * 1000
NOW = 1_700_000_000_000
Query = dict[str, Any]


class Exchange(RestClient):
    """Lists by path and category, two rows a page; `refused` maps (path, category) to a retCode."""

    def __init__(self, refused: Mapping[tuple[str, str], int] | None = None) -> None:
        self.rows: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        self.refused = refused or {}
        self.asked: list[tuple[str, Query]] = []

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> RestReply:
        query = dict(params or {})
        self.asked.append((path, query))
        category = query.get("category", "")
        rows = self.rows.get((path, category, query.get("settleCoin", "")), [])
        if path == "/v5/account/wallet-balance":
            rows = [{"accountType": "UNIFIED", "coin": []}]
        start = int(query.get("cursor", 0))
        following = str(start + 2) if start + 2 < len(rows) else ""
        return RestReply(
            ret_code=self.refused.get((path, category), 0),
            ret_msg="",
            result={"list": rows[start : start + 2], "nextPageCursor": following},
            ret_ext_info={},
            time_ms=NOW,
            limit=None,
            remaining=None,
            reset_ms=None,
            sent_ns=0,
            received_ns=0,
        )


REALTIME, POSITIONS, EXECUTIONS = "/v5/order/realtime", "/v5/position/list", "/v5/execution/list"


def test_every_page_of_every_category_and_coin_is_read() -> None:
    exchange = Exchange()
    for scope in (("spot", ""), ("linear", "USDT"), ("linear", "USDC"), ("option", "")):
        name = "-".join(scope)
        exchange.rows[REALTIME, *scope] = [
            {"orderId": f"{name}{number}", "symbol": "S"} for number in range(5)
        ]
    reading = read(exchange, lambda: NOW, since_ms=None)
    assert len({row["orderId"] for row in reading.orders}) == 20
    assert {row["category"] for row in reading.orders} == {"spot", "linear", "option"}
    assert reading.order_categories == {"spot", "linear", "inverse", "option"}


def test_positions_come_in_the_shape_of_the_stream() -> None:
    exchange = Exchange()
    exchange.rows[POSITIONS, "linear", "USDT"] = [{"symbol": "BTCUSDT", "avgPrice": "5"}]
    (position,) = read(exchange, lambda: NOW, since_ms=None).positions
    assert (position["entryPrice"], position["category"]) == ("5", "linear")


def test_the_first_run_takes_the_latest_executions_as_known_and_missed_none() -> None:
    exchange = Exchange()
    exchange.rows[EXECUTIONS, "linear", ""] = [{"execId": "a"}, {"execId": "b"}, {"execId": "c"}]
    reading = read(exchange, lambda: NOW, since_ms=None)
    assert reading.executions == []
    assert [row["execId"] for row in reading.seeds] == ["a", "b"]


@pytest.mark.parametrize("days", [0, 1, 8, 30])
def test_executions_since_the_last_one_are_asked_for_week_by_week(days: int) -> None:
    exchange = Exchange()
    since_ms = NOW - days * DAY_MS
    read(exchange, lambda: NOW, since_ms)
    spans = [
        (int(query["startTime"]), int(query["endTime"]))
        for path, query in exchange.asked
        if path == EXECUTIONS and query["category"] == "spot"
    ]
    assert spans[0][0] == since_ms - OVERLAP_MS
    assert spans[-1][1] >= NOW
    assert all(end - start < 7 * DAY_MS for start, end in spans)
    assert all(after[0] == before[1] + 1 for before, after in pairwise(spans))


def test_a_category_that_the_account_may_not_see_is_named_and_proves_nothing() -> None:
    exchange = Exchange(refused={(REALTIME, "option"): 10005, (POSITIONS, "option"): 10005})
    reading = read(exchange, lambda: NOW, since_ms=None)
    assert "option" not in reading.order_categories | reading.position_categories
    assert any("option" in name for name in reading.unread)


@pytest.mark.parametrize("code", [10006, 10016])
def test_a_listing_that_is_not_whole_is_none(code: int) -> None:
    with pytest.raises(OutcomeUnknown, match=str(code)):
        read(Exchange(refused={(REALTIME, "inverse"): code}), lambda: NOW, since_ms=None)


def test_an_account_that_may_see_nothing_is_not_taken_for_an_empty_one() -> None:
    refused = {(REALTIME, name): 10003 for name in ("spot", "linear", "inverse", "option")}
    with pytest.raises(OutcomeUnknown, match="no category can be read"):
        read(Exchange(refused=refused), lambda: NOW, since_ms=None)
