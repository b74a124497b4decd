"""The private stream with DCP asked for, on a simulated exchange."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bybitd.private_stream.dcp import PRODUCTS, SET
from tests.order_execution.gateway import ORDERS, PRIVATE, Gateway, running

CONFIG = "environment: sim\naccounts: {main: {dcp_s: 10}}\n"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with running() as gateway:
        gateway.config.write_text(CONFIG)
        yield gateway


def dcp(gateway: Gateway) -> dict[str, Any]:
    reply = gateway.ask(PRIVATE, "gateway.status")
    assert reply is not None
    shown: dict[str, Any] = reply.result["dcp"]
    return shown


def test_where_the_exchange_does_not_arm_it_the_status_says_so_and_the_stream_works(
    gateway: Gateway,
) -> None:
    gateway.simulator.fault("http", status=404, count=1000, path=SET)
    gateway.start(PRIVATE)
    gateway.wait(lambda: "HTTP 404" in str(dcp(gateway)["problems"]), "the refusal to be told")
    assert dcp(gateway)["armed"] == []
    assert set(dcp(gateway)["problems"]) == set(PRODUCTS)
    status = gateway.wait_state(PRIVATE, "ready")
    assert status["refused_topics"] == {}  # the topics of DCP are real ones


def test_what_rests_is_cancelled_by_the_exchange_when_the_stream_is_gone_for_too_long(
    gateway: Gateway,
) -> None:
    gateway.config.write_text(CONFIG.replace("10", "3"))
    gateway.start(PRIVATE)
    gateway.wait(lambda: dcp(gateway)["armed"] == list(PRODUCTS), "DCP to be armed")
    gateway.start(ORDERS)
    assert gateway.create("rests-1").ok
    gateway.kill(PRIVATE)
    gateway.wait(
        lambda: gateway.at_exchange("rests-1")[0]["cancelType"] == "CancelByDCP",
        "the exchange to cancel it",
        timeout_s=30,
    )
    gateway.start(PRIVATE)  # the next run tells what happened meanwhile
    assert "CancelByDCP" in gateway.wait_order("rests-1", "cancelled")["reason"]


def test_who_is_back_in_time_stops_the_exchange_s_clock_at_once(gateway: Gateway) -> None:
    gateway.config.write_text(CONFIG.replace("10", "300"))
    gateway.start(PRIVATE)
    gateway.wait(lambda: dcp(gateway)["armed"] == list(PRODUCTS), "DCP to be armed")
    gateway.simulator.fault("refuse_connect", scope="private")
    gateway.simulator.fault("cut", scope="private")
    gateway.wait(lambda: running_clocks(gateway) == set(PRODUCTS.values()), "the clocks to run")
    assert dcp(gateway)["armed"] == []
    gateway.simulator.fault("clear")
    # The next ping of a socket that is up comes after 20 s only, which this does not wait for.
    gateway.wait(lambda: not running_clocks(gateway), "the clocks to stop")
    gateway.wait(lambda: dcp(gateway)["armed"] == list(PRODUCTS), "DCP to be armed again")


def running_clocks(gateway: Gateway) -> set[str]:
    """Return the topics whose time without a socket the exchange measures."""
    clocks = gateway.simulator.call(lambda sim: sim._private.disconnected)
    return {clock["topic"] for clock in clocks}
