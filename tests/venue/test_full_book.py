from __future__ import annotations

from typing import Any

from bybitd.venue.full_book import FullBook
from bybitd.venue.outcome import APPLIED, DUPLICATE, WAITING, Result

TOPIC = "orderbook.full.SOLUSDT"


def delta(u: int, seq: int, bids: list[list[str]] | None = None) -> dict[str, Any]:
    data = {"s": "SOLUSDT", "b": bids or [], "a": [], "u": u, "seq": seq}
    return {"topic": TOPIC, "ts": u, "type": "delta", "cts": u, "data": data}


def rest(u: int, seq: int) -> dict[str, Any]:
    bids, asks = [["10", "1"], ["9", "1"]], [["11", "1"]]
    return {"s": "SOLUSDT", "b": bids, "a": asks, "u": u, "seq": seq, "ts": 1, "cts": 1}


def buffered(*deltas: dict[str, Any]) -> FullBook:
    book = FullBook(TOPIC)
    for one in deltas:
        assert book.apply(one) is WAITING
    return book


def test_the_book_is_the_seed_and_the_buffered_deltas_after_it() -> None:
    book = buffered(
        delta(5, 50, [["10", "7"]]), delta(6, 55, [["9", "0"]]), delta(7, 60, [["8", "2"]])
    )
    assert book.needs_seed
    assert book.seed(rest(6, 55))
    assert not book.needs_seed
    message = book.message()
    assert message is not None
    assert (message["topic"], message["type"]) == (TOPIC, "snapshot")
    # The delta of the seed's own u is part of the seed already.
    assert message["data"]["b"] == [["10", "1"], ["9", "1"], ["8", "2"]]
    assert message["data"]["u"] == 7
    assert book.apply(delta(8, 61, [["10", "0"]])) is APPLIED


def test_a_seed_that_matches_no_buffered_delta_is_refused() -> None:
    book = buffered(delta(5, 50), delta(6, 55))
    for unfit in (rest(4, 45), rest(6, 54), rest(5, 55), rest(9, 99), {}):
        assert not book.seed(unfit)
        assert book.needs_seed
    assert book.message() is None


def test_the_buffer_starts_over_at_a_hole_and_passes_over_what_goes_back() -> None:
    book = buffered(delta(5, 50), delta(7, 60), delta(8, 40))
    assert not book.seed(rest(5, 50))
    assert book.seed(rest(7, 60))
    message = book.message()
    assert message is not None
    assert message["data"]["u"] == 7


def test_update_id_1_starts_over_from_rest() -> None:
    book = buffered(delta(5, 50))
    assert book.seed(rest(5, 50))
    outcome = book.apply(delta(1, 70))
    assert (outcome.result, outcome.resync) == (Result.GAP, True)
    assert book.message() is None


def test_live_deltas_obey_the_rule_of_every_book() -> None:
    book = buffered(delta(5, 50))
    assert book.seed(rest(5, 50))
    assert book.apply(delta(5, 50)) is DUPLICATE
    assert book.apply(delta(7, 60)).result is Result.GAP
    assert book.apply({"data": 1}).result is Result.MALFORMED
