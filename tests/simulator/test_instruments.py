from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.simulator.instruments import Grid, decimals, plain


@pytest.mark.parametrize(
    ("value", "text"),
    [("27580.00", "27580"), ("1E+3", "1000"), ("0.0", "0"), ("-0.0", "0"), ("0.0710", "0.071")],
)
def test_plain_writes_no_exponent_and_no_trailing_zero(value, text):
    assert plain(Decimal(value)) == text


def test_contracts_show_fixed_decimals_and_spot_trims_them():
    assert Grid(Decimal("0.10"), trim=False).text(273000) == "27300.00"
    assert Grid(Decimal("0.01"), trim=True).text(2758000) == "27580"
    assert decimals(Decimal("0.10")) == 2


@given(st.sampled_from(["0.10", "0.5", "5", "0.000001"]), st.integers(0, 10**9), st.booleans())
def test_a_text_reads_back_to_the_same_steps(unit, steps, trim):
    grid = Grid(Decimal(unit), trim=trim)
    assert grid.steps(Decimal(grid.text(steps))) == steps


def test_a_value_between_two_steps_has_no_steps():
    grid = Grid(Decimal("0.5"), trim=False)
    assert grid.steps(Decimal("10.25")) is None
    assert grid.floor(Decimal("10.25")) == 20


@given(st.integers(-(10**6), 10**6))
def test_prices_below_zero_are_counted_from_their_lowest(ticks):
    grid = Grid(Decimal("0.01"), trim=True, zero=10**6)
    value = Decimal(ticks) / 100
    steps = grid.steps(value)
    assert steps == grid.floor(value) == grid.nearest(float(value)) == ticks + 10**6
    assert (grid.decimal(steps), Decimal(grid.text(steps))) == (value, value)
