from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bybitd.venue.full_book import FullBook, Seeding
from bybitd.venue.outcome import APPLIED, DUPLICATE, WAITING, Result

TOPIC = "orderbook.full.SOLUSDT"


def delta(
    u: int,
    seq: int,
    bids: list[list[str]] | None = None,
    asks: list[list[str]] | None = None,
) -> dict[str, Any]:
    data = {"s": "SOLUSDT", "b": bids or [], "a": asks or [], "u": u, "seq": seq}
    return {"topic": TOPIC, "ts": u, "type": "delta", "cts": u, "data": data}


def rest(u: int, seq: int) -> dict[str, Any]:
    bids, asks = [["10", "1"], ["9", "1"]], [["11", "1"]]
    return {"s": "SOLUSDT", "b": bids, "a": asks, "u": u, "seq": seq, "ts": 1, "cts": 1}


def nothing(**more: int) -> dict[str, Any]:
    return {"s": "SOLUSDT", "b": [], "a": [], **more}


def buffered(*deltas: dict[str, Any]) -> FullBook:
    book = FullBook(TOPIC)
    for one in deltas:
        assert book.apply(one) is WAITING
    return book


def kept(book: FullBook) -> dict[str, Any]:
    message = book.message()
    assert message is not None
    data: dict[str, Any] = message["data"]
    return data


def test_the_book_is_the_seed_and_the_buffered_deltas_after_it() -> None:
    book = buffered(
        delta(5, 50, [["10", "7"]]), delta(6, 55, [["9", "0"]]), delta(7, 60, [["8", "2"]])
    )
    assert book.needs_seed
    assert book.seed(rest(6, 55)) is Seeding.SEEDED
    assert not book.needs_seed
    message = book.message()
    assert message is not None
    assert (message["topic"], message["type"]) == (TOPIC, "snapshot")
    # The delta of the seed's own u is part of the seed already.
    assert kept(book)["b"] == [["10", "1"], ["9", "1"], ["8", "2"]]
    assert kept(book)["u"] == 7
    assert book.apply(delta(8, 61, [["10", "0"]])) is APPLIED


def test_a_seed_that_matches_no_buffered_delta_is_refused() -> None:
    book = buffered(delta(5, 50), delta(6, 55))
    for unfit in (rest(4, 45), rest(6, 54), rest(5, 55), {}, {"u": "6", "seq": "55"}):
        assert book.seed(unfit) is Seeding.UNFIT
        assert book.needs_seed
    assert book.message() is None
    assert FullBook(TOPIC).seed(rest(5, 50)) is Seeding.UNFIT


def test_a_seed_that_is_ahead_of_the_deltas_fits_when_they_have_come() -> None:
    book = buffered(delta(5, 50))
    assert book.seed(rest(6, 55)) is Seeding.AHEAD
    book.apply(delta(6, 55))
    assert book.seed(rest(6, 55)) is Seeding.SEEDED


def test_a_seed_whose_levels_cross_or_are_unsorted_is_refused() -> None:
    book = buffered(delta(5, 50))
    crossed = {**rest(5, 50), "a": [["10", "1"]]}
    unsorted = {**rest(5, 50), "b": [["9", "1"], ["10", "1"]]}
    assert (book.seed(crossed), book.seed(unsorted)) == (Seeding.UNFIT, Seeding.UNFIT)
    assert book.message() is None
    assert book.seed(rest(5, 50)) is Seeding.SEEDED


def test_the_buffer_starts_over_at_a_hole_and_passes_over_what_goes_back() -> None:
    book = buffered(delta(5, 50), delta(7, 60), delta(8, 40))
    assert book.apply(delta(7, 60)) is DUPLICATE
    assert book.seed(rest(5, 50)) is Seeding.UNFIT
    assert book.seed(rest(7, 60)) is Seeding.SEEDED
    assert kept(book)["u"] == 7


def test_the_buffer_keeps_the_newest_minute() -> None:
    book = buffered(*(delta(u, 10 * u) for u in range(1, 400)))
    assert book.seed(rest(50, 500)) is Seeding.UNFIT
    assert book.seed(rest(150, 1500)) is Seeding.SEEDED
    assert kept(book)["u"] == 399


def seeded() -> FullBook:
    book = buffered(delta(5, 50))
    assert book.seed(rest(5, 50)) is Seeding.SEEDED
    return book


@pytest.mark.parametrize("levels", [[], [["10", "3"]]])
def test_update_id_1_after_a_restart_or_a_new_tick_size_starts_over_from_rest(
    levels: list[list[str]],
) -> None:
    book = seeded()
    outcome = book.apply(delta(1, 70, levels))
    assert (outcome.result, outcome.resync) == (Result.GAP, True)
    assert book.message() is None
    assert book.needs_seed
    # The message that ended the old book is the first one of the new.
    assert book.seed({**rest(1, 70), "b": [["10", "3"]]}) is Seeding.SEEDED
    assert kept(book)["b"] == [["10", "3"]]
    assert book.apply(delta(2, 71)) is APPLIED


def test_a_delisted_symbol_has_no_book_and_is_not_asked_for_again() -> None:
    book = seeded()
    assert book.apply(delta(1, 70)).resync
    assert book.seed(nothing(u=1, seq=70)) is Seeding.ABSENT
    assert (book.absent, book.needs_seed, book.message()) == (True, False, None)


def test_the_end_of_an_opening_auction_sends_to_rest_again() -> None:
    book = buffered(delta(1, 70))
    assert book.seed({}) is Seeding.ABSENT
    assert book.apply(delta(1, 90)) is WAITING
    assert (book.absent, book.needs_seed) == (False, True)
    assert book.seed(rest(1, 90)) is Seeding.SEEDED


def test_a_new_tick_size_in_the_middle_of_the_buffer_starts_it_over() -> None:
    book = buffered(delta(5, 50), delta(6, 51), delta(1, 52), delta(2, 53))
    assert book.seed(rest(5, 50)) is Seeding.UNFIT
    assert book.seed(rest(1, 52)) is Seeding.SEEDED
    assert kept(book)["u"] == 2


def test_a_book_may_be_empty_while_its_symbol_trades() -> None:
    book = buffered(delta(5, 50), delta(6, 51))
    assert book.seed(nothing(u=6, seq=51)) is Seeding.SEEDED
    assert kept(book)["b"] == []


def test_live_deltas_obey_the_rule_of_every_book() -> None:
    book = seeded()
    assert book.apply(delta(5, 50)) is DUPLICATE
    assert book.apply(delta(7, 60)).result is Result.GAP
    assert book.needs_seed
    assert book.apply({"data": 1}).result is Result.MALFORMED
    assert book.apply(delta("5", 50)).result is Result.MALFORMED  # type: ignore[arg-type]


def test_an_old_update_id_with_a_newer_sequence_tells_that_a_restart_was_missed() -> None:
    book = seeded()
    outcome = book.apply(delta(3, 80))
    assert (outcome.result, outcome.resync) == (Result.GAP, True)
    assert book.seed(rest(3, 80)) is Seeding.SEEDED


def test_levels_beyond_those_of_rest_are_kept_when_they_appear() -> None:
    book = buffered(delta(5, 50))
    many = [[str(30_000 - number), "1"] for number in range(10_000)]
    assert book.seed({**rest(5, 50), "b": many, "a": []}) is Seeding.SEEDED
    assert book.apply(delta(6, 51, [["7", "1"], ["30000", "0"]])) is APPLIED
    assert len(kept(book)["b"]) == 10_000
    assert kept(book)["b"][-1] == ["7", "1"]


class Exchange:
    """A full book as the exchange has it; remembers what it was at each (u, seq)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.u, self.seq = self.random.randint(2, 50), 1_000
        self.sides: list[dict[int, int]] = [{}, {}]
        self.was: dict[tuple[int, int], tuple[list[list[str]], list[list[str]]]] = {}
        self.move()

    def move(self) -> dict[str, Any]:
        changes: list[dict[int, int]] = [{}, {}]
        for _ in range(self.random.randint(1, 6)):
            side = self.random.randint(0, 1)
            price = self.random.randint(1, 9) + 10 * side
            size = self.random.choice((0, 0, 1, 2, 3))
            changes[side][price] = size
            self.sides[side][price] = size
            if not size:
                del self.sides[side][price]
        self.u += 1
        return self._told(changes)

    def restart(self, *, empty: bool) -> dict[str, Any]:
        self.u = 0
        self.seq += 1
        told = self.move()
        return delta(1, self.seq) if empty else told

    def _told(self, changes: list[dict[int, int]]) -> dict[str, Any]:
        self.seq += self.random.randint(1, 4)
        self.was[self.u, self.seq] = (self.levels(0), self.levels(1))
        return delta(self.u, self.seq, *map(self._write, changes))

    def levels(self, side: int) -> list[list[str]]:
        return self._write(dict(sorted(self.sides[side].items(), reverse=side == 0)))

    def _write(self, levels: dict[int, int]) -> list[list[str]]:
        return [[str(price), str(size)] for price, size in levels.items()]

    def book(self) -> dict[str, Any]:
        """Answer as REST does now."""
        bids, asks = self.was[self.u, self.seq]
        return {"s": "X", "b": bids, "a": asks, "u": self.u, "seq": self.seq, "ts": 1, "cts": 1}


STEPS = st.lists(
    st.sampled_from(
        ["move"] * 6 + ["fetch", "fetch", "arrive", "lose", "twice", "restart", "void"]
    ),
    max_size=80,
)


@settings(max_examples=300)
@given(st.integers(0, 1 << 32), STEPS)
def test_a_book_is_never_one_that_was_not_at_the_exchange_and_comes_back_after_any_loss(
    seed: int, steps: list[str]
) -> None:
    exchange, book = Exchange(seed), FullBook(TOPIC)
    answers: list[dict[str, Any]] = []

    def hear(message: dict[str, Any]) -> None:
        before = book.message()
        outcome = book.apply(message)
        if outcome.publish:
            # A delta that is passed on follows from what readers hold.
            assert before is not None
            assert message["data"]["u"] == before["data"]["u"] + 1
        check()

    def check() -> None:
        message = book.message()
        if message is not None:
            data = message["data"]
            assert (data["b"], data["a"]) == exchange.was[data["u"], data["seq"]]

    for step in steps:
        if step == "move":
            hear(exchange.move())
        elif step == "lose":
            exchange.move()
        elif step == "twice":
            told = exchange.move()
            hear(told)
            hear(told)
        elif step in ("restart", "void"):
            hear(exchange.restart(empty=step == "void"))
        elif step == "fetch":
            answers.append(exchange.book())
        elif answers:
            late = answers.pop(exchange.random.randrange(len(answers)))
            if book.needs_seed and book.seed(late) is Seeding.AHEAD:
                answers.append(late)
            check()
    for _ in range(3):
        hear(exchange.move())
        if book.needs_seed:
            assert book.seed(exchange.book()) is Seeding.SEEDED
    assert (kept(book)["u"], kept(book)["seq"]) == (exchange.u, exchange.seq)
