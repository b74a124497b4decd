"""Disconnection protection: orders go when the last private socket that counts is gone."""

import time

import pytest

TIMEOUT_S = 20


def status(wire, link_id):
    (row,) = wire.sim.orders(wire.key.uid, link_id)
    return row["orderStatus"], row["cancelType"]


def wait_for(condition):
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def armed(wire):
    body = {"product": "DERIVATIVES", "timeWindow": 3}
    assert wire.rest.post("/v5/order/disconnected-cancel-all", body)[1]["retCode"] == 0
    yield wire
    wire.rest.post("/v5/order/disconnected-cancel-all", body | {"timeWindow": 300})


def test_orders_are_cancelled_when_the_last_socket_with_the_topic_is_gone(armed):
    wire = armed
    first, second = wire.private(topics=("dcp.future",)), wire.private(topics=("dcp.future",))
    other = wire.private(topics=("order",))
    wire.trade().order("order.create", wire.limit_order("dcp"), "1")
    first.close()
    wait_for(lambda: wire.sim.state()["connections"]["private"] == 2)
    second.close()
    told = other.wait_for(lambda m: m["data"][0]["orderStatus"] == "Cancelled")
    assert told["data"][0]["orderLinkId"] == "dcp"
    assert status(wire, "dcp") == ("Cancelled", "CancelByDCP")


def test_who_comes_back_with_topic_and_heartbeat_in_time_keeps_the_orders(armed):
    wire = armed
    wire.trade().order("order.create", wire.limit_order("kept-by-dcp"), "1")
    watched = wire.private(topics=("dcp.future",))
    watched.close()
    timed = [{"uid": wire.key.uid, "topic": "dcp.future"}]
    wait_for(lambda: wire.sim.state()["disconnected"] == timed)
    back = wire.private(topics=("dcp.future",))
    assert back.ask("ping")["op"] == "pong"
    assert wire.sim.state()["disconnected"] == []
    assert status(wire, "kept-by-dcp")[0] == "New"
