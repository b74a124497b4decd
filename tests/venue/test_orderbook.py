from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bybitd.venue.orderbook import OrderBook
from bybitd.venue.outcome import APPLIED, DUPLICATE, REPEATED, WAITING, Result
from tests.payloads import envelope

TOPIC = "orderbook.50.SOLUSDT"
Levels = list[list[str]]


def message(kind: str, u: int, bids: Levels, asks: Levels) -> dict[str, Any]:
    data = {"s": "SOLUSDT", "b": bids, "a": asks, "u": u, "seq": u * 10}
    return {"topic": TOPIC, "type": kind, "ts": u, "cts": u, "data": data}


def started(bids: Levels, asks: Levels, depth: int = 50) -> OrderBook:
    book = OrderBook(TOPIC, depth)
    assert book.apply(message("snapshot", 100, bids, asks)) is APPLIED
    return book


def sides(book: OrderBook) -> tuple[Levels, Levels]:
    data = book.snapshot()
    assert data is not None
    return data["b"], data["a"]


def test_a_snapshot_and_its_delta_make_the_book() -> None:
    book = OrderBook(TOPIC, 50)
    assert book.apply(envelope("ws_orderbook.50.snapshot")) is APPLIED
    assert book.apply(envelope("ws_orderbook.50.delta")) is APPLIED
    assert book.message() == {
        "topic": TOPIC,
        "type": "snapshot",
        "ts": 1790000000021,
        "cts": 1790000000018,
        "data": {
            "s": "SOLUSDT",
            "b": [["141.210", "305.0"], ["141.200", "77.1"], ["141.190", "19.5"]],
            "a": [
                ["141.230", "3.1"],
                ["141.240", "54.3"],
                ["141.250", "66.6"],
                ["141.270", "410.9"],
            ],
            "u": 4101,
            "seq": 880019,
        },
    }
    assert book.best_bid == ["141.210", "305.0"]
    assert book.best_ask == ["141.230", "3.1"]


def test_a_delta_before_the_first_snapshot_has_nothing_to_apply_to() -> None:
    book = OrderBook(TOPIC, 50)
    assert book.apply(envelope("ws_orderbook.50.delta")) is WAITING
    assert book.message() is None
    assert book.best_bid is None


def test_a_delta_that_skips_an_update_id_drops_the_book_until_the_next_snapshot() -> None:
    book = started([["10", "1"]], [["11", "1"]])
    outcome = book.apply(message("delta", 102, [], []))
    assert (outcome.result, outcome.resync, outcome.publish) == (Result.GAP, True, False)
    assert outcome.reason == "update 102 came after 100"
    assert book.message() is None
    assert book.apply(message("delta", 103, [], [])) is WAITING
    assert book.apply(message("snapshot", 50, [["9", "1"]], [])) is APPLIED
    assert book.update_id == 50


def test_a_delta_that_is_not_newer_is_dropped_and_changes_nothing() -> None:
    book = started([["10", "1"]], [["11", "1"]])
    for u in (99, 100):
        assert book.apply(message("delta", u, [["10", "0"]], [])) is DUPLICATE
    assert sides(book) == ([["10", "1"]], [["11", "1"]])


@pytest.mark.parametrize("kind", ["snapshot", "delta"])
def test_update_id_1_replaces_the_book_whatever_came_before(kind: str) -> None:
    book = started([["10", "1"]], [["11", "1"]])
    assert book.apply(message(kind, 1, [["20", "2"]], [["21", "2"]])) is APPLIED
    assert sides(book) == ([["20", "2"]], [["21", "2"]])
    assert book.apply(message("delta", 2, [["20", "3"]], [])) is APPLIED


def test_a_delta_that_replaced_the_book_says_that_it_is_a_snapshot() -> None:
    book = started([["10", "1"]], [["11", "1"]])
    restart, delta = message("delta", 1, [["20", "2"]], []), message("delta", 2, [["20", "3"]], [])
    book.apply(restart)
    book.apply(delta)
    assert (restart["type"], delta["type"]) == ("snapshot", "delta")


def test_an_old_update_id_on_a_newer_change_shows_that_a_restart_was_lost() -> None:
    book = started([["10", "1"]], [["11", "1"]])
    newer = message("delta", 2, [["10", "5"]], [])
    newer["data"]["seq"] = 1_001  # the book's last is 1000
    outcome = book.apply(newer)
    assert (outcome.result, outcome.resync) == (Result.GAP, True)
    assert book.message() is None


def test_a_level_1_book_that_is_sent_again_is_a_sign_of_life() -> None:
    book = OrderBook("orderbook.1.SOLUSDT", 1)
    first = envelope("ws_orderbook.1")
    assert book.apply(first) is APPLIED
    assert book.apply(envelope("ws_orderbook.1")) is REPEATED
    assert REPEATED.publish
    assert not REPEATED.resync
    first["data"]["u"] += 5
    assert book.apply(first) is APPLIED


def test_a_level_that_is_not_held_may_be_removed() -> None:
    book = started([["10", "1"]], [["11", "1"]])
    assert book.apply(message("delta", 101, [["9", "0"], ["9", "0"]], [["12", "0"]])) is APPLIED
    assert sides(book) == ([["10", "1"]], [["11", "1"]])


@pytest.mark.parametrize("zero", ["0", "0.0", "0.000", "0.000000000000000000"])
def test_every_spelling_of_zero_removes_a_level(zero: str) -> None:
    book = started([["10", "1"], ["9", "1"]], [])
    assert book.apply(message("delta", 101, [["10", zero]], [])) is APPLIED
    assert sides(book) == ([["9", "1"]], [])
    assert book.best_bid == ["9", "1"]


@pytest.mark.parametrize("size", ["0.000000000000000001", "0.1", "10", "0100", "9.0"])
def test_a_size_above_zero_never_removes_a_level(size: str) -> None:
    book = started([["10", "1"]], [])
    assert book.apply(message("delta", 101, [["10", size]], [])) is APPLIED
    assert sides(book) == ([["10", size]], [])


def test_a_price_is_the_same_level_however_many_decimals_it_is_written_with() -> None:
    book = started([["10.5", "1"]], [["11", "1"]])
    assert book.apply(message("delta", 101, [["10.500", "4"]], [["11.00", "0"]])) is APPLIED
    assert sides(book) == ([["10.500", "4"]], [])
    assert book.apply(message("delta", 102, [["10.50025", "2"]], [["10.5003", "1"]])) is APPLIED
    assert sides(book) == ([["10.50025", "2"], ["10.500", "4"]], [["10.5003", "1"]])
    assert book.best_bid == ["10.50025", "2"]


def test_prices_are_compared_exactly_where_floats_would_not() -> None:
    low, high = "100000000000.000000000000000001", "100000000000.000000000000000002"
    book = started([[low, "1"]], [[high, "1"]])
    assert book.best_bid == [low, "1"]
    outcome = book.apply(message("delta", 101, [[high, "1"]], []))
    assert outcome.result is Result.CROSSED


@pytest.mark.parametrize(("bid", "ask"), [("11", "11.0"), ("12", "11")])
def test_a_bid_at_or_above_an_ask_drops_the_book(bid: str, ask: str) -> None:
    fresh = OrderBook(TOPIC, 50)
    assert fresh.apply(message("snapshot", 9, [[bid, "1"]], [[ask, "1"]])).result is Result.CROSSED
    book = started([["10", "1"]], [[ask, "1"]])
    outcome = book.apply(message("delta", 101, [[bid, "1"]], []))
    assert outcome.result is Result.CROSSED
    assert outcome.reason == f"bid {bid} at or above ask {ask}"
    assert book.message() is None


def test_a_book_that_crosses_only_between_two_levels_of_one_message_is_sound() -> None:
    book = started([["10", "1"]], [["11", "1"]])
    moved = message("delta", 101, [["11", "1"]], [["11", "0"], ["12", "1"]])
    assert book.apply(moved) is APPLIED
    assert (book.best_bid, book.best_ask) == (["11", "1"], ["12", "1"])


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ([["9", "1"], ["10", "1"]], []),
        ([], [["12", "1"], ["11", "1"]]),
        ([["10", "1"], ["10.0", "2"]], []),
        ([["10", "0"]], []),
    ],
)
def test_a_snapshot_with_levels_out_of_order_or_twice_is_no_book(
    bids: Levels, asks: Levels
) -> None:
    outcome = OrderBook(TOPIC, 50).apply(message("snapshot", 9, bids, asks))
    assert (outcome.result, outcome.resync) == (Result.UNSORTED, True)


def test_spread_prices_may_be_negative() -> None:
    book = started([["-0.5", "1"], ["-2", "1"]], [["-0.25", "1"], ["3", "1"]], depth=25)
    assert (book.best_bid, book.best_ask) == (["-0.5", "1"], ["-0.25", "1"])


def test_a_level_that_was_pushed_out_without_a_word_does_not_stay() -> None:
    book = started([["10", "1"], ["9", "1"]], [["11", "1"], ["12", "1"]], depth=2)
    assert book.apply(message("delta", 101, [["10.5", "1"]], [["10.7", "1"]])) is APPLIED
    assert sides(book) == ([["10.5", "1"], ["10", "1"]], [["10.7", "1"], ["11", "1"]])


BROKEN: list[dict[str, Any]] = [
    {},
    {"type": "delta", "data": None},
    {"type": "delta", "data": {"u": 101}},
    message("delta", 101, [["10"]], []),
    message("delta", 101, [["10", "1", "2"]], []),
    message("delta", 101, [["abc", "1"]], []),
    message("delta", 101, [["1e1", "1"]], []),
    message("delta", 101, [[10, 1]], []),  # type: ignore[list-item]
    message("delta", 101, [["10", None]], []),  # type: ignore[list-item]
    message("delta", 101, [["10", 1.5]], []),  # type: ignore[list-item]
    message("delta", 101, 7, []),  # type: ignore[arg-type]
    message("delta", "101", [], []),  # type: ignore[arg-type]
    message("snapshot", "9", [], []),  # type: ignore[arg-type]
    message("snapshot", 9, None, []),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_message_of_the_wrong_shape_drops_the_book_and_raises_nothing(
    broken: dict[str, Any],
) -> None:
    book = started([["10", "1"]], [["11", "1"]])
    outcome = book.apply(broken)
    assert (outcome.result, outcome.resync) == (Result.MALFORMED, True)
    assert book.message() is None
    assert book.apply(message("snapshot", 5, [["10", "1"]], [])) is APPLIED


class NaiveBook:
    """The rules of the exchange's documentation, written as slowly and plainly as can be."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.sides: dict[str, dict[Decimal, list[str]]] = {"b": {}, "a": {}}

    def apply(self, data: dict[str, Any]) -> bool:
        for name, side in self.sides.items():
            for price, size in data[name]:
                side.pop(Decimal(price), None)
                if Decimal(size) > 0:
                    side[Decimal(price)] = [price, size]
        bids, asks = self.levels()
        if bids and asks and Decimal(bids[0][0]) >= Decimal(asks[0][0]):
            return False
        self.sides["b"] = {Decimal(level[0]): level for level in bids[: self.depth]}
        self.sides["a"] = {Decimal(level[0]): level for level in asks[: self.depth]}
        return True

    def levels(self) -> tuple[Levels, Levels]:
        bids = sorted(self.sides["b"].items(), reverse=True)
        asks = sorted(self.sides["a"].items())
        return [level for _, level in bids], [level for _, level in asks]


def levels(low: int, high: int) -> st.SearchStrategy[Levels]:
    price = st.tuples(st.integers(low, high), st.sampled_from(["{}", "{}.0", "{}.5", "{}.25"]))
    size = st.sampled_from(["0", "0.0", "1", "0.5", "12.25"])
    one = st.tuples(price.map(lambda pair: pair[1].format(pair[0])), size).map(list)
    return st.lists(one, max_size=6)


@settings(max_examples=300)
@given(st.lists(st.tuples(levels(1, 22), levels(20, 40)), max_size=25), st.integers(1, 8))
def test_random_deltas_keep_the_book_equal_to_a_naive_one(
    deltas: list[tuple[Levels, Levels]], depth: int
) -> None:
    book, naive = OrderBook(TOPIC, depth), NaiveBook(depth)
    assert book.apply(message("snapshot", 100, [], [])) is APPLIED
    for u, (bids, asks) in enumerate(deltas, start=101):
        change = message("delta", u, bids, asks)
        sound = naive.apply(change["data"])
        outcome = book.apply(change)
        if not sound:
            assert outcome.result is Result.CROSSED
            assert book.message() is None
            return
        assert outcome is APPLIED
        assert sides(book) == naive.levels()
        best = [side[0] if side else None for side in naive.levels()]
        assert [book.best_bid, book.best_ask] == best


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.text("019.-eb", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("bausx"), inner),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["delta", "snapshot"]) | json_values,
            "ts": json_values,
            "data": st.fixed_dictionaries(
                {},
                optional={
                    "u": st.integers(0, 102) | json_values,
                    "b": json_values,
                    "a": json_values,
                },
            )
            | json_values,
        },
    )
)
def test_no_message_makes_a_book_fail(garbage: dict[str, Any]) -> None:
    book = started([["10", "1"]], [["11", "1"]])
    outcome = book.apply(garbage)
    assert (book.message() is None) == outcome.resync
    assert not re.search(r"Traceback", outcome.reason)
