"""Conditional orders: they wait, see their price, and go to the book or not."""

from decimal import Decimal

import pytest

from bybitd.simulator.exchange import Refusal

ANN, BOB = 1, 2


def print_at(desk, price, category="linear", symbol="BTCUSDT"):
    """Let Bob trade with himself inside the touch, so that the last price is `price`."""
    bid, ask = desk.touch(category, symbol)
    assert bid < Decimal(price) < ask
    amount = {"category": category, "symbol": symbol, "qty": "0.01"}
    desk.create(BOB, side="Sell", price=str(price), **amount)
    desk.create(BOB, side="Buy", price=str(price), timeInForce="IOC", **amount)


def spread_open(desk, by="20"):
    """Buy and sell the touch away, so that there is room for prices of our own."""
    bid, ask = desk.touch()
    for uid_side, price in (("Sell", bid - Decimal(by)), ("Buy", ask + Decimal(by))):
        desk.create(BOB, side=uid_side, price=str(price), qty="60", timeInForce="IOC")
    desk.events.clear()
    return desk.touch()


@pytest.fixture
def wide(desk):
    """A desk whose touch is wide open, and the last price in the middle of it."""
    bid, ask = spread_open(desk)
    desk.middle = ((bid + ask) / 2).quantize(Decimal("0.1"))
    print_at(desk, desk.middle)
    desk.events.clear()
    return desk


def refused(desk, action="order/create", uid=ANN, **body):
    base = {"category": "linear", "symbol": "BTCUSDT"}
    if action == "order/create":
        base |= {"side": "Buy", "orderType": "Limit", "qty": "0.010"}
    with pytest.raises(Refusal) as caught:
        desk.post(action, uid, **base, **body)
    return caught.value.retCode, caught.value.retMsg


def states(desk, uid=ANN):
    return [(o["orderStatus"], o["stopOrderType"]) for o in desk.take("order", uid)]


def test_a_conditional_order_waits_without_margin_and_then_fills(wide):
    order_id = wide.create(
        orderType="Market", triggerPrice=str(wide.middle + 1), triggerDirection=1, orderLinkId="c"
    )
    (order,) = wide.take("order")
    assert (order["orderStatus"], order["stopOrderType"]) == ("Untriggered", "Stop")
    assert (order["triggerPrice"], order["triggerBy"]) == (f"{wide.middle + 1:.2f}", "LastPrice")
    assert (order["triggerDirection"], order["createType"]) == (1, "CreateByUser")
    (wallet,) = wide.take("wallet")
    assert wallet["totalInitialMargin"] == "0"
    print_at(wide, wide.middle + Decimal("0.9"))
    assert wide.order(order_id)["orderStatus"] == "Untriggered"
    print_at(wide, wide.middle + 1)
    told = wide.take("order")
    assert [o["orderStatus"] for o in told] == ["Triggered", "Filled"]
    assert {o["orderId"] for o in told} == {order_id}
    assert told[-1]["orderLinkId"] == "c"
    (execution,) = wide.take("execution")
    assert (execution["stopOrderType"], execution["orderId"]) == ("Stop", order_id)


def test_a_conditional_limit_order_rests_when_its_price_has_come(wide):
    price, trigger = wide.middle - 5, wide.middle - 1
    order_id = wide.create(price=str(price), triggerPrice=str(trigger), triggerDirection=2)
    print_at(wide, trigger)
    assert states(wide) == [("Untriggered", "Stop"), ("Triggered", "Stop"), ("New", "Stop")]
    assert wide.order(order_id)["price"] == f"{price:.2f}"
    assert wide.post("order/cancel", category="linear", symbol="BTCUSDT", orderId=order_id)
    assert states(wide) == [("Cancelled", "Stop")]


@pytest.mark.parametrize("by", ["MarkPrice", "IndexPrice"])
def test_mark_and_index_price_are_looked_at_every_second(desk, by):
    mark = desk.market("tickers", category="linear", symbol="BTCUSDT")["list"][0]
    now = Decimal(mark["markPrice" if by == "MarkPrice" else "indexPrice"])
    for direction, trigger in ((1, now + 10), (2, now - 10)):
        desk.create(
            orderType="Market",
            triggerPrice=str(trigger.quantize(Decimal("0.1"))),
            triggerDirection=direction,
            triggerBy=by,
        )
    desk.run(desk.now + 600_000)
    assert "Filled" in [o["orderStatus"] for o in desk.take("order")]


def test_a_condition_that_is_fulfilled_already_is_refused_with_the_prices(wide):
    below, above = str(wide.middle - 1), str(wide.middle + 1)
    code, text = refused(wide, triggerPrice=below, triggerDirection=1, price="90000")
    assert (code, text.startswith("expect Rising, but trigger_price[")) == (110092, True)
    assert f"{wide.middle * 10_000:.0f}" in text
    assert refused(wide, triggerPrice=above, triggerDirection=2, price="90000")[0] == 110093


def test_a_trigger_without_the_margin_for_it_ends_in_a_rejection(wide):
    order_id = wide.create(
        orderType="Limit",
        price=str(wide.middle),
        qty="500",
        triggerPrice=str(wide.middle + 1),
        triggerDirection=1,
    )
    wide.take("order")
    print_at(wide, wide.middle + 1)
    *_, order = wide.take("order")
    assert (order["orderId"], order["orderStatus"]) == (order_id, "Rejected")
    assert order["rejectReason"] == "EC_Others"
    assert wide.get("order/realtime", category="linear", symbol="BTCUSDT")["list"] == []


def test_a_conditional_order_that_is_cancelled_in_time_is_deactivated(wide):
    order_id = wide.create(
        orderType="Market", triggerPrice=str(wide.middle + 1), triggerDirection=1
    )
    wide.post("order/cancel", category="linear", symbol="BTCUSDT", orderId=order_id)
    *_, order = wide.take("order")
    assert (order["orderStatus"], order["cancelType"]) == ("Deactivated", "CancelByUser")
    print_at(wide, wide.middle + 1)
    assert wide.take("order") == []


def test_trigger_and_size_of_a_waiting_order_can_be_amended(wide):
    where = {"category": "linear", "symbol": "BTCUSDT"}
    order_id = wide.create(
        orderType="Market", triggerPrice=str(wide.middle + 1), triggerDirection=1
    )
    wide.post(
        "order/amend", **where, orderId=order_id, triggerPrice=str(wide.middle - 2), qty="0.020"
    )
    order = wide.order(order_id)
    assert (order["qty"], order["triggerDirection"]) == ("0.020", 2)
    assert refused(wide, "order/amend", orderId=order_id, qty="0.020")[0] == 10001
    assert refused(wide, "order/amend", orderId=order_id, price="90000")[0] == 10001
    batch = wide.exchange.private_post(
        ANN,
        "/v5/order/amend-batch",
        {"category": "linear", "request": [where | {"orderId": order_id, "qty": "0.030"}]},
        wide.now,
    )
    assert batch[1]["list"][0]["code"] == 10001
    print_at(wide, wide.middle + 1)
    assert wide.order(order_id)["orderStatus"] == "Untriggered"
    print_at(wide, wide.middle - 2)
    assert wide.order(order_id)["orderStatus"] == "Filled"


def test_ten_conditional_orders_of_a_symbol_are_the_most(desk):
    for _ in range(10):
        desk.create(price="90000", triggerPrice="80000.0", triggerDirection=2)
    code, _ = refused(desk, price="90000", triggerPrice="80000.0", triggerDirection=2)
    assert code == 110009
    assert desk.create(price="90000")


def test_close_on_trigger_closes_what_there_is_and_no_more(wide):
    wide.create(orderType="Market", qty="0.500")
    wide.create(
        side="Sell",
        orderType="Market",
        qty="0",
        reduceOnly=True,
        closeOnTrigger=True,
        triggerPrice=str(wide.middle + 1),
        triggerDirection=2,
    )
    wide.take("order")
    print_at(wide, wide.middle)
    *_, order = wide.take("order")
    assert (order["orderStatus"], order["qty"]) == ("Filled", "0.500")
    assert wide.position()["size"] == "0"


def test_a_reducing_order_that_finds_no_position_is_cancelled_at_its_trigger(wide):
    wide.create(
        side="Sell",
        orderType="Market",
        reduceOnly=True,
        triggerPrice=str(wide.middle + 1),
        triggerDirection=1,
    )
    print_at(wide, wide.middle + 1)
    *_, order = wide.take("order")
    assert (order["orderStatus"], order["cancelType"]) == ("Cancelled", "CancelByReduceOnly")


def test_a_trigger_may_move_the_price_to_the_next_trigger(wide):
    first = wide.create(orderType="Market", triggerPrice=str(wide.middle + 1), triggerDirection=1)
    _, ask = wide.touch()
    second = wide.create(orderType="Market", triggerPrice=str(ask), triggerDirection=1)
    print_at(wide, wide.middle + 1)
    assert wide.order(first)["orderStatus"] == wide.order(second)["orderStatus"] == "Filled"


def test_waiting_orders_wait_on_after_a_restart(new_desk):
    from bybitd.simulator.store import AccountStore

    store = AccountStore()
    desk = new_desk(store=store)
    order_id = desk.create(orderType="Market", triggerPrice="500000.0", triggerDirection=1)
    again = new_desk(store=store, now=desk.now + 1_000)
    assert again.order(order_id)["orderStatus"] == "Untriggered"
    again.post("order/cancel", category="linear", symbol="BTCUSDT", orderId=order_id)
    assert again.order(order_id)["orderStatus"] == "Deactivated"


# --- spot
def test_spot_orders_wait_with_their_coins_held_or_not(desk):
    where = {"category": "spot", "symbol": "BTCUSDT", "price": "50000", "triggerPrice": "60000"}
    desk.create(**where, qty="0.1", orderFilter="StopOrder")

    def locked():
        row = desk.get("account/wallet-balance", accountType="UNIFIED", coin="USDT")["list"][0]
        return row["coin"][0]["locked"]

    assert locked() == "0"
    desk.create(**where, qty="0.1", orderFilter="tpslOrder", orderLinkId="held")
    assert locked() == "5000"
    rows = desk.get("order/realtime", category="spot", orderFilter="tpslOrder")["list"]
    assert [(r["orderLinkId"], r["stopOrderType"]) for r in rows] == [("held", "tpslOrder")]
    assert "createType" not in rows[0]
    with pytest.raises(Refusal, match="does not exist"):
        desk.post("order/cancel", category="spot", symbol="BTCUSDT", orderLinkId="held")
    desk.post(
        "order/cancel",
        category="spot",
        symbol="BTCUSDT",
        orderLinkId="held",
        orderFilter="tpslOrder",
    )
    assert locked() == "0"


def test_the_tpsl_of_a_spot_order_is_an_oco_pair_of_which_one_ends_the_other(desk):
    bid, ask = desk.touch("spot")
    parent = desk.create(
        category="spot",
        price=str(ask + 10),
        qty="0.01",
        takeProfit=str(ask + 500),
        stopLoss=str(bid - 40),
        timeInForce="IOC",
    )
    desk.events.clear()
    assert desk.order(parent, category="spot")["orderStatus"] == "Filled"
    rows = desk.get("order/realtime", category="spot")["list"]
    assert {row["stopOrderType"] for row in rows} == {"OcoOrder"}
    assert {row["side"] for row in rows} == {"Sell"}
    assert {row["orderLinkId"] for row in rows} == {""}
    desk.create(BOB, category="spot", side="Sell", price=str(bid - 60), qty="9", timeInForce="IOC")
    told = {o["orderId"]: o for o in desk.take("order")}
    ended = {(o["orderStatus"], o["cancelType"]) for o in told.values()}
    assert ended == {
        ("Filled", "UNKNOWN"),
        ("Deactivated", "CancelByOCOTpCanceledBySlTriggered"),
    }


def test_an_inverse_order_without_a_price_binds_nothing_while_it_waits_and_triggers(desk):
    _, ask = desk.touch("inverse", "BTCUSD")
    desk.create(
        category="inverse",
        symbol="BTCUSD",
        orderType="Market",
        qty="100",
        triggerPrice=str(ask),
        triggerDirection=1,
    )
    desk.create(BOB, category="inverse", symbol="BTCUSD", orderType="Market", qty="50000")
    *_, order = desk.take("order")
    assert order["orderStatus"] == "Filled"


def test_the_same_seed_gives_the_same_triggers_at_the_same_times(new_desk):
    def told():
        desk = new_desk(seed=5, rate=40.0)
        bid, ask = desk.touch()
        desk.create(orderType="Market", qty="0.100")
        where = {"category": "linear", "symbol": "BTCUSDT"}
        desk.post(
            "position/trading-stop",
            **where,
            positionIdx=0,
            tpslMode="Full",
            takeProfit=str(ask + 40),
            stopLoss=str(bid - 40),
            trailingStop="60",
        )
        for offset in (1, 2, 3):
            desk.create(orderType="Market", triggerPrice=str(ask + offset), triggerDirection=1)
        desk.run(desk.now + 60_000)
        return desk.events

    first, second = told(), told()
    assert first == second
    assert "Triggered" in [o["orderStatus"] for _, t, e in first if t == "order" for o in e["data"]]
