"""The short form of `make prove-books`: whatever happens on the way, a book that is shown existed.

Each case is a random market with random faults, an early reader and two late ones that lose
messages; see `case`.
"""

from collections import Counter

import pytest

from bybitbus.outgoing import Outgoing
from bybitbus.waiting import Waiting
from bybitd.public_feed.pipeline import Pipeline
from bybitd.venue.orderbook import OrderBook
from tests.public_feed.property import faults
from tests.public_feed.property.case import Wrong, run_case

BLOCKS = 3
CASES = 35  # a block


@pytest.mark.parametrize("block", range(BLOCKS))
def test_only_books_that_existed_are_shown_and_in_the_end_all_readers_hold_the_exchanges(block):
    happened, compared = Counter(), 0
    for seed in range(block * CASES, (block + 1) * CASES):
        outcome = run_case(seed)
        happened += outcome.faults
        compared += outcome.compared
        assert outcome.final >= 3
    every = {*faults.OF_A_MESSAGE, *faults.OF_A_CASE, "lost on the bus", "lost request"}
    assert len(every - happened.keys()) <= 2
    assert compared > 50 * CASES


def test_a_case_is_the_same_each_time():
    assert run_case(7) == run_case(7)


# The proof must fail where the daemon does. Each of these breaks one rule of it.


def first_wrong(seeds=60):
    """Return what the first case that finds something says, None if none does."""
    for seed in range(seeds):
        try:
            run_case(seed)
        except Wrong as wrong:
            return str(wrong)
    return None


def test_a_feed_that_lets_gaps_pass_is_found_out(monkeypatch):
    apply = OrderBook.apply

    def credulous(book, message):
        data = message.get("data")
        if message.get("type") == "delta" and isinstance(data, dict) and book.update_id is not None:
            data = {**data, "u": book.update_id + 1}
        return apply(book, {**message, "data": data})

    monkeypatch.setattr(OrderBook, "apply", credulous)
    assert "never existed" in first_wrong()


def test_a_feed_that_does_not_tell_of_a_cut_is_found_out(monkeypatch):
    monkeypatch.setattr(Pipeline, "lost", lambda *_: None)
    assert "for live after a cut" in first_wrong()


def test_a_snapshot_that_says_to_include_more_than_it_does_is_found_out(monkeypatch):
    seq = Outgoing.seq
    monkeypatch.setattr(Outgoing, "seq", lambda *args: seq(*args) + 1)
    assert "never existed" in first_wrong()


def test_a_reader_that_passes_over_holes_in_silence_is_found_out(monkeypatch):
    monkeypatch.setattr(Waiting, "missing", lambda stream, event: range(0))
    assert "said to be missing" in first_wrong()
