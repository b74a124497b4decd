"""Rules of instruments, settings of positions and the pre-check, through the processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bybitbus.codes import Code, Outcome
from bybitbus.messages import Reply
from tests.order_execution.gateway import FAR, ORDERS, PRIVATE, UID, Gateway, running

QUICK = "environment: sim\naccounts:\n  main:\n    recv_window_ms: 500\n    order_timeout_ms: 400\n"
BTC = {"category": "linear", "symbol": "BTCUSDT"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Gateway]:
    with running() as gateway:
        gateway.config.write_text(QUICK)
        gateway.start(PRIVATE, ORDERS)
        yield gateway


@pytest.fixture
def gateway(shared: Gateway) -> Iterator[Gateway]:
    yield shared
    shared.simulator.fault("clear")
    for program in (PRIVATE, ORDERS):
        if program not in shared.processes:
            shared.start(program)
        shared.wait_state(program, "ready")


def refused(reply: Reply, code: Code, *says: str) -> None:
    assert reply.error is not None, reply
    assert (reply.error.code, reply.error.outcome) == (code, Outcome.REJECTED)
    for words in says:
        assert words in reply.error.message


def test_a_price_off_the_tick_is_refused_here_with_both_neighbours(gateway: Gateway) -> None:
    before = gateway.trade_requests()
    refused(gateway.create(price="1000.05"), Code.BAD_FIELD, "price", "1000.00 or 1000.10")
    refused(gateway.create(qty="0.0005"), Code.BAD_FIELD, "qty", "0.001")
    refused(gateway.create(takeProfit="70000.01"), Code.BAD_FIELD, "takeProfit", "70000.00")
    refused(gateway.create(qty="0.001"), Code.BAD_FIELD, "qty", "1.00000 USDT", "5 at least")
    batch = {"category": "linear", "request": [{"symbol": "BTCUSDT", **FAR, "price": "1.05"}]}
    reply = gateway.order("order.create-batch", batch)
    refused(reply, Code.BAD_FIELD, "request[0].price", "1.00 or 1.10")
    assert gateway.trade_requests() == before


def test_a_symbol_that_does_not_exist_is_refused_with_the_nearest(gateway: Gateway) -> None:
    reply = gateway.create(symbol="BTCUSTD")
    refused(reply, Code.BAD_FIELD, "symbol", "linear", "'BTCUSTD'", "did you mean 'BTCUSDT'")


def test_an_amend_is_checked_and_a_cancel_is_not(gateway: Gateway) -> None:
    assert gateway.create("amend-rule").ok
    gateway.wait_order("amend-rule", "open")
    ids = {**BTC, "orderLinkId": "amend-rule"}
    refused(gateway.order("order.amend", {**ids, "price": "999.95"}), Code.BAD_FIELD, "price")
    refused(gateway.order("order.amend", {**ids, "qty": "0.001"}), Code.BAD_FIELD, "5 at least")
    assert gateway.order("order.cancel", ids).ok


@pytest.mark.parametrize(
    ("args", "code", "named"),
    [
        ({"op": "order.amend", **BTC, "orderId": "x", "price": "1.05"}, Code.BAD_FIELD, "price"),
        ({"op": "order.cancel", **BTC}, Code.MISSING_FIELD, "orderId"),
        ({"op": "order.cancel-all", "category": "linear"}, Code.MISSING_FIELD, "symbol"),
        (
            {"category": "linear", "request": [{"symbol": "BTCUSDT", **FAR, "qty": "1e3"}]},
            Code.BAD_FIELD,
            "request[0].qty",
        ),
        (
            {
                "op": "order.amend-batch",
                "category": "linear",
                "request": [{"symbol": "BTCUSDT", "orderId": "x", "price": "1.05"}],
            },
            Code.BAD_FIELD,
            "request[0].price",
        ),
        (
            {"op": "position.set-leverage", **BTC, "buyLeverage": "500", "sellLeverage": "500"},
            Code.BAD_FIELD,
            "buyLeverage",
        ),
        ({"op": "account.orders", **BTC}, Code.BAD_FIELD, "op"),
        ({"op": 7, **BTC}, Code.BAD_FIELD, "op"),
    ],
)
def test_every_shape_of_request_can_be_validated(
    gateway: Gateway, args: dict[str, Any], code: Code, named: str
) -> None:
    before = gateway.trade_requests()
    refused(gateway.order("order.validate", args), code, named)
    assert gateway.trade_requests() == before


def test_what_is_right_is_validated_as_it_would_be_sent(gateway: Gateway) -> None:
    order = {**BTC, **FAR}
    assert gateway.order("order.validate", order).result == order
    cancel = {**BTC, "orderId": "x"}
    assert gateway.order("order.validate", {"op": "order.cancel", **cancel}).result == cancel


def test_each_category_is_fetched_when_it_is_first_traded(gateway: Gateway) -> None:
    reply = gateway.order(
        "order.validate",
        {
            "category": "spot",
            "symbol": "BTCUSDT",
            "side": "Buy",
            "orderType": "Market",
            "qty": "4.99",
        },
    )
    refused(reply, Code.BAD_FIELD, "qty", "at least")
    status = gateway.ask(ORDERS, "gateway.status")
    assert status is not None
    fetched = status.result["instruments"]
    assert fetched["spot"]["count"] > 0
    assert "inverse" not in fetched


def test_before_the_rules_are_known_nothing_is_sent_and_then_the_request_goes_its_way(
    gateway: Gateway,
) -> None:
    gateway.stop(ORDERS)
    for kept in gateway.state_dir.glob("instruments.*"):
        kept.unlink()
    gateway.start(ORDERS)
    path = "/v5/market/instruments-info"
    gateway.simulator.fault("http", status=500, count=50, path=path)
    before = gateway.trade_requests()
    reply = gateway.create("rules-1", client="")
    refused(reply, Code.NOT_READY, "linear instruments are not known yet", "500")
    assert reply.error is not None
    assert reply.error.retry_safe
    assert gateway.trade_requests() == before
    gateway.simulator.fault("clear")
    gateway.simulator.fault("http", status=500, count=1, path=path)  # one failure is waited out
    gateway.wait(lambda: gateway.create("rules-1").ok, "the order to pass")


def position(gateway: Gateway) -> dict[str, Any]:
    result = gateway.simulator.call(
        lambda sim: sim.exchange.private_get(UID, "/v5/position/list", BTC, sim.clock.engine_ms())
    )
    return dict(result["list"][0])


def leverage(gateway: Gateway, value: str, **more: Any) -> Reply:
    args = {**BTC, "buyLeverage": value, "sellLeverage": value}
    return gateway.order("position.set-leverage", args, **more)


def test_a_leverage_is_set_and_set_again_without_harm(gateway: Gateway) -> None:
    assert leverage(gateway, "7").result == {}
    assert position(gateway)["leverage"] == "7"
    again = leverage(gateway, "7")
    assert again.ok
    assert again.result["retCode"] == 110043
    refused(leverage(gateway, "0.5"), Code.BAD_FIELD, "buyLeverage", "minimum leverage")


@pytest.mark.parametrize(("when", "outcome"), [("after", "accepted"), ("before", "rejected")])
def test_a_setting_whose_answer_is_lost_is_unknown_until_the_position_tells(
    gateway: Gateway, when: str, outcome: str
) -> None:
    wanted = "9" if when == "after" else "11"
    assert leverage(gateway, "8").ok
    with gateway.listen(ORDERS, "gateway.order.main.") as listener:
        # A subscription takes a moment to arrive; this order's events prove that it has.
        gateway.wait(lambda: gateway.create() and listener.subscriber.receive(100), "events")
        gateway.simulator.fault("lose_ack", when=when, op="position.set-leverage")
        reply = leverage(gateway, wanted)
        assert reply.error is not None
        assert (reply.error.code, reply.error.outcome) == (Code.NO_ANSWER, Outcome.UNKNOWN)
        event = listener.wait(
            lambda event: event.body["op"] == "position.set-leverage" and event.body["settled"]
        )
    assert event.body["outcome"] == outcome
    assert event.body["symbol"] == "BTCUSDT"
    assert (position(gateway)["leverage"] == wanted) == (outcome == "accepted")


def test_what_a_pre_check_says_is_passed_on_and_no_order_is_made(gateway: Gateway) -> None:
    gateway.simulator.fault("answer", code=0, op="order.pre-check")
    assert gateway.order("order.pre-check", {**BTC, **FAR}).result == {}
    gateway.simulator.fault("answer", code=110007, msg="ab not enough", op="order.pre-check")
    reply = gateway.order("order.pre-check", {**BTC, **FAR})
    refused(reply, Code.EXCHANGE_REFUSED, "110007")
    refused(gateway.order("order.pre-check", {**BTC, **FAR, "price": "1.05"}), Code.BAD_FIELD)


def test_a_pre_check_without_an_answer_changes_nothing_and_may_be_asked_again(
    gateway: Gateway,
) -> None:
    gateway.simulator.fault("lose_ack", when="before", op="order.pre-check")
    reply = gateway.order("order.pre-check", {**BTC, **FAR})
    refused(reply, Code.NO_ANSWER)
    assert reply.error is not None
    assert reply.error.retry_safe
