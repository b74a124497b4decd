"""An account without a trade socket, as in demo trading: orders over REST and nothing else."""

from __future__ import annotations

from bybitbus.codes import Outcome
from tests.order_execution.gateway import ORDERS, PRIVATE, running

BTC = {"category": "linear", "symbol": "BTCUSDT"}
QUICK = "environment: sim\naccounts: {main: {recv_window_ms: 500, order_timeout_ms: 400}}\n"


def test_orders_of_an_environment_without_a_trade_socket_live_their_whole_life_over_rest() -> None:
    with running(trade_socket=False) as gateway:
        gateway.config.write_text(QUICK)
        gateway.start(PRIVATE, ORDERS)  # ready, not degraded: nothing is missing here
        assert gateway.create("rest-1").ok
        gateway.wait_order("rest-1", "open")
        changed = {**BTC, "orderLinkId": "rest-1", "qty": "0.020"}
        assert gateway.order("order.amend", changed).ok
        assert gateway.order("order.cancel", {**BTC, "orderLinkId": "rest-1"}).ok
        gateway.wait_order("rest-1", "cancelled")

        gateway.simulator.fault("lose_ack", when="after", op="order.create")
        reply = gateway.create("rest-2")
        if not reply.ok:  # else its event was quicker than the end of the connection
            assert reply.error is not None
            assert reply.error.outcome is Outcome.UNKNOWN
        gateway.wait_order("rest-2", "open")
        assert len(gateway.at_exchange("rest-2")) == 1

        assert gateway.trade_requests() == 0
        status = gateway.wait_state(ORDERS, "ready")
        assert status["counters"]["over_rest"] == 4
