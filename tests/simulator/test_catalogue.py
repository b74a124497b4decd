import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.simulator import catalogue

NOW = 1_753_000_000_000


def by_category(now=NOW, counts=None):
    listed = {}
    for it in catalogue.build(now, counts):
        listed.setdefault(it.category, {})[it.symbol] = it
    return listed


def test_every_category_lists_what_a_newcomer_looks_for():
    listed = by_category()
    assert {"BTCUSDT", "ETHUSDT", "SOLUSDT"} <= set(listed["spot"])
    assert {"BTCUSDT", "XRPUSDT", "DOGEUSDT", "BTCPERP"} <= set(listed["linear"])
    assert {"BTCUSD", "ETHUSD"} <= set(listed["inverse"])
    assert listed["linear"]["BTCPERP"].settle == "USDC"
    assert {it.settle for it in listed["option"].values()} == {"USDT", "USDC"}
    assert {it.base for it in listed["option"].values()} == {"BTC", "ETH"}


@given(st.integers(1_600_000_000_000, 2_500_000_000_000))
def test_dated_names_follow_from_the_time_and_lie_ahead(now):
    listed = by_category(now)
    for symbol, it in listed["option"].items():
        _, day, strike, kind = symbol.removesuffix("-USDT").split("-")
        expiry = datetime.fromtimestamp(it.delivery_ms / 1000, UTC)
        assert day == f"{expiry.day}{expiry:%b%y}".upper()
        assert expiry.weekday() == 4
        assert expiry.hour == 8
        assert it.delivery_ms >= now + 3 * 86_400_000 - 1000
        assert (strike, kind) == (str(it.strike), "C" if it.call else "P")
        assert symbol.endswith("-USDT") == (it.settle == "USDT")
    assert len({it.delivery_ms for it in listed["option"].values()}) == 3
    dated = [s for s, it in listed["linear"].items() if it.contract == "LinearFutures"]
    assert sorted(re.sub(r"\d\d[A-Z]{3}\d\d$", "*", s) for s in dated) == [
        "BTC-*",
        "BTCUSDT-*",
        "ETHUSDT-*",
    ]
    assert any(re.fullmatch(r"BTCUSD[HMUZ]\d\d", s) for s in listed["inverse"])


def test_linear_can_be_filled_up_to_hundreds_of_symbols():
    listed = by_category(counts={"linear": 400, "option": 6, "spot": 2})
    assert len(listed["linear"]) == 400
    assert len(listed["option"]) == 6
    assert list(listed["spot"]) == ["BTCUSDT", "ETHUSDT"]
    assert "SIM001USDT" in listed["linear"]
    prices = catalogue.usd_prices(tuple(listed["linear"].values()))
    assert prices["SIM001"] > 0


def test_a_category_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="no category 'futures'"):
        catalogue.build(NOW, {"futures": 3})


def test_limits_lie_on_their_own_grids():
    for it in catalogue.build(NOW, {"linear": 60}):
        for qty in (it.min_qty, it.max_qty, it.max_market_qty):
            assert it.size.steps(qty), (it.symbol, qty)
        assert it.min_qty < it.max_market_qty <= it.max_qty
