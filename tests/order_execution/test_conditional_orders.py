"""Orders that wait for a price, and what the exchange makes of them, through both processes."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from bybitbus.messages import Reply
from tests.order_execution.gateway import ORDERS, PRIVATE, Gateway, running

BTC = {"category": "linear", "symbol": "BTCUSDT"}
MARKET = {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.010"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running() as gateway:
        gateway.start(PRIVATE, ORDERS)
        yield gateway


def last_price(gateway: Gateway) -> Decimal:
    result = gateway.simulator.call(
        lambda sim: sim.exchange.public_get("/v5/market/tickers", BTC, sim.clock.engine_ms())
    )
    return Decimal(result["list"][0]["lastPrice"])


def create(gateway: Gateway, link_id: str, **changes: Any) -> Reply:
    return gateway.order("order.create", {**MARKET, "orderLinkId": link_id, **changes})


def orders(gateway: Gateway) -> list[dict[str, Any]]:
    reply = gateway.ask(PRIVATE, "account.orders", BTC)
    assert reply is not None
    assert reply.ok, reply
    return list(reply.result["list"])


def test_a_conditional_order_is_open_while_it_waits_and_ends_deactivated(gateway: Gateway) -> None:
    trigger = str((last_price(gateway) * 2).quantize(Decimal(1)))
    reply = create(
        gateway, "waits", triggerPrice=trigger, triggerDirection=1, triggerBy="MarkPrice"
    )
    assert reply.ok, reply
    found = gateway.wait_order("waits", "open")
    assert found["outcome"] == "accepted"
    gateway.wait(lambda: orders(gateway), "the order to be told")
    assert [row["orderStatus"] for row in orders(gateway)] == ["Untriggered"]
    assert gateway.order("order.cancel", {**BTC, "orderLinkId": "waits"}).ok
    gateway.wait_order("waits", "cancelled")
    gateway.wait(lambda: not orders(gateway), "the order to be gone")


def test_a_conditional_order_that_sees_its_price_is_filled_in_the_journal(gateway: Gateway) -> None:
    links = (f"sees-{number}" for number in range(100))

    def taken() -> str | None:
        trigger = (last_price(gateway) + Decimal("0.1")).quantize(Decimal("0.1"))
        link_id = next(links)
        reply = create(gateway, link_id, triggerPrice=str(trigger), triggerDirection=1)
        return link_id if reply.ok else None  # else the market has been there meanwhile

    link_id = gateway.wait(taken, "a conditional order to be accepted")
    assert create(gateway, "pushes", qty="2.000").ok  # buys up what is offered
    found = gateway.wait_order(link_id, "filled", "cancelled")
    assert found["state"] == "filled"


def test_stops_are_shown_and_go_with_the_position(gateway: Gateway) -> None:
    assert create(gateway, "opens").ok
    gateway.wait_order("opens", "filled")
    price = last_price(gateway)
    stops = {"takeProfit": price * 2, "stopLoss": price / 2}
    body = {name: str(value.quantize(Decimal(1))) for name, value in stops.items()}
    reply = gateway.order(
        "position.trading-stop", {**BTC, **body, "tpslMode": "Full", "positionIdx": 0}
    )
    assert reply.ok, reply
    gateway.wait(lambda: len(orders(gateway)) == 2, "both stops to be told")
    assert {row["orderLinkId"] for row in orders(gateway)} == {""}
    closing = {"side": "Sell", "qty": "0", "reduceOnly": True, "closeOnTrigger": True}
    assert create(gateway, "closes", **closing).ok
    gateway.wait_order("closes", "filled")
    gateway.wait(lambda: not orders(gateway), "the stops to be gone")
