import itertools

import pytest

from bybitd.simulator import catalogue
from bybitd.simulator.book import BUY, SELL, BookOrder
from bybitd.simulator.fair_value import FairValue
from bybitd.simulator.ids import Identifiers
from bybitd.simulator.markets import Markets

NOW = 1_753_000_000_000
LISTED = catalogue.build(NOW)


def market(category="linear", symbol="BTCUSDT", *, seed=1, rate=50.0, heard=None):
    markets = Markets(
        LISTED,
        FairValue(seed, catalogue.usd_prices(LISTED)),
        Identifiers(seed, 1, NOW),
        seed=seed,
        rate_per_s=rate,
        start_ms=NOW,
        on_user_fill=lambda market, fill, trade: heard.append((fill, trade)),
    )
    return markets.find(category, symbol)


def shape(made):
    return (
        made.book.bids.totals,
        made.book.asks.totals,
        [(t.at_ms, t.side, t.tick, t.lots, t.direction) for t in made.tape],
    )


def test_the_same_seed_and_times_make_the_same_market():
    one, two, other = market(), market(), market(seed=2)
    for made in (one, two, other):
        made.advance(NOW)
        made.advance(NOW + 4_000)
    assert shape(one) == shape(two)
    assert shape(one) != shape(other)
    assert one.tape


def test_the_size_of_the_steps_does_not_matter():
    coarse, fine = market(), market()
    coarse.advance(NOW)
    coarse.advance(NOW + 3_000)
    for at in range(NOW, NOW + 3_001, 7):
        fine.advance(at)
    fine.advance(NOW + 3_000)
    assert shape(coarse) == shape(fine)


@pytest.mark.parametrize(
    ("category", "symbol", "levels"),
    [
        ("linear", "BTCUSDT", 200),
        ("linear", "DOGEUSDT", 200),
        ("spot", "ETHUSDT", 200),
        ("inverse", "BTCUSD", 200),
        ("option", next(it.symbol for it in LISTED if it.category == "option"), 25),
    ],
)
def test_books_stay_deep_and_uncrossed_and_trade_near_the_fair_price(category, symbol, levels):
    made = market(category, symbol, rate=400.0)
    for step in range(60):
        at = NOW + step * 250
        made.advance(at)
        book = made.book
        assert book.bids.best() < book.asks.best()
        assert len(book.bids.keys) >= levels
        assert len(book.asks.keys) >= levels
        fair = made.fair_tick(at)
        assert abs(book.bids.best() - fair) < max(12, 0.001 * fair)
        assert abs(book.asks.best() - fair) < max(12, 0.001 * fair)
    assert len(made.tape) > 20


def test_a_user_order_at_the_touch_is_hit_by_synthetic_flow():
    heard = []
    made = market(rate=100.0, heard=heard)
    made.advance(NOW)
    bid = BookOrder(BUY, made.book.asks.best() - 1, 3, owner=7, ref="mine")
    made.rest(bid)
    made.advance(NOW + 3_000)
    assert heard
    assert sum(fill.lots for fill, _ in heard) + bid.lots == 3
    assert all(fill.maker is bid and trade.side == SELL for fill, trade in heard)


def test_a_market_that_was_left_alone_for_long_is_quoted_afresh_round_user_orders():
    made = market(rate=20.0, heard=[])
    made.advance(NOW)
    bid = BookOrder(BUY, made.book.bids.best() - 200, 3, owner=7)
    made.rest(bid)
    before = made.book.version
    made.advance(NOW + 3_600_000)
    assert made.book.version - before < 2_000  # quoted once, not an hour of events replayed
    assert made.book.bids.best() < made.book.asks.best()
    assert abs(made.book.asks.best() - made.fair_tick(NOW + 3_600_000)) < 30 or bid.number


def test_a_time_that_has_been_is_left_alone():
    made = market()
    made.advance(NOW + 1_000)
    before = shape(made)
    made.advance(NOW + 400)
    assert shape(made) == before


def test_tick_directions_follow_the_prices():
    made = market(rate=300.0)
    made.advance(NOW)
    made.advance(NOW + 3_000)
    trades = list(made.tape)
    for before, after in itertools.pairwise(trades):
        if after.tick == before.tick:
            assert after.direction == "Zero" + before.direction.removeprefix("Zero")
        else:
            assert after.direction == ("PlusTick" if after.tick > before.tick else "MinusTick")


def test_trade_ids_have_the_shape_of_their_category():
    spot, linear = market("spot"), market()
    for made in (spot, linear):
        made.advance(NOW)
        made.advance(NOW + 3_000)
    assert all(len(trade.id) == 19 and trade.id.isdigit() for trade in spot.tape)
    assert all(len(trade.id) == 36 and trade.id.count("-") == 4 for trade in linear.tape)
    ids = [trade.id for trade in linear.tape]
    assert len(set(ids)) == len(ids)


def test_a_sleeping_market_has_a_touch_without_a_book():
    made = market()
    bid, _, ask, _ = made.touch(NOW)
    assert bid < made.fair_tick(NOW) < ask
    assert made.book.version == 0
