"""Orders whose price the market decides, protection of market makers, pre-checks, settings."""

from decimal import Decimal

import pytest

from bybitd.simulator.exchange import Refusal

ANN, BOB = 1, 2
WHERE = {"category": "linear", "symbol": "BTCUSDT"}


def refused(desk, action="order/create", **body):
    if action == "order/create":
        body = WHERE | {"side": "Buy", "orderType": "Market", "qty": "0.010"} | body
    with pytest.raises(Refusal) as caught:
        desk.post(action, ANN, **body)
    return caught.value.retCode


def option(desk):
    row = desk.market("instruments-info", category="option", baseCoin="BTC")["list"][0]
    return {"category": "option", "symbol": row["symbol"], "qty": "0.1"}


# --- slippage tolerance
@pytest.mark.parametrize(("kind", "value"), [("TickSize", "30"), ("Percent", "0.01")])
@pytest.mark.parametrize("side", ["Buy", "Sell"])
def test_a_market_order_goes_no_further_than_its_tolerance(desk, side, kind, value):
    bid, ask = desk.touch()
    best, sign = (ask, 1) if side == "Buy" else (bid, -1)
    reach = 3 if kind == "TickSize" else best * Decimal("0.0001")
    order_id = desk.create(
        side=side,
        orderType="Market",
        qty="50",
        slippageToleranceType=kind,
        slippageTolerance=value,
    )
    order = desk.order(order_id)
    worst = max((sign * Decimal(e["execPrice"]) for e in desk.take("execution")), default=None)
    assert worst is not None
    assert worst <= sign * best + reach
    assert (order["orderStatus"], order["rejectReason"]) == ("Cancelled", "EC_CancelForNoFullFill")
    assert (order["slippageToleranceType"], order["slippageTolerance"]) == (kind, value)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"slippageToleranceType": "TickSize", "slippageTolerance": "0"}, 110108),
        ({"slippageToleranceType": "TickSize", "slippageTolerance": "1.5"}, 110108),
        ({"slippageToleranceType": "TickSize", "slippageTolerance": "10001"}, 110108),
        ({"slippageToleranceType": "Percent", "slippageTolerance": "0.001"}, 110109),
        ({"slippageToleranceType": "Percent", "slippageTolerance": "10.1"}, 110109),
        ({"slippageToleranceType": "Points", "slippageTolerance": "1"}, 10001),
        ({"slippageTolerance": "1"}, 10001),
        ({"slippageToleranceType": "TickSize", "slippageTolerance": "5", "takeProfit": "1"}, 10001),
        (
            {"orderType": "Limit", "price": "90000", "slippageToleranceType": "TickSize",
             "slippageTolerance": "5"},
            10001,
        ),
    ],
)  # fmt: skip
def test_a_tolerance_that_cannot_be_is_refused(desk, fields, code):
    assert refused(desk, **fields) == code


# --- best bid and offer
def test_a_bbo_order_takes_the_price_of_a_level(desk):
    book = desk.market("orderbook", **WHERE, limit="5")
    own = desk.create(bboSideType="Queue", bboLevel="3")
    assert desk.order(own)["price"] == book["b"][2][0]
    assert desk.order(own)["orderStatus"] == "New"
    taken = desk.create(bboSideType="Counterparty", bboLevel="1", qty="0.001")
    assert desk.order(taken)["price"] == book["a"][0][0]
    assert desk.order(taken)["orderStatus"] == "Filled"


@pytest.mark.parametrize(
    "fields",
    [
        {"orderType": "Limit", "bboSideType": "Middle", "bboLevel": "1"},
        {"orderType": "Limit", "bboSideType": "Queue", "bboLevel": "6"},
        {"orderType": "Market", "bboSideType": "Queue", "bboLevel": "1"},
        {"orderType": "Limit", "bboSideType": "Queue"},
        {"category": "spot", "orderType": "Limit", "bboSideType": "Queue", "bboLevel": "1"},
    ],
)
def test_a_bbo_order_that_cannot_be_is_refused(desk, fields):
    assert refused(desk, **fields) == 10001


# --- options
def test_an_option_order_by_volatility_gets_the_price_of_that_volatility(desk):
    where = option(desk)
    prices = []
    for iv in ("0.2", "0.6"):
        desk.post("order/create", **where, side="Buy", orderType="Limit", orderIv=iv,
                  price="5", orderLinkId=f"iv-{iv[-1]}", timeInForce="PostOnly")  # fmt: skip
        (order,) = desk.take("order")
        assert (order["orderIv"], order["placeType"]) == (iv, "iv")
        prices.append(Decimal(order["price"]))
    assert prices[0] < prices[1]
    assert refused(desk, orderType="Limit", orderIv="0.5", price="90000") == 10001


def test_protection_pulls_the_quotes_of_a_market_maker_and_refuses_new_ones(desk):
    where = option(desk)
    limits = {"baseCoin": "BTC", "window": "5000", "frozenPeriod": "1000"}
    desk.post("account/mmp-modify", **limits, qtyLimit="0.1", deltaLimit="50")
    bid, ask = desk.touch("option", where["symbol"])
    price = str(ask - 5 if ask - bid > 5 else bid)

    def quote(link, price=price):
        return desk.post("order/create", **where, side="Buy", orderType="Limit", price=price,
                         orderLinkId=link, mmp=True)["orderId"]  # fmt: skip

    first, second, third = quote("q1"), quote("q2"), quote("q3", "5")
    desk.events.clear()
    desk.post("order/create", BOB, **where | {"qty": "9"}, side="Sell", orderType="Limit",
              price=price, orderLinkId="hit", timeInForce="IOC")  # fmt: skip
    ends = {o["orderId"]: (o["orderStatus"], o["cancelType"]) for o in desk.take("order")}
    assert ends[first][0] == "Filled"
    assert ends[second] == ends[third] == ("Cancelled", "CancelByMmpTriggered")
    (state,) = desk.get("account/mmp-state", baseCoin="BTC")["result"]
    assert (state["mmpFrozen"], state["mmpFrozenUntil"]) == (True, str(desk.now + 1000))
    quote("q4")
    (order,) = desk.take("order")
    assert (order["orderStatus"], order["rejectReason"]) == ("Rejected", "EC_CancelByMMP")
    desk.now += 1000
    quote("q5", "5")
    assert desk.take("order")[0]["orderStatus"] == "New"
    desk.post("account/mmp-reset", baseCoin="BTC")
    assert refused(desk, mmp=True) == 10001


def test_an_option_position_has_stops_of_its_whole_size_only(desk):
    where = option(desk)
    desk.post("order/create", **where, side="Buy", orderType="Market", orderLinkId="p")
    mark = Decimal(desk.get("position/list", **where)["list"][0]["markPrice"])
    body = {**where, "positionIdx": 0, "takeProfit": str(round(mark / 5 * 2) * 5)}
    assert refused(desk, "position/trading-stop", **body, tpslMode="Partial") == 10001
    desk.post("position/trading-stop", **body, tpslMode="Full")
    (row,) = desk.get("order/realtime", **where)["list"]
    assert (row["stopOrderType"], row["triggerBy"]) == ("TakeProfit", "MarkPrice")
    assert (row["orderStatus"], row["side"], row["qty"]) == ("Untriggered", "Sell", "0.1")
    desk.post("order/create", **where, side="Sell", orderType="Market", orderLinkId="q",
              reduceOnly=True)  # fmt: skip
    assert desk.get("order/realtime", **where)["list"] == []


# --- spot by value
def test_a_spot_sale_by_value_brings_about_what_it_says(desk):
    desk.create(category="spot", side="Sell", orderType="Market", qty="500", marketUnit="quoteCoin")
    (order,) = desk.take("order")
    assert (order["qty"], order["marketUnit"]) == ("500", "quoteCoin")
    assert 499 < Decimal(order["cumExecValue"]) <= 500


# --- price limits
def test_contracts_re_price_or_refuse_and_spot_the_other_way_round(desk):
    order_id = desk.create(price="190000", qty="0.001")
    assert Decimal(desk.order(order_id)["price"]) < 190_000
    config = desk.get("account/user-setting-config")
    assert (config["lpaSpot"], config["lpaPerp"]) == (False, False)
    desk.post("account/set-limit-px-action", category="linear", modifyEnable=False)
    assert refused(desk, orderType="Limit", price="190000") == 110121
    assert refused(desk, orderType="Limit", side="Sell", price="10000") == 110120
    spot = {"category": "spot", "orderType": "Limit", "qty": "0.001"}
    assert refused(desk, **spot, price="190000") == 170193
    desk.post("account/set-limit-px-action", category="spot", modifyEnable=True)
    desk.post("order/create", **WHERE | spot, side="Buy", price="190000")
    config = desk.get("account/user-setting-config")
    assert (config["lpaSpot"], config["lpaPerp"]) == (True, True)


def test_rpi_makers_are_approved_by_hand_and_takers_may_say_so(desk):
    assert refused(desk, orderType="Limit", price="90000", timeInForce="RPI") == 110119
    order_id = desk.create(price="90000", rpiTakerAccess=True)
    assert desk.order(order_id)["rpiTakerAccess"] is True


# --- pre-check
def test_a_pre_check_tells_the_margin_rates_and_places_nothing(desk):
    body = WHERE | {"side": "Buy", "orderType": "Limit", "price": "90000", "orderLinkId": "w"}
    result = desk.post("order/pre-check", **body, qty="1")
    assert (result["preImrE4"], result["orderLinkId"]) == (0, "w")
    assert 0 < result["postMmrE4"] < result["postImrE4"]
    assert desk.get("order/realtime", **WHERE)["list"] == []
    with pytest.raises(Refusal) as caught:
        desk.post("order/pre-check", **body, qty="400")
    assert caught.value.retCode == 110007
    assert caught.value.retExtInfo["post_imr_e4"] > result["postImrE4"]
    assert refused(desk, "order/pre-check", **body, qty="1", triggerPrice="9", triggerDirection=2)
    assert refused(desk, "order/pre-check", **body | {"category": "spot"}, qty="1") == 10001


# --- isolated margin
def test_isolated_margin_counts_the_coin_alone_and_may_add_margin(desk):
    auto = WHERE | {"positionIdx": 0}
    assert refused(desk, "position/set-auto-add-margin", **auto, autoAddMargin=1) == 110076
    desk.post("account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
    assert desk.get("account/info")["marginMode"] == "ISOLATED_MARGIN"
    desk.post("position/set-auto-add-margin", **auto, autoAddMargin=1)
    assert desk.position()["autoAddMargin"] == 1
    assert refused(desk, "position/set-auto-add-margin", **auto, autoAddMargin=1) == 110027
    # In cross margin the USDC and the coins would cover this.
    assert refused(desk, orderType="Limit", price="90000", qty="150") == 110007
    desk.post("account/set-margin-mode", setMarginMode="REGULAR_MARGIN")
    assert desk.create(price="90000", qty="150")
    assert refused(desk, "account/set-margin-mode", setMarginMode="FREE") == 10001


# --- settings survive
def test_settings_are_kept_over_a_restart_and_an_older_file_is_read(new_desk, tmp_path):
    from bybitd.simulator.store import AccountStore

    file = str(tmp_path / "sim.db")
    store = AccountStore(file)
    desk = new_desk(store=store)
    desk.post("order/disconnected-cancel-all", product="SPOT", timeWindow=40)
    desk.post("account/mmp-modify", baseCoin="ETH", window="10", frozenPeriod="0",
              qtyLimit="1", deltaLimit="2")  # fmt: skip
    store.close()
    store = AccountStore(file)
    again = new_desk(store=store, now=desk.now + 1)
    assert again.get("account/query-dcp-info") == {
        "dcpInfos": [{"product": "SPOT", "dcpStatus": "ON", "timeWindow": "40"}]
    }
    assert again.get("account/mmp-state", baseCoin="ETH")["result"][0]["qtyLimit"] == "1"
    store._db.execute("ALTER TABLE settings DROP COLUMN body")
    store._db.execute("PRAGMA user_version = 1")
    store.close()
    store = AccountStore(file)
    assert new_desk(store=store).get("account/query-dcp-info") == {"dcpInfos": []}
    store.close()


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("order/disconnected-cancel-all", {"timeWindow": 2}),
        ("order/disconnected-cancel-all", {"timeWindow": "10"}),
        ("order/disconnected-cancel-all", {"timeWindow": 10, "product": "FUTURES"}),
        ("account/mmp-modify", {"baseCoin": "BTC", "window": "x"}),
        ("account/mmp-reset", {}),
        ("account/set-limit-px-action", {"category": "option", "modifyEnable": True}),
    ],
)
def test_settings_that_cannot_be_are_refused(desk, action, body):
    assert refused(desk, action, **body) == 10001
