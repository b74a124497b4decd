"""Any process may be killed: the others go on, it comes back, and nobody has to do anything."""

from __future__ import annotations

import os
import signal
import time
import uuid
from typing import Any

import pytest

from bybitbus.client import Client
from bybitbus.errors import NoAnswer, RequestError
from bybitbus.sequence import Verdict
from bybitbus.subscriber import Subscriber
from tests.e2e.conftest import Daemon

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

BOOK = "linear.orderbook.50.BTCUSDT."
ORDERS = "private.main.order."
PAUSE_S = 0.1  # between two looks at what is on its way back
BACK_WITHIN_S = 20.0  # the promise is 3 s; a busy machine must not fail the suite for its speed


def pids_when_ready(client: Client) -> dict[str, int]:
    """Return the process of every program, once the bus has heard that all of them are ready."""
    due_s = time.monotonic() + BACK_WITHIN_S
    while True:
        listed = ask(client, "gateway.status", {})["programs"]
        if all(row["state"] == "ready" for row in listed.values()):
            return {name: row["pid"] for name, row in listed.items()}
        assert time.monotonic() < due_s, listed
        time.sleep(PAUSE_S)


def ask(client: Client, op: str, args: dict[str, Any]) -> Any:
    """Ask until there is an answer: the program may be on its way back."""
    due_s = time.monotonic() + BACK_WITHIN_S
    while True:
        try:
            return client.request(op, args, timeout_ms=2000)
        except RequestError as error:
            waiting = isinstance(error, NoAnswer) or error.code in ("unavailable", "not_ready")
            if not waiting or time.monotonic() > due_s:
                raise
            time.sleep(PAUSE_S)


def rest_an_order(client: Client) -> str:
    """Place an order far from the market; return its orderLinkId."""
    link_id = f"kill-{uuid.uuid4().hex[:20]}"
    order = {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Limit",
        "qty": "0.01",
        "price": "1000",
        "orderLinkId": link_id,
    }
    assert client.request("order.create", order)["orderLinkId"] == link_id
    return link_id


def wait_for_snapshot(subscriber: Subscriber, topic: str) -> dict[str, Any]:
    """Read on until a whole book of `topic` comes; return it."""
    due_s = time.monotonic() + BACK_WITHIN_S
    while time.monotonic() < due_s:
        event = subscriber.receive(timeout_ms=200)
        if event and event.topic == topic and event.body.get("type") == "snapshot":
            return event.body
    raise AssertionError(f"no snapshot of {topic}")


def wait_until_back(client: Client, program: str, old_pid: int) -> float:
    """Wait until another process runs `program` and is ready; return how long that took."""
    begin_s = time.monotonic()
    while time.monotonic() - begin_s < BACK_WITHIN_S:
        try:
            status = client.request("gateway.status", {"program": program}, timeout_ms=500)
        except RequestError:
            time.sleep(PAUSE_S)
            continue
        if status["pid"] != old_pid and status["state"] == "ready":
            return time.monotonic() - begin_s
    raise AssertionError(f"{program} is not back")


@pytest.mark.parametrize(
    "program",
    ["public-feed-linear", "bus", "private-stream-main", "order-execution-main", "simulator"],
)
def test_a_killed_process_is_back_and_nothing_is_lost(daemon: Daemon, program: str) -> None:
    with Client(daemon.run_dir) as client, Subscriber(daemon.run_dir, [BOOK, ORDERS]) as subscriber:
        link_id = rest_an_order(client)
        before = wait_for_snapshot(subscriber, BOOK)
        pids = pids_when_ready(client)
        os.kill(pids[program], signal.SIGKILL)
        took_s = wait_until_back(client, program, pids[program])
        print(f"{program} was back after {took_s:.2f} s")

        if program in ("public-feed-linear", "bus", "simulator"):
            after = wait_for_snapshot(subscriber, BOOK)
            if program == "public-feed-linear":
                assert after["epoch"] != before["epoch"]

        now = pids_when_ready(client)
        assert {name for name in pids if now[name] != pids[name]} == {program}

        asked = {"category": "linear", "symbol": "BTCUSDT", "fresh": True}
        orders = ask(client, "account.orders", asked)["list"]
        assert link_id in {row["orderLinkId"] for row in orders}
        known = ask(client, "order.status", {"orderLinkId": link_id})
        assert known["state"] in ("acknowledged", "open")
        kept = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": link_id}
        ask(client, "order.cancel", kept)
        due_s = time.monotonic() + BACK_WITHIN_S
        while ask(client, "order.status", {"orderLinkId": link_id})["state"] != "cancelled":
            assert time.monotonic() < due_s
            time.sleep(PAUSE_S)


def test_subscribers_read_on_without_subscribing_again_while_the_feed_is_killed(
    daemon: Daemon,
) -> None:
    with Client(daemon.run_dir) as client, Subscriber(daemon.run_dir, [BOOK]) as subscriber:
        wait_for_snapshot(subscriber, BOOK)
        for _ in range(3):
            pid = client.request("gateway.status", {"program": "public-feed-linear"})["pid"]
            os.kill(pid, signal.SIGKILL)
            due_s, verdicts = time.monotonic() + BACK_WITHIN_S, []
            while Verdict.NEW_EPOCH not in verdicts:
                assert time.monotonic() < due_s
                if event := subscriber.receive(timeout_ms=200):
                    verdicts.append(event.verdict)
            assert Verdict.HOLE not in verdicts
            wait_until_back(client, "public-feed-linear", pid)
