"""The private stream with DCP asked for, on a simulated exchange."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bybitd.private_stream.dcp import PRODUCTS, SET
from tests.order_execution.gateway import PRIVATE, Gateway, running

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
