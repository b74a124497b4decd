from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.simulator import catalogue
from bybitd.simulator.positions import Position, apply_fill, profit, value

LISTED = {(it.category, it.symbol): it for it in catalogue.build(1_753_000_000_000)}
LINEAR = LISTED["linear", "BTCUSDT"]
INVERSE = LISTED["inverse", "BTCUSD"]


def position(it):
    return Position(category=it.category, symbol=it.symbol, idx=0)


def fill(pos, it, size, price):
    return apply_fill(pos, it, Decimal(size), Decimal(price))


def test_adding_to_a_linear_position_averages_by_size():
    pos = position(LINEAR)
    fill(pos, LINEAR, "1", "100")
    fill(pos, LINEAR, "3", "200")
    assert (pos.size, pos.average) == (4, 175)


def test_an_inverse_average_is_harmonic():
    pos = position(INVERSE)
    fill(pos, INVERSE, "100", "100")
    fill(pos, INVERSE, "100", "300")
    assert pos.average == 150


def test_reducing_realises_profit_and_keeps_the_average():
    pos = position(LINEAR)
    fill(pos, LINEAR, "-2", "100")
    change = fill(pos, LINEAR, "0.5", "90")
    assert (change.closed, change.profit) == (Decimal("0.5"), 5)
    assert (pos.size, pos.average, pos.realised) == (Decimal("-1.5"), 100, 5)


def test_a_fill_beyond_the_position_turns_it():
    pos = position(LINEAR)
    fill(pos, LINEAR, "1", "100")
    change = fill(pos, LINEAR, "-3", "110")
    assert (change.closed, change.profit) == (1, 10)
    assert (pos.side, pos.size, pos.average) == ("Sell", -2, 110)
    assert pos.realised == 10


def test_a_closed_position_is_flat_and_has_no_average():
    pos = position(LINEAR)
    fill(pos, LINEAR, "1", "100")
    fill(pos, LINEAR, "-1", "110")
    assert (pos.side, pos.size, pos.average, pos.realised_ever) == ("", 0, 0, 10)


fills = st.lists(
    st.tuples(st.integers(-50, 50).filter(bool), st.integers(50_000, 150_000)), max_size=30
)


@pytest.mark.parametrize("it", [LINEAR, INVERSE], ids=["linear", "inverse"])
@given(flow=fills)
def test_profit_is_what_the_cash_flows_say(it, flow):
    pos = position(it)
    realised = cash = size = Decimal(0)
    for lots, price in flow:
        realised += fill(pos, it, lots, price).profit
        size += lots
        cash += lots / Decimal(price) if it.inverse else -lots * Decimal(price)
    assert pos.size == size == (pos.size if size else 0)
    mark = Decimal(100_000)
    closing = -size / mark if it.inverse else size * mark
    total = realised + profit(it, pos.size, pos.average, mark)
    # The average price is kept with eight decimals, so a few units of the last place may differ.
    assert abs(total - (cash + closing)) <= Decimal("0.0001")
    assert value(it, pos.size, mark) >= 0
