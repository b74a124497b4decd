import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.simulator.book import BUY, SELL, Book, BookOrder, SelfMatch


def resting(book, side, tick, lots, owner=0, ref=""):
    order = BookOrder(side, tick, lots, owner, ref)
    book.rest(order)
    return order


def matched(book, side, tick, lots, **how):
    fills = []
    taker = BookOrder(side, tick, lots, how.pop("owner", 0))
    goes_on = book.take(taker, fills.append, **how)
    return taker, [(fill.maker.ref, fill.tick, fill.lots) for fill in fills], goes_on


def test_the_better_price_fills_first_and_then_the_older_order():
    book = Book()
    resting(book, SELL, 101, 5, ref="older")
    resting(book, SELL, 101, 5, ref="younger")
    resting(book, SELL, 100, 5, ref="better")
    taker, fills, _ = matched(book, BUY, 101, 12)
    assert fills == [("better", 100, 5), ("older", 101, 5), ("younger", 101, 2)]
    assert taker.lots == 0
    assert book.asks.best() == 101
    assert book.asks.totals == {101: 3}


def test_an_order_takes_nothing_beyond_its_limit():
    book = Book()
    resting(book, BUY, 99, 5)
    resting(book, BUY, 97, 5)
    taker, fills, _ = matched(book, SELL, 98, 8)
    assert fills == [("", 99, 5)]
    assert taker.lots == 3
    assert book.bids.best() == 97


def test_a_smaller_size_keeps_the_place_in_the_queue():
    book = Book()
    first = resting(book, SELL, 100, 5, ref="first")
    resting(book, SELL, 100, 5, ref="second")
    book.shrink(first, 2)
    assert matched(book, BUY, 100, 4)[1] == [("first", 100, 3), ("second", 100, 1)]


def test_a_cancelled_order_leaves_no_empty_level():
    book = Book()
    order = resting(book, BUY, 99, 5)
    book.cancel(order)
    book.cancel(order)
    assert book.bids.keys == []
    assert book.bids.totals == {}
    assert book.bids.queues == {}


def test_an_order_that_crosses_cannot_rest():
    book = Book()
    resting(book, SELL, 100, 5)
    with pytest.raises(ValueError, match="cannot rest"):
        book.rest(BookOrder(BUY, 100, 1))


def test_lots_for_value_spends_no_more_than_the_value():
    book = Book()
    resting(book, SELL, 100, 3)
    resting(book, SELL, 200, 3)
    assert book.lots_for_value(BUY, 300, 1, 299) == 2
    assert book.lots_for_value(BUY, 300, 1, 300) == 3
    assert book.lots_for_value(BUY, 300, 1, 799) == 5
    assert book.lots_for_value(BUY, 150, 1, 10_000) == 3


@pytest.mark.parametrize(
    ("policy", "fills", "goes_on", "left", "gone"),
    [
        (SelfMatch.NONE, [("mine", 100, 5), ("other", 100, 1)], True, 0, []),
        (SelfMatch.CANCEL_MAKER, [("other", 100, 5)], True, 1, ["mine"]),
        (SelfMatch.CANCEL_TAKER, [], False, 6, ["mine"]),
        (SelfMatch.CANCEL_BOTH, [], False, 6, ["mine"]),
    ],
)
def test_self_match_prevention_cancels_the_side_that_its_name_says(
    policy, fills, goes_on, left, gone
):
    book = Book()
    resting(book, SELL, 100, 5, owner=7, ref="mine")
    resting(book, SELL, 100, 5, owner=8, ref="other")
    met = []
    taker, got, on = matched(
        book, BUY, 100, 6, owner=7, policy=policy, on_self_match=lambda o: met.append(o.ref)
    )
    assert (got, on, taker.lots, met) == (fills, goes_on, left, gone)
    kept = policy in (SelfMatch.CANCEL_TAKER,)
    assert (
        book.asks.totals.get(100, 0)
        == {
            SelfMatch.NONE: 4,
            SelfMatch.CANCEL_MAKER: 0,
            SelfMatch.CANCEL_TAKER: 10,
            SelfMatch.CANCEL_BOTH: 5,
        }[policy]
    )
    assert kept == any(o.ref == "mine" for q in book.asks.queues.values() for o in q.values())


def test_fillable_counts_what_a_fill_or_kill_order_would_get():
    book = Book()
    resting(book, SELL, 100, 5, owner=7)
    resting(book, SELL, 101, 5, owner=8)
    assert book.fillable(BUY, 101, 20, 7, SelfMatch.NONE) == 10
    assert book.fillable(BUY, 101, 20, 7, SelfMatch.CANCEL_MAKER) == 5
    assert book.fillable(BUY, 101, 20, 7, SelfMatch.CANCEL_TAKER) == 0
    assert book.fillable(BUY, 100, 3, 9, SelfMatch.NONE) == 3


actions = st.lists(
    st.tuples(
        st.sampled_from(["limit", "cancel", "shrink"]),
        st.sampled_from([BUY, SELL]),
        st.integers(1, 12),
        st.integers(1, 9),
        st.integers(0, 30),
    ),
    max_size=80,
)


@given(actions)
def test_random_flow_never_crosses_the_book_and_loses_no_lot(flow):
    book = Book()
    alive = []
    entered = filled = withdrawn = 0

    def on_fill(fill):
        nonlocal filled
        filled += 2 * fill.lots

    for action, side, tick, lots, which in flow:
        if action == "limit":
            order = BookOrder(side, tick, lots)
            entered += lots
            book.take(order, on_fill)
            if order.lots:
                book.rest(order)
                alive.append(order)
        else:
            alive = [order for order in alive if order.number]
            if not alive:
                continue
            order = alive[which % len(alive)]
            off = order.lots if action == "cancel" else min(lots, order.lots)
            withdrawn += off
            (book.cancel if action == "cancel" else lambda o, n=off: book.shrink(o, n))(order)
        bid, ask = book.bids.best(), book.asks.best()
        assert bid is None or ask is None or bid < ask
        for half in (book.bids, book.asks):
            assert half.keys == sorted(half.totals)
            for key, queue in half.queues.items():
                assert half.totals[key] == sum(order.lots for order in queue.values()) > 0
                assert list(queue) == sorted(queue)
    left = sum(book.bids.totals.values()) + sum(book.asks.totals.values())
    assert entered == filled + withdrawn + left
