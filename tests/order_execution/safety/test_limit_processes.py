"""Limits on real processes: feed, private stream and orders, against a simulated exchange."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bybitbus.codes import Code
from bybitbus.messages import Reply
from tests.order_execution.gateway import ORDERS, PRIVATE, UID, Gateway, running

FEED = "public-feed-linear"
BTC = {"category": "linear", "symbol": "BTCUSDT"}
CONFIG = """\
environment: sim
feeds: {{spot: {{enabled: false}}, inverse: {{enabled: false}}, option: {{enabled: false}},
  spread: {{enabled: false}}}}
accounts:
  main:
    recv_window_ms: 500
    order_timeout_ms: 1500
    limits: {limits}
    clients: {clients}
"""


@contextmanager
def limited(*programs: str, limits: str = "{}", clients: str = "{}") -> Iterator[Gateway]:
    with running(rate_per_s=20.0) as gateway:
        gateway.config.write_text(CONFIG.format(limits=limits, clients=clients))
        gateway.start("bus", ready=False)
        gateway.start(*programs, PRIVATE, ORDERS)
        yield gateway


def refused(reply: Reply) -> tuple[Code, str]:
    assert reply.error is not None, reply
    return reply.error.code, reply.error.message


def place_elsewhere(gateway: Gateway, link_id: str) -> None:
    """Place an order at the exchange that this gateway knows nothing of."""
    body = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": "1000.00"}

    def post(sim: Any) -> None:
        path = "/v5/order/create"
        sim.exchange.private_post(UID, path, body | {"orderLinkId": link_id}, sim.clock.engine_ms())
        sim.publish()

    gateway.simulator.call(post)


def best_ask(gateway: Gateway) -> float:
    book = gateway.simulator.call(
        lambda sim: sim.exchange.public_get("/v5/market/orderbook", BTC, sim.clock.engine_ms())
    )
    return float(book["a"][0][0])


def test_a_price_far_beyond_the_market_is_refused_and_without_a_market_everything_is() -> None:
    with limited(FEED, limits="{price_band_pct: 5, max_price_age_ms: 4000}") as gateway:
        high = f"{best_ask(gateway) * 1.2:.1f}0"
        first = gateway.create("first-1")
        if not first.ok:  # the symbol is only being subscribed to
            assert refused(first)[0] is Code.NOT_READY
            assert first.error is not None
            assert first.error.retry_after_ms
        gateway.wait(lambda: gateway.create(qty="0.010").ok, "a price of the market")
        code, said = refused(gateway.create("high-1", price=high))
        assert code is Code.RISK_REFUSED
        assert "price_band_pct" in said
        assert "5 % is allowed" in said
        assert gateway.at_exchange("high-1") == []

        gateway.simulator.fault("stall", scope="linear")

        def stale() -> bool:
            reply = gateway.create()
            return not reply.ok and refused(reply)[0] is Code.NOT_READY

        gateway.wait(stale, "the price to be too old")
        assert gateway.order("order.cancel-all", {**BTC}).ok  # taking risk away is always possible
        gateway.simulator.fault("clear")
        gateway.wait(lambda: gateway.create().ok, "a fresh price")


def test_orders_placed_elsewhere_count_also_for_the_next_run() -> None:
    with limited(limits="{max_open_orders: 3}") as gateway:
        assert gateway.create("ours-1").ok
        place_elsewhere(gateway, "theirs-1")
        place_elsewhere(gateway, "theirs-2")

        def full() -> bool:
            reply = gateway.create()  # a used orderLinkId would be answered as the first time
            if reply.ok:
                gone = gateway.order("order.cancel", {**BTC, "orderId": reply.result["orderId"]})
                assert gone.ok
            return not reply.ok

        gateway.wait(full, "the limit to be reached")
        code, said = refused(gateway.create("ours-2"))
        assert (code, "3 are allowed" in said) == (Code.RISK_REFUSED, True)
        amended = gateway.order("order.amend", {**BTC, "orderLinkId": "ours-1", "qty": "0.020"})
        assert amended.ok  # an order that is open already is not one more
        gateway.kill(ORDERS)
        gateway.start(ORDERS)

        def knows() -> bool:
            return refused(gateway.create("ours-3"))[0] is Code.RISK_REFUSED

        gateway.wait(knows, "the next run to know what is open")
        assert gateway.order("order.cancel", {**BTC, "orderLinkId": "ours-1"}).ok
        gateway.wait_order("ours-1", "cancelled")
        assert gateway.create("ours-4").ok


def test_while_the_account_can_not_be_seen_nothing_is_added_to_it() -> None:
    with limited(limits="{max_position_qty: {BTCUSDT: 1000}}") as gateway:
        gateway.wait(lambda: gateway.create().ok, "the account to be seen")
        gateway.stop(PRIVATE)
        code, said = refused(gateway.wait(lambda: not_ok(gateway.create()), "the blindness"))
        assert (code, "private stream is down" in said) == (Code.NOT_READY, True)
        closing = {"side": "Sell", "orderType": "Market", "reduceOnly": True}
        reply = gateway.order("order.create", {**BTC, **closing, "qty": "0.010"})
        assert refused(reply)[0] is Code.EXCHANGE_REFUSED  # it passed here: there is no position
        gateway.start(PRIVATE)
        gateway.wait(lambda: gateway.create().ok, "the account to be seen again")


def not_ok(reply: Reply) -> Reply | None:
    return None if reply.ok else reply


def test_a_client_s_limits_are_its_own_and_the_position_is_everybody_s() -> None:
    limits = "{max_position_qty: {BTCUSDT: 0.08}, orders_per_s: 100}"
    clients = "{small: {max_open_orders: 1, symbols: [linear.BTCUSDT]}}"
    with limited(limits=limits, clients=clients) as gateway:
        gateway.wait(lambda: gateway.create().ok, "the account to be seen")
        assert gateway.create("small-1", client="small").ok
        code, said = refused(gateway.create("small-2", client="small"))
        assert (code, "max_open_orders" in said) == (Code.RISK_REFUSED, True)
        code, said = refused(gateway.create("small-3", client="small", symbol="ETHUSDT"))
        assert (code, "symbols" in said) == (Code.RISK_REFUSED, True)
        assert gateway.create("large-1", client="large", qty="0.020").ok
        code, said = refused(gateway.create("large-2", client="large", qty="0.050"))
        assert (code, "max_position_qty" in said) == (Code.RISK_REFUSED, True)
        validated = gateway.order(
            "order.validate",
            {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.050", "price": "1000.00"},
        )
        assert refused(validated)[0] is Code.RISK_REFUSED
        batch = {"side": "Buy", "orderType": "Limit", "qty": "0.020", "price": "1000.00"}
        items = [{"symbol": "BTCUSDT", **batch} for _ in range(3)]
        reply = gateway.order("order.create-batch", {"category": "linear", "request": items})
        code, said = refused(reply)
        assert (code, "request[" in said) == (Code.RISK_REFUSED, True)


def test_more_orders_than_a_second_may_have_are_refused_and_say_when() -> None:
    with limited(limits="{orders_per_s: 2}") as gateway:
        replies = [gateway.create(f"pace-{number}") for number in range(5)]
        late = [reply for reply in replies if not reply.ok]
        assert late
        for reply in late:
            code, said = refused(reply)
            assert (code, "orders_per_s" in said) == (Code.RISK_REFUSED, True)
            assert reply.error is not None
            assert reply.error.retry_after_ms
        assert gateway.order("order.cancel-all", {**BTC}).ok
