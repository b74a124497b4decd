"""An order goes wrong at every step of its way, and the exchange still knows the truth."""

import time

import pytest

MARKET = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market"}


def market(link_id, **changes):
    return MARKET | {"qty": "0.010", "orderLinkId": link_id} | changes


def truth(wire, link_id):
    rows = wire.sim.orders(wire.key.uid, link_id)
    assert len(rows) <= 1
    return rows[0] if rows else None


def of_order(link_id):
    """Fit the order messages of one order."""
    return lambda m: m.get("topic") == "order" and m["data"][0]["orderLinkId"] == link_id


def test_the_truth_is_told_over_the_control_endpoint(wire):
    trade = wire.trade()
    assert trade.order("order.create", wire.limit_order("told"), "1")["retCode"] == 0
    assert trade.order("order.create", wire.limit_order("told"), "2")["retCode"] == 110072
    status, body, _ = wire.rest.get("/sim/orders", f"uid={wire.key.uid}&orderLinkId=told")
    (row,) = body["list"]
    assert (status, row["orderStatus"], row["symbol"]) == (200, "New", "BTCUSDT")
    assert (row["received"], row["acted"]) == ({"order.create": 2}, {"order.create": 1})
    assert wire.rest.get("/sim/orders", "uid=x")[0] == 400


@pytest.mark.parametrize(("when", "acted"), [("before", {}), ("after", {"order.create": 1})])
def test_a_cut_exactly_before_or_after_acting_leaves_what_it_says(wire, when, acted):
    private, trade = wire.private(), wire.trade()
    wire.sim.fault("lose_ack", when=when, cut_scope="all")
    link_id = f"cut-{when}"
    trade.order("order.create", wire.limit_order(link_id), "1", wait=False)
    assert trade.until_cut() == []
    assert private.until_cut() == []
    row = truth(wire, link_id)
    assert (row["received"], row["acted"]) == ({"order.create": 1}, acted)


def test_an_acknowledgement_that_is_held_back_comes_after_the_event(wire):
    private, trade = wire.private(), wire.trade()
    wire.sim.fault("hold_ack", ms=400)
    trade.order("order.create", wire.limit_order("late-ack"), "1", wait=False)
    private.wait_for(of_order("late-ack"))
    start = time.monotonic()
    assert trade.wait_for(lambda m: m.get("reqId") == "1")["retCode"] == 0
    assert time.monotonic() - start > 0.05
    wire.sim.fault("hold_ack", ms=200)
    start = time.monotonic()
    body = wire.rest.post("/v5/order/create", wire.limit_order("late-rest"))[1]
    assert body["retCode"] == 0
    assert time.monotonic() - start > 0.19


def test_events_can_be_held_back_lost_repeated_and_changed_in_order(wire):
    private, trade = wire.private(), wire.trade()
    wire.sim.fault("hold_events", topic="order", ms=300)
    trade.order("order.create", market("held"), "1")
    topics = [private.receive()["topic"] for _ in range(2)]
    assert topics == ["execution", "order"]
    wire.sim.fault("repeat", category="private", topic="execution")
    trade.order("order.create", market("twice"), "2")
    first, *again = [private.topic("execution") for _ in range(2)]
    assert again == [first]
    wire.sim.fault("swap_events", topic="order")
    trade.order("order.create", wire.limit_order("x-1"), "3")
    trade.order("order.create", wire.limit_order("x-2"), "4")
    links = [private.topic("order")["data"][0]["orderLinkId"] for _ in range(2)]
    assert links == ["x-2", "x-1"]
    wire.sim.fault("swap_events", topic="order", ms=50)
    trade.order("order.create", wire.limit_order("x-3"), "5")
    assert private.topic("order")["data"][0]["orderLinkId"] == "x-3"


def test_an_event_that_is_lost_is_still_known_over_rest(wire):
    private, trade = wire.private(topics=("order",)), wire.trade()
    wire.sim.fault("drop", category="private", topic="order")
    assert trade.order("order.create", wire.limit_order("unheard"), "1")["retCode"] == 0
    trade.order("order.create", wire.limit_order("heard"), "2")
    assert private.topic("order")["data"][0]["orderLinkId"] == "heard"
    query = "category=linear&orderLinkId=unheard"
    rows = wire.rest.get("/v5/order/realtime", query, wire.key)[1]["result"]["list"]
    assert rows[0]["orderStatus"] == "New"


def test_a_second_filled_looks_like_a_cancel_that_was_too_late(wire):
    private, trade = wire.private(topics=("order",)), wire.trade()
    wire.sim.fault("double_filled")
    trade.order("order.create", market("twice-filled"), "1")
    first, second = (private.topic("order")["data"][0] for _ in range(2))
    assert first["orderId"] == second["orderId"]
    assert first["orderStatus"] == second["orderStatus"] == "Filled"
    assert (first["cancelType"], second["cancelType"]) == ("UNKNOWN", "CancelByUser")
    assert second["rejectReason"] == "EC_OrigClOrdIDDoesNotExist"


def test_answers_can_lack_their_req_id(wire):
    trade = wire.trade()
    wire.sim.fault("omit_req_id")
    wire.sim.fault("answer", code=10005, req_id=False)
    trade.order("order.create", wire.limit_order("bare"), "1", wait=False)
    reply = trade.receive()
    assert (reply["retCode"], "reqId" in reply) == (0, False)
    trade.order("order.create", wire.limit_order("denied"), "2", wait=False)
    reply = trade.receive()
    assert (reply["retCode"], "reqId" in reply) == (10005, False)
    assert truth(wire, "denied")["acted"] == {}


def test_a_trade_node_that_restarts_refuses_what_is_new_and_answers_what_is_under_way(wire):
    old = wire.trade()
    wire.sim.fault("hold_ack", ms=200)
    old.order("order.create", wire.limit_order("under-way"), "1", wait=False)
    old.ask("ping")
    wire.sim.fault("restart_trade_node", seconds=0.6)
    refused = old.order("order.create", wire.limit_order("too-new"), "2")
    assert refused["retCode"] == 10019
    assert old.wait_for(lambda m: m.get("reqId") == "1")["retCode"] == 0
    assert wire.trade().order("order.create", wire.limit_order("elsewhere"), "1")["retCode"] == 0
    assert old.until_cut() == []
    assert truth(wire, "too-new")["acted"] == {}
    assert truth(wire, "under-way")["acted"] == {"order.create": 1}


@pytest.mark.parametrize("act", [False, True])
@pytest.mark.parametrize("code", [10002, 10006, 10016, 10429, 403])
def test_codes_come_on_demand_with_or_without_acting(wire, code, act):
    trade = wire.trade()
    wire.sim.fault("answer", code=code, act=act)
    link_id = f"code-{code}-{act}"
    reply = trade.order("order.create", wire.limit_order(link_id), "1")
    assert (reply["retCode"], reply["retMsg"] != "") == (code, True)
    assert bool(truth(wire, link_id)["acted"]) is act
    if (code, act) == (10006, False):
        assert reply["header"]["X-Bapi-Limit-Status"] == "0"


def test_a_restarted_exchange_has_its_accounts_and_runs_on(own_wire):
    wire = own_wire()
    private, trade, public = wire.private(), wire.trade(), wire.connect("/v5/public/linear")
    public.ask("subscribe", ["orderbook.1.BTCUSDT"])
    public.topic("orderbook.1.BTCUSDT")
    trade.order("order.create", wire.limit_order("kept"), "1")
    trade.order("order.create", market("done"), "2")
    wire.sim.fault("restart_exchange", seconds=0.5)
    for client in (private, trade, public):
        client.until_cut()
    assert wire.rest.get("/v5/market/time")[0] == 503
    deadline = time.monotonic() + 20
    while wire.rest.get("/v5/market/time")[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (truth(wire, "kept")["orderStatus"], truth(wire, "done")["orderStatus"]) == (
        "New",
        "Filled",
    )
    private, trade, public = wire.private(), wire.trade(), wire.connect("/v5/public/linear")
    assert trade.order("order.create", wire.limit_order("kept"), "1")["retCode"] == 110072
    public.ask("subscribe", ["orderbook.1.BTCUSDT"])
    public.topic("orderbook.1.BTCUSDT")
    body = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "kept"}
    assert trade.order("order.cancel", body, "2")["retCode"] == 0
    assert private.wait_for(of_order("kept"))["data"][0]["orderStatus"] == "Cancelled"


@pytest.mark.parametrize("exec_type", ["Funding", "AdlTrade", "BustTrade", "Settle"])
def test_executions_that_no_order_made_come_on_demand(wire, exec_type):
    symbol = "ETHUSDT"
    private, trade = wire.private(topics=("order", "execution", "position")), wire.trade()
    trade.order("order.create", market(f"open-{exec_type}", symbol=symbol, qty="0.10"), "1")
    private.wait_for(lambda m: m.get("topic") == "execution")
    wire.sim.fault("execution", execType=exec_type, symbol=symbol)
    row = private.wait_for(
        lambda m: m.get("topic") == "execution" and m["data"][0]["execType"] == exec_type
    )["data"][0]
    assert (row["orderLinkId"], row["symbol"]) == ("", symbol)
    position = private.topic("position")["data"][0]
    assert (position["size"] == "0") is (exec_type != "Funding")
    query = f"category=linear&symbol={symbol}&execType={exec_type}"
    listed = wire.rest.get("/v5/execution/list", query, wire.key)[1]["result"]["list"]
    assert row in listed


def test_a_position_that_is_not_there_can_have_no_execution(wire):
    with pytest.raises(ValueError, match="no position in linear SOLUSDT"):
        wire.sim.fault("execution", execType="AdlTrade", symbol="SOLUSDT")


def test_authentication_can_be_refused_on_demand_on_both_sockets(wire):
    wire.sim.fault("answer", op="auth", code=10003, msg="too many sessions", count=2)
    trade, private = wire.connect("/v5/trade"), wire.connect("/v5/private")
    assert trade.login()["retCode"] == 10003
    reply = private.login()
    assert (reply["success"], reply["ret_msg"]) == (False, "too many sessions")
    assert trade.login()["retCode"] == 0
    assert private.login()["success"] is True


def test_an_answer_to_a_look_up_can_be_forced_or_late(wire):
    trade = wire.trade()
    wire.sim.fault("read_lag", ms=60_000)
    trade.order("order.create", wire.limit_order("not-yet-seen"), "1")
    query = "category=linear&orderLinkId=not-yet-seen"

    def look_up():
        return wire.rest.get("/v5/order/realtime", query, wire.key)[1]

    assert look_up()["result"]["list"] == []
    wire.sim.fault("read_lag", ms=0)
    assert len(look_up()["result"]["list"]) == 1
    wire.sim.fault("answer", op="order.realtime", code=10016)
    assert look_up()["retCode"] == 10016
    assert look_up()["retCode"] == 0
