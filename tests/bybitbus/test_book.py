from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitbus.book import Book
from bybitbus.events import Event
from bybitbus.sequence import Verdict

TOPIC = "linear.orderbook.50.BTCUSDT."
Rows = list[list[str]]


def event(
    kind: str,
    bids: Rows,
    asks: Rows,
    verdict: Verdict = Verdict.NEXT,
    *,
    seq: int = 1,
    missing: int = 0,
) -> Event:
    body = {"type": kind, "data": {"s": "BTCUSDT", "b": bids, "a": asks}, "seq": seq, "epoch": 9}
    return Event(TOPIC, body, verdict, missing)


def filled() -> Book:
    book = Book(TOPIC)
    book.apply(
        event(
            "snapshot", [["9.5", "1"], ["10.0", "2"]], [["10.5", "3"], ["11", "4"]], Verdict.FIRST
        )
    )
    return book


def state(name: str, reason: str = "") -> Event:
    body = {"topic": TOPIC, "state": name, "reason": reason, "seq": 1, "epoch": 9}
    return Event(f"gateway.feed.{TOPIC}", body, Verdict.NEXT)


def test_a_snapshot_makes_the_book_valid_and_sorts_it_by_value_not_by_letters() -> None:
    book = filled()
    assert book.valid
    assert book.bids() == [("10.0", "2"), ("9.5", "1")]
    assert book.asks() == [("10.5", "3"), ("11", "4")]
    assert (book.best_bid, book.best_ask) == ("10.0", "10.5")
    assert book.bids(1) == [("10.0", "2")]


def test_a_delta_sets_adds_and_removes_levels() -> None:
    book = filled()
    delta = event("delta", [["10.0", "7"], ["9.5", "0"]], [["10.7", "1"], ["99", "0"]], seq=2)
    assert book.apply(delta)
    assert book.bids() == [("10.0", "7")]
    assert book.asks() == [("10.5", "3"), ("10.7", "1"), ("11", "4")]
    assert book.seq == 2


def test_a_price_written_otherwise_is_the_same_level() -> None:
    book = filled()
    book.apply(event("delta", [["10.00", "7"], ["9.50", "0.000"]], []))
    assert book.bids() == [("10.00", "7")]


def test_a_book_is_invalid_until_its_first_snapshot_even_if_deltas_come_first() -> None:
    book = Book(TOPIC)
    assert not book.valid
    assert not book.apply(event("delta", [["1", "1"]], [], Verdict.FIRST))
    assert not book.apply(event("delta", [["2", "1"]], [], Verdict.NEXT))
    assert (book.best_bid, book.bids(), book.problem) == (
        None,
        [],
        "the topic starts anew; waiting for a snapshot",
    )
    assert book.apply(event("snapshot", [["3", "1"]], [], Verdict.RESEND))
    assert book.bids() == [("3", "1")]


@pytest.mark.parametrize(
    ("verdict", "missing", "problem"),
    [(Verdict.HOLE, 3, "3 messages lost"), (Verdict.NEW_EPOCH, 0, "starts anew")],
)
def test_after_a_hole_or_a_new_epoch_the_book_is_invalid_until_the_next_snapshot(
    verdict: Verdict, missing: int, problem: str
) -> None:
    book = filled()
    assert not book.apply(event("delta", [["9", "1"]], [], verdict, missing=missing))
    assert problem in book.problem
    assert (book.bids(), book.asks()) == ([], [])
    assert not book.apply(event("delta", [["9", "1"]], []))
    assert book.apply(event("snapshot", [["8", "1"]], [["9", "1"]]))
    assert book.bids() == [("8", "1")]


@pytest.mark.parametrize(
    "verdict", [Verdict.HOLE, Verdict.NEW_EPOCH, Verdict.RESEND, Verdict.NEXT, Verdict.FIRST]
)
def test_a_snapshot_replaces_the_whole_book_whatever_came_before(verdict: Verdict) -> None:
    book = filled()
    missing = 2 if verdict in (Verdict.HOLE, Verdict.RESEND) else 0
    assert book.apply(event("snapshot", [["1", "1"]], [["2", "1"]], verdict, missing=missing))
    assert (book.bids(), book.asks()) == ([("1", "1")], [("2", "1")])


def test_a_repeat_changes_nothing() -> None:
    book = filled()
    assert book.apply(event("snapshot", [["1", "1"]], [], Verdict.REPEAT))
    assert book.best_bid == "10.0"


def test_bids_that_reach_asks_make_the_book_invalid() -> None:
    book = filled()
    assert not book.apply(event("delta", [["10.50", "1"]], []))
    assert book.problem == "bids reach asks; waiting for a snapshot"


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"b": [], "a": None},
        {"b": [["1"]], "a": []},
        {"b": [["1", "2", "3"]], "a": []},
        {"b": [["one", "1"]], "a": []},
        {"b": [["NaN", "1"]], "a": []},
        {"b": [["1", "Infinity"]], "a": []},
        {"b": [[1.5, "1"]], "a": []},
        {"b": [["1", None]], "a": []},
    ],
)
def test_a_message_that_is_no_book_makes_it_invalid_and_does_not_raise(data: Any) -> None:
    book = filled()
    body = {"type": "delta", "data": data, "seq": 2, "epoch": 9}
    assert not book.apply(Event(TOPIC, body, Verdict.NEXT))
    assert book.problem == "a message that is no order book; waiting for a snapshot"


def test_a_stale_feed_makes_the_book_invalid_until_a_fresh_message_and_the_word_live() -> None:
    book = filled()
    assert not book.apply(state("stale", "silent for 5 s"))
    assert book.problem == "stale: silent for 5 s"
    assert book.best_bid is None
    assert not book.apply(event("delta", [["10.0", "4"]], []))
    assert book.apply(state("live"))
    assert book.bids(1) == [("10.0", "4")]


def test_live_alone_does_not_make_an_old_book_valid_again() -> None:
    book = filled()
    book.apply(state("stale", "silent for 5 s"))
    assert not book.apply(state("live"))
    assert book.problem == "waiting for a fresh message"
    assert book.apply(event("delta", [["10.0", "4"]], []))


def test_a_book_keeps_no_more_levels_than_its_depth() -> None:
    book = Book("linear.orderbook.1.BTCUSDT.")
    kept = event("snapshot", [["10", "1"]], [["11", "1"]], Verdict.FIRST)
    assert book.apply(kept._replace(topic=book.topic))
    better = event("delta", [["10.5", "1"]], [["10.7", "1"]])
    assert book.apply(better._replace(topic=book.topic))
    assert (book.bids(), book.asks()) == ([("10.5", "1")], [("10.7", "1")])


def test_an_rpi_book_has_both_sizes_and_its_rpi_orders_may_cross() -> None:
    book = Book("linear.orderbook.rpi.BTCUSDT.")
    bids, asks = [["10.5", "0", "3"], ["10", "1", "0"]], [["10.2", "2", "1"]]
    assert book.apply(event("snapshot", bids, asks)._replace(topic=book.topic))
    assert book.bids() == [("10.5", "0", "3"), ("10", "1", "0")]
    gone = event("delta", [["10.5", "0", "0"]], [["10.2", "0", "1"]])
    assert book.apply(gone._replace(topic=book.topic))
    assert (book.bids(), book.asks()) == ([("10", "1", "0")], [("10.2", "0", "1")])
    crossing = event("delta", [["11", "1", "0"]], [["10.9", "1", "0"]])
    assert not book.apply(crossing._replace(topic=book.topic))
    assert book.problem == "bids reach asks; waiting for a snapshot"


def test_a_feed_that_fetches_anew_makes_the_book_wait_for_a_snapshot_although_it_is_live() -> None:
    book = filled()
    assert not book.apply(state("resyncing", "gap"))
    assert not book.apply(state("live"))
    assert book.apply(event("snapshot", [["1", "1"]], []))


def test_events_of_other_topics_are_passed_over() -> None:
    book = filled()
    other = event("snapshot", [["1", "1"]], [])._replace(topic="linear.orderbook.50.ETHUSDT.")
    assert book.apply(other)
    assert book.best_bid == "10.0"


prices = st.decimals(1, 40, places=1).map(str)
sizes = st.sampled_from(["0", "0.000", "1", "2.5"])
bids = st.lists(st.tuples(prices, sizes).map(list), max_size=8)
asks = bids.map(lambda rows: [[str(Decimal(price) + 100), size] for price, size in rows])


@given(st.lists(st.tuples(bids, asks), max_size=12))
def test_any_deltas_give_what_a_plain_map_of_prices_gives(changes: list[tuple[Rows, Rows]]) -> None:
    book = Book(TOPIC)
    book.apply(event("snapshot", [], [], Verdict.FIRST))
    plain: tuple[dict[Decimal, str], dict[Decimal, str]] = ({}, {})
    for change in changes:
        assert book.apply(event("delta", *change))
        for side, rows in zip(plain, change, strict=True):
            for price, size in rows:
                side[Decimal(price)] = size
                if not Decimal(size):
                    del side[Decimal(price)]
    shown = [[(Decimal(p), s) for p, s in levels] for levels in (book.bids(), book.asks())]
    assert shown[0] == sorted(plain[0].items(), reverse=True)
    assert shown[1] == sorted(plain[1].items())
