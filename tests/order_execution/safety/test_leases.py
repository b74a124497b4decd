"""Leases: the pure promises, their file, and strategies that fall silent on real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitbus.codes import Code
from bybitbus.endpoints import requests_address
from bybitd.errors import StartError
from bybitd.order_execution.safety.lease_file import LeaseFile
from bybitd.order_execution.safety.leases import Lapse, Leases
from tests.order_execution.gateway import ORDERS, PRIVATE, Gateway, running

QUICK = "environment: sim\naccounts: {main: {recv_window_ms: 500, order_timeout_ms: 1500}}\n"
STRATEGY = """
import sys, time
from bybitbus.client import Client
with Client(sys.argv[1], client="maker") as client:
    order = dict(category="linear", symbol="BTCUSDT", side="Buy", orderType="Limit", qty="0.010")
    client.request("gateway.lease", {"ttl_ms": 600})
    for number in range(3):
        args = {**order, "price": "1000.00", "orderLinkId": f"maker-{number}"}
        client.request("order.create", args)
    print("placed", flush=True)
    while True:
        client.request("gateway.lease", {"ttl_ms": 600})
        time.sleep(0.1)
"""


def test_a_lease_that_is_renewed_in_time_never_lapses_and_one_that_is_not_lapses_once() -> None:
    leases = Leases()
    for now_ms in range(0, 1000, 90):
        leases.renew("maker", 100, now_ms)
        assert leases.lapse(now_ms + 89, 1) == []
    assert leases.lapse(1089, 7) == []
    assert leases.lapse(1090, 8) == [Lapse(client="maker", at_ns=8)]
    assert leases.lapse(5000, 9) == []
    assert leases.held == []


def test_a_client_that_comes_back_is_not_freed_of_what_it_left_behind() -> None:
    leases = Leases()
    leases.renew("maker", 100, 0)
    (lapse,) = leases.lapse(100, 5)
    leases.renew("maker", 100, 150)
    assert leases.lapsed == [lapse]
    leases.done(lapse)
    assert leases.lapsed == []
    assert [lease.client for lease in leases.held] == ["maker"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 10))))
def test_no_promise_outlives_its_time_and_none_is_called_broken_before(
    steps: list[tuple[str, int, int]],
) -> None:
    leases, until, now_ms = Leases(), dict[str, int](), 0
    for client, ttl_ms, pause_ms in steps:
        now_ms += pause_ms
        expected = {name for name, at_ms in until.items() if at_ms <= now_ms}
        assert {lapse.client for lapse in leases.lapse(now_ms, now_ms)} == expected
        for name in expected:
            del until[name]
        if ttl_ms:
            leases.renew(client, ttl_ms, now_ms)
            until[client] = now_ms + ttl_ms
        else:
            leases.release(client)
            until.pop(client, None)


@pytest.mark.parametrize(("later_ms", "left_ms"), [(0, 1000), (400, 600), (-50_000, 1000)])
def test_a_lease_on_disk_holds_for_what_is_left_of_it_and_never_longer_than_it_is(
    tmp_path: Path, later_ms: int, left_ms: int
) -> None:
    leases = Leases(lapsed=[Lapse(client="gone", at_ns=3)])
    leases.renew("maker", 1000, 70)
    LeaseFile(tmp_path, "main").write(leases, 70, 1_000_000)
    read = LeaseFile(tmp_path, "main").read(5, 1_000_000 + later_ms)
    assert [lease.until_ms for lease in read.held] == [5 + left_ms]
    assert read.lapsed == [Lapse(client="gone", at_ns=3)]


def test_a_damaged_lease_file_stops_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "main.leases").write_text("{")
    with pytest.raises(StartError, match="remove it"):
        LeaseFile(tmp_path, "main").read(0, 0)


def strategy(gateway: Gateway) -> subprocess.Popen[str]:
    """Start a strategy in a process of its own and return when its orders rest."""
    address = requests_address(gateway.run_dir, ORDERS)
    process = subprocess.Popen(
        [sys.executable, "-c", STRATEGY, address], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "placed\n"
    return process


def states(gateway: Gateway) -> list[str]:
    return [gateway.status(f"maker-{number}")["state"] for number in range(3)]


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def test_the_orders_of_a_strategy_that_died_are_cancelled_and_no_others() -> None:
    with running() as gateway:
        gateway.config.write_text(QUICK)
        gateway.start(PRIVATE, ORDERS)
        assert gateway.create("other-1", client="other").ok
        with gateway.listen(ORDERS, "gateway.lease.main.") as listener:
            process = strategy(gateway)
            gateway.wait(lambda: states(gateway) == ["open"] * 3, "the orders to rest")
            end(process)
            told = listener.wait(lambda event: event.body["state"] == "over").body
        assert told["client"] == "maker"
        assert told["orders"] == ["maker-0", "maker-1", "maker-2"]
        assert states(gateway) == ["cancelled"] * 3
        assert gateway.status("other-1")["state"] == "open"


def test_a_lease_that_lapses_while_order_execution_is_down_lapses_when_it_is_back() -> None:
    with running() as gateway:
        gateway.config.write_text(QUICK)
        gateway.start(PRIVATE, ORDERS)
        process = strategy(gateway)
        gateway.kill(ORDERS)
        end(process)
        gateway.start(ORDERS)
        gateway.wait(lambda: states(gateway) == ["cancelled"] * 3, "the orders to be cancelled")


@pytest.mark.parametrize(
    ("args", "client", "code"),
    [
        ({"ttl_ms": 100}, "maker", Code.BAD_FIELD),
        ({"ttl_ms": "1000"}, "maker", Code.BAD_FIELD),
        ({"ttl_ms": 10**9}, "maker", Code.BAD_FIELD),
        ({}, "maker", Code.MISSING_FIELD),
        ({"ttl_ms": 1000}, "", Code.MISSING_FIELD),
        ({"ttl_ms": 1000, "account": "main"}, "maker", Code.UNKNOWN_FIELD),
    ],
)
def test_a_lease_that_makes_no_sense_is_refused_by_name(
    shared: Gateway, args: dict[str, Any], client: str, code: Code
) -> None:
    reply = shared.order("gateway.lease", args, client=client)
    assert reply.error is not None
    assert reply.error.code is code


@pytest.fixture(scope="module")
def shared() -> Any:
    with running() as gateway:
        gateway.start(PRIVATE, ORDERS)
        yield gateway


def test_a_lease_can_be_released(shared: Gateway) -> None:
    lease = shared.order("gateway.lease", {"ttl_ms": 5000}, client="maker").result
    assert lease["until_ms"] > 0
    assert list(shared.wait_state(ORDERS, "ready")["leases"]) == ["maker"]
    released = shared.order("gateway.lease", {"ttl_ms": 0}, client="maker").result
    assert released == {"client": "maker", "ttl_ms": 0}
    assert shared.wait_state(ORDERS, "ready")["leases"] == {}
    assert os.path.exists(shared.state_dir / "main.leases")
