"""Orders as their owner sees them: answers, states, and the events that tell them."""

from decimal import Decimal

import pytest

from bybitd.simulator.exchange import Refusal

ANN, BOB = 1, 2
TICK = Decimal("0.1")


def refused(desk, action="order/create", uid=ANN, **body):
    if action == "order/create":
        base = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
        body = {**base, "qty": "0.010", **body}
    with pytest.raises(Refusal) as caught:
        desk.post(action, uid, **body)
    return caught.value.retCode, caught.value.retMsg


def inside(desk, side="Buy", category="linear"):
    """Give a price that improves the touch of `side` without crossing."""
    bid, ask = desk.touch(category)
    return str(bid + TICK if side == "Buy" else ask - TICK)


# --- resting, priority
def test_a_limit_order_rests_and_is_told_as_new_with_position_and_wallet(desk):
    order_id = desk.create(price="90000", orderLinkId="a-1")
    (order,) = desk.take("order")
    assert (order["orderId"], order["orderLinkId"], order["orderStatus"]) == (
        order_id,
        "a-1",
        "New",
    )
    assert (order["price"], order["qty"], order["leavesQty"]) == ("90000.00", "0.010", "0.010")
    assert (order["leavesValue"], order["cumExecQty"], order["avgPrice"]) == ("900", "0.000", "")
    assert desk.take("execution") == []
    (position,) = desk.take("position")
    assert (position["side"], position["size"], position["entryPrice"]) == ("", "0", "0")
    (wallet,) = desk.take("wallet")
    assert wallet["totalInitialMargin"] == "90"
    assert [coin["coin"] for coin in wallet["coin"]] == ["USDT"]
    assert wallet["coin"][0]["totalOrderIM"] == "90"


def test_the_older_of_two_users_orders_at_a_price_fills_first(desk):
    price = inside(desk)
    first = desk.create(ANN, price=price)
    second = desk.create(BOB, price=price)
    desk.create(BOB, side="Sell", price=price, qty="0.010", timeInForce="IOC")
    assert desk.order(first)["orderStatus"] == "Filled"
    assert desk.order(second, BOB)["orderStatus"] == "New"


def test_a_maker_fills_in_two_parts_and_each_part_is_told(desk):
    price = inside(desk)
    desk.create(ANN, price=price)
    desk.take("order")
    desk.create(BOB, side="Sell", price=price, qty="0.004", timeInForce="IOC")
    (order,) = desk.take("order")
    assert (order["orderStatus"], order["cumExecQty"], order["leavesQty"]) == (
        "PartiallyFilled",
        "0.004",
        "0.006",
    )
    desk.create(BOB, side="Sell", price=price, qty="0.006", timeInForce="IOC")
    (order,) = desk.take("order")
    assert (order["orderStatus"], order["cumExecQty"], order["leavesQty"]) == (
        "Filled",
        "0.010",
        "0.000",
    )
    executions = desk.take("execution")
    assert [(e["execQty"], e["isMaker"], e["feeRate"]) for e in executions] == [
        ("0.004", True, "0.0002"),
        ("0.006", True, "0.0002"),
    ]
    assert [e["leavesQty"] for e in executions] == ["0.006", "0.000"]
    fast = desk.take("execution.fast")
    assert [e["execId"] for e in fast] == [e["execId"] for e in executions]
    theirs = desk.take("execution", BOB)
    assert all(e["isMaker"] is False and e["feeRate"] == "0.00055" for e in theirs)
    assert len({e["execId"] for e in executions + theirs}) == 4
    assert desk.position()["size"] == "0.01"
    assert desk.position(BOB)["side"] == "Sell"


def test_a_taker_that_is_filled_at_once_is_told_once_with_all_its_fills(desk):
    desk.create(orderType="Market", qty="1.000")
    (order,) = desk.take("order")
    assert (order["orderStatus"], order["timeInForce"]) == ("Filled", "IOC")
    executions = desk.take("execution")
    assert sum(Decimal(e["execQty"]) for e in executions) == 1
    value = sum(Decimal(e["execValue"]) for e in executions)
    assert Decimal(order["cumExecValue"]) == value
    assert Decimal(order["avgPrice"]) == value
    fees = sum(Decimal(e["execFee"]) for e in executions)
    assert order["cumFeeDetail"] == {"USDT": str(fees.normalize())}
    assert desk.wallet("USDT") == 1_000_000 - fees


# --- times in force
def test_an_ioc_order_is_cancelled_where_it_was_not_filled(desk):
    price = inside(desk, "Sell")
    desk.create(BOB, side="Sell", price=price, qty="0.004")
    desk.create(ANN, price=price, timeInForce="IOC")
    (order,) = desk.take("order")
    assert (order["orderStatus"], order["cumExecQty"], order["leavesQty"]) == (
        "Cancelled",
        "0.004",
        "0.000",
    )
    assert order["rejectReason"] == "EC_CancelForNoFullFill"
    desk.create(ANN, price="90000", timeInForce="IOC")
    assert desk.take("order")[0]["rejectReason"] == "EC_NoImmediateQtyToFill"


def test_a_fok_order_fills_whole_or_not_at_all(desk):
    price = inside(desk, "Sell")
    desk.create(BOB, side="Sell", price=price, qty="0.004")
    desk.create(ANN, price=price, timeInForce="FOK")
    (order,) = desk.take("order")
    assert (order["orderStatus"], order["cumExecQty"], order["rejectReason"]) == (
        "Cancelled",
        "0.000",
        "EC_NoEnoughQtyToFill",
    )
    desk.create(ANN, price=price, qty="0.004", timeInForce="FOK")
    assert desk.take("order")[0]["orderStatus"] == "Filled"


def test_a_post_only_order_that_would_take_is_acknowledged_and_then_cancelled(desk):
    _, ask = desk.touch()
    order_id = desk.create(price=str(ask), timeInForce="PostOnly")
    (order,) = desk.take("order")
    assert (order["orderId"], order["orderStatus"], order["cancelType"]) == (
        order_id,
        "Cancelled",
        "UNKNOWN",
    )
    assert order["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"
    desk.create(price=inside(desk), timeInForce="PostOnly")
    assert desk.take("order")[0]["orderStatus"] == "New"


def test_spot_orders_cancelled_with_fills_have_a_status_of_their_own(desk):
    price = inside(desk, "Sell", "spot")
    desk.create(BOB, category="spot", side="Sell", price=price, qty="0.004")
    desk.create(ANN, category="spot", price=price, qty="0.010", timeInForce="IOC")
    (order,) = desk.take("order")
    assert (order["orderStatus"], order["leavesQty"]) == ("PartiallyFilledCanceled", "0.006")
    assert "createType" not in order
    assert "tpslMode" not in order
    assert order["isLeverage"] == "0"


def test_a_spot_market_buy_spends_its_value_and_ends_like_a_cancel(desk):
    before = desk.wallet("USDT"), desk.wallet("BTC")
    desk.create(category="spot", orderType="Market", qty="100")
    (order,) = desk.take("order")
    assert (order["orderStatus"], order["rejectReason"]) == (
        "PartiallyFilledCanceled",
        "EC_CancelForNoFullFill",
    )
    spent = Decimal(order["cumExecValue"])
    assert (order["qty"], order["marketUnit"], order["price"]) == ("100", "quoteCoin", "0")
    assert 99 < spent <= 100
    assert Decimal(order["leavesValue"]) == 100 - spent
    bought = Decimal(order["cumExecQty"])
    assert desk.wallet("USDT") == before[0] - spent
    assert desk.wallet("BTC") == before[1] + bought - Decimal(order["cumFeeDetail"]["BTC"])
    desk.create(category="spot", orderType="Market", qty="0.002", marketUnit="baseCoin")
    (order,) = desk.take("order")
    assert (order["orderStatus"], order["cumExecQty"]) == ("Filled", "0.002")


# --- reduce-only and hedge mode
def test_reduce_only_needs_a_position_on_the_other_side(desk):
    assert refused(desk, price="90000", reduceOnly=True)[0] == 110017
    desk.create(orderType="Market")
    assert refused(desk, price="90000", reduceOnly=True)[0] == 110017


def test_reduce_only_is_cut_to_the_position_and_never_turns_it(desk):
    desk.create(orderType="Market", qty="0.010")
    desk.create(side="Sell", orderType="Market", qty="5", reduceOnly=True)
    assert desk.take("order")[-1]["qty"] == "0.010"
    assert desk.position()["size"] == "0"


def test_resting_reduce_only_orders_shrink_with_the_position_and_go_with_it(desk):
    desk.create(orderType="Market", qty="0.010")
    price = inside(desk, "Sell")
    stays = desk.create(side="Sell", price="95000", qty="0.010", reduceOnly=True)
    assert desk.order(stays)["leavesQty"] == "0.010"
    desk.create(side="Sell", orderType="Market", qty="0.004")
    shrunk = desk.order(stays)
    assert (shrunk["qty"], shrunk["leavesQty"], shrunk["orderStatus"]) == ("0.006", "0.006", "New")
    desk.take("order")
    desk.create(side="Sell", price=price, qty="0.006")
    desk.create(BOB, price=price, qty="0.006", timeInForce="IOC")
    ends = {order["orderId"]: order for order in desk.take("order")}
    assert ends[stays]["orderStatus"] == "Cancelled"
    assert ends[stays]["cancelType"] == "CancelByReduceOnly"
    assert desk.position()["size"] == "0"


def test_a_whole_position_is_closed_by_a_quantity_of_zero(desk):
    desk.create(orderType="Market", qty="0.020")
    desk.create(side="Sell", orderType="Market", qty="0", reduceOnly=True, closeOnTrigger=True)
    assert desk.position()["size"] == "0"


def test_hedge_mode_keeps_two_positions_and_refuses_the_wrong_index(desk):
    desk.post("position/switch-mode", category="linear", symbol="BTCUSDT", mode=3)
    assert refused(desk, price="90000")[1] == "position idx not match position mode"
    desk.create(orderType="Market", positionIdx=1, qty="0.010")
    desk.create(orderType="Market", side="Sell", positionIdx=2, qty="0.020")
    rows = desk.get("position/list", category="linear", symbol="BTCUSDT")["list"]
    assert [(r["positionIdx"], r["side"], r["size"]) for r in rows] == [
        (1, "Buy", "0.01"),
        (2, "Sell", "0.02"),
    ]
    assert refused(desk, side="Sell", orderType="Market", positionIdx=1, qty="0.5")[0] == 110017
    desk.create(orderType="Market", side="Sell", positionIdx=1, qty="0.010")
    rows = desk.get("position/list", category="linear", settleCoin="USDT")["list"]
    assert [(r["positionIdx"], r["size"]) for r in rows] == [(2, "0.02")]


# --- amend
def test_a_smaller_quantity_keeps_the_place_and_a_larger_one_loses_it(desk):
    price = inside(desk)
    mine = desk.create(ANN, price=price, qty="0.010")
    desk.create(BOB, price=price, qty="0.010")
    desk.post("order/amend", category="linear", symbol="BTCUSDT", orderId=mine, qty="0.006")
    desk.create(BOB, side="Sell", price=price, qty="0.002", timeInForce="IOC")
    assert desk.order(mine)["cumExecQty"] == "0.002"
    desk.post("order/amend", category="linear", symbol="BTCUSDT", orderId=mine, qty="0.020")
    desk.create(BOB, side="Sell", price=price, qty="0.002", timeInForce="IOC")
    assert desk.order(mine)["cumExecQty"] == "0.002"


def test_an_amended_price_moves_to_the_end_of_its_new_queue(desk):
    price = inside(desk)
    mine = desk.create(ANN, price="93000")
    theirs = desk.create(BOB, price=price)
    desk.take("order")
    desk.post("order/amend", category="linear", symbol="BTCUSDT", orderId=mine, price=price)
    (told,) = desk.take("order")
    assert (told["orderId"], told["price"], told["orderStatus"]) == (mine, price, "New")
    desk.create(BOB, side="Sell", price=price, qty="0.010", timeInForce="IOC")
    assert desk.order(theirs, BOB)["orderStatus"] == "Filled"
    assert desk.order(mine)["orderStatus"] == "New"


def test_an_amend_that_crosses_takes_and_keeps_its_id(desk):
    mine = desk.create(price="93000")
    _, ask = desk.touch()
    desk.post("order/amend", category="linear", symbol="BTCUSDT", orderId=mine, price=str(ask))
    assert desk.order(mine)["orderStatus"] == "Filled"
    assert desk.take("execution")[0]["isMaker"] is False


def test_amends_that_cannot_be_are_refused_and_change_nothing(desk):
    price = inside(desk)
    mine = desk.create(price=price, qty="0.010", orderLinkId="m")
    desk.create(BOB, side="Sell", price=price, qty="0.004", timeInForce="IOC")
    before = desk.order(mine)
    desk.events.clear()
    where = {"category": "linear", "symbol": "BTCUSDT"}
    amend = "order/amend"
    assert refused(desk, amend, **where, orderLinkId="m", qty="0.004")[0] == 110064
    assert "unchanged" in refused(desk, amend, **where, orderLinkId="m", qty="0.01")[1]
    assert refused(desk, amend, **where, orderLinkId="m")[0] == 10001
    assert refused(desk, amend, **where, orderLinkId="m", qty="500")[0] == 110007
    assert refused(desk, amend, **where, orderLinkId="m", price="1.05")[0] == 10001
    assert refused(desk, amend, **where, orderLinkId="m", takeProfit="99000")[0] == 110059
    assert refused(desk, amend, **where, orderLinkId="x", qty="1") == (
        110001,
        "order not exists or too late to replace",
    )
    assert desk.order(mine) == before
    assert desk.events == []


# --- cancel
def test_a_cancel_is_told_and_a_second_one_comes_too_late(desk):
    mine = desk.create(price="90000")
    desk.take("order")
    answer = desk.post("order/cancel", category="linear", symbol="BTCUSDT", orderId=mine)
    assert answer == {"orderId": mine, "orderLinkId": ""}
    (order,) = desk.take("order")
    assert (order["orderStatus"], order["cancelType"], order["leavesQty"]) == (
        "Cancelled",
        "CancelByUser",
        "0.000",
    )
    late = refused(desk, "order/cancel", category="linear", symbol="BTCUSDT", orderId=mine)
    assert late == (110001, "order not exists or too late to cancel")


def test_spot_tells_why_an_order_cannot_be_cancelled(desk):
    where = {"category": "spot", "symbol": "BTCUSDT"}
    filled = desk.create(**where, orderType="Market", qty="0.001", marketUnit="baseCoin")
    gone = desk.create(**where, price="90000", qty="0.001")
    desk.post("order/cancel", **where, orderId=gone)
    codes = [
        refused(desk, "order/cancel", **where, orderId=order_id)[0]
        for order_id in (filled, gone, "1")
    ]
    assert codes == [170139, 170142, 170213]


def test_an_order_of_somebody_else_or_of_another_symbol_does_not_exist(desk):
    mine = desk.create(price="90000")
    where = {"category": "linear", "orderId": mine}
    assert refused(desk, "order/cancel", BOB, **where, symbol="BTCUSDT")[0] == 110001
    assert refused(desk, "order/cancel", **where, symbol="ETHUSDT")[0] == 110001


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({"symbol": "BTCUSDT"}, {"ETHUSDT", "BTCPERP"}),
        ({"baseCoin": "BTC"}, {"ETHUSDT"}),
        ({"settleCoin": "USDT"}, {"BTCPERP"}),
        ({"symbol": "ETHUSDT", "settleCoin": "USDC"}, {"BTCUSDT", "BTCPERP"}),
        ({"settleCoin": "USDT", "orderFilter": "StopOrder"}, {"BTCUSDT", "ETHUSDT", "BTCPERP"}),
    ],
)
def test_cancel_all_keeps_to_its_filter(desk, filters, left):
    desk.create(price="90000")
    desk.create(symbol="ETHUSDT", price="3000")
    desk.create(symbol="BTCPERP", price="90000")
    desk.create(category="spot", price="90000")
    answer = desk.post("order/cancel-all", category="linear", **filters)
    assert answer["success"] == "1"
    assert len(answer["list"]) == 3 - len(left)
    open_orders = {
        row["symbol"]
        for coin in ("USDT", "USDC")
        for row in desk.get("order/realtime", category="linear", settleCoin=coin)["list"]
    }
    assert open_orders == left
    assert len(desk.get("order/realtime", category="spot")["list"]) == 1


def test_cancel_all_of_contracts_needs_a_filter(desk):
    assert refused(desk, "order/cancel-all", category="linear")[0] == 10001
    assert desk.post("order/cancel-all", category="spot") == {"list": [], "success": "1"}


# --- batches
def test_a_batch_answers_item_by_item(desk):
    good = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01"}
    items = [
        {**good, "price": "90000", "orderLinkId": "one"},
        {**good, "price": "90000", "orderLinkId": "one"},
        {**good, "price": "90000.05"},
        "nonsense",
    ]
    result, extra = desk.exchange.private_post(
        ANN, "/v5/order/create-batch", {"category": "linear", "request": items}, desk.now
    )
    assert [code["code"] for code in extra["list"]] == [0, 110072, 10001, 10001]
    assert [bool(row["orderId"]) for row in result["list"]] == [True, False, False, False]
    assert [row["createAt"] for row in result["list"]] == [str(desk.now), "", "", ""]
    request = [
        {"symbol": "BTCUSDT", "orderLinkId": "one", "price": "90001"},
        {"symbol": "BTCUSDT", "orderLinkId": "two", "price": "90001"},
    ]
    result, extra = desk.exchange.private_post(
        ANN, "/v5/order/amend-batch", {"category": "linear", "request": request}, desk.now
    )
    assert [code["code"] for code in extra["list"]] == [0, 110001]
    assert "createAt" not in result["list"][0]
    result, extra = desk.exchange.private_post(
        ANN, "/v5/order/cancel-batch", {"category": "linear", "request": request}, desk.now
    )
    assert [code["code"] for code in extra["list"]] == [0, 110001]
    assert result["list"][1]["orderLinkId"] == "two"


@pytest.mark.parametrize(("category", "most"), [("linear", 20), ("spot", 10)])
def test_a_batch_has_a_largest_size(desk, category, most):
    for items in ([], [{}] * (most + 1), {}):
        assert refused(desk, "order/create-batch", category=category, request=items)[0] == 10001


# --- refusals
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"side": "buy"}, 10001),
        ({"orderType": "Stop"}, 10001),
        ({"symbol": "btcusdt"}, 10001),
        ({"category": "futures"}, 10001),
        ({"category": None}, 10001),
        ({"qty": "0.0105"}, 10001),
        ({"qty": "0"}, 10001),
        ({"qty": "1e-2"}, 10001),
        ({"qty": 0.01}, 10001),
        ({"qty": "100000"}, 10001),
        ({"price": "90000.05"}, 10001),
        ({"price": ""}, 10001),
        ({"price": "-1"}, 10001),
        ({"price": "9999999999"}, 110003),
        ({"timeInForce": "DAY"}, 10001),
        ({"timeInForce": "RPI"}, 110119),
        ({"orderLinkId": "x" * 37}, 10001),
        ({"orderLinkId": "with space"}, 10001),
        ({"positionIdx": 1}, 10001),
        ({"positionIdx": 7}, 10001),
        ({"reduceOnly": "true"}, 10001),
        ({"smpType": "CancelAll"}, 10001),
        ({"triggerPrice": "91000"}, 10001),
        ({"takeProfit": "80000"}, 10001),
        ({"stopLoss": "95000"}, 10001),
        ({"orderFilter": "StopOrder"}, 10001),
        ({"qty": "0.001", "price": "90"}, 110094),
    ],
)
def test_a_contract_order_that_cannot_be_is_refused_with_the_code_of_the_exchange(desk, body, code):
    assert refused(desk, **{"price": "90000", **body})[0] == code
    assert desk.events == []
    assert desk.get("order/realtime", category="linear", settleCoin="USDT")["list"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"side": "buy"}, 170117),
        ({"orderType": "Stop"}, 170116),
        ({"symbol": "NOPE"}, 170121),
        ({"qty": "0.0000001"}, 170137),
        ({"qty": "x"}, 170130),
        ({"qty": "0.000001"}, 170136),
        ({"qty": "10000"}, 170381),
        ({"price": "90000.05"}, 170134),
        ({"price": ""}, 170105),
        ({"timeInForce": "DAY"}, 170115),
        ({"qty": "0.00005"}, 170140),
        ({"price": "99000"}, 170193),
        ({"side": "Sell", "price": "90000"}, 170194),
        ({"orderType": "Market", "qty": "4"}, 170140),
        ({"orderType": "Market", "qty": "10.00000001"}, 170148),
        ({"symbol": "ETHUSDT", "price": "3300", "qty": "400"}, 170131),
        ({"symbol": "SOLUSDT", "side": "Sell", "price": "200", "qty": "1"}, 170131),
    ],
)
def test_a_spot_order_that_cannot_be_is_refused_with_the_code_of_the_exchange(desk, body, code):
    assert refused(desk, **{"category": "spot", "price": "90000", **body})[0] == code
    assert desk.events == []


def test_a_used_order_link_id_is_refused_also_after_its_order_has_ended(desk):
    desk.create(price="90000", orderLinkId="a")
    desk.create(category="spot", price="90000", orderLinkId="a")
    assert refused(desk, price="90000", orderLinkId="a") == (110072, "OrderLinkedID is duplicate")
    assert refused(desk, category="spot", price="90000", orderLinkId="a")[0] == 170141
    desk.post("order/cancel", category="linear", symbol="BTCUSDT", orderLinkId="a")
    assert refused(desk, price="90000", orderLinkId="a")[0] == 110072
    desk.create(BOB, price="90000", orderLinkId="a")  # another account has its own names


def test_margin_that_is_not_there_cannot_be_bound(desk):
    desk.post("position/set-leverage", category="linear", symbol="BTCUSDT",
              buyLeverage="1", sellLeverage="1")  # fmt: skip
    desk.create(price="93000", qty="30")
    code, text = refused(desk, price="93000", qty="30")
    assert (code, text) == (110007, "ab not enough for new order")
    desk.create(side="Sell", price="95000", qty="0.010")  # little orders still fit


def test_a_contract_price_outside_the_band_is_moved_to_its_edge(desk):
    limit = desk.market("price-limit", category="linear", symbol="BTCUSDT")
    desk.create(side="Sell", price="50000", qty="0.010", timeInForce="PostOnly")
    desk.create(side="Buy", price="150000", qty="0.010", timeInForce="PostOnly")
    assert [order["price"] for order in desk.take("order")] == [limit["sellLmt"], limit["buyLmt"]]


def test_option_orders_need_a_link_id_and_move_premium_and_greeks(desk):
    symbol = desk.market("instruments-info", category="option")["list"][0]["symbol"]
    where = {"category": "option", "symbol": symbol}
    assert refused(desk, **where, orderType="Market", qty="0.1")[0] == 10001
    before = desk.wallet("USDT")
    desk.create(**where, orderType="Market", qty="0.1", orderLinkId="o-1")
    (order,) = desk.take("order")
    assert (order["orderStatus"], order["placeType"], order["stopOrderType"]) == (
        "Filled",
        "price",
        "",
    )
    paid = Decimal(order["cumExecValue"]) + Decimal(order["cumFeeDetail"]["USDT"])
    assert desk.wallet("USDT") == before - paid
    (position,) = desk.take("position")
    assert (position["size"], position["leverage"]) == ("0.1", "")
    assert 0 < Decimal(position["delta"]) < Decimal("0.1")
    (greeks,) = desk.take("greeks")
    assert greeks["baseCoin"] == "BTC"
    assert greeks["totalDelta"] == position["delta"]
    assert desk.take("execution")[0]["markIv"]


# --- self-match
@pytest.mark.parametrize(
    ("smp", "maker", "taker"),
    [
        ("None", "Filled", "Filled"),
        ("CancelMaker", "Cancelled", "Filled"),
        ("CancelTaker", "New", "Cancelled"),
        ("CancelBoth", "Cancelled", "Cancelled"),
    ],
)
def test_self_match_prevention_is_what_the_incoming_order_says(desk, smp, maker, taker):
    price = inside(desk, "Sell")
    resting = desk.create(side="Sell", price=price)
    coming = desk.create(orderType="Market", smpType=smp)
    assert desk.order(resting)["orderStatus"] == maker
    assert desk.order(coming)["orderStatus"] == taker
    if smp != "None":
        cancelled = [o for o in desk.take("order") if o["orderStatus"] == "Cancelled"]
        assert {o["cancelType"] for o in cancelled} == {"CancelBySmp"}
        other = {resting: coming, coming: resting}
        assert all(o["smpOrderId"] == other[o["orderId"]] for o in cancelled)


def test_a_trade_with_oneself_leaves_the_position_and_costs_both_fees(desk):
    price = inside(desk, "Sell")
    desk.create(side="Sell", price=price)
    desk.create(price=price)
    executions = desk.take("execution")
    assert len({e["execId"] for e in executions}) == 2
    fees = sum(Decimal(e["execFee"]) for e in executions)
    assert desk.position()["size"] == "0"
    assert desk.wallet("USDT") == 1_000_000 - fees
