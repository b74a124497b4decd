import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.simulator import catalogue
from bybitd.simulator.fair_value import FairValue

NOW = 1_753_000_000_000
LISTED = {(it.category, it.symbol): it for it in catalogue.build(NOW)}
USD = catalogue.usd_prices(tuple(LISTED.values()))
moments = st.integers(NOW, NOW + 10**9)


@given(moments)
def test_prices_stay_near_where_they_began(at):
    fair = FairValue(1, USD)
    assert abs(fair.index("BTC", at) / USD["BTC"] - 1) < 0.03
    assert fair.index("USDT", at) == 1.0


@given(moments)
def test_a_second_moves_a_price_by_a_few_ticks_at_most(at):
    fair = FairValue(1, USD)
    assert abs(fair.index("BTC", at + 1000) - fair.index("BTC", at)) < 3.0


@given(moments)
def test_calls_and_puts_keep_their_parity(at):
    fair = FairValue(3, USD)
    for it in LISTED.values():
        if it.category == "option" and it.call and it.base == "ETH" and it.settle == "USDT":
            put = LISTED["option", it.symbol.replace("-C-", "-P-")]
            call_value, put_value = fair.option(it, at), fair.option(put, at)
            forward = call_value.underlying - float(it.strike)
            assert call_value.price - put_value.price == pytest.approx(forward, abs=1e-6)
            assert call_value.delta - put_value.delta == pytest.approx(1.0)
            assert call_value.gamma == pytest.approx(put_value.gamma)
            assert call_value.gamma >= 0 >= call_value.theta


def test_the_path_is_the_same_after_a_restart():
    one, two = FairValue(5, USD), FairValue(5, USD)
    one.index("BTC", NOW)
    assert one.index("BTC", NOW + 12_345) == two.index("BTC", NOW + 12_345)
    assert one.index("BTC", NOW) != FairValue(6, USD).index("BTC", NOW)


def test_only_dated_contracts_carry_a_basis():
    fair = FairValue(1, USD)
    dated = next(it for it in LISTED.values() if it.contract == "LinearFutures")
    assert fair.mark(dated, NOW) > fair.index(dated.reference, NOW)
    assert fair.mark(LISTED["spot", "BTCUSDT"], NOW) == fair.index("BTC", NOW)


def test_funding_rates_keep_to_an_interval():
    fair = FairValue(1, USD)
    it = LISTED["linear", "BTCUSDT"]
    start = NOW // 28_800_000 * 28_800_000
    assert fair.funding_rate(it, start) == fair.funding_rate(it, start + 28_799_999)
    assert fair.funding_rate(it, start) != fair.funding_rate(it, start + 28_800_000)
