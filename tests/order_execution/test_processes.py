"""Both processes of an account on real sockets, against a simulated exchange that misbehaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from bybitbus.codes import Code, Outcome
from bybitbus.messages import Reply
from tests.order_execution.gateway import FAR, ORDERS, PRIVATE, Gateway, running

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


def error_of(reply: Reply) -> tuple[Code, Outcome]:
    assert reply.error is not None, reply
    return reply.error.code, reply.error.outcome


def test_an_order_s_life_is_told_from_the_sending_to_the_end(gateway: Gateway) -> None:
    with gateway.listen(ORDERS, "gateway.order.main.") as listener:
        # A subscription takes a moment to arrive; this order's events prove that it has.
        gateway.wait(lambda: gateway.create() and listener.subscriber.receive(100), "events")
        reply = gateway.create("life-1")
        assert reply.ok
        assert list(reply.t) == ["received", "sent", "acknowledged", "replied"]
        assert list(reply.t.values()) == sorted(reply.t.values())
        gateway.wait_order("life-1", "open")
        assert gateway.order("order.cancel", {**BTC, "orderLinkId": "life-1"}).ok
        listener.wait(
            lambda event: (
                event.body.get("orderLinkId") == "life-1"
                and event.body["op"] == "order.create"
                and event.body["state"] == "cancelled"
            )
        )
        states = [
            event.body["state"]
            for event in listener.seen
            if event.body.get("orderLinkId") == "life-1" and event.body["op"] == "order.create"
        ]
    told = [state for number, state in enumerate(states) if state not in states[:number]]
    assert told == sorted(told, key=["sent", "acknowledged", "open", "cancelled"].index)
    assert told[0] == "sent"
    assert told[-2:] == ["open", "cancelled"]


def test_a_filled_order_is_filled_in_the_journal(gateway: Gateway) -> None:
    book = gateway.simulator.call(
        lambda sim: sim.exchange.public_get("/v5/market/orderbook", BTC, sim.clock.engine_ms())
    )
    reply = gateway.create("fill-1", price=book["a"][0][0], qty="0.001", timeInForce="IOC")
    assert reply.ok
    found = gateway.wait_order("fill-1", "filled", "cancelled")
    assert (found["state"], found["cumExecQty"]) == ("filled", "0.001")


def test_an_order_whose_acknowledgement_is_lost_is_unknown_and_then_found(
    gateway: Gateway,
) -> None:
    gateway.stop(PRIVATE)  # the stream would tell at once; here the look-up must
    gateway.simulator.fault("lose_ack", when="after", op="order.create")
    reply = gateway.create("lost-after")
    assert error_of(reply) == (Code.NO_ANSWER, Outcome.UNKNOWN)
    found = gateway.wait_order("lost-after", "open")
    assert found["outcome"] == "accepted"
    assert len(gateway.at_exchange("lost-after")) == 1
    again = gateway.create("lost-after")
    assert again.result == {"orderId": found["orderId"], "orderLinkId": "lost-after"}


def test_an_order_that_its_events_have_shown_is_accepted_without_an_acknowledgement(
    gateway: Gateway,
) -> None:
    gateway.wait(lambda: hears_the_stream(gateway), "the private stream to be listened to")
    gateway.simulator.fault("lose_ack", when="after", op="order.create")
    reply = gateway.create("shown-1")
    assert reply.ok
    assert reply.result["orderId"] == gateway.at_exchange("shown-1")[0]["orderId"]


def hears_the_stream(gateway: Gateway) -> bool:
    reply = gateway.ask(PRIVATE, "gateway.subscriptions")
    return reply is not None and "private.main.order." in reply.result["topics"]


def test_an_order_that_was_never_acted_on_is_rejected_only_when_that_is_proven(
    gateway: Gateway,
) -> None:
    gateway.simulator.fault("lose_ack", when="before", op="order.create")
    sent_s = time.monotonic()
    reply = gateway.create("lost-before")
    assert error_of(reply) == (Code.NO_ANSWER, Outcome.UNKNOWN)
    found = gateway.wait_order("lost-before", "rejected")
    assert found["basis"] == "absent"
    assert time.monotonic() - sent_s > 0.5 + 3.0  # recv_window, and the slack behind it
    assert gateway.at_exchange("lost-before") == []
    assert error_of(gateway.create("lost-before"))[1] is Outcome.REJECTED


def test_a_connection_cut_with_an_order_in_flight_leaves_no_doubt_in_the_end(
    gateway: Gateway,
) -> None:
    gateway.stop(PRIVATE)
    gateway.simulator.fault("lose_ack", when="after", op="order.create", cut=True)
    reply = gateway.create("cut-1")
    assert error_of(reply) == (Code.NO_ANSWER, Outcome.UNKNOWN)
    gateway.wait_order("cut-1", "open")
    gateway.wait_state(ORDERS, "ready")
    assert len(gateway.at_exchange("cut-1")) == 1


def test_an_answer_that_decides_nothing_is_unknown_and_looked_up(gateway: Gateway) -> None:
    gateway.stop(PRIVATE)
    gateway.simulator.fault("answer", code=10016, act=True, op="order.create")
    reply = gateway.create("internal-1")
    assert error_of(reply) == (Code.NO_ANSWER, Outcome.UNKNOWN)
    assert reply.error is not None
    assert (reply.error.exchange or {})["retCode"] == 10016
    gateway.wait_order("internal-1", "open")


@pytest.mark.parametrize(
    ("code", "wire", "link_id"),
    [
        (110007, Code.EXCHANGE_REFUSED, "refused-1"),
        (10006, Code.RATE_LIMITED, "refused-2"),
        (110072, Code.ID_REUSED, "refused-3"),
    ],
)
def test_a_definite_refusal_is_told_as_such_again_and_again(
    gateway: Gateway, code: int, wire: Code, link_id: str
) -> None:
    gateway.simulator.fault("answer", code=code, msg="no", op="order.create")
    first = gateway.create(link_id)
    assert error_of(first) == (wire, Outcome.REJECTED)
    before = gateway.trade_requests()
    assert gateway.create(link_id).error == first.error
    assert gateway.trade_requests() == before
    assert gateway.status(link_id)["state"] == "rejected"
    # After 10006 its operation pauses until the exchange's reset.
    gateway.wait(lambda: gateway.create().ok, "orders to be let through again")


def test_the_same_order_again_is_answered_as_the_first_time_and_sent_once(
    gateway: Gateway,
) -> None:
    first = gateway.create("twice-1")
    gateway.wait_order("twice-1", "open")
    before = gateway.trade_requests()
    assert gateway.create("twice-1").result == first.result
    gateway.kill(ORDERS)
    gateway.start(ORDERS)
    assert gateway.create("twice-1").result == first.result
    assert gateway.trade_requests() == before
    assert len(gateway.at_exchange("twice-1")) == 1


def test_another_order_under_a_used_id_is_refused(gateway: Gateway) -> None:
    assert gateway.create("used-1").ok
    before = gateway.trade_requests()
    assert error_of(gateway.create("used-1", qty="0.020")) == (Code.ID_REUSED, Outcome.REJECTED)
    assert error_of(gateway.create("used-1", client="other"))[0] is Code.ID_REUSED
    assert gateway.trade_requests() == before


def test_an_order_in_flight_when_the_process_is_killed_is_found_by_the_next(
    gateway: Gateway,
) -> None:
    gateway.config.write_text("environment: sim\n")  # waits 5 s for an answer
    gateway.stop(ORDERS)
    gateway.start(ORDERS)
    gateway.stop(PRIVATE)
    gateway.simulator.fault("lose_ack", when="after", op="order.create")
    before = gateway.trade_requests()
    with pytest.raises(AssertionError):
        gateway_create_and_kill(gateway, "killed-1", before)
    gateway.config.write_text(QUICK)
    gateway.start(ORDERS, ready=False)
    gateway.wait(lambda: gateway.ask(ORDERS, "gateway.ping"), "the next run")
    assert gateway.wait_order("killed-1", "open")["outcome"] == "accepted"
    assert len(gateway.at_exchange("killed-1")) == 1
    assert gateway.create("killed-1").ok


def gateway_create_and_kill(gateway: Gateway, link_id: str, before: int) -> None:
    """Kill the process while the order is at the exchange; raises, for there is no answer."""

    def kill() -> None:
        gateway.wait(lambda: gateway.trade_requests() > before, "the order at the exchange")
        gateway.kill(ORDERS)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        reply = gateway.order(
            "order.create",
            {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": "1000.00"}
            | {"orderLinkId": link_id},
            wait_s=2.0,
        )
        raise RuntimeError(f"an answer of a killed process: {reply}")
    finally:
        killer.join()


def test_a_cancel_whose_answer_is_lost_is_settled_by_the_order_itself(gateway: Gateway) -> None:
    assert gateway.create("cancel-1").ok
    gateway.wait_order("cancel-1", "open")
    gateway.simulator.fault("lose_ack", when="after", op="order.cancel")
    reply = gateway.order("order.cancel", {**BTC, "orderLinkId": "cancel-1"})
    assert error_of(reply) == (Code.NO_ANSWER, Outcome.UNKNOWN)

    def settled() -> Any:
        (action,) = gateway.status("cancel-1")["actions"]
        return action if action["settled"] else None

    assert gateway.wait(settled, "the cancel to be settled")["outcome"] == "accepted"
    assert gateway.status("cancel-1")["state"] == "cancelled"


def test_an_amend_that_was_never_acted_on_is_settled_as_rejected(gateway: Gateway) -> None:
    assert gateway.create("amend-1").ok
    gateway.wait_order("amend-1", "open")
    gateway.simulator.fault("lose_ack", when="before", op="order.amend")
    reply = gateway.order("order.amend", {**BTC, "orderLinkId": "amend-1", "price": "1002.00"})
    assert error_of(reply) == (Code.NO_ANSWER, Outcome.UNKNOWN)

    def settled() -> Any:
        (action,) = gateway.status("amend-1")["actions"]
        return action if action["settled"] else None

    assert gateway.wait(settled, "the amend to be settled")["outcome"] == "rejected"
    found = gateway.status("amend-1")
    assert (found["state"], found["price"]) == ("open", "1000.00")


def test_an_order_goes_over_rest_while_the_trade_socket_is_down(gateway: Gateway) -> None:
    gateway.simulator.fault("refuse_connect", scope="trade")
    gateway.simulator.fault("cut", scope="trade")
    gateway.wait_state(ORDERS, "degraded")
    assert gateway.create("rest-1").ok
    assert len(gateway.at_exchange("rest-1")) == 1
    assert gateway.order("order.cancel", {**BTC, "orderLinkId": "rest-1"}).ok


def test_the_items_of_a_batch_are_judged_one_by_one(gateway: Gateway) -> None:
    good = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
    good |= {"qty": "0.010", "price": "1000.00"}
    reply = gateway.order(
        "order.create-batch",
        {
            "category": "linear",
            "request": [
                {**good, "orderLinkId": "batch-1"},
                {**good, "orderLinkId": "batch-2", "positionIdx": 1},  # not in hedge mode
            ],
        },
    )
    assert reply.ok
    codes = [item["code"] for item in reply.result["retExtInfo"]["list"]]
    assert codes[0] == 0
    assert codes[1] != 0
    assert reply.result["retExtInfo"]["list"][1]["error"] == "exchange_refused"
    assert reply.result["list"][0]["orderId"]
    gateway.wait_order("batch-1", "open")
    assert gateway.status("batch-2")["state"] == "rejected"
    cancelled = gateway.order(
        "order.cancel-batch",
        {"category": "linear", "request": [{"symbol": "BTCUSDT", "orderLinkId": "batch-1"}]},
    )
    assert [item["code"] for item in cancelled.result["retExtInfo"]["list"]] == [0]
    gateway.wait_order("batch-1", "cancelled")


def test_a_batch_whose_answer_is_lost_is_settled_item_by_item(gateway: Gateway) -> None:
    gateway.stop(PRIVATE)
    item = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
    item |= {"qty": "0.010", "price": "1000.00"}
    args = {
        "category": "linear",
        "request": [{**item, "orderLinkId": "lost-b1"}, {**item, "orderLinkId": "lost-b2"}],
    }
    gateway.simulator.fault("lose_ack", when="after", op="order.create-batch")
    reply = gateway.order("order.create-batch", args)
    assert error_of(reply) == (Code.NO_ANSWER, Outcome.UNKNOWN)
    for link_id in ("lost-b1", "lost-b2"):
        gateway.wait_order(link_id, "open")
    again = gateway.order("order.create-batch", args)
    assert [row["orderLinkId"] for row in again.result["list"]] == ["lost-b1", "lost-b2"]
    assert len(gateway.at_exchange("lost-b1")) == 1


def test_cancel_all_goes_over_rest_and_its_orders_end(gateway: Gateway) -> None:
    assert gateway.create("all-1").ok
    gateway.wait_order("all-1", "open")
    reply = gateway.order("order.cancel-all", BTC)
    assert reply.ok
    assert "all-1" in [row["orderLinkId"] for row in reply.result["list"]]
    gateway.wait_order("all-1", "cancelled")


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"quantity": "1"}, Code.UNKNOWN_FIELD, "quantity"),
        ({"qty": 1}, Code.BAD_FIELD, "qty"),
        ({"side": "buy"}, Code.BAD_FIELD, "side"),
        ({"orderType": "Limit", "price": "0"}, Code.BAD_FIELD, "price"),
    ],
)
def test_a_wrong_argument_is_refused_by_name_and_leaves_no_trace(
    gateway: Gateway, changes: dict[str, Any], code: Code, named: str
) -> None:
    before = gateway.trade_requests()
    reply = gateway.create("wrong-1", **changes)
    assert error_of(reply) == (code, Outcome.REJECTED)
    assert reply.error is not None
    assert named in reply.error.message
    assert gateway.trade_requests() == before
    missing = gateway.order("order.status", {"orderLinkId": "wrong-1"})
    assert error_of(missing)[0] is Code.NOT_FOUND


def test_a_request_past_its_deadline_is_dropped_before_it_is_signed(gateway: Gateway) -> None:
    before = gateway.trade_requests()
    args = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": "1000.00"}
    reply = gateway.order(
        "order.create", {**args, "orderLinkId": "late-1"}, deadline_ms=1_700_000_000_000
    )
    assert error_of(reply) == (Code.DEADLINE_PASSED, Outcome.REJECTED)
    assert "sent" not in reply.t
    assert gateway.trade_requests() == before


def test_validation_tells_what_a_create_would_and_sends_nothing(gateway: Gateway) -> None:
    before = gateway.trade_requests()
    args = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": "1000.00"}
    assert gateway.order("order.validate", args).result == args
    bad = gateway.order("order.validate", {**args, "qty": "x"})
    assert error_of(bad)[0] is Code.BAD_FIELD
    assert gateway.trade_requests() == before


def test_an_order_is_only_looked_at_and_never_journaled_when_it_was_placed_elsewhere(
    gateway: Gateway,
) -> None:
    place_elsewhere(gateway, "elsewhere-1")
    gateway.wait(
        lambda: "elsewhere-1" in open_links(gateway), "the order to show in account.orders"
    )
    reply = gateway.order("order.status", {"orderLinkId": "elsewhere-1"})
    assert error_of(reply)[0] is Code.NOT_FOUND
    assert gateway.order("order.cancel", {**BTC, "orderLinkId": "elsewhere-1"}).ok


def place_elsewhere(gateway: Gateway, link_id: str) -> None:
    body = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": "1000.00"}

    def place(sim: Any) -> None:
        now_ms = sim.clock.engine_ms()
        sim.exchange.private_post(101, "/v5/order/create", body | {"orderLinkId": link_id}, now_ms)
        sim.publish()

    gateway.simulator.call(place)


def open_links(gateway: Gateway) -> list[str]:
    reply = gateway.ask(PRIVATE, "account.orders", {"category": "linear"})
    return [row["orderLinkId"] for row in reply.result["list"]] if reply and reply.ok else []


def test_a_clock_that_drifts_is_measured_again_and_the_request_sent_once_more(
    gateway: Gateway,
) -> None:
    gateway.simulator.fault("clock_skew", ms=-5000)  # the exchange now finds us ahead of time
    assert gateway.create("clock-1").ok
    assert len(gateway.at_exchange("clock-1")) == 1
    item = {"symbol": "BTCUSDT", **FAR}
    args = {"category": "linear", "request": [{**item, "orderLinkId": "clock-2"}]}
    gateway.simulator.fault("clock_skew", ms=5000)
    assert gateway.order("order.create-batch", args).result["retExtInfo"]["list"][0]["code"] == 0
    gateway.simulator.fault("clock_skew", ms=0)
    before = gateway.trade_requests()
    assert gateway.order("order.cancel", {**BTC, "orderLinkId": "clock-1"}).ok
    assert gateway.trade_requests() == before + 2
    gateway.wait_order("clock-1", "cancelled")


def test_a_timestamp_that_is_refused_twice_is_told(gateway: Gateway) -> None:
    before = gateway.trade_requests()
    gateway.simulator.fault("answer", code=10002, count=2, op="order.create")
    reply = gateway.create("clock-3")
    assert error_of(reply) == (Code.EXCHANGE_REFUSED, Outcome.REJECTED)
    assert gateway.trade_requests() == before + 2
    assert gateway.status("clock-3")["basis"] == "refused"
    assert gateway.at_exchange("clock-3") == []


def test_a_late_joiner_is_told_of_the_living_orders(gateway: Gateway) -> None:
    assert gateway.create("joiner-1").ok
    gateway.wait_order("joiner-1", "open")
    with gateway.listen(ORDERS, "gateway.order.main.") as listener:
        event = listener.wait(lambda event: event.body.get("orderLinkId") == "joiner-1")
    assert event.body["resend"] is True
    assert event.body["state"] == "open"


def test_orders_that_ended_while_the_process_was_down_are_found_ended(gateway: Gateway) -> None:
    assert gateway.create("down-1").ok
    gateway.wait_order("down-1", "open")
    gateway.kill(ORDERS)

    def cancel(sim: Any) -> None:
        now_ms = sim.clock.engine_ms()
        sim.exchange.private_post(101, "/v5/order/cancel", {**BTC, "orderLinkId": "down-1"}, now_ms)
        sim.publish()

    gateway.simulator.call(cancel)
    gateway.start(ORDERS)
    assert gateway.wait_order("down-1", "cancelled")["orderStatus"] == "Cancelled"


def test_without_an_exchange_nothing_is_taken() -> None:
    with running() as gateway:
        (gateway.run_dir / "simulator.endpoint").unlink()
        gateway.start(ORDERS, PRIVATE, ready=False)
        for program in (ORDERS, PRIVATE):
            gateway.wait_state(program, "starting")
        assert error_of(gateway.create("early-1")) == (Code.NOT_READY, Outcome.REJECTED)
        reply = gateway.ask(PRIVATE, "account.orders")
        assert reply is not None
        assert error_of(reply)[0] is Code.NOT_READY
        gateway.point_at(gateway.simulator)
        for program in (ORDERS, PRIVATE):
            gateway.wait_state(program, "ready")
        assert gateway.create("early-1").ok


def test_both_processes_end_cleanly_when_told_to() -> None:
    with running(PRIVATE, ORDERS) as gateway:
        assert gateway.create("end-1").ok
        assert (gateway.stop(ORDERS), gateway.stop(PRIVATE)) == (0, 0)
        assert "defect" not in gateway.log.read_text()


def test_a_trade_node_that_restarts_hands_over_to_another_socket(gateway: Gateway) -> None:
    gateway.wait_state(ORDERS, "ready")
    # What is in flight on the old node is still answered there, after the hand-over.
    gateway.simulator.fault("answer", code=10019, op="order.amend")
    assert gateway.create("node-0").ok
    refused = gateway.order("order.amend", {**BTC, "orderLinkId": "node-0", "qty": "0.020"})
    assert error_of(refused) == (Code.NO_ANSWER, Outcome.UNKNOWN)
    over_rest = gateway.wait_state(ORDERS, "ready")["counters"]["over_rest"]
    replies = [gateway.create(f"node-{number}") for number in (1, 2, 3)]
    assert all(reply.ok for reply in replies)

    def handed_over() -> dict[str, Any] | None:
        status = gateway.wait_state(ORDERS, "ready")
        names = [socket["name"] for socket in status["connections"]]
        return status if len(names) == 1 and status["connections"][0]["state"] == "open" else None

    status = gateway.wait(handed_over, "one open trade socket")
    assert status["connections"][0]["name"] != "trade-1"
    assert status["counters"]["over_rest"] == over_rest
    for number in (1, 2, 3):
        assert len(gateway.at_exchange(f"node-{number}")) == 1
