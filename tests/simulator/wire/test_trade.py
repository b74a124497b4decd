"""The trade socket, over real sockets."""

import json
import time
from pathlib import Path

import pytest

from bybitd.simulator.wire import RateLimits, WireConfig
from bybitd.simulator.wire.connection import Connection

SAMPLES = Path(__file__).parents[3] / "../shared/bybit-v5/samples/ws-trade"


def now_ms():
    return int(time.time() * 1000)


def cancel(link_id):
    return {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": link_id}


def test_a_login_repeats_the_req_id_and_a_second_one_is_a_repeat(wire):
    client = wire.connect("/v5/trade")
    reply = client.login(reqId="l1")
    assert list(reply) == ["reqId", "retCode", "retMsg", "op", "connId"]
    assert (reply["reqId"], reply["retCode"], reply["op"]) == ("l1", 0, "auth")
    assert client.login()["retCode"] == 20001


@pytest.mark.parametrize(
    ("login", "code"),
    [({"expires_in_ms": -1}, 10001), ({"secret": "wrong"}, 10004)],
)
def test_a_login_that_fails_says_why_and_the_socket_stays_open(wire, login, code):
    client = wire.connect("/v5/trade")
    assert client.login(**login)["retCode"] == code
    assert client.ask("auth", ["nobody", now_ms() + 5_000, "0" * 64])["retCode"] == 10003
    assert client.login()["retCode"] == 0


def test_an_order_before_the_login_is_refused_without_its_req_id(wire):
    client = wire.connect("/v5/trade")
    client.order("order.create", wire.limit_order("t-early"), "r1", wait=False)
    reply = client.receive()
    assert reply["retCode"] == 10005
    assert "reqId" not in reply


def test_an_order_is_acknowledged_amended_and_cancelled(wire):
    client = wire.trade()
    created = client.order("order.create", wire.limit_order("t-life"), "r1")
    assert list(created) == [
        "reqId",
        "retCode",
        "retMsg",
        "op",
        "data",
        "retExtInfo",
        "header",
        "connId",
    ]
    assert (created["retCode"], created["retMsg"]) == (0, "OK")
    assert set(created["data"]) == {"orderId", "orderLinkId"}
    assert set(created["header"]) == {
        "X-Bapi-Limit",
        "X-Bapi-Limit-Status",
        "X-Bapi-Limit-Reset-Timestamp",
        "Traceid",
        "Timenow",
    }
    amended = client.order("order.amend", cancel("t-life") | {"price": "49000"}, "r2")
    assert amended["data"]["orderId"] == created["data"]["orderId"]
    assert client.order("order.cancel", cancel("t-life"), "r3")["retCode"] == 0
    late = client.order("order.cancel", cancel("t-life"), "r4")
    assert (late["retCode"], late["data"]) == (110001, {})


def test_a_reply_has_the_keys_of_the_documented_sample(wire):
    path = SAMPLES / "order-create-resp.json"
    if not path.exists():
        pytest.skip("the samples of the documentation are not here")
    sample = json.loads(path.read_text())
    client = wire.trade()
    reply = client.order("order.create", wire.limit_order("t-sample"), "r1")
    assert list(reply) == list(sample)
    assert set(reply["header"]) == set(sample["header"])
    client.order("order.cancel", cancel("t-sample"), "r2")


def test_the_batch_operations_answer_order_by_order(wire):
    client = wire.trade()
    items = [wire.limit_order(f"t-batch-{n}") for n in range(2)]
    for item in items:
        del item["category"]
    items.append(items[0] | {"orderLinkId": "t-batch-2", "symbol": "NOSUCHUSDT"})
    reply = client.order("order.create-batch", {"category": "linear", "request": items}, "r1")
    assert reply["retCode"] == 0
    assert [bool(row["orderId"]) for row in reply["data"]["list"]] == [True, True, False]
    assert [row["code"] == 0 for row in reply["retExtInfo"]["list"]] == [True, True, False]
    changes = [
        {"symbol": "BTCUSDT", "orderLinkId": f"t-batch-{n}", "qty": "0.020"} for n in range(2)
    ]
    reply = client.order("order.amend-batch", {"category": "linear", "request": changes}, "r2")
    assert [row["code"] for row in reply["retExtInfo"]["list"]] == [0, 0]
    ends = [{"symbol": "BTCUSDT", "orderLinkId": f"t-batch-{n}"} for n in range(2)]
    reply = client.order("order.cancel-batch", {"category": "linear", "request": ends}, "r3")
    assert [row["code"] for row in reply["retExtInfo"]["list"]] == [0, 0]


def test_a_req_id_serves_once_per_connection(wire):
    first, second = wire.trade(), wire.trade()
    assert first.order("order.cancel", cancel("none"), "same")["retCode"] == 110001
    assert first.order("order.cancel", cancel("none"), "same")["retCode"] == 20006
    assert second.order("order.cancel", cancel("none"), "same")["retCode"] == 110001
    assert first.order("order.cancel", cancel("none"), "x" * 37)["retCode"] == 10001
    assert "reqId" not in first.order("order.cancel", cancel("none"))


@pytest.mark.parametrize(("offset_ms", "code"), [(-4_000, 110001), (-6_000, 10002), (3_000, 10002)])
def test_the_header_timestamp_must_lie_in_the_window(wire, offset_ms, code):
    client = wire.trade()
    reply = client.order("order.cancel", cancel("none"), "r", at_ms=now_ms() + offset_ms)
    assert reply["retCode"] == code


@pytest.mark.parametrize("args", [None, [], [{}, {}], ["x"], {}])
def test_args_are_exactly_one_object(wire, args):
    client = wire.trade()
    header = {"X-BAPI-TIMESTAMP": str(now_ms())}
    client.send({"reqId": "r", "op": "order.create", "header": header, "args": args})
    assert client.receive()["retCode"] == 10001


def test_a_request_without_a_header_is_a_parameter_error(wire):
    client = wire.trade()
    client.send({"reqId": "r", "op": "order.create", "args": [{}]})
    assert client.receive()["retCode"] == 10001


@pytest.mark.parametrize("op", ["subscribe", "order.cancel-all", "explode"])
def test_operations_that_it_does_not_have_are_answered_10404(wire, op):
    reply = wire.trade().ask(op, ["x"], reqId="r")
    assert list(reply) == ["op", "reqId", "retCode", "retMsg", "connId"]
    assert (reply["op"], reply["retCode"], reply["retMsg"]) == (op, 10404, "")


def test_text_that_is_not_json_is_answered_and_the_socket_stays_open(wire):
    client = wire.trade()
    client.send("hello")
    assert client.receive()["retCode"] == 10001
    assert client.ask("ping")["op"] == "pong"


def test_a_readonly_key_cannot_trade(wire):
    reply = wire.trade(wire.readonly).order("order.create", wire.limit_order("t-ro"), "r")
    assert (reply["retCode"], reply["data"]) == (10005, {})


def test_above_the_limit_orders_are_refused_until_the_time_in_the_header(own_wire):
    wire = own_wire()
    client = wire.trade()
    replies = [client.order("order.cancel", cancel("none"), f"r{n}") for n in range(11)]
    assert [r["retCode"] for r in replies] == [110001] * 10 + [10006]
    header = replies[-1]["header"]
    assert (header["X-Bapi-Limit"], header["X-Bapi-Limit-Status"]) == ("10", "0")
    assert 0 < int(header["X-Bapi-Limit-Reset-Timestamp"]) - int(header["Timenow"]) <= 1_000
    # REST draws on the same bucket.
    _, body, headers = wire.rest.post("/v5/order/cancel", cancel("none"))
    assert body["retCode"] == 10006
    assert headers["X-Bapi-Limit-Status"] == "0"


@pytest.mark.parametrize("ack_first", [True, False])
def test_the_acknowledgement_comes_before_or_after_the_events(own_wire, ack_first):
    wire = own_wire(WireConfig(ack_first=ack_first, limits=RateLimits(enabled=False)))
    private, trade = wire.private(), wire.trade()
    sent = wire.sim.call(_record_order_of_frames)
    trade.order("order.create", wire.limit_order("t-ack"), "r1")
    private.topic("order")
    kinds = wire.sim.call(lambda _: list(dict.fromkeys(sent)))
    assert kinds == (["trade", "private"] if ack_first else ["private", "trade"])


def _record_order_of_frames(simulator):
    """Note the kind of each connection that sends, in order."""
    sent = []

    class Recording(Connection):
        __slots__ = ()

        def flush(self):
            sent.append(self.kind)
            super().flush()

    for connection in simulator._connections:
        connection.__class__ = Recording
    return sent
