from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bybitd.simulator.book import BUY, SELL, Book, BookOrder
from bybitd.simulator.depth import DepthView, levels
from bybitd.simulator.instruments import Grid

PRICE, SIZE = Grid(Decimal("0.10"), trim=False), Grid(Decimal("0.001"), trim=False)


def test_a_level_that_leaves_the_window_is_deleted_and_the_next_one_enters():
    book = Book()
    for tick in (100, 101, 102):
        book.rest(BookOrder(SELL, tick, 1))
    view = DepthView(book, 2, 10)
    view.refresh(1, 1)
    assert view.u == 11
    book.rest(BookOrder(SELL, 99, 7))
    assert view.refresh(2, 2) == ({}, {99: 7, 101: 0})
    book.take(BookOrder(BUY, 99, 7), lambda fill: None)
    assert view.refresh(3, 3) == ({}, {99: 0, 101: 1})
    assert view.u == 13


def test_a_change_outside_the_window_is_no_update():
    book = Book()
    book.rest(BookOrder(BUY, 100, 1))
    view = DepthView(book, 1, 10)
    view.refresh(1, 1)
    book.rest(BookOrder(BUY, 90, 1))
    assert view.behind
    assert view.refresh(2, 2) is None
    assert (view.u, view.behind) == (11, False)


def test_levels_are_written_best_first():
    assert levels({-100: 5, -101: 0}, PRICE, SIZE) == [["10.10", "0"], ["10.00", "0.005"]]


flow = st.lists(
    st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 25), st.integers(1, 9), st.booleans()),
    max_size=60,
)


@given(flow, st.integers(1, 6))
def test_changes_applied_to_the_first_window_always_give_the_next_one(orders, depth):
    book, held = Book(), ({}, {})
    view = DepthView(book, depth, 0)
    u = 0
    for side, tick, lots, look in orders:
        order = BookOrder(side, tick, lots)
        book.take(order, lambda fill: None)
        if order.lots:
            book.rest(order)
        if not look:
            continue
        changes = view.refresh(0, 0)
        if changes is not None:
            u += 1
            for side_held, changed in zip(held, changes, strict=True):
                side_held.update(changed)
                for key in [key for key, there in side_held.items() if there == 0]:
                    del side_held[key]
        assert view.u == u
        assert held == (book.bids.window(depth), book.asks.window(depth))
