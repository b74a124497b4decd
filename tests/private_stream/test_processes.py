"""The private stream as a process, on a simulated exchange that is cut off and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bybitbus.codes import Code
from bybitbus.events import Event
from tests.order_execution.gateway import PRIVATE, UID, Gateway, Listener, running

BTC = {"category": "linear", "symbol": "BTCUSDT"}
REST = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": "1000.00"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Gateway]:
    with running(PRIVATE) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared: Gateway) -> Iterator[Gateway]:
    yield shared
    shared.simulator.fault("clear")
    if PRIVATE not in shared.processes:
        shared.start(PRIVATE)
    shared.wait_state(PRIVATE, "ready")


def at_exchange(gateway: Gateway, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Act on the account without the gateway, as its owner may do in a browser."""

    def act(sim: Any) -> dict[str, Any]:
        result, _ = sim.exchange.private_post(UID, path, body, sim.clock.engine_ms())
        sim.publish()
        return dict(result)

    return gateway.simulator.call(act)


def buy(gateway: Gateway, link_id: str) -> None:
    """Have an order filled."""
    order = {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.001", "orderLinkId": link_id}
    at_exchange(gateway, "/v5/order/create", order)


def has(event: Event, **fields: Any) -> bool:
    rows = event.body.get("data")
    return isinstance(rows, list) and any(
        all(row.get(name) == value for name, value in fields.items()) for row in rows
    )


def cut_off(gateway: Gateway) -> None:
    gateway.simulator.fault("refuse_connect", scope="private")
    gateway.simulator.fault("cut", scope="private")
    gateway.wait_state(PRIVATE, "degraded")


def let_back(gateway: Gateway) -> None:
    gateway.simulator.fault("clear")
    gateway.wait_state(PRIVATE, "ready")


def joined(listener: Listener) -> None:
    """Wait until the subscription has arrived: a topic with state is answered at once."""
    listener.wait(lambda event: event.body.get("resend") is True)


def test_a_late_joiner_gets_the_open_orders_and_then_what_happens(gateway: Gateway) -> None:
    at_exchange(gateway, "/v5/order/create", {**REST, "orderLinkId": "late-1"})
    with gateway.listen(PRIVATE, "private.main.order.") as listener:
        snapshot = listener.wait(lambda event: has(event, orderLinkId="late-1"))
        assert snapshot.body["resend"] is True
        at_exchange(gateway, "/v5/order/cancel", {**BTC, "orderLinkId": "late-1"})
        event = listener.wait(lambda event: has(event, orderStatus="Cancelled"))
    assert "resend" not in event.body
    assert event.body["topic"] == "order"
    assert {"id", "creationTime", "seq", "epoch", "rx", "tx"} <= event.body.keys()


def test_what_happened_while_cut_off_is_published_after_the_reconnect(gateway: Gateway) -> None:
    at_exchange(gateway, "/v5/order/create", {**REST, "orderLinkId": "away-1"})
    with gateway.listen(
        PRIVATE, "private.main.order.", "private.main.execution.", "private.main.position."
    ) as listener:
        joined(listener)
        cut_off(gateway)
        at_exchange(gateway, "/v5/order/cancel", {**BTC, "orderLinkId": "away-1"})
        at_exchange(gateway, "/v5/order/create", {**REST, "orderLinkId": "away-2"})
        buy(gateway, "away-3")
        let_back(gateway)
        for fields in (
            {"orderLinkId": "away-1", "orderStatus": "Cancelled"},
            {"orderLinkId": "away-2", "orderStatus": "New"},
            {"orderLinkId": "away-3", "execType": "Trade"},
            {"symbol": "BTCUSDT", "positionIdx": 0},
        ):
            found = [event for event in listener.seen if has(event, **fields)]
            event = found[0] if found else listener.wait(lambda e, f=fields: has(e, **f))
            assert event.body["resend"] is True
    at_exchange(gateway, "/v5/order/cancel-all", BTC)


def test_a_fill_is_published_once_over_reconnects_and_restarts(gateway: Gateway) -> None:
    with gateway.listen(PRIVATE, "private.main.execution.", "private.main.order.") as listener:
        joined(listener)
        epoch = listener.seen[-1].body["epoch"]
        buy(gateway, "once-1")
        listener.wait(lambda event: has(event, orderLinkId="once-1", execType="Trade"))
        cut_off(gateway)
        let_back(gateway)
        gateway.kill(PRIVATE)
        buy(gateway, "once-2")
        gateway.start(PRIVATE)
        listener.wait(lambda event: event.body["epoch"] != epoch)
        buy(gateway, "once-3")
        listener.wait(lambda event: has(event, orderLinkId="once-3", execType="Trade"))
        published = [
            row["execId"]
            for event in listener.seen
            if event.topic == "private.main.execution."
            for row in event.body["data"]
        ]
    assert len(published) == len(set(published))
    # Published while nobody could have subscribed yet, or before: known in any case.
    gateway.wait(lambda: fills_known(gateway) >= 3, "three fills to be known")


def fills_known(gateway: Gateway) -> int:
    reply = gateway.ask(PRIVATE, "gateway.status")
    return int(reply.result["counters"].get("fills", 0)) if reply else 0


def test_a_restart_is_a_new_epoch_with_a_snapshot_for_those_who_are_there(
    gateway: Gateway,
) -> None:
    at_exchange(gateway, "/v5/order/create", {**REST, "orderLinkId": "stay-1"})
    with gateway.listen(PRIVATE, "private.main.order.") as listener:
        before = listener.wait(lambda event: has(event, orderLinkId="stay-1"))
        gateway.kill(PRIVATE)
        gateway.start(PRIVATE)
        after = listener.wait(
            lambda event: (
                event.body["epoch"] != before.body["epoch"] and has(event, orderLinkId="stay-1")
            )
        )
    assert after.body["resend"] is True
    at_exchange(gateway, "/v5/order/cancel-all", BTC)


def test_its_topics_are_stale_while_it_is_cut_off_and_the_kept_state_is_not_shown(
    gateway: Gateway,
) -> None:
    with gateway.listen(PRIVATE, "gateway.feed.private.main.order.", "private.main.") as listener:
        gateway.wait(lambda: listener.subscriber.receive(50) or buy(gateway, ""), "events")
        cut_off(gateway)
        stale = listener.wait(lambda event: event.body.get("state") == "stale")
        assert "private socket was lost" in stale.body["reason"]
        reply = gateway.ask(PRIVATE, "account.orders", {"category": "linear"})
        assert reply is not None
        assert reply.error is not None
        assert reply.error.code is Code.NOT_READY
        fresh = gateway.ask(PRIVATE, "account.orders", {**BTC, "fresh": True})
        assert fresh is not None
        assert fresh.ok
        let_back(gateway)
        listener.wait(lambda event: event.body.get("state") == "live")


def test_the_kept_state_is_the_exchange_s_in_the_shape_of_rest(gateway: Gateway) -> None:
    at_exchange(gateway, "/v5/order/create", {**REST, "orderLinkId": "kept-1"})
    buy(gateway, "kept-2")
    gateway.wait(
        lambda: [
            row for row in ask(gateway, "account.orders")["list"] if row["orderLinkId"] == "kept-1"
        ],
        "the order to be kept",
    )
    for op, args, named in (
        ("account.orders", {**BTC}, ("orderId", "orderStatus", "price", "cumExecQty")),
        ("account.positions", {**BTC}, ("symbol", "positionIdx", "size", "avgPrice", "side")),
        ("account.wallet", {"coin": "USDT"}, ("accountType",)),
    ):
        kept, fresh = ask(gateway, op, args), ask(gateway, op, {**args, "fresh": True})
        assert kept.keys() >= {"list", "nextPageCursor"}
        assert len(kept["list"]) == len(fresh["list"])
        for name in named:
            assert [row[name] for row in kept["list"]] == [row[name] for row in fresh["list"]]
    at_exchange(gateway, "/v5/order/cancel-all", BTC)


def ask(gateway: Gateway, op: str, args: dict[str, Any] | None = None) -> dict[str, Any]:
    reply = gateway.ask(PRIVATE, op, args)
    assert reply is not None
    assert reply.ok, reply
    return dict(reply.result)


def test_what_is_not_kept_is_asked_for(gateway: Gateway) -> None:
    buy(gateway, "asked-1")
    executions = ask(gateway, "account.executions", {**BTC})
    assert "asked-1" in [row["orderLinkId"] for row in executions["list"]]
    history = ask(gateway, "account.order-history", {**BTC})
    assert "asked-1" in [row["orderLinkId"] for row in history["list"]]
    assert "marginMode" in ask(gateway, "account.info")
    assert ask(gateway, "account.fee-rate", {**BTC})["list"][0]["symbol"] == "BTCUSDT"


def test_kept_orders_come_in_pages_of_the_wanted_size(gateway: Gateway) -> None:
    links = {f"page-{number}" for number in range(5)}
    for link_id in links:
        at_exchange(gateway, "/v5/order/create", {**REST, "orderLinkId": link_id})
    gateway.wait(lambda: len(ask(gateway, "account.orders", BTC)["list"]) == 5, "five orders")
    found: list[str] = []
    cursor = ""
    while True:
        page = ask(gateway, "account.orders", {**BTC, "limit": 2, "cursor": cursor})
        found += [row["orderLinkId"] for row in page["list"]]
        cursor = page["nextPageCursor"]
        if not cursor:
            break
        assert len(page["list"]) == 2
    assert sorted(found) == sorted(links)
    at_exchange(gateway, "/v5/order/cancel-all", BTC)


@pytest.mark.parametrize(
    ("op", "args", "code", "named"),
    [
        ("account.orders", {"symbl": "BTCUSDT"}, Code.UNKNOWN_FIELD, "symbl"),
        ("account.orders", {"category": "futures"}, Code.BAD_FIELD, "category"),
        ("account.orders", {"symbol": 7}, Code.BAD_FIELD, "symbol"),
        ("account.positions", {"limit": "many"}, Code.BAD_FIELD, "limit"),
        ("account.orders", {"cursor": "x"}, Code.BAD_FIELD, "cursor"),
        ("account.wallet", {"fresh": "yes"}, Code.BAD_FIELD, "fresh"),
        ("account.executions", {"symbol": "BTCUSDT"}, Code.MISSING_FIELD, "category"),
        ("account.info", {"category": "spot"}, Code.UNKNOWN_FIELD, "category"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(
    gateway: Gateway, op: str, args: dict[str, Any], code: Code, named: str
) -> None:
    reply = gateway.ask(PRIVATE, op, args)
    assert reply is not None
    assert reply.error is not None
    assert reply.error.code is code
    assert named in reply.error.message


def test_what_the_exchange_refuses_is_told_with_its_own_words(gateway: Gateway) -> None:
    reply = gateway.ask(
        PRIVATE, "account.orders", {"category": "linear", "symbol": "NOPE", "fresh": True}
    )
    assert reply is not None
    if reply.error is not None:
        assert reply.error.code is Code.EXCHANGE_REFUSED
        assert (reply.error.exchange or {})["retCode"] != 0
    else:
        assert reply.result["list"] == []


def test_a_topic_that_the_account_has_not_is_refused_aloud(gateway: Gateway) -> None:
    with gateway.listen(
        PRIVATE, "gateway.rejected.private.main.ordr.", "private.main.ordr."
    ) as listener:
        event = listener.wait(lambda event: event.topic.startswith("gateway.rejected."))
    assert event.body["topic"] == "private.main.ordr."
    assert "order" in event.body["hint"]
