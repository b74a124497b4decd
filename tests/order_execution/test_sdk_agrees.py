"""The official SDK, asking the exchange by REST, sees the same as those who listened to the bus."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pybit._http_manager
import pytest
from pybit.unified_trading import HTTP

from tests.order_execution.gateway import ORDERS, PRIVATE, Gateway, Listener, running

KEYS = {"api_key": "test-key-main", "api_secret": "test-secret-main"}
TRADED = (
    ("linear", "BTCUSDT", "0.010", "1000.00", "1001.00"),
    ("linear", "ETHUSDT", "0.10", "100.00", "101.00"),
    ("inverse", "BTCUSD", "100", "1000.00", "1001.00"),
    ("spot", "BTCUSDT", "0.01", "1000", "1001"),
)
FAMILIES = ("order", "execution", "position", "wallet")
# Ours, and what the exchange values anew at each look.
OURS = {"external", "kind", "again"}
VALUED = {"markPrice", "unrealisedPnl", "positionValue", "liqPrice", "indexPrice", "curRealisedPnl"}
VALUED |= {"positionIM", "positionMM", "positionIMByMp", "positionMMByMp", "adlRankIndicator"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running(PRIVATE, ORDERS) as started:
        yield started


@pytest.fixture(scope="module")
def sdk(gateway: Gateway) -> Iterator[HTTP]:
    with pytest.MonkeyPatch.context() as patch:
        url = f"http://127.0.0.1:{gateway.simulator.port}"
        patch.setattr(pybit._http_manager, "HTTP_URL", url)
        session = HTTP(testnet=True, **KEYS)
        assert session.endpoint == url
        yield session
        session.client.close()


class Heard:
    """The last that the bus told of each thing."""

    def __init__(self, listener: Listener) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.executions: dict[str, dict[str, Any]] = {}
        self.positions: dict[tuple[str, str, int], dict[str, Any]] = {}
        self.lives: dict[str, dict[str, Any]] = {}
        for event in listener.seen:
            rows = event.body.get("data", ())
            if event.topic == "private.main.order.":
                self.orders |= {row["orderId"]: row for row in rows}
            elif event.topic == "private.main.execution.":
                for row in rows:
                    assert row["execId"] not in self.executions, "told twice"
                    self.executions[row["execId"]] = row
            elif event.topic == "private.main.position.":
                for row in rows:
                    self.positions[row["category"], row["symbol"], row["positionIdx"]] = row
            elif event.topic == "gateway.order.main." and event.body["op"] == "order.create":
                self.lives[event.body["orderLinkId"]] = event.body


@pytest.fixture(scope="module")
def heard(gateway: Gateway) -> Heard:
    """Trade in several symbols: fill, amend, cancel, leave resting; and listen to all of it."""
    topics = [f"private.main.{name}." for name in FAMILIES]
    with (
        gateway.listen(PRIVATE, *topics) as private,
        gateway.listen(ORDERS, "gateway.order.main.") as lives,
    ):
        private.wait(lambda event: event.topic == "private.main.wallet.")
        gateway.wait(lambda: gateway.create() and lives.subscriber.receive(100), "events")
        for number, (category, symbol, qty, price, better) in enumerate(TRADED):
            common = {"category": category, "symbol": symbol}
            order = {**common, "side": "Buy", "orderType": "Limit", "qty": qty, "price": price}
            for name in ("rests", "amended", "cancelled"):
                reply = gateway.order("order.create", {**order, "orderLinkId": f"{name}-{number}"})
                assert reply.ok, reply
            market = {**common, "side": "Buy", "orderType": "Market", "qty": qty}
            if category == "spot":
                market["marketUnit"] = "baseCoin"
            reply = gateway.order("order.create", {**market, "orderLinkId": f"filled-{number}"})
            assert reply.ok, reply
            amend = {**common, "orderLinkId": f"amended-{number}", "price": better}
            assert gateway.order("order.amend", amend).ok
            cancel = {**common, "orderLinkId": f"cancelled-{number}"}
            assert gateway.order("order.cancel", cancel).ok
            for link_id, field, value in (
                (f"rests-{number}", "orderStatus", "New"),
                (f"amended-{number}", "price", better),
                (f"cancelled-{number}", "orderStatus", "Cancelled"),
                (f"filled-{number}", "orderStatus", "Filled"),
            ):
                wait_row(private, "order", orderLinkId=link_id, **{field: value})
            wait_row(private, "execution", orderLinkId=f"filled-{number}")
        for number in range(len(TRADED)):
            for state in ("filled", "cancelled"):
                wait_life(lives, f"{state}-{number}", state)
        private.seen += lives.seen
        return Heard(private)


def wait_life(listener: Listener, link_id: str, state: str) -> None:
    def fits(event: Any) -> bool:
        body = event.body
        is_order = body["op"] == "order.create" and body.get("orderLinkId") == link_id
        return is_order and body["state"] == state

    if not any(fits(event) for event in listener.seen):
        listener.wait(fits)


def wait_row(listener: Listener, topic: str, **fields: str) -> None:
    def fits(event: Any) -> bool:
        return event.topic == f"private.main.{topic}." and any(
            all(row.get(name) == value for name, value in fields.items())
            for row in event.body["data"]
        )

    if not any(fits(event) for event in listener.seen):
        listener.wait(fits)


def same(told: dict[str, Any], asked: dict[str, Any], but: set[str] = frozenset()) -> int:  # type: ignore[assignment]
    """See that both say the same of everything that both speak of; return of how much."""
    shared = (told.keys() & asked.keys()) - OURS - but
    assert {name: told[name] for name in shared} == {name: asked[name] for name in shared}
    return len(shared)


def account(gateway: Gateway, op: str, **args: Any) -> list[dict[str, Any]]:
    reply = gateway.ask(PRIVATE, op, args)
    assert reply is not None
    assert reply.ok, reply
    return list(reply.result["list"])


def by(rows: list[dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    return {row[name]: row for row in rows}


@pytest.mark.parametrize(("category", "symbol"), [(c, s) for c, s, *_ in TRADED])
def test_open_orders_are_the_same(
    sdk: HTTP, gateway: Gateway, heard: Heard, category: str, symbol: str
) -> None:
    args = {"category": category, "symbol": symbol}
    asked = by(sdk.get_open_orders(**args, limit=50)["result"]["list"], "orderId")
    told = {
        order_id: row
        for order_id, row in heard.orders.items()
        if (row["category"], row["symbol"]) == (category, symbol) and row["orderStatus"] == "New"
    }
    kept = by(account(gateway, "account.orders", **args), "orderId")
    assert asked.keys() == told.keys() == kept.keys()
    assert len(asked) >= 2
    for order_id, row in asked.items():
        assert same(told[order_id], row) > 25
        assert same(kept[order_id], row) > 25


@pytest.mark.parametrize(("category", "symbol"), [(c, s) for c, s, *_ in TRADED])
def test_orders_that_ended_are_the_same_and_so_are_their_lives(
    sdk: HTTP, heard: Heard, category: str, symbol: str
) -> None:
    args = {"category": category, "symbol": symbol, "limit": 50}
    asked = by(sdk.get_order_history(**args)["result"]["list"], "orderId")
    told = {
        order_id: row
        for order_id, row in heard.orders.items()
        if (row["category"], row["symbol"]) == (category, symbol)
        and row["orderStatus"] in ("Filled", "Cancelled")
    }
    assert asked.keys() == told.keys()
    assert {row["orderStatus"] for row in asked.values()} == {"Filled", "Cancelled"}
    for order_id, row in asked.items():
        assert same(told[order_id], row) > 25
        life = heard.lives[row["orderLinkId"]]
        assert life["state"] == row["orderStatus"].lower()
        assert same(life, row, {"cumExecQty"}) >= 6
        assert Decimal(life["cumExecQty"]) == Decimal(row["cumExecQty"])


@pytest.mark.parametrize(("category", "symbol"), [(c, s) for c, s, *_ in TRADED])
def test_fills_are_the_same_and_each_was_told_once(
    sdk: HTTP, gateway: Gateway, heard: Heard, category: str, symbol: str
) -> None:
    args = {"category": category, "symbol": symbol}
    asked = by(sdk.get_executions(**args, limit=100)["result"]["list"], "execId")
    told = {
        exec_id: row
        for exec_id, row in heard.executions.items()
        if (row["category"], row["symbol"]) == (category, symbol)
    }
    read = by(account(gateway, "account.executions", **args), "execId")
    assert asked.keys() == told.keys() == read.keys()
    assert asked
    for exec_id, row in asked.items():
        assert same(told[exec_id], row) > 15
        assert same(read[exec_id], row) > 15
        assert told[exec_id]["kind"] == "fill"


@pytest.mark.parametrize(("category", "symbol"), [(c, s) for c, s, *_ in TRADED if c != "spot"])
def test_positions_are_the_same(
    sdk: HTTP, gateway: Gateway, heard: Heard, category: str, symbol: str
) -> None:
    (asked,) = sdk.get_positions(category=category, symbol=symbol)["result"]["list"]
    told = dict(heard.positions[category, symbol, 0])
    told["avgPrice"] = told.pop("entryPrice")  # REST has another name for it
    (kept,) = account(gateway, "account.positions", category=category, symbol=symbol)
    assert float(asked["size"]) > 0
    for row in (told, kept):
        assert same(row, asked, VALUED) > 15


def test_balances_are_the_same(sdk: HTTP, gateway: Gateway, heard: Heard) -> None:
    assert heard.executions
    (asked,) = sdk.get_wallet_balance(accountType="UNIFIED")["result"]["list"]
    (kept,) = account(gateway, "account.wallet")
    balances = by(asked["coin"], "coin")
    told = by(kept["coin"], "coin")
    assert balances.keys() == told.keys()
    for coin, row in balances.items():
        for name in ("walletBalance", "locked", "borrowAmount", "cumRealisedPnl"):
            assert told[coin][name] == row[name], (coin, name)
