from __future__ import annotations

from typing import Any

from bybitd.venue.outcome import APPLIED, Result
from bybitd.venue.rpi_book import RpiBook
from tests.payloads import envelope

TOPIC = "orderbook.rpi.SOLUSDT"


def delta(u: int, bids: list[list[str]], asks: list[list[str]]) -> dict[str, Any]:
    data = {"s": "SOLUSDT", "b": bids, "a": asks, "u": u, "seq": u}
    return {"topic": TOPIC, "type": "delta", "ts": u, "cts": u, "data": data}


def started() -> RpiBook:
    book = RpiBook(TOPIC)
    assert book.apply(envelope("ws_orderbook.rpi.snapshot")) is APPLIED
    return book


def test_a_level_goes_only_when_both_of_its_sizes_are_zero() -> None:
    book = started()
    changes = [["141.22", "0", "3"], ["141.2", "0", "0"]]
    assert book.apply(delta(71, changes, [["141.23", "0", "0"]])) is APPLIED
    data = book.snapshot()
    assert data is not None
    assert data["b"] == [["141.22", "0", "3"]]
    assert data["a"] == [["141.25", "2", "0"]]
    assert book.best_ask == ["141.25", "2", "0"]


def test_an_rpi_quote_beyond_the_other_side_does_not_break_the_book() -> None:
    book = started()
    assert book.apply(delta(71, [["141.24", "0", "9"]], [])) is APPLIED


def test_other_orders_that_cross_do() -> None:
    outcome = started().apply(delta(71, [["141.24", "1", "0"]], []))
    assert outcome.result is Result.CROSSED
    assert outcome.reason == "bid 141.24 at or above ask 141.23"


def test_a_hole_in_the_update_ids_drops_this_book_too() -> None:
    book = started()
    assert book.apply(delta(73, [], [])).result is Result.GAP
    assert book.message() is None


def test_a_pair_where_a_triple_belongs_is_malformed() -> None:
    assert started().apply(delta(71, [["141.24", "1"]], [])).result is Result.MALFORMED
