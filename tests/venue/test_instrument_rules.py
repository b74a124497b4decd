from __future__ import annotations

from typing import Any

import pytest

from bybitd.venue.errors import BadField
from bybitd.venue.instrument_rules import check
from bybitd.venue.instruments import Instrument, parse
from tests.payloads import envelope

NOW_MS = 1_790_000_000_000
CREATE = "order.create"
LIMIT = {"side": "Buy", "orderType": "Limit", "qty": "1.5", "price": "141.20"}
MARKET = {"side": "Buy", "orderType": "Market", "qty": "1.5"}


def instrument(category: str, **changes: Any) -> Instrument:
    name = "linear" if category == "inverse" else category  # they have the same fields
    found: dict[str, Any] = envelope(f"http_instruments-info.{name}")["result"]["list"][0]
    return parse(category, found | changes)


def refusal(
    args: dict[str, Any],
    category: str = "linear",
    op: str = CREATE,
    resting: dict[str, Any] | None = None,
    **changes: Any,
) -> BadField:
    with pytest.raises(BadField) as caught:
        check(op, "", instrument(category, **changes), args, NOW_MS, resting)
    return caught.value


def passes(
    args: dict[str, Any],
    category: str = "linear",
    op: str = CREATE,
    resting: dict[str, Any] | None = None,
    **changes: Any,
) -> None:
    check(op, "", instrument(category, **changes), args, NOW_MS, resting)


@pytest.mark.parametrize(
    "name",
    [
        "price",
        "triggerPrice",
        "takeProfit",
        "stopLoss",
        "tpLimitPrice",
        "slLimitPrice",
    ],
)
@pytest.mark.parametrize("op", [CREATE, "order.amend", "order.pre-check"])
def test_every_price_is_checked_against_the_tick_with_both_neighbours(op: str, name: str) -> None:
    error = refusal({**LIMIT, name: "141.205"}, op=op)
    assert error.field == name
    assert "no multiple of the tick 0.010 of SOLUSDT; try 141.200 or 141.210" in str(error)


def test_an_item_of_a_batch_is_named_by_its_path() -> None:
    with pytest.raises(BadField) as caught:
        check(
            "order.create-batch",
            "request[3].",
            instrument("linear"),
            {**LIMIT, "price": "141.205"},
            NOW_MS,
        )
    assert caught.value.field == "request[3].price"


@pytest.mark.parametrize("name", ["takeProfit", "stopLoss"])
def test_a_zero_takes_a_profit_or_loss_away_and_is_no_price(name: str) -> None:
    passes({**LIMIT, name: "0"}, op="order.amend")


def test_the_price_of_a_market_order_is_not_looked_at() -> None:
    passes({**MARKET, "price": "141.205"})


def test_a_limit_order_and_a_market_order_have_their_own_maximum() -> None:
    passes({**LIMIT, "qty": "9000.1"})
    assert "maximum of a Market order, 9000.0" in str(refusal({**MARKET, "qty": "9000.1"}))
    assert "maximum of a Limit order, 80000.0" in str(refusal({**LIMIT, "qty": "80000.1"}))


def test_what_only_reduces_is_free_of_maximum_and_minimum_value_but_not_of_the_step() -> None:
    passes({**MARKET, "qty": "9000.1", "reduceOnly": True})
    passes({**LIMIT, "qty": "0.1", "price": "1.00", "reduceOnly": True})
    assert "step 0.1" in str(refusal({**MARKET, "qty": "0.15", "reduceOnly": True}))
    passes({**MARKET, "qty": "0", "reduceOnly": True, "closeOnTrigger": True})


def test_the_value_of_a_limit_order_has_a_minimum() -> None:
    error = refusal({**LIMIT, "qty": "0.1", "price": "10.00"})
    assert error.field == "qty"
    assert "makes an order of 1.000 USDT; SOLUSDT needs 5 at least" in str(error)


def test_a_market_order_on_spot_buys_for_an_amount_and_sells_a_quantity_unless_told() -> None:
    bought = {"side": "Buy", "orderType": "Market", "qty": "4.9"}
    assert "needs 5 at least" in str(refusal(bought, "spot"))
    passes({**bought, "qty": "5.00001"}, "spot")
    assert "step 0.00001" in str(refusal({**bought, "qty": "5.000001"}, "spot"))
    assert "step 0.001" in str(refusal({**bought, "side": "Sell", "qty": "4.9001"}, "spot"))
    assert "step 0.001" in str(
        refusal({**bought, "marketUnit": "baseCoin", "qty": "4.9001"}, "spot")
    )
    passes({**bought, "side": "Sell", "marketUnit": "quoteCoin", "qty": "5.00001"}, "spot")
    assert "maximum of a Market order, 7500" in str(
        refusal({**bought, "side": "Sell", "qty": "7501"}, "spot")
    )


def test_inverse_has_no_minimum_value_beside_that_of_the_quantity() -> None:
    passes({"side": "Buy", "orderType": "Limit", "qty": "1", "price": "0.50"}, "inverse")


@pytest.mark.parametrize("status", ["Closed", "Delivering", "Settling"])
def test_what_does_not_trade_takes_no_orders(status: str) -> None:
    error = refusal(LIMIT, status=status)
    assert error.field == "symbol"
    assert f"SOLUSDT is {status}" in str(error)


def test_a_contract_takes_nothing_from_the_moment_of_its_delivery_on() -> None:
    assert "was delivered" in str(refusal(LIMIT, deliveryTime=str(NOW_MS)))
    passes(LIMIT, deliveryTime=str(NOW_MS + 1))


def pre_launch(phase: str) -> dict[str, Any]:
    return {"status": "PreLaunch", "preListingInfo": {"curAuctionPhase": phase}}


def test_a_pre_market_contract_takes_what_its_phase_allows() -> None:
    passes(LIMIT, **pre_launch("ContinuousTrading"))
    for phase in ("CallAuction", "CallAuctionNoCancel"):
        changes = pre_launch(phase)
        passes(LIMIT, **changes)
        assert refusal(MARKET, **changes).field == "orderType"
        assert refusal({**LIMIT, "timeInForce": "IOC"}, **changes).field == "timeInForce"
        assert refusal({**LIMIT, "takeProfit": "150.00"}, **changes).field == "takeProfit"
        assert refusal({"price": "140.00"}, op="order.amend", **changes).field == "symbol"
    for phase in ("NotStarted", "CrossMatching", "Finished"):
        assert phase in str(refusal(LIMIT, **pre_launch(phase)))
    assert "no auction yet" in str(refusal(LIMIT, status="PreLaunch"))


def test_an_amend_is_judged_with_what_is_known_of_its_order() -> None:
    passes({"qty": "0.2"}, op="order.amend")
    resting = {"orderType": "Limit", "side": "Buy", "price": "10.00", "qty": "1"}
    assert "needs 5 at least" in str(refusal({"qty": "0.2"}, op="order.amend", resting=resting))
    passes({"qty": "0.2"}, op="order.amend", resting={**resting, "reduceOnly": True})
    passes({"price": "1.00"}, op="order.amend", resting=resting)  # a part may be filled
    market = {"orderType": "Market", "side": "Buy", "triggerPrice": "150.00"}
    assert "Market" in str(refusal({"qty": "9000.1"}, op="order.amend", resting=market))


STOP = {"tpslMode": "Partial", "positionIdx": 0}


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"takeProfit": "141.205"}, "takeProfit"),
        ({"trailingStop": "0.005"}, "trailingStop"),
        ({"trailingStop": "1", "activePrice": "141.205"}, "activePrice"),
        ({"takeProfit": "150", "tpSize": "0.15"}, "tpSize"),
        ({"stopLoss": "150", "slSize": "0.15"}, "slSize"),
        ({"stopLoss": "150", "slOrderType": "Limit", "slLimitPrice": "1.001"}, "slLimitPrice"),
    ],
)
def test_the_stops_of_a_position_are_checked(args: dict[str, Any], field: str) -> None:
    assert refusal({**STOP, **args}, op="position.trading-stop").field == field


def test_stops_that_fit_or_are_taken_away_pass() -> None:
    passes(
        {**STOP, "takeProfit": "150.00", "stopLoss": "0", "trailingStop": "0", "tpSize": "0.1"},
        op="position.trading-stop",
    )


@pytest.mark.parametrize(
    ("leverage", "says"),
    [
        ("0.5", "below the minimum leverage of SOLUSDT, 1"),
        ("76", "above the maximum leverage of SOLUSDT, 75.00"),
        ("2.005", "no multiple of the leverage step 0.01 of SOLUSDT; try 2.00 or 2.01"),
    ],
)
def test_a_leverage_has_bounds_and_a_step(leverage: str, says: str) -> None:
    op = "position.set-leverage"
    args = {"buyLeverage": "5", "sellLeverage": leverage}
    error = refusal(args, op=op)
    assert error.field == "sellLeverage"
    assert says in str(error)
    passes({"buyLeverage": "5", "sellLeverage": "5"}, op=op)
