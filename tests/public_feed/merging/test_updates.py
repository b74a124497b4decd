"""Two lossy copies of a book are one book again, whatever the order in which they arrive."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bybitd.public_feed.merging.updates import HOLD_MS, Updates
from tests.public_feed.merging.stream import (
    book,
    book_stream,
    eras,
    interleaved,
    is_part_of,
    lossy_copies,
    merged,
    seeded,
)

SEEDS = st.integers(0, 2**32)


def started(*lanes, u=10):
    """A book that has begun on these lanes."""
    merging = Updates(2)
    for lane in lanes or (0, 1):
        offer(merging, lane, book(u, "snapshot"))
    return merging


def offer(merging, lane, message, now_ms=0):
    return updates(merging.offer(lane, message, 0, now_ms))


def updates(arrived):
    return [each.message["data"]["u"] for each in arrived]


@settings(max_examples=400, deadline=None)
@given(SEEDS, st.integers(2, 3), st.sampled_from([0.0, 0.2, 0.5]))
def test_any_interleaving_of_lossy_copies_gives_exactly_the_original_stream(seed, lanes, loss):
    rng = seeded(seed)
    stream = book_stream(rng, 60, snapshot=0.05)
    copies = lossy_copies(rng, stream[1:], loss, lanes)
    arrivals = [(lane, stream[0]) for lane in range(lanes)]
    arrivals += interleaved(rng, copies)
    merging = Updates(lanes)
    assert merged(merging, arrivals) == stream
    assert not merging.missed


@settings(max_examples=400, deadline=None)
@given(SEEDS)
def test_restarts_come_once_and_nothing_goes_back_behind_them(seed):
    rng = seeded(seed)
    stream = book_stream(rng, 60, restart=0.08, snapshot=0.05)
    arrivals = [(0, stream[0]), (1, stream[0]), *interleaved(rng, [stream[1:], stream[1:]])]
    assert merged(Updates(2), arrivals) == stream


@settings(max_examples=400, deadline=None)
@given(SEEDS)
def test_where_restarts_are_lost_too_nothing_is_published_that_does_not_follow(seed):
    rng = seeded(seed)
    stream = eras(rng)
    merging, out, now_ms = Updates(2), [], 0
    arrivals = [(0, stream[0]), (1, stream[0])]
    for lane, message in [*arrivals, *interleaved(rng, lossy_copies(rng, stream[1:]))]:
        now_ms += rng.choice((1, 10, 200))
        out += merging.offer(lane, message, 0, now_ms)
        out += merging.overdue(now_ms)
        if merging.missed:
            break  # from here on it would be another stream: all lanes are asked anew
    messages = [each.message for each in out]
    assert is_part_of(messages, stream)
    for before, after in pairwise(messages):
        follows = after["data"]["u"] == before["data"]["u"] + 1
        assert follows or after["type"] == "snapshot"


@settings(max_examples=400, deadline=None)
@given(SEEDS)
def test_lanes_that_come_and_go_leave_nothing_out_while_one_of_them_carries_the_book(seed):
    rng = seeded(seed)
    stream = book_stream(rng, 80)
    merging, out = Updates(2), []
    at, began, joined = [0, 0], [0, 0], [True, True]
    for lane in (0, 1):
        out += merging.offer(lane, stream[0], 0, 0)
    while min(at) < len(stream) - 1:
        lane = rng.randrange(2)
        # What lies between where one lane ends and the other has begun nobody could bring.
        may_go = joined[1 - lane] and began[1 - lane] <= at[lane] + 1
        if joined[lane] and may_go and rng.random() < 0.1:
            out += merging.lost(lane, 0)
            joined[lane] = False
        elif not joined[lane]:
            # A new connection begins with the book as it is now, or was a moment ago.
            at[lane] = min(len(stream) - 1, max(0, max(at) + rng.randint(-5, 5)))
            began[lane] = at[lane]
            snapshot = {**stream[at[lane]], "type": "snapshot"}
            out += merging.offer(lane, snapshot, 0, 0)
            joined[lane] = True
        elif at[lane] < len(stream) - 1:
            at[lane] += 1
            out += merging.offer(lane, stream[at[lane]], 0, 0)
    numbers = updates(out)
    assert numbers == [message["data"]["u"] for message in stream]
    assert not merging.missed


def test_what_one_lane_has_brought_is_dropped_when_the_other_brings_it():
    merging = started()
    assert offer(merging, 0, book(11)) == [11]
    assert offer(merging, 1, book(11)) == []
    assert offer(merging, 1, book(12)) == [12]
    assert offer(merging, 0, book(12)) == []
    assert not merging.waiting


def test_a_lane_ahead_waits_for_the_one_that_brings_what_it_has_lost():
    merging = started()
    assert offer(merging, 0, book(12)) == []
    assert offer(merging, 0, book(13)) == []
    assert merging.waiting
    assert offer(merging, 1, book(11)) == [11, 12, 13]
    assert not merging.waiting


def test_what_nobody_brings_in_time_is_missing_for_good():
    merging = started()
    offer(merging, 0, book(12), now_ms=100)
    assert updates(merging.overdue(100 + HOLD_MS - 1)) == []
    assert not merging.missed
    assert updates(merging.overdue(100 + HOLD_MS)) == []
    assert merging.missed == "update 12 came after 10"
    merging.forget()
    assert not merging.missed
    assert offer(merging, 1, book(13)) == []
    assert offer(merging, 0, book(14, "snapshot")) == [14]
    assert offer(merging, 1, book(15)) == []
    assert offer(merging, 0, book(15)) == [15]
    assert offer(merging, 1, book(16)) == []
    assert offer(merging, 0, book(16)) == [16]


def test_what_every_lane_has_passed_is_missing_for_good_at_once():
    merging = started()
    assert offer(merging, 0, book(12)) == []
    assert not merging.missed
    assert offer(merging, 1, book(13)) == []
    assert merging.missed == "update 12 came after 10"


def test_a_snapshot_of_one_lane_makes_good_what_the_other_has_lost():
    merging = started()
    merging.lost(1, 0)
    assert offer(merging, 1, book(14, "snapshot")) == []
    assert offer(merging, 0, book(12)) == [14]
    assert not merging.missed
    assert offer(merging, 0, book(13)) == []
    assert offer(merging, 0, book(15)) == [15]


def test_a_gap_of_the_only_lane_is_known_at_once():
    merging = started(0)
    assert offer(merging, 0, book(12)) == []
    assert merging.missed
    merging = started()
    merging.lost(1, 0)
    assert offer(merging, 0, book(12)) == []
    assert merging.missed


def test_a_gap_is_known_at_once_when_the_lane_that_could_have_filled_it_is_lost():
    merging = started()
    offer(merging, 0, book(12))
    assert merging.lost(1, 0) == []
    assert merging.missed


@pytest.mark.parametrize("behind", [-3, 0])
def test_a_new_snapshot_that_is_not_ahead_is_not_published(behind):
    merging = started()
    for u in range(11, 20):
        offer(merging, 0, book(u))
    merging.lost(1, 0)
    assert offer(merging, 1, book(19 + behind, "snapshot")) == []
    for u in range(20 + behind, 20):
        assert offer(merging, 1, book(u)) == []
    assert offer(merging, 1, book(20)) == [20]
    assert offer(merging, 0, book(20)) == []


def test_a_new_snapshot_ahead_skips_nothing_that_the_other_lane_is_about_to_deliver():
    merging = started()
    merging.lost(1, 0)
    assert offer(merging, 1, book(13, "snapshot")) == []
    assert offer(merging, 1, book(14)) == []
    assert offer(merging, 0, book(11)) == [11]
    assert offer(merging, 0, book(12)) == [12]
    assert offer(merging, 0, book(13)) == [13, 14]
    assert offer(merging, 0, book(14)) == []
    assert offer(merging, 1, book(15)) == [15]


def test_a_new_snapshot_ahead_is_taken_when_the_other_lane_is_dead():
    merging = started()
    merging.lost(1, 0)
    offer(merging, 1, book(13, "snapshot"))
    offer(merging, 1, book(14))
    assert updates(merging.lost(0, 0)) == [13, 14]
    assert merging.carries(1)
    assert not merging.carries(0)


def test_a_new_snapshot_ahead_is_taken_when_the_other_lane_does_not_come_as_far_in_time():
    merging = started()
    merging.lost(1, 0)
    offer(merging, 1, book(13, "snapshot"), now_ms=0)
    assert updates(merging.overdue(HOLD_MS)) == [13]
    assert offer(merging, 0, book(11), now_ms=HOLD_MS) == []
    assert offer(merging, 1, book(14), now_ms=HOLD_MS) == [14]
    assert offer(merging, 0, book(14), now_ms=HOLD_MS) == []
    assert offer(merging, 0, book(15), now_ms=HOLD_MS) == [15]


def test_what_a_lost_lane_had_brought_still_fills_what_the_other_one_has_lost():
    merging = started()
    offer(merging, 0, book(12))
    assert merging.lost(0, 0) == []
    assert offer(merging, 1, book(11)) == [11, 12]
    assert offer(merging, 1, book(13)) == [13]


def test_what_a_lost_lane_had_brought_is_given_up_after_a_while():
    merging = started()
    offer(merging, 0, book(13))
    merging.lost(0, 0)
    assert merging.waiting
    assert merging.overdue(HOLD_MS) == []
    assert not merging.waiting
    assert not merging.missed
    assert offer(merging, 1, book(11)) == [11]


def test_a_book_without_any_lane_begins_anew():
    merging = started()
    offer(merging, 0, book(12))
    assert merging.lost(0, 0) == []
    assert not merging.lost(1, 0)
    assert not merging.waiting
    assert offer(merging, 0, book(13)) == []
    assert offer(merging, 0, book(9, "snapshot", seq=900)) == [9]


def test_a_book_of_which_the_only_lane_left_has_nothing_but_an_old_snapshot_is_given_up():
    merging = started(0, u=20)
    assert offer(merging, 1, book(15, "snapshot")) == []
    assert merging.carries(1)
    assert merging.lost(0, 0) == []
    assert not merging.carries(1)
    assert merging.missed


def test_a_restart_waits_until_every_lane_shows_it():
    merging = started()
    assert offer(merging, 0, book(1, "snapshot", seq=100)) == []
    assert offer(merging, 0, book(2, seq=101)) == []
    assert offer(merging, 1, book(11)) == [11]
    assert offer(merging, 1, book(1, "snapshot", seq=100)) == [1, 2]
    assert offer(merging, 1, book(2, seq=101)) == []
    assert offer(merging, 1, book(3, seq=102)) == [3]


def test_a_restart_is_taken_in_time_and_a_lane_of_before_brings_nothing_back():
    merging = started()
    offer(merging, 0, book(1, "snapshot", seq=100))
    assert updates(merging.overdue(HOLD_MS)) == [1]
    assert offer(merging, 0, book(2, seq=101)) == [2]
    for u in (11, 12, 3):
        assert offer(merging, 1, book(u, seq=50 + u)) == []
    assert offer(merging, 1, book(1, "snapshot", seq=100)) == []
    assert offer(merging, 1, book(2, seq=101)) == []
    assert offer(merging, 1, book(3, seq=102)) == [3]


def test_a_lane_that_has_lost_the_restart_itself_brings_nothing_before_it_shows_where_it_is():
    merging = started()
    assert offer(merging, 1, book(2, seq=101)) == []
    assert offer(merging, 0, book(11)) == [11]
    assert offer(merging, 0, book(1, "snapshot", seq=102)) == [1]
    assert offer(merging, 1, book(3, seq=101)) == []
    assert offer(merging, 0, book(2, seq=103)) == [2]
    assert offer(merging, 1, book(2, seq=103)) == []
    assert offer(merging, 1, book(3, seq=104)) == [3]


def test_a_lane_that_comes_back_after_a_restart_which_the_other_has_not_shown_yet():
    merging = started(u=5000)
    merging.lost(1, 0)
    assert offer(merging, 1, book(17, "snapshot", seq=90_000)) == []
    assert offer(merging, 0, book(5001)) == [5001]
    assert offer(merging, 1, book(18, seq=90_001)) == []
    assert offer(merging, 0, book(1, "snapshot", seq=89_000)) == [1]
    for u in range(2, 17):
        assert offer(merging, 0, book(u, seq=89_000 + u)) == [u]
    assert offer(merging, 0, book(17, seq=90_000)) == [17, 18]
    assert offer(merging, 0, book(18, seq=90_001)) == []


def test_repeated_and_swapped_messages_of_a_lane_do_no_harm():
    merging = started()
    assert offer(merging, 0, book(12)) == []
    assert offer(merging, 0, book(11)) == [11, 12]
    for u in (11, 12, 12):
        assert offer(merging, 0, book(u)) == []
    merging = started()
    restart = book(1, "snapshot", seq=100)
    assert offer(merging, 0, restart) == []
    assert offer(merging, 1, restart) == [1]
    assert offer(merging, 1, restart) == []
    assert offer(merging, 0, restart) == []


def test_a_topic_of_deltas_only_begins_with_any_of_them():
    merging = Updates(2, snapshot_first=False)
    assert offer(merging, 0, book(7)) == [7]
    assert offer(merging, 1, book(9)) == []
    assert offer(merging, 0, book(8)) == [8]
    assert offer(merging, 0, book(9)) == [9]
    assert offer(merging, 1, book(10)) == [10]
    assert merging.carries(0)
    assert merging.carries(1)


@pytest.mark.parametrize("data", [None, 5, {}, {"u": "a"}, {"u": None}, {"u": []}, []])
def test_a_message_without_an_update_id_is_refused(data):
    merging = started()
    with pytest.raises((LookupError, TypeError, AttributeError)):
        merging.offer(0, {"topic": "x", "type": "delta", "ts": 1, "data": data}, 0, 0)
    assert offer(merging, 0, book(11)) == [11]
