"""The exchange acts on positions of its own accord, and tells what it did."""

from decimal import Decimal

import pytest

ANN = 1


def forced(desk, exec_type, qty="", symbol="BTCUSDT", uid=ANN):
    desk.exchange.execute(uid, exec_type, "linear", symbol, qty, desk.now)
    desk.events += desk.exchange.take_private()


@pytest.fixture
def long(desk):
    desk.create(orderType="Market", qty="1.000")
    desk.events.clear()
    return desk


def test_funding_on_demand_moves_money_and_leaves_the_position(long):
    before = long.wallet("USDT")
    forced(long, "Funding")
    (row,) = long.take("execution")
    assert (row["execType"], row["orderType"], row["execQty"]) == ("Funding", "UNKNOWN", "1")
    assert long.wallet("USDT") == before - Decimal(row["execFee"])
    assert long.take("order") == []
    assert long.take("wallet")
    assert long.position()["size"] == "1"


def test_deleveraging_closes_a_part_by_an_order_without_a_link(long):
    forced(long, "AdlTrade", qty="0.4")
    statuses = [p["positionStatus"] for p in long.take("position")]
    assert statuses == ["Adl", "Normal"]
    (order,) = long.take("order")
    assert (order["createType"], order["orderLinkId"], order["orderStatus"]) == (
        "CreateByAdl_PassThrough",
        "",
        "Filled",
    )
    (row,) = long.take("execution")
    assert (row["execType"], row["execQty"], row["side"]) == ("AdlTrade", "0.400", "Sell")
    assert long.take("execution.fast") == []
    assert long.position()["size"] == "0.6"


def test_a_liquidation_cancels_the_resting_orders_and_takes_the_position_over(long):
    resting = long.create(price="90000")
    long.events.clear()
    forced(long, "BustTrade")
    orders = {o["orderId"]: o for o in long.take("order")}
    assert orders.pop(resting)["cancelType"] == "CancelAllBeforeLiq"
    (closing,) = orders.values()
    assert closing["createType"] == "CreateByTakeOver_PassThrough"
    assert [p["positionStatus"] for p in long.take("position")] == ["Liq", "Normal"]
    assert long.position()["size"] == "0"


@pytest.mark.parametrize(
    ("exec_type", "fields"),
    [
        ("AdlTrade", {"symbol": "ETHUSDT"}),
        ("AdlTrade", {"symbol": "NOSUCH"}),
        ("AdlTrade", {"uid": 99}),
        ("AdlTrade", {"qty": "0.0001"}),
        ("AdlTrade", {"qty": "x"}),
    ],
)
def test_what_can_not_be_forced_is_refused(long, exec_type, fields):
    with pytest.raises(ValueError, match=r"no |below"):
        forced(long, exec_type, **fields)
    assert long.position()["size"] == "1"
