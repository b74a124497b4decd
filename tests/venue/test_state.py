from __future__ import annotations

from typing import Any

import pytest

from bybitd.venue.outcome import APPLIED, WAITING, Result
from bybitd.venue.state import state_for
from bybitd.venue.topics import check
from tests.payloads import envelope

SNAPSHOTS = [
    ("linear", "ws_orderbook.50.snapshot"),
    ("linear", "ws_orderbook.1"),
    ("linear", "ws_orderbook.rpi.snapshot"),
    ("linear", "ws_tickers.linear.snapshot"),
    ("spot", "ws_tickers.spot"),
    ("linear", "ws_kline.5"),
    ("linear", "ws_insurance.snapshot"),
    ("linear", "ws_priceLimit"),
    ("linear", "ws_adlAlert"),
    ("option", "ws_tickers.option"),
    ("spread", "ws_orderbook.25.spread"),
    ("spread", "ws_tickers.spread"),
    ("system", "ws_system.status"),
]


def state_of(stream: str, message: dict[str, Any]) -> Any:
    return state_for(check(stream, message["topic"]))


@pytest.mark.parametrize(("stream", "name"), SNAPSHOTS)
def test_a_topic_with_state_repeats_its_snapshot_and_forgets_it_when_told(
    stream: str, name: str
) -> None:
    state = state_of(stream, envelope(name))
    assert state.message() is None
    assert state.apply(envelope(name)) is APPLIED
    assert state.message() == envelope(name)
    state.drop()
    assert state.message() is None


def test_trades_are_passed_on_and_never_repeated() -> None:
    trades = envelope("ws_publicTrade")
    state = state_of("linear", trades)
    assert state.apply(trades) is APPLIED
    assert state.message() is None
    assert state.apply({"topic": trades["topic"], "data": {}}).result is Result.MALFORMED


def test_a_delta_of_the_insurance_pools_changes_only_the_pools_that_it_lists() -> None:
    state = state_of("linear", envelope("ws_insurance.snapshot"))
    assert state.apply(envelope("ws_insurance.delta")) is WAITING
    state.apply(envelope("ws_insurance.snapshot"))
    assert state.apply(envelope("ws_insurance.delta")) is APPLIED
    message = state.message()
    assert message["type"] == "snapshot"
    assert message["ts"] == 1790000001000
    assert [row["balance"] for row in message["data"]] == ["1000.5", "6.5"]
    assert state.apply({"type": "delta", "data": [1]}).result is Result.MALFORMED
    assert state.message() is None


def test_a_topic_that_only_sends_snapshots_keeps_the_last_one() -> None:
    candle = envelope("ws_kline.5")
    state = state_of("linear", candle)
    state.apply(envelope("ws_kline.5"))
    candle["data"][0]["close"] = "141.39"
    assert state.apply(candle) is APPLIED
    assert state.message()["data"][0]["close"] == "141.39"
    assert state.apply({"topic": candle["topic"]}).result is Result.MALFORMED


def test_a_full_book_waits_for_its_seed() -> None:
    state = state_for(check("spot", "orderbook.full.SOLUSDT"))
    data = {"s": "SOLUSDT", "b": [], "a": [], "u": 8, "seq": 1}
    assert state.apply({"topic": "x", "type": "delta", "ts": 1, "data": data}) is WAITING


def record(name: str, state: str) -> dict[str, str]:
    return {"id": name, "state": state}


def status(*rows: dict[str, str]) -> dict[str, Any]:
    return {"topic": "system.status", "ts": 5, "data": list(rows)}


def test_announcements_add_up_by_id_until_they_are_over() -> None:
    state = state_of("system", status())
    state.apply(status(record("a", "scheduled"), record("b", "ongoing")))
    state.apply(status(record("b", "completed")))
    assert state.message()["data"] == [record("a", "scheduled"), record("b", "completed")]
    state.apply(status(record("c", "canceled")))
    assert state.message()["data"] == [record("a", "scheduled"), record("c", "canceled")]
    state.apply(status(record("a", "ongoing")))
    assert state.message()["data"] == [record("a", "ongoing")]


def test_what_rest_says_of_the_past_gives_way_to_what_messages_have_said() -> None:
    state = state_of("system", status())
    state.apply(status(record("a", "completed")))
    state.fill([record("a", "ongoing"), record("b", "scheduled"), record("c", "completed")], 9)
    assert state.message() == status(record("a", "completed"), record("b", "scheduled"))
    fresh = state_of("system", status())
    fresh.fill([record("c", "completed")], 9)
    assert fresh.message() == {"topic": "system.status", "ts": 9, "data": []}


@pytest.mark.parametrize("data", [5, [{}], [{"id": "a"}, 5], None])
def test_what_is_no_announcement_is_refused_and_forgets_the_others(data: Any) -> None:
    state = state_of("system", status())
    state.apply(status(record("a", "scheduled")))
    assert state.apply({**status(), "data": data}).result is Result.MALFORMED
    assert state.message() is None
