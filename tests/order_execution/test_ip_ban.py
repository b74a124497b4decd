"""An address that the exchange has banned: nothing more leaves over REST, and all say so."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bybitbus.codes import Code, Outcome
from tests.order_execution.gateway import ORDERS, PRIVATE, Gateway, running


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with running(PRIVATE, ORDERS) as gateway:
        yield gateway


def rest_calls(gateway: Gateway) -> int:
    return int(gateway.simulator.state()["received"]["rest"])


def test_a_ban_stops_orders_over_rest_and_every_other_call_also_after_a_kill(
    gateway: Gateway,
) -> None:
    assert gateway.create("before").ok  # the instruments are known from here on
    gateway.simulator.fault("refuse_connect", scope="trade")
    gateway.simulator.fault("cut", scope="trade")
    gateway.wait_state(ORDERS, "degraded")
    gateway.simulator.fault("http", status=403)
    told = gateway.create("told")
    assert told.error is not None
    assert (told.error.code, told.error.outcome) == (Code.RATE_LIMITED, Outcome.REJECTED)

    calls = rest_calls(gateway)
    refused = gateway.create("refused")
    assert refused.error is not None
    assert (refused.error.code, refused.error.outcome) == (Code.RATE_LIMITED, Outcome.REJECTED)
    assert "banned this IP address" in refused.error.message
    assert refused.error.retry_after_ms is not None
    assert 590_000 < refused.error.retry_after_ms <= 600_000
    assert "sent" not in refused.t
    asked = gateway.ask(PRIVATE, "account.orders", {"category": "linear", "fresh": True})
    assert asked is not None
    assert asked.error is not None
    assert asked.error.code is Code.RATE_LIMITED
    assert "try again after" in asked.error.hint

    status = gateway.wait_state(PRIVATE, "degraded")
    assert "banned this IP address" in status["reason"]
    assert 590_000 < status["rest_banned_until_ms"] - time.time() * 1000 <= 600_000

    gateway.kill(PRIVATE)
    gateway.start(PRIVATE, ready=False)

    def tells_of_the_ban() -> str | None:
        reply = gateway.ask(PRIVATE, "gateway.status")
        reason = str(reply.result["reason"]) if reply else ""
        return reason if "could not be read" in reason else None

    assert "banned this IP address" in gateway.wait(tells_of_the_ban, "the ban to be told")
    assert rest_calls(gateway) == calls
    assert gateway.at_exchange("told") == gateway.at_exchange("refused") == []


def test_orders_go_on_over_the_trade_socket_while_the_address_is_banned(gateway: Gateway) -> None:
    assert gateway.create("before").ok  # the instruments are known from here on
    gateway.simulator.fault("http", status=403)
    gateway.ask(PRIVATE, "account.orders", {"category": "linear", "fresh": True})
    gateway.wait_state(ORDERS, "degraded")
    assert gateway.create("socket-1").ok
    gateway.wait_order("socket-1", "open")


def test_a_process_that_is_born_into_a_ban_knows_the_instruments_of_the_last_run(
    gateway: Gateway,
) -> None:
    assert gateway.create("before").ok
    kept = gateway.state_dir / "instruments.sim.linear.json"
    gateway.wait(kept.exists, "the instruments to be kept")
    gateway.simulator.fault("http", status=403)
    gateway.ask(PRIVATE, "account.orders", {"category": "linear", "fresh": True})
    gateway.kill(ORDERS)
    gateway.start(ORDERS, ready=False)
    gateway.wait(lambda: gateway.ask(ORDERS, "gateway.ping"), "the process to be up")
    gateway.wait(lambda: gateway.create("after").ok, "the trade socket to take an order")
    refused = gateway.create("off-the-tick", price="1000.05")
    assert refused.error is not None
    assert refused.error.code is Code.BAD_FIELD
