"""Copies of tickers and the like: every change once, none late, and none missing unnoticed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bybitd.public_feed.merging.records import Records
from bybitd.venue.tickers import TickerRecord
from tests.public_feed.merging.stream import interleaved, lossy_copies, seeded


def ticker(cs, kind="delta", ts=None, **fields):
    data = {"symbol": "BTCUSDT", **fields}
    ts = 1000 + cs if ts is None else ts
    return {"topic": "tickers.BTCUSDT", "type": kind, "cs": cs, "ts": ts, "data": data}


def offer(merging, lane, message):
    return [each.message["cs"] for each in merging.offer(lane, message, 0, 0)]


def ticker_stream(rng, length):
    """Deltas of a few fields, some at once (equal `cs`), after a snapshot of all of them."""
    stream, cs, ts = [ticker(5, "snapshot", a=0, b=0, c=0)], 5, 1005
    for number in range(1, length):
        cs, ts = cs + rng.randint(0, 3), ts + rng.randint(1, 100)
        stream.append(ticker(cs, ts=ts, **{rng.choice("abc"): number}))
    return stream


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_two_copies_at_any_distance_are_the_original_stream(seed):
    rng = seeded(seed)
    stream = ticker_stream(rng, 50)
    merging, out = Records(snapshot_first=True), []
    for lane, message in interleaved(rng, [stream, stream]):
        out += [each.message for each in merging.offer(lane, message, 0, 0)]
    assert out == stream
    assert not merging.missed


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_what_a_lane_in_front_has_lost_is_noticed_and_a_snapshot_makes_it_good(seed):
    rng = seeded(seed)
    stream = [ticker(5, "snapshot", a=0, b=0, c=0)]
    stream += [ticker(5 + n, **{rng.choice("abc"): n}) for n in range(1, 50)]
    merging, record, noticed = Records(snapshot_first=True), TickerRecord("tickers.BTCUSDT"), False
    copies = lossy_copies(rng, stream[1:])
    seen = [merging.offer(0, stream[0], 0, 0)]
    for lane, message in interleaved(rng, copies):
        seen.append(merging.offer(lane, message, 0, 0))
        noticed = noticed or bool(merging.missed)
    for each in (each for some in seen for each in some):
        record.apply(each.message)
    truth = {"symbol": "BTCUSDT"}
    for message in stream:
        truth |= message["data"]
    assert noticed or record.data == truth
    merging.forget()
    assert offer(merging, 0, ticker(99, "snapshot", **truth)) == [99]
    assert offer(merging, 1, stream[-1]) == []
    assert not merging.missed


def test_a_snapshot_of_a_lane_that_came_back_counts_only_where_it_is_newer():
    merging = Records(snapshot_first=True)
    offer(merging, 0, ticker(5, "snapshot"))
    assert offer(merging, 0, ticker(6)) == [6]
    assert offer(merging, 1, ticker(5, "snapshot")) == []
    assert offer(merging, 1, ticker(6)) == []
    merging.lost(1, 0)
    assert offer(merging, 1, ticker(9, "snapshot")) == [9]
    assert [offer(merging, 0, ticker(cs)) for cs in (7, 8, 9, 10)] == [[], [], [], [10]]
    assert not merging.missed


def test_topics_whose_every_message_is_whole_need_no_cross_sequence():
    merging = Records(snapshot_first=False)
    limits = [{"topic": "priceLimit.BTCUSDT", "ts": ts, "data": {"buyLmt": ts}} for ts in (1, 2, 3)]
    assert not merging.carries(1)
    merging.confirmed(1)
    assert merging.carries(1)
    out = [merging.offer(lane, limits[n], 0, 0) for lane, n in ((0, 0), (1, 1), (0, 1), (1, 0))]
    assert [len(each) for each in out] == [1, 1, 0, 0]


def test_a_delta_before_any_snapshot_is_dropped_and_proves_nothing():
    merging = Records(snapshot_first=True)
    assert offer(merging, 0, ticker(5)) == []
    merging.confirmed(0)
    assert not merging.carries(0)
    offer(merging, 0, ticker(6, "snapshot"))
    assert merging.carries(0)
    merging.lost(0, 0)
    assert offer(merging, 1, ticker(3, "snapshot")) == [3]
