"""TP/SL and trailing stops: orders of the exchange's own that protect a position."""

from decimal import Decimal

import pytest

from bybitd.simulator.exchange import Refusal

ANN, BOB = 1, 2
WHERE = {"category": "linear", "symbol": "BTCUSDT"}


def stop(desk, uid=ANN, **body):
    return desk.post("position/trading-stop", uid, **WHERE, **({"positionIdx": 0} | body))


def refused(desk, action="position/trading-stop", **body):
    with pytest.raises(Refusal) as caught:
        desk.post(action, ANN, **WHERE, **({"positionIdx": 0} | body))
    return caught.value.retCode, caught.value.retMsg


def waiting(desk, uid=ANN):
    rows = desk.get("order/realtime", uid, **WHERE, orderFilter="StopOrder")["list"]
    return {row["stopOrderType"]: row for row in rows}


def push(desk, price):
    """Have Bob trade up or down to a price, through everything that lies between."""
    bid, ask = desk.touch()
    price = Decimal(price)
    if price > ask:
        desk.create(BOB, side="Buy", price=str(price), qty="50", timeInForce="IOC")
    elif price < bid:
        desk.create(BOB, side="Sell", price=str(price), qty="50", timeInForce="IOC")


@pytest.fixture
def long(desk):
    """A long position of 0.5 and the price that it was opened at."""
    desk.create(orderType="Market", qty="0.500")
    desk.last = Decimal(desk.market("tickers", **WHERE)["list"][0]["lastPrice"])
    desk.events.clear()
    return desk


def test_full_stops_are_orders_without_a_link_and_stand_in_the_position(long):
    take, loss = str(long.last + 60), str(long.last - 60)
    stop(long, tpslMode="Full", takeProfit=take, stopLoss=loss, slTriggerBy="MarkPrice")
    rows = waiting(long)
    assert rows.keys() == {"TakeProfit", "StopLoss"}
    row = rows["StopLoss"]
    assert (row["orderStatus"], row["createType"], row["orderLinkId"]) == (
        "Untriggered",
        "CreateByStopLoss",
        "",
    )
    assert (row["side"], row["qty"], row["reduceOnly"], row["closeOnTrigger"]) == (
        "Sell",
        "0.500",
        True,
        True,
    )
    assert (row["triggerBy"], row["tpslMode"]) == ("MarkPrice", "Full")
    position = long.position()
    assert Decimal(position["takeProfit"]) == Decimal(take)
    assert Decimal(position["stopLoss"]) == Decimal(loss)
    assert len(long.take("order")) == 2


def test_a_take_profit_closes_the_position_and_everything_else_goes_with_it(long):
    stop(long, tpslMode="Full", takeProfit=str(long.last + 20), stopLoss=str(long.last - 60))
    stop(long, tpslMode="Full", trailingStop="500")
    ids = {kind: row["orderId"] for kind, row in waiting(long).items()}
    long.events.clear()
    push(long, long.last + 25)
    told = long.take("order")
    ends = {order["orderId"]: (order["orderStatus"], order["cancelType"]) for order in told}
    assert ends == {
        ids["TakeProfit"]: ("Filled", "UNKNOWN"),
        ids["StopLoss"]: ("Deactivated", "CancelByTpSlTsClear"),
        ids["TrailingStop"]: ("Deactivated", "CancelByTpSlTsClear"),
    }
    executions = long.take("execution")
    assert {(e["stopOrderType"], e["createType"]) for e in executions} == {
        ("TakeProfit", "CreateByTakeProfit")
    }
    position = long.position()
    assert (position["size"], position["takeProfit"], position["stopLoss"]) == ("0", "0", "0")
    assert waiting(long) == {}


def test_full_stops_are_amended_removed_and_not_modified(long):
    first, second = str(long.last + 60), str(long.last + 70)
    stop(long, tpslMode="Full", takeProfit=first)
    before = waiting(long)["TakeProfit"]["orderId"]
    stop(long, tpslMode="Full", takeProfit=second)
    row = waiting(long)["TakeProfit"]
    assert (row["orderId"], Decimal(row["triggerPrice"])) == (before, Decimal(second))
    assert refused(long, tpslMode="Full", takeProfit=second) == (34040, "not modified")
    stop(long, tpslMode="Full", takeProfit="0")
    assert waiting(long) == {}
    assert long.position()["takeProfit"] == "0"
    assert refused(long, tpslMode="Full", takeProfit="0")[0] == 34040


def test_full_stops_take_the_size_of_the_position(long):
    stop(long, tpslMode="Full", stopLoss=str(long.last - 60))
    long.create(orderType="Market", qty="0.300")
    assert waiting(long)["StopLoss"]["qty"] == "0.800"
    long.create(orderType="Market", side="Sell", qty="0.700", reduceOnly=True)
    assert waiting(long)["StopLoss"]["qty"] == "0.100"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"tpslMode": "Full", "takeProfit": "10000"}, "TakeProfit:10000.00 set for Buy"),
        ({"tpslMode": "Full", "stopLoss": "190000"}, "should be lower than base_price"),
        ({"tpslMode": "Half", "stopLoss": "90000"}, "tpslMode"),
        ({"tpslMode": "Full", "stopLoss": "90000", "slOrderType": "Limit",
          "slLimitPrice": "90000"}, "needs tpslMode Partial"),
        ({"tpslMode": "Partial", "stopLoss": "90000", "slSize": "9"}, "exceeds the position"),
        ({"tpslMode": "Partial", "stopLoss": "90000", "takeProfit": "120000", "slSize": "0.1",
          "tpSize": "0.2"}, "equal"),
        ({"tpslMode": "Full", "stopLoss": "90000", "positionIdx": 1}, "position idx"),
        ({"tpslMode": "Full", "trailingStop": "10", "activePrice": "50000"}, "activePrice"),
        ({"tpslMode": "Full", "stopLoss": "90000", "symbol": "ETHUSDT"}, "zero position"),
    ],
)  # fmt: skip
def test_stops_that_cannot_be_are_refused_and_change_nothing(long, fields, text):
    with pytest.raises(Refusal, match=text):
        long.post("position/trading-stop", ANN, **(WHERE | {"positionIdx": 0} | fields))
    assert waiting(long) == {}


# --- partial
def test_a_partial_pair_closes_its_part_and_the_other_half_goes(long):
    stop(
        long,
        tpslMode="Partial",
        takeProfit=str(long.last + 20),
        stopLoss=str(long.last - 60),
        tpSize="0.2",
        slSize="0.2",
    )
    rows = waiting(long)
    assert rows.keys() == {"PartialTakeProfit", "PartialStopLoss"}
    assert rows["PartialTakeProfit"]["createType"] == "CreateByPartialTakeProfit"
    assert long.position()["takeProfit"] == "0"
    long.events.clear()
    push(long, long.last + 25)
    ends = {o["stopOrderType"]: o["orderStatus"] for o in long.take("order")}
    assert ends == {"PartialTakeProfit": "Filled", "PartialStopLoss": "Deactivated"}
    assert long.position()["size"] == "0.3"


def test_a_partial_stop_may_send_a_limit_order(long):
    limit = str(long.last + 30)
    stop(
        long,
        tpslMode="Partial",
        takeProfit=str(long.last + 20),
        tpSize="0.2",
        slSize="0.2",
        tpOrderType="Limit",
        tpLimitPrice=limit,
    )
    push(long, long.last + 22)
    rows = long.get("order/realtime", **WHERE, orderFilter="Order")["list"]
    assert [(r["orderStatus"], r["orderType"], Decimal(r["price"])) for r in rows] == [
        ("New", "Limit", Decimal(limit))
    ]
    assert long.position()["size"] == "0.5"


def test_twenty_partial_stops_are_the_most(long):
    for nth in range(20):
        stop(long, tpslMode="Partial", stopLoss=str(long.last - 60 - nth), slSize="0.01")
    last = str(long.last - 100)
    assert refused(long, tpslMode="Partial", stopLoss=last, slSize="0.01")[0] == 110061


# --- trailing
def test_a_trailing_stop_follows_the_price_up_and_closes_when_it_comes_back(long):
    stop(long, tpslMode="Full", trailingStop="15")
    row = waiting(long)["TrailingStop"]
    assert (row["createType"], row["triggerPrice"]) == ("CreateByTrailingStop", "0.00")
    assert long.position()["trailingStop"] == "15.00"
    push(long, long.last + 30)
    top = Decimal(long.market("tickers", **WHERE)["list"][0]["lastPrice"])
    push(long, top - 14)
    if long.position()["size"] != "0":
        assert "TrailingStop" in waiting(long)
    push(long, top - 40)
    assert long.position()["size"] == "0"
    assert waiting(long) == {}


def test_a_trailing_stop_waits_for_its_activation_price(long):
    active = long.last + 25
    stop(long, tpslMode="Full", trailingStop="5", activePrice=str(active))
    assert Decimal(waiting(long)["TrailingStop"]["triggerPrice"]) == active
    push(long, long.last - 20)
    assert long.position()["size"] == "0.5"
    push(long, active + 2)
    push(long, long.last - 40)
    assert long.position()["size"] == "0"


# --- brought by an order
@pytest.mark.parametrize("mode", ["Full", "Partial"])
def test_stops_that_an_order_brings_are_set_by_its_fills(desk, mode):
    bid, ask = desk.touch()
    price = str(bid + Decimal("0.1"))
    order_id = desk.create(
        price=price,
        qty="0.010",
        orderLinkId="parent",
        tpslMode=mode,
        takeProfit=str(ask + 50),
        stopLoss=str(bid - 50),
    )
    (order,) = desk.take("order")
    assert (Decimal(order["takeProfit"]), order["tpslMode"]) == (ask + 50, mode)
    assert (order["tpTriggerBy"], order["stopOrderType"]) == ("LastPrice", "UNKNOWN")
    assert waiting(desk) == {}
    prefix = "Partial" if mode == "Partial" else ""
    for qty, sum_so_far in (("0.004", "0.004"), ("0.006", "0.010")):
        desk.create(BOB, side="Sell", price=price, qty=qty, timeInForce="IOC")
        rows = waiting(desk)
        assert rows.keys() == {f"{prefix}TakeProfit", f"{prefix}StopLoss"}
        assert {r["qty"] for r in rows.values()} == {sum_so_far}
        assert {r["parentOrderLinkId"] for r in rows.values()} == {"parent"}
    assert desk.order(order_id)["orderStatus"] == "Filled"


def test_the_stops_of_an_open_order_can_be_amended_and_removed(desk):
    bid, ask = desk.touch()
    order_id = desk.create(price=str(bid - 100), takeProfit=str(ask + 50))
    desk.post("order/amend", **WHERE, orderId=order_id, takeProfit=str(ask + 70), stopLoss="50000")
    order = desk.order(order_id)
    assert (Decimal(order["takeProfit"]), order["stopLoss"]) == (ask + 70, "50000.00")
    desk.post("order/amend", **WHERE, orderId=order_id, takeProfit="0", stopLoss="0")
    assert desk.order(order_id)["takeProfit"] == "0.00"
    code, _ = refused(desk, "order/amend", orderId=order_id, stopLoss=str(ask))
    assert code == 10001


def test_a_position_that_turns_loses_the_stops_of_its_old_side(long):
    stop(long, tpslMode="Full", stopLoss=str(long.last - 60))
    long.create(side="Sell", orderType="Market", qty="0.800")
    assert waiting(long) == {}
    assert long.position()["stopLoss"] == "0"


def test_each_leg_of_hedge_mode_has_its_own_stops(desk):
    desk.post("position/switch-mode", category="linear", symbol="BTCUSDT", mode=3)
    desk.create(orderType="Market", qty="0.500", positionIdx=1)
    desk.create(side="Sell", orderType="Market", qty="0.200", positionIdx=2)
    last = Decimal(desk.market("tickers", **WHERE)["list"][0]["lastPrice"])
    stop(desk, tpslMode="Full", stopLoss=str(last - 60), positionIdx=1)
    stop(desk, tpslMode="Full", stopLoss=str(last + 60), positionIdx=2)
    rows = desk.get("order/realtime", **WHERE, orderFilter="StopOrder")["list"]
    assert {(r["positionIdx"], r["side"], r["qty"]) for r in rows} == {
        (1, "Sell", "0.500"),
        (2, "Buy", "0.200"),
    }
    push(desk, last + 70)
    sizes = {p["positionIdx"]: p["size"] for p in desk.get("position/list", **WHERE)["list"]}
    assert sizes == {1: "0.5", 2: "0"}


def test_cancel_all_with_its_filters(long):
    stop(long, tpslMode="Full", stopLoss=str(long.last - 900))
    plain = long.create(price="90000")
    conditional = long.create(price="90000", triggerPrice="80000.0", triggerDirection=2)

    def cancelled(**more):
        rows = long.post("order/cancel-all", **WHERE, **more)["list"]
        return {row["orderId"] for row in rows}

    assert cancelled(orderFilter="StopOrder", stopOrderType="Stop") == {conditional}
    assert cancelled(orderFilter="Order") == {plain}
    assert len(cancelled(orderFilter="StopOrder")) == 1
    assert cancelled() == set()
    assert long.position()["stopLoss"] == "0"


def test_stops_are_there_after_a_restart(new_desk):
    from bybitd.simulator.store import AccountStore

    store = AccountStore()
    desk = new_desk(store=store)
    desk.create(orderType="Market", qty="0.500")
    last = Decimal(desk.market("tickers", **WHERE)["list"][0]["lastPrice"])
    stop(desk, tpslMode="Full", stopLoss=str(last - 30))
    again = new_desk(store=store, now=desk.now + 10)
    assert Decimal(again.position()["stopLoss"]) == last - 30
    push(again, last - 60)
    assert again.position()["size"] == "0"
