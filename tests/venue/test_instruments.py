from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.venue.errors import BadField, InstrumentError
from bybitd.venue.instruments import Instrument, parse
from tests.payloads import envelope

OP = "order.create"


def row(category: str) -> dict[str, Any]:
    found: dict[str, Any] = envelope(f"http_instruments-info.{category}")["result"]["list"][0]
    return found


def instrument(category: str) -> Instrument:
    return parse(category, row(category))


def test_a_perpetual_has_its_steps_bounds_and_minima() -> None:
    found = instrument("linear")
    assert (found.tick, found.qty_step) == (Decimal("0.010"), Decimal("0.1"))
    assert (found.min_price, found.max_price) == (Decimal("0.010"), Decimal("19999.980"))
    assert (found.min_qty, found.min_notional) == (Decimal("0.1"), Decimal(5))
    assert (found.max_limit_qty, found.max_market_qty) == (Decimal("80000.0"), Decimal("9000.0"))
    assert (found.settle_coin, found.contract_type) == ("USDT", "LinearPerpetual")
    assert (found.delivery_ms, found.funding_interval_min) == (0, 480)
    assert found.trades


def test_spot_counts_in_its_base_precision_and_has_a_minimum_amount_only() -> None:
    found = instrument("spot")
    assert (found.qty_step, found.quote_step) == (Decimal("0.001"), Decimal("0.00001"))
    assert found.min_qty is None
    assert found.min_notional == 5
    assert (found.max_limit_qty, found.max_market_qty) == (Decimal(15000), Decimal(7500))


def test_an_option_has_one_maximum_for_both_order_types_and_a_delivery() -> None:
    found = instrument("option")
    assert found.max_limit_qty == found.max_market_qty == 5000
    assert found.min_notional is None
    assert found.delivery_ms == 1798185600000


@pytest.mark.parametrize(
    ("price", "says"),
    [
        ("141.225", "no multiple of the tick 0.010 of SOLUSDT; try 141.220 or 141.230"),
        ("0.005", "below the lowest price of SOLUSDT, 0.010"),
        ("20000", "above the highest price of SOLUSDT, 19999.980"),
    ],
)
def test_a_price_off_the_tick_or_the_bounds_is_refused_with_the_nearest(
    price: str, says: str
) -> None:
    with pytest.raises(BadField, match=says) as caught:
        instrument("linear").check_price(OP, "price", Decimal(price))
    assert caught.value.field == "price"


@pytest.mark.parametrize(
    ("qty", "market", "says"),
    [
        ("0.05", False, "below the minimum of SOLUSDT, 0.1"),
        ("1.55", False, "no multiple of the step 0.1 of SOLUSDT; try 1.5 or 1.6"),
        ("80000.1", False, "above the maximum of a Limit order, 80000.0"),
        ("9000.1", True, "above the maximum of a Market order, 9000.0"),
    ],
)
def test_a_quantity_off_the_step_or_the_bounds_is_refused(
    qty: str, market: bool, says: str
) -> None:
    with pytest.raises(BadField, match=says):
        instrument("linear").check_qty(OP, "qty", Decimal(qty), market=market)


def test_an_order_worth_too_little_is_refused() -> None:
    with pytest.raises(BadField, match=r"of 4\.99 USDT; SOLUSDT needs 5 at least"):
        instrument("linear").check_notional(OP, "qty", Decimal("4.99"))
    with pytest.raises(BadField, match=r"no multiple of the step 0\.00001"):
        instrument("spot").check_amount(OP, "qty", Decimal("10.000001"))
    instrument("spot").check_amount(OP, "qty", Decimal("10.00001"))


@given(st.integers(1, 1_999_998))
def test_every_multiple_of_the_tick_is_a_price(ticks: int) -> None:
    found = instrument("linear")
    found.check_price(OP, "price", found.tick * ticks)
    with pytest.raises(BadField):
        found.check_price(OP, "price", found.tick * ticks + Decimal("0.001"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"symbol": None}, "no symbol"),
        ({"priceFilter": {}}, "tickSize is missing"),
        ({"priceFilter": {"tickSize": "abc"}}, "no usable row"),
        ({"priceFilter": {"tickSize": "0"}}, "its tick is 0"),
        ({"priceFilter": {"tickSize": "NaN"}}, "its tick is NaN"),
        ({"lotSizeFilter": {}}, "qtyStep is missing"),
        ({"lotSizeFilter": None}, "no usable row"),
        ({"deliveryTime": "soon"}, "no usable row"),
    ],
)
def test_a_row_that_lacks_what_it_must_have_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InstrumentError, match=says):
        parse("linear", row("linear") | change)
