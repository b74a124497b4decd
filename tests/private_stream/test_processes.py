"""The private stream as a process, on a simulated exchange that is cut off and comes back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from bybitbus.codes import Code
from bybitbus.events import Event
from tests.order_execution.gateway import ORDERS, PRIVATE, UID, Gateway, Listener, running

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


def executions_at(gateway: Gateway) -> list[dict[str, Any]]:
    return list(ask(gateway, "account.executions", {**BTC})["list"])


def settled_with(gateway: Gateway, exec_type: str) -> None:
    """Have the exchange do something to the position that no order asked for."""
    gateway.simulator.fault("execution", execType=exec_type, symbol="BTCUSDT", uid=UID)


@pytest.mark.parametrize(
    ("exec_type", "kind"),
    [("Funding", "funding"), ("AdlTrade", "adl"), ("BustTrade", "liquidation")],
)
def test_what_is_no_fill_of_an_order_is_told_apart(
    gateway: Gateway, exec_type: str, kind: str
) -> None:
    with gateway.listen(PRIVATE, "private.main.execution.", "private.main.order.") as listener:
        joined(listener)
        buy(gateway, f"told-{kind}")
        fill = listener.wait(lambda event: has(event, orderLinkId=f"told-{kind}", kind="fill"))
        settled_with(gateway, exec_type)
        event = listener.wait(lambda event: has(event, execType=exec_type))
    assert [row["kind"] for row in event.body["data"]] == [kind]
    assert fill.body["data"][0]["execType"] == "Trade"
    kinds = {row["execType"]: row["kind"] for row in executions_at(gateway)}
    assert (kinds["Trade"], kinds[exec_type]) == ("fill", kind)


def test_nothing_is_lost_when_the_process_dies_before_it_has_compared(gateway: Gateway) -> None:
    """A long outage, a fill that the stream tells right after it, and a kill before the rest."""
    cut_off(gateway)
    buy(gateway, "missed-1")
    gateway.simulator.fault("clear")
    gateway.simulator.fault("http", status=503, count=10_000, path="/v5/order/realtime")
    with gateway.listen(PRIVATE, "private.main.execution.") as listener:
        gateway.wait(lambda: subscribed(gateway), "the stream to be back")
        gateway.wait(
            lambda: buy(gateway, "live-1") or listener.subscriber.receive(100), "a fill at once"
        )
    gateway.kill(PRIVATE)
    gateway.simulator.fault("clear")
    missed = [row["execId"] for row in rows_of(gateway, "missed-1")]
    known = gateway.state_dir / "main.private.db"
    db = sqlite3.connect(known)
    before = {row[0] for row in db.execute("SELECT exec_id FROM fills")}
    assert not before & set(missed)
    # The outage was long: by the last fill that was told, the one before it would be skipped.
    db.execute("UPDATE fills SET exec_ms = exec_ms + 600000")
    db.commit()
    db.close()
    gateway.start(PRIVATE)
    db = sqlite3.connect(known)
    after = {row[0] for row in db.execute("SELECT exec_id FROM fills")}
    db.close()
    assert set(missed) <= after


def subscribed(gateway: Gateway) -> bool:
    reply = gateway.ask(PRIVATE, "gateway.status")
    return reply is not None and "could not be read" in reply.result["reason"]


def rows_of(gateway: Gateway, link_id: str) -> list[dict[str, Any]]:
    """Return the exchange's own list of an order's executions."""

    def read(sim: Any) -> Any:
        now_ms = sim.clock.engine_ms()
        query = {**BTC, "orderLinkId": link_id}
        return sim.exchange.private_get(UID, "/v5/execution/list", query, now_ms)["list"]

    rows = gateway.simulator.call(read)
    assert rows
    return list(rows)


def test_the_greeks_are_read_at_the_start_and_answered_from_what_is_kept(gateway: Gateway) -> None:
    assert ask(gateway, "account.greeks")["list"] == []
    symbol = option_symbol(gateway)
    order = {"category": "option", "symbol": symbol, "side": "Buy", "orderType": "Market"}
    gateway.kill(PRIVATE)
    at_exchange(gateway, "/v5/order/create", {**order, "qty": "0.1", "orderLinkId": "greek-1"})
    gateway.start(PRIVATE)
    (row,) = ask(gateway, "account.greeks")["list"]
    assert row["baseCoin"] == symbol.partition("-")[0]
    assert row["totalDelta"] not in ("", "0")
    assert ask(gateway, "account.greeks", {"baseCoin": "DOGE"})["list"] == []
    fresh = ask(gateway, "account.greeks", {"fresh": True})["list"]
    assert [one["baseCoin"] for one in fresh] == [row["baseCoin"]]


def option_symbol(gateway: Gateway) -> str:
    """Return an option that somebody sells."""

    def find(sim: Any) -> str:
        now_ms = sim.clock.engine_ms()
        query = {"category": "option", "baseCoin": "BTC"}
        for row in sim.exchange.public_get("/v5/market/tickers", query, now_ms)["list"]:
            if float(row["ask1Size"] or 0) >= 0.1:
                return str(row["symbol"])
        raise AssertionError("no option is offered")

    return gateway.simulator.call(find)


FAST = "environment: sim\naccounts:\n  main:\n    private_topics: [execution.fast, dcp.future]\n"


def test_a_fill_is_told_fast_first_and_in_full_after_that_and_says_so() -> None:
    with running() as gateway:
        gateway.config.write_text(FAST)
        gateway.start(PRIVATE)
        names = ("execution.fast", "execution", "order")
        topics = [f"private.main.{name}." for name in names]
        with gateway.listen(PRIVATE, *topics) as listener:
            joined(listener)
            gateway.simulator.fault("hold_events", topic="execution", ms=300)
            buy(gateway, "fast-1")
            fast = listener.wait(lambda event: event.topic == "private.main.execution.fast.")
            full = listener.wait(lambda event: event.topic == "private.main.execution.")
            (row,) = full.body["data"]
            assert fast.body["data"][0]["execId"] == row["execId"]
            assert (fast.body["data"][0]["kind"], row["kind"]) == ("fill", "fill")
            assert row["again"] is True
            assert row["execFee"]
            # And the other way round: what is known in full already is not told once more.
            gateway.simulator.fault("hold_events", topic="execution.fast", ms=300)
            buy(gateway, "fast-2")
            full = listener.wait(
                lambda event: (
                    event.topic == "private.main.execution." and has(event, orderLinkId="fast-2")
                )
            )
            assert "again" not in full.body["data"][0]
            buy(gateway, "fast-3")
            listener.wait(
                lambda event: (
                    event.topic == "private.main.execution." and has(event, orderLinkId="fast-3")
                )
            )
            told = [
                row["execId"]
                for event in listener.seen
                if event.topic == "private.main.execution.fast."
                for row in event.body["data"]
            ]
        assert full.body["data"][0]["execId"] not in told
        status = gateway.ask(PRIVATE, "gateway.status")
        assert status is not None
        assert status.result["refused_topics"] == {}


def test_orders_placed_elsewhere_are_marked_and_ours_never_are() -> None:
    with running() as gateway:
        gateway.start(PRIVATE, ORDERS)
        older_journal(gateway)
        with gateway.listen(PRIVATE, "private.main.order.") as listener:
            joined(listener)
            assert gateway.create("ours-1").ok
            ours = listener.wait(lambda event: has(event, orderLinkId="ours-1"))
            at_exchange(gateway, "/v5/order/create", {**REST, "orderLinkId": "theirs-1"})
            theirs = listener.wait(lambda event: has(event, orderLinkId="theirs-1"))
            assert mark(ours, "ours-1") is False
            assert mark(theirs, "theirs-1") is True
            # Also while order execution is away, and after a restart.
            gateway.kill(ORDERS)
            gateway.kill(PRIVATE)
            gateway.start(PRIVATE)
            listener.wait(lambda event: event.body["epoch"] != theirs.body["epoch"])
        for fresh in (False, True):
            listed = ask(gateway, "account.orders", {**BTC, "fresh": fresh})["list"]
            marks = {row["orderLinkId"]: row["external"] for row in listed}
            assert marks == {"ours-1": False, "theirs-1": True}


def older_journal(gateway: Gateway) -> None:
    """Let the journal look as if it had been there for a while: of a new one little can be said."""
    db = sqlite3.connect(gateway.state_dir / "main.journal.db")
    db.execute("UPDATE meta SET value = value - 600000 WHERE key = 'began_ms'")
    db.commit()
    db.close()
    gateway.kill(PRIVATE)  # it has read when the journal began
    gateway.start(PRIVATE)


def mark(event: Event, link_id: str) -> bool | None:
    (row,) = [row for row in event.body["data"] if row["orderLinkId"] == link_id]
    return row.get("external")
