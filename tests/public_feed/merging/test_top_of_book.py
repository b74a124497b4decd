"""Copies of a level-1 book: the newest one counts, and it never goes back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bybitd.public_feed.merging.top_of_book import TopOfBook
from tests.public_feed.merging.stream import (
    book,
    eras,
    interleaved,
    is_part_of,
    lossy_copies,
    merged,
    seeded,
)


def offer(merging, lane, u, ts):
    message = book(u, "snapshot", ts=ts)
    return [each.message["data"]["u"] for each in merging.offer(lane, message, 0, 0)]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_any_interleaving_gives_a_part_of_the_stream_in_order_and_its_end(seed):
    rng = seeded(seed)
    stream = [{**message, "type": "snapshot"} for message in eras(rng)]
    copies = lossy_copies(rng, stream[1:-1])
    arrivals = [*interleaved(rng, copies), (0, stream[-1]), (1, stream[-1])]
    out = merged(TopOfBook(2), [(0, stream[0]), (1, stream[0]), *arrivals])
    assert is_part_of(out, stream)
    assert out[-1] is stream[-1]


def test_copies_are_dropped_and_a_sign_of_life_passes_once():
    merging = TopOfBook(2)
    assert offer(merging, 0, 5, 100) == [5]
    assert offer(merging, 1, 5, 100) == []
    assert offer(merging, 1, 5, 3100) == [5]
    assert offer(merging, 0, 5, 3100) == []
    assert offer(merging, 0, 6, 3101) == [6]
    assert offer(merging, 1, 6, 3101) == []


def test_the_slower_lane_brings_nothing_back():
    merging = TopOfBook(2)
    offer(merging, 0, 5, 100)
    offer(merging, 1, 5, 100)
    assert offer(merging, 0, 8, 130) == [8]
    assert [offer(merging, 1, u, 100 + u) for u in (6, 7, 8)] == [[], [], []]
    assert offer(merging, 1, 9, 140) == [9]


def test_a_restart_is_seen_once():
    merging = TopOfBook(2)
    offer(merging, 0, 500, 100)
    offer(merging, 1, 500, 100)
    assert offer(merging, 0, 1, 200) == [1]
    assert offer(merging, 1, 501, 150) == []
    assert offer(merging, 0, 2, 210) == [2]
    assert offer(merging, 1, 1, 200) == []
    assert offer(merging, 1, 2, 210) == []
    assert offer(merging, 1, 3, 220) == [3]
    assert offer(merging, 0, 3, 220) == []


def test_a_lane_that_comes_back_after_a_restart_is_believed_and_the_other_must_show_it():
    merging = TopOfBook(2)
    offer(merging, 0, 500, 100)
    merging.lost(1, 0)
    assert offer(merging, 1, 17, 300) == [17]
    assert offer(merging, 0, 501, 290) == []
    assert offer(merging, 0, 1, 291) == []
    assert offer(merging, 0, 18, 310) == [18]


def test_without_any_lane_it_begins_anew():
    merging = TopOfBook(2)
    offer(merging, 0, 500, 100)
    assert merging.carries(0)
    merging.lost(0, 0)
    assert not merging.carries(0)
    assert offer(merging, 1, 3, 50) == [3]
