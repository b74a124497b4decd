"""Copies of events: each row or message once, however it comes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bybitd.public_feed.merging.rows import KEPT_MS, MOST_KEPT, Messages, Rows, trade_id
from tests.public_feed.merging.stream import interleaved, lossy_copies, seeded


def trades(*ids, ts=1000, symbol="BTCUSDT"):
    rows = [{"s": symbol, "i": str(number), "p": "1"} for number in ids]
    return {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": ts, "data": rows}


def offer(merging, lane, message):
    return [row["i"] for each in merging.offer(lane, message, 0, 0) for row in each.message["data"]]


def cut(rng, rows, loss):
    """The rows in messages of any size, parts missing where told."""
    at, messages = 0, []
    while at < len(rows):
        size = rng.randint(1, 5)
        messages.append(trades(*rows[at : at + size], ts=1000 + at))
        at += size
    return [message for message in messages if rng.random() >= loss]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_two_copies_give_each_row_once_in_order_even_where_they_are_cut_differently(seed):
    rng = seeded(seed)
    ids = list(range(80))
    merging, out = Rows(trade_id), []
    for lane, message in interleaved(rng, [cut(rng, ids, 0), cut(rng, ids, 0)]):
        out += offer(merging, lane, message)
    assert out == [str(number) for number in ids]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_lossy_copies_give_every_row_that_came_once(seed):
    rng = seeded(seed)
    stream = [trades(2 * n, 2 * n + 1, ts=1000 + n) for n in range(40)]
    merging, out = Rows(trade_id), []
    for lane, message in interleaved(rng, lossy_copies(rng, stream)):
        out += offer(merging, lane, message)
    assert sorted(map(int, out)) == list(range(80))


def test_only_the_new_rows_of_a_message_go_out_and_the_message_itself_is_left_as_it_was():
    merging = Rows(trade_id)
    assert offer(merging, 0, trades(1, 2)) == ["1", "2"]
    mixed = trades(2, 3)
    assert offer(merging, 1, mixed) == ["3"]
    assert len(mixed["data"]) == 2
    assert offer(merging, 0, trades(1, symbol="BTC-26DEC26-100000-C")) == ["1"]


def test_the_memory_is_bounded_and_what_is_older_than_it_is_dropped_and_not_doubled():
    merging = Rows(trade_id)
    first = trades(-1, ts=999)
    assert offer(merging, 0, first) == ["-1"]
    for number in range(3 * MOST_KEPT):
        assert offer(merging, 0, trades(number, ts=1000 + number)) == [str(number)]
    assert offer(merging, 1, first) == []
    assert offer(merging, 1, trades(3 * MOST_KEPT - 5, ts=1000)) == []
    kept = len(merging._seen._now) + len(merging._seen._before)
    assert kept <= 2 * MOST_KEPT


def test_a_quiet_topic_forgets_by_time():
    merging = Rows(trade_id)
    for number in range(10):
        ts = 1_000_000 + number * (KEPT_MS + 1)
        assert offer(merging, 0, trades(number, ts=ts)) == [str(number)]
        assert offer(merging, 1, trades(number, ts=ts)) == []
    assert len(merging._seen._now) + len(merging._seen._before) <= 3


def test_rows_without_ids_are_told_by_their_message():
    merging = Messages()
    one = {"topic": "allLiquidation.X", "ts": 5, "data": [{"T": 4, "s": "X", "v": "1", "p": "2"}]}
    assert len(merging.offer(0, one, 7, 0)) == 1
    assert merging.offer(1, {**one}, 8, 0) == ()
    assert len(merging.offer(1, {**one, "ts": 6}, 9, 0)) == 1
    assert merging.carries(0)
    assert merging.carries(1)
    merging.lost(0, 0)
    assert not merging.carries(0)
