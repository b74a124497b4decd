"""Faults round an order wait for the request or the event that they mean, and are used up."""

from bybitd.simulator.wire import order_faults
from bybitd.simulator.wire.faults import Faults, parse

LINEAR = {"category": "linear"}


def armed(name, /, **fields):
    faults = Faults()
    faults.arm(parse(name, fields), 0)
    return faults.orders


def test_an_order_fault_waits_for_its_operation():
    faults = armed("lose_ack", op="order.cancel", when="before")
    faults.arm(parse("answer", {"code": 10016, "count": 2}))
    assert faults.for_request("position.set-leverage", LINEAR) is None
    assert faults.for_request("order.create", LINEAR).code == 10016
    assert faults.for_request("order.cancel", LINEAR).when == "before"
    assert faults.for_request("order.cancel", LINEAR).code == 10016
    assert faults.for_request("order.cancel", LINEAR) is None


def test_an_order_fault_may_mean_one_order_alone_or_in_a_batch():
    faults = armed("hold_ack", ms=5, orderLinkId="b", count=2)
    assert faults.for_request("order.create", {"orderLinkId": "a"}) is None
    assert faults.for_request("order.create", {"orderLinkId": "b"}).ms == 5
    batch = {"request": [{"orderLinkId": "a"}, {"orderLinkId": "b"}, "rubbish"]}
    assert faults.for_request("order.create-batch", batch).ms == 5
    assert faults.for_request("order.create", {"orderLinkId": "b"}) is None


def test_an_event_fault_waits_for_its_topic_and_counts():
    faults = armed("hold_events", topic="execution", ms=30, count=2)
    faults.arm(parse("swap_events", {"topic": "order"}))
    assert faults.for_event("wallet") is None
    assert isinstance(faults.for_event("order"), order_faults.SwapEvents)
    assert [faults.for_event("execution").ms for _ in range(2)] == [30, 30]
    assert faults.for_event("execution") is None


def test_what_waits_is_described_by_name():
    faults = armed("lose_ack", cut=True, count=3)
    faults.arm(parse("double_filled", {"count": 2}))
    faults.arm(parse("read_lag", {"ms": 40}))
    described = faults.describe()
    (order,) = described["orders"]
    assert (order["fault"], order["cut"], order["count"]) == ("lose_ack", True, 3)
    assert (described["double_filled"], described["read_lag_ms"]) == (2, 40)
    assert [faults.doubles_filled() for _ in range(3)] == [True, True, False]


def test_a_restart_of_the_exchange_refuses_everybody_for_its_length():
    faults = Faults()
    faults.arm(parse("restart_exchange", {"seconds": 2}), 1_000)
    assert faults.refuses_connect("trade", 2_999)
    assert faults.is_down(2_999)
    assert not faults.is_down(3_000)
