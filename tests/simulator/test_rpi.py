from hypothesis import given
from hypothesis import strategies as st

from bybitd.simulator.book import BUY, SELL, Book, BookOrder
from bybitd.simulator.rpi import RpiQuotes

ticks = st.sets(st.integers(1, 400), min_size=1, max_size=120)


def book_of(bids, asks):
    book = Book()
    for tick in bids:
        book.rest(BookOrder(BUY, tick, tick % 7 + 1))
    for tick in asks:
        book.rest(BookOrder(SELL, tick + 400, tick % 5 + 1))
    return book


@given(ticks, ticks, st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_rpi_quotes_stand_beside_the_book_and_never_cross_it(bids, asks, salt, depth):
    book = book_of(bids, asks)
    quotes = RpiQuotes(salt, 50)
    for half in (book.bids, book.asks):
        window = quotes.window(half, depth)
        assert list(window) == sorted(window)
        assert len(window) <= depth
        assert window == quotes.window(half, depth)
        assert all(lots or rpi for lots, rpi in window.values())
        assert all(0 < half.side * -key < 1_000 for key in window)
        assert {key: lots for key, (lots, _) in window.items() if lots} == {
            key: half.totals[key] for key in half.keys if key <= max(window) and key in window
        }
        assert next(iter(window)) == half.keys[0]


def test_some_levels_hold_rpi_quantity_and_some_nothing_else():
    book = book_of(range(1, 400, 3), range(1, 400, 3))
    levels = RpiQuotes(12345, 50).window(book.bids, 150).values()
    assert any(lots and rpi for lots, rpi in levels)
    assert any(lots and not rpi for lots, rpi in levels)
    assert any(rpi and not lots for lots, rpi in levels)
