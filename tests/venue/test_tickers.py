from __future__ import annotations

from typing import Any

import pytest

from bybitd.venue.outcome import APPLIED, DUPLICATE, WAITING, Result
from bybitd.venue.tickers import TickerRecord
from tests.payloads import envelope

TOPIC = "tickers.SOLUSDT"


def started() -> TickerRecord:
    record = TickerRecord(TOPIC)
    assert record.apply(envelope("ws_tickers.linear.snapshot")) is APPLIED
    return record


def test_a_delta_changes_what_it_names_and_an_empty_value_is_a_value() -> None:
    record = started()
    assert record.apply(envelope("ws_tickers.linear.delta")) is APPLIED
    expected = envelope("ws_tickers.linear.snapshot")
    expected["data"] |= {"lastPrice": "141.230", "fundingRate": ""}
    expected |= {"cs": 5507, "ts": 1790000000100}
    assert record.message() == expected


def test_a_delta_before_the_snapshot_is_no_record() -> None:
    record = TickerRecord(TOPIC)
    assert record.apply(envelope("ws_tickers.linear.delta")) is WAITING
    assert record.message() is None


def test_a_delta_whose_cross_sequence_goes_back_is_dropped() -> None:
    record = started()
    late = envelope("ws_tickers.linear.delta") | {"cs": 5499}
    assert record.apply(late) is DUPLICATE
    assert record.message() == envelope("ws_tickers.linear.snapshot")


def test_a_snapshot_replaces_every_field_even_with_a_lower_cross_sequence() -> None:
    record = started()
    data = {"symbol": "SOLUSDT", "lastPrice": "1"}
    fresh = {"topic": TOPIC, "type": "snapshot", "data": data, "cs": 3, "ts": 9}
    assert record.apply(fresh) is APPLIED
    assert record.message() == fresh


def test_what_is_handed_out_does_not_change_with_the_record() -> None:
    record = started()
    message = record.message()
    record.apply(envelope("ws_tickers.linear.delta"))
    assert message == envelope("ws_tickers.linear.snapshot")


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"type": "delta", "data": {}},
        {"type": "delta", "data": 5, "cs": 6000, "ts": 1},
        {"type": "delta", "data": {}, "cs": "6000", "ts": 1},
        {"data": {}, "cs": 6000, "ts": 1},
        {"type": "delta", "data": {}, "cs": 6000},
    ],
)
def test_a_message_of_the_wrong_shape_drops_the_record(broken: dict[str, Any]) -> None:
    record = started()
    outcome = record.apply(broken)
    assert (outcome.result, outcome.resync) == (Result.MALFORMED, True)
    assert record.message() is None
