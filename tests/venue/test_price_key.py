from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.venue.price_key import MoreDecimals, PriceKeys, decimals, price_key

prices = st.decimals(
    min_value=Decimal(-(10**9)), max_value=Decimal(10**9), places=8, allow_nan=False
)


@given(prices, prices)
def test_keys_stand_in_the_same_order_as_their_prices(one: Decimal, other: Decimal) -> None:
    key_one, key_other = (price_key(f"{price:f}", 8) for price in (one, other))
    assert (key_one < key_other) == (one < other)
    assert (key_one == key_other) == (one == other)


def test_a_price_has_one_key_however_it_is_written() -> None:
    assert price_key("27580", 4) == price_key("27580.0000", 4) == price_key("27580.0", 4)
    assert price_key("-0.5", 2) == -50


def test_a_price_with_more_decimals_than_the_scale_is_never_rounded() -> None:
    with pytest.raises(MoreDecimals) as caught:
        price_key("0.125", 2)
    assert caught.value.decimals == 3


@pytest.mark.parametrize(
    "text", ["", "abc", "1e5", "nan", "Infinity", "1_000", " 1", "1 ", "+1", "1.", ".5", "٣", "1\n"]
)
def test_what_is_no_plain_decimal_is_no_price(text: str) -> None:
    with pytest.raises(ValueError, match="is no price"):
        decimals(text)


def test_the_memo_is_right_and_forgets_before_it_grows_too_large() -> None:
    keys = PriceKeys(sign=-1, limit=10)
    for number in range(100):
        assert keys[str(number)] == -number
        assert len(keys) <= 10
    keys.rescale(1)
    assert keys["5"] == -50
