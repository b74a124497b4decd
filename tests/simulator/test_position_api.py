import pytest

from bybitd.simulator.exchange import Refusal


def code(desk, action, **body):
    with pytest.raises(Refusal) as caught:
        desk.post(f"position/{action}", **body)
    return caught.value.retCode


def leverage(buy, sell=None, **where):
    base = {"category": "linear", "symbol": "BTCUSDT"}
    return {**base, "buyLeverage": buy, "sellLeverage": sell or buy, **where}


def test_leverage_is_set_told_and_not_set_twice(desk):
    assert desk.post("position/set-leverage", **leverage("25")) == {}
    assert desk.take("position")[0]["leverage"] == "25"
    assert code(desk, "set-leverage", **leverage("25")) == 110043
    assert code(desk, "set-leverage", **leverage("25.00")) == 110043


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (leverage("101"), 110013),
        (leverage("0"), 10001),
        (leverage("x"), 10001),
        (leverage("2.345"), 10001),
        (leverage("5", "6"), 10001),
        (leverage("5", category="spot"), 10001),
        (leverage("5", symbol="NOPE"), 10001),
    ],
)
def test_leverage_that_cannot_be_is_refused(desk, body, expected):
    assert code(desk, "set-leverage", **body) == expected


def test_leverage_decides_how_much_an_order_binds(desk):
    desk.post("position/set-leverage", **leverage("100"))
    desk.create(price="90000", qty="0.100")
    assert desk.take("wallet")[-1]["totalInitialMargin"] == "90"


def test_the_position_mode_cannot_be_switched_over_orders_or_positions(desk):
    where = {"category": "linear", "symbol": "BTCUSDT"}
    assert code(desk, "switch-mode", **where, mode=0) == 110025
    order_id = desk.create(price="90000")
    assert code(desk, "switch-mode", **where, mode=3) == 110028
    desk.post("order/cancel", **where, orderId=order_id)
    desk.create(orderType="Market")
    assert code(desk, "switch-mode", **where, mode=3) == 110024
    desk.create(side="Sell", orderType="Market")
    desk.post("position/switch-mode", **where, mode=3)
    assert code(desk, "switch-mode", **where, mode=3) == 110025
    assert len(desk.get("position/list", **where)["list"]) == 2
    desk.post("position/switch-mode", **where, mode=0)
    assert len(desk.get("position/list", **where)["list"]) == 1


def test_a_coin_switches_all_its_perpetuals(desk):
    desk.post("position/switch-mode", category="linear", coin="USDT", mode=3)
    assert len(desk.get("position/list", category="linear", symbol="ETHUSDT")["list"]) == 2
    assert len(desk.get("position/list", category="linear", symbol="BTCPERP")["list"]) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"category": "inverse", "symbol": "BTCUSD", "mode": 3}, 10001),
        ({"category": "linear", "symbol": "BTCPERP", "mode": 3}, 110029),
        ({"category": "linear", "coin": "USDC", "mode": 3}, 110029),
        ({"category": "linear", "symbol": "BTCUSDT", "mode": 1}, 10001),
        ({"category": "linear", "mode": 3}, 10001),
    ],
)
def test_only_usdt_perpetuals_know_hedge_mode(desk, body, expected):
    assert code(desk, "switch-mode", **body) == expected
