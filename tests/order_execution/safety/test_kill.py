"""The kill switch on real processes: what is stopped stays stopped, and nothing of it lives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from bybitbus.client import Client
from bybitbus.codes import Code
from bybitbus.endpoints import requests_address
from bybitbus.errors import Refused
from bybitbus.messages import Reply
from bybitd.runtime import kill_file
from tests.order_execution.gateway import ORDERS, PRIVATE, UID, Gateway, running

BUS = "bus"
BTC = {"category": "linear", "symbol": "BTCUSDT"}
CONFIG = """\
environment: sim
accounts: {main: {recv_window_ms: 500, order_timeout_ms: 1500}}
feeds: {spot: {enabled: false}, linear: {enabled: false}, inverse: {enabled: false},
  option: {enabled: false}}
"""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with running() as gateway:
        gateway.config.write_text(CONFIG)
        gateway.start(BUS, ready=False)
        gateway.start(PRIVATE, ORDERS)
        gateway.wait_reached(ORDERS)
        yield gateway


def ask(gateway: Gateway, op: str, **args: Any) -> Reply | None:
    return gateway.ask(BUS, op, args)


def kill(gateway: Gateway, **args: Any) -> dict[str, Any]:
    reply = ask(gateway, "gateway.kill", **args)
    assert reply is not None
    assert reply.ok, reply
    report: dict[str, Any] = reply.result["accounts"]["main"]
    return report


def open_orders(gateway: Gateway) -> list[str]:
    rows = gateway.simulator.orders(UID)
    return [row["orderLinkId"] for row in rows if row.get("orderStatus") == "New"]


def test_a_kill_cancels_everything_and_refuses_what_adds_risk_until_it_is_taken_back(
    gateway: Gateway,
) -> None:
    for number in range(3):
        assert gateway.create(f"rests-{number}").ok
    assert gateway.create("spot-1", category="spot", price="1000.0", qty="0.010000").ok
    assert gateway.create("inverse-1", category="inverse", symbol="BTCUSD", qty="1").ok
    with gateway.listen(ORDERS, "gateway.kill.main.") as listener:
        report = kill(gateway, reason="the strategy went mad")
        assert listener.wait(lambda event: event.body.get("complete", False)).body["killed"]
    assert (report["killed"], report["complete"], report["open"]) == (True, True, 0), report
    assert open_orders(gateway) == []
    named = {row["orderLinkId"] for row in report["cancelled"]}
    assert named == {"rests-0", "rests-1", "rests-2", "spot-1", "inverse-1"}

    refused = gateway.create("after-1")
    assert refused.error is not None
    assert refused.error.code is Code.KILLED
    assert "the strategy went mad" in refused.error.message
    amend = gateway.order("order.amend", {**BTC, "orderLinkId": "rests-0", "qty": "0.020"})
    assert amend.error is not None
    assert amend.error.code is Code.KILLED
    cancel = gateway.order("order.cancel", {**BTC, "orderLinkId": "rests-0"})
    assert cancel.error is not None
    assert cancel.error.code is Code.NOT_FOUND  # it may be cancelled, it only is already
    status = gateway.wait_state(ORDERS, "degraded")
    assert status["kill"]["complete"]
    assert "the strategy went mad" in status["reason"]

    unnamed = ask(gateway, "gateway.unkill")
    assert unnamed is not None
    assert unnamed.error is not None
    assert unnamed.error.code is Code.MISSING_FIELD
    freed = ask(gateway, "gateway.unkill", account="main")
    assert freed is not None
    assert freed.result == {"accounts": {"main": {"account": "main", "killed": False}}}
    gateway.wait_state(ORDERS, "ready")
    assert gateway.create("after-2").ok


def test_a_kill_in_a_burst_of_orders_lets_none_of_them_live(gateway: Gateway) -> None:
    stop, placed = threading.Event(), threading.Event()

    def place(name: str) -> None:
        address = requests_address(gateway.run_dir, BUS)
        with Client(address, client=name) as client:
            number = 0
            while not stop.is_set():
                number += 1
                args = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.010"}
                args |= {"price": "1000.00", "orderLinkId": f"{name}-{number}"}
                try:
                    client.request("order.create", args)
                except Refused:
                    continue
                placed.set()

    strategies = [threading.Thread(target=place, args=(f"burst{number}",)) for number in range(3)]
    for strategy in strategies:
        strategy.start()
    try:
        assert placed.wait(10)
        report = kill(gateway, account="main")
        created = len(gateway.simulator.orders(UID))
        assert report["complete"]
        assert open_orders(gateway) == []
    finally:
        stop.set()
        for strategy in strategies:
            strategy.join(10)
    assert len(gateway.simulator.orders(UID)) == created  # not one more after the reply
    assert open_orders(gateway) == []


def test_a_kill_outlives_the_process_that_was_told_and_died_before_it_cancelled(
    gateway: Gateway,
) -> None:
    assert gateway.create("rests-1").ok
    # Nothing that it tries has an effect before it dies.
    gateway.simulator.fault("http", status=500, count=10_000)
    gateway.simulator.fault("answer", code=10016, op="order.cancel", count=10_000)
    with Client(requests_address(gateway.run_dir, ORDERS)) as client:
        client.send("gateway.kill", {"reason": "test"})
        gateway.wait(lambda: kill_file.read(gateway.state_dir, "main"), "the kill file")
    gateway.kill(ORDERS)
    assert open_orders(gateway) == ["rests-1"]
    gateway.simulator.fault("clear")
    gateway.start(ORDERS, ready=False)
    gateway.wait(lambda: not open_orders(gateway), "the sweep of the next run")
    refused = gateway.create("after-1")
    assert refused.error is not None
    assert refused.error.code is Code.KILLED


def test_an_account_is_stopped_while_its_program_is_down(gateway: Gateway) -> None:
    assert gateway.create("rests-1").ok
    gateway.kill(ORDERS)
    report = kill(gateway)
    assert (report["killed"], report["complete"]) == (True, False)
    assert "is not up" in report["problem"] or "ended before" in report["problem"]
    gateway.start(ORDERS, ready=False)
    gateway.wait(lambda: not open_orders(gateway), "the sweep of the next run")


def test_an_order_of_unknown_outcome_is_cancelled_when_it_turns_out_to_live(
    gateway: Gateway,
) -> None:
    gateway.stop(PRIVATE)  # nothing tells of the order but a look-up
    gateway.simulator.fault("read_lag", ms=1500)
    gateway.simulator.fault("lose_ack", when="after", op="order.create")
    lost = gateway.create("lost-1")
    assert lost.error is not None
    report = kill(gateway)
    assert report["complete"]
    assert open_orders(gateway) == []
    assert gateway.wait_order("lost-1", "cancelled")


def test_a_file_in_the_state_folder_stops_an_account_too(gateway: Gateway) -> None:
    assert gateway.create("rests-1").ok
    (gateway.state_dir / "main.killed").touch()
    gateway.wait(lambda: not open_orders(gateway), "the sweep")
    gateway.wait_state(ORDERS, "degraded")


def test_an_account_that_does_not_exist_is_not_stopped_in_silence(gateway: Gateway) -> None:
    reply = ask(gateway, "gateway.kill", account="mian")
    assert reply is not None
    assert reply.error is not None
    assert reply.error.code is Code.UNKNOWN_ACCOUNT
    assert kill_file.read(gateway.state_dir, "main") is None


def test_a_kill_that_can_not_be_written_down_works_and_says_what_it_lacks(
    gateway: Gateway,
) -> None:
    assert gateway.create("rests-1").ok
    # Not even root can write where a folder stands.
    draft = gateway.state_dir / f".main.killed.{gateway.processes[ORDERS].pid}"
    draft.mkdir()
    report = gateway.order("gateway.kill", {}).result  # at its own door: the bus would write it too
    assert open_orders(gateway) == []
    assert (report["killed"], report["complete"], report["open"]) == (True, True, 0), report
    assert "not written down" in report["problem"]
    refused = gateway.create("after-1")
    assert refused.error is not None
    assert refused.error.code is Code.KILLED
    draft.rmdir()
    assert gateway.order("gateway.kill", {}).result["problem"] == ""
    assert kill_file.read(gateway.state_dir, "main") is not None
