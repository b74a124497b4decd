"""Each limit by itself, and by how much it lets pass."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bybitd.errors import ConfigError
from bybitd.order_execution.safety.exposure import Open, Positions, from_args
from bybitd.order_execution.safety.limits import (
    Breach,
    Price,
    PriceNeeded,
    Verdict,
    judge,
    judge_position,
)
from bybitd.order_execution.safety.pace import Pace
from bybitd.settings import ClientLimits, Limits
from bybitd.settings_file import parse

D = Decimal
MARKET = Price(bid=D(99), ask=D(101))


def order(side: str = "Buy", qty: str = "1", price: str = "100", **more: Any) -> Open:
    args = {"symbol": "BTCUSDT", "side": side, "orderType": "Limit", "qty": qty, "price": price}
    return from_args(more.pop("category", "linear"), args | more, "maker")


def breach(verdict: Verdict) -> str:
    assert isinstance(verdict, Breach), verdict
    return f"{verdict.limit}: {verdict.problem}"


@pytest.mark.parametrize(
    ("limits", "good", "bad", "said"),
    [
        (
            ClientLimits(max_order_qty={"BTCUSDT": D(2)}),
            order(qty="2"),
            order(qty="2.1"),
            "max_order_qty: qty is 2.1; 2 is allowed of BTCUSDT",
        ),
        (
            ClientLimits(max_order_value=D(200)),
            order(qty="2"),
            order(qty="2", price="100.1"),
            "max_order_value: the order comes to 200.2; 200 is allowed",
        ),
        (
            ClientLimits(price_band_pct=D(5)),
            order(price="106.05"),
            order(price="106.1"),
            "price_band_pct: price 106.1 is 5.05 % above the market's 101; 5 % is allowed",
        ),
        (
            ClientLimits(price_band_pct=D(5)),
            order("Sell", price="94.05"),
            order("Sell", price="94"),
            "price_band_pct: price 94 is 5.05 % below the market's 99; 5 % is allowed",
        ),
        (
            ClientLimits(symbols=("linear.BTC*", "spot.ETHUSDT")),
            order(),
            order(category="spot"),
            "symbols: spot.BTCUSDT is not among linear.BTC*, spot.ETHUSDT",
        ),
    ],
)
def test_an_order_at_a_limit_passes_and_one_beyond_is_refused_with_what_is_allowed(
    limits: ClientLimits, good: Open, bad: Open, said: str
) -> None:
    assert judge(limits, good, [], MARKET) is None
    assert breach(judge(limits, bad, [], MARKET)) == said


def test_what_is_open_beside_an_order_counts_with_it() -> None:
    others = [order(), order("Sell"), order(reduceOnly=True)]
    assert judge(ClientLimits(max_open_orders=4), order(), others, None) is None
    said = breach(judge(ClientLimits(max_open_orders=3), order(), others, None))
    assert said == "max_open_orders: 3 orders are open; 3 are allowed"
    assert judge(ClientLimits(max_open_value=D(300)), order(), others, None) is None
    said = breach(judge(ClientLimits(max_open_value=D(299)), order(), others, None))
    assert said == "max_open_value: open orders would come to 300; 299 is allowed"


def test_a_passive_price_is_no_danger_and_a_conditional_one_is_measured_at_its_trigger() -> None:
    limits = ClientLimits(price_band_pct=D(1))
    assert judge(limits, order(price="1"), [], MARKET) is None
    assert judge(limits, order("Sell", price="9999"), [], MARKET) is None
    assert judge(limits, order(price="201", triggerPrice="200"), [], None) is None
    assert isinstance(judge(limits, order(price="210", triggerPrice="200"), [], None), Breach)


@pytest.mark.parametrize(
    "limits", [ClientLimits(price_band_pct=D(1)), ClientLimits(max_order_value=D(1000))]
)
def test_without_a_fresh_price_what_needs_one_is_not_guessed(limits: ClientLimits) -> None:
    asked = order() if limits.price_band_pct else order(orderType="Market")
    assert isinstance(judge(limits, asked, [], None), PriceNeeded)
    assert isinstance(judge(limits, asked, [], Price(None, None)), PriceNeeded)


def test_a_position_is_judged_as_it_would_be_when_all_is_filled() -> None:
    positions = Positions()
    row = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "size": "3"}
    positions.take({**row, "positionIdx": 0})
    limits = Limits(max_position_qty={"BTCUSDT": D(5)})
    assert judge_position(limits, order(), [order()], positions, None) is None
    said = breach(judge_position(limits, order(qty="2"), [order()], positions, None))
    assert said == "max_position_qty: the position of BTCUSDT could come to 6; 5 is allowed"
    worth = Limits(max_position_value=D(404))
    assert judge_position(worth, order(), [], positions, MARKET) is None  # 4 at 101
    assert isinstance(judge_position(worth, order(qty="1.1"), [], positions, MARKET), Breach)
    assert isinstance(judge_position(worth, order(), [], positions, None), PriceNeeded)
    assert judge_position(worth, order(category="spot", qty="99"), [], positions, None) is None


def test_the_pace_lets_so_many_through_in_any_second_and_says_when_there_is_room() -> None:
    pace = Pace()
    assert [pace.take(1, 2, at_ms) for at_ms in (0, 400, 500, 999, 1000, 1399, 1400)] == [
        *(0, 0, 500, 1, 0, 1, 0)
    ]
    assert pace.take(3, 2, 9000) == -1
    assert pace.take(2, 2, 9000) == 0


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("max_order_value: -1", "max_order_value must be above zero"),
        ("max_open_orders: 0", "expected `int` >= 1"),
        ("price_band_pct: 100", "must be above 0 and below 100"),
        ("price_band_pct: 0", "must be above 0 and below 100"),
        ("{max_order_value: 9, max_position_value: 5}", "it would never be reached"),
        ("{max_order_value: 9, max_open_value: 5}", "it would never be reached"),
        (
            "{max_order_qty: {BTCUSDT: 9}, max_position_qty: {BTCUSDT: 5}}",
            "is above its max_position_qty",
        ),
        ("symbols: [BTCUSDT]", "such as linear.BTCUSDT"),
        ("max_order_qty: {BTCUSDT: .nan}", "must be above zero"),
        ("max_order_valu: 5", "did you mean 'max_order_value'"),
    ],
)
def test_limits_that_make_no_sense_are_refused_with_the_line(limits: str, said: str) -> None:
    text = f"accounts:\n  main:\n    limits: {limits if limits[0] == '{' else '{' + limits + '}'}\n"
    with pytest.raises(ConfigError) as refused:
        parse(text, "test.yaml")
    assert said in str(refused.value)
    assert "test.yaml:3" in str(refused.value)


def test_limits_are_decimals_however_they_are_written() -> None:
    text = 'accounts: {main: {limits: {max_order_value: 0.1, max_order_qty: {BTCUSDT: "1e-3"}}}}'
    limits = parse(text).accounts["main"].limits
    assert limits.max_order_value == D("0.1")
    assert limits.max_order_qty == {"BTCUSDT": D("0.001")}


def test_a_sell_below_the_market_comes_to_what_the_market_pays() -> None:
    limits = ClientLimits(max_order_value=D(98))
    assert breach(judge(limits, order("Sell", price="1"), [], MARKET)).startswith("max_order_value")
    assert isinstance(judge(limits, order("Sell", price="1"), [], None), PriceNeeded)
    assert judge(ClientLimits(max_order_value=D(99)), order("Sell", price="1"), [], MARKET) is None
    waits = order("Sell", price="1", triggerPrice="97")
    assert judge(limits, waits, [], None) is None  # its trigger tells
    # What rests has its own price, whatever the market of another symbol is.
    open_value = ClientLimits(max_open_value=D(200))
    assert judge(open_value, order(), [order("Sell", symbol="ETHUSDT")], MARKET) is None


def test_an_amount_of_quote_coin_is_held_to_the_quantity_that_it_buys() -> None:
    limits = ClientLimits(max_order_qty={"BTCUSDT": D(2)})
    buy = order(category="spot", orderType="Market", qty="202")
    assert judge(limits, buy, [], MARKET) is None
    more = order(category="spot", orderType="Market", qty="303")
    assert breach(judge(limits, more, [], MARKET)) == (
        "max_order_qty: qty is 3; 2 is allowed of BTCUSDT"
    )
    assert isinstance(judge(limits, more, [], None), PriceNeeded)
