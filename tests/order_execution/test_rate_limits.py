"""The rate budget through the processes, against a simulator that has the exchange's limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from bybitbus.client import Client
from bybitbus.codes import Code, Outcome
from bybitbus.endpoints import requests_address
from bybitbus.messages import Reply
from tests.order_execution.gateway import FAR, ORDERS, PRIVATE, TIMEOUT_S, Gateway, running

BTC = {"category": "linear", "symbol": "BTCUSDT"}
LIMIT = 10  # creates a second


@pytest.fixture(scope="module")
def shared() -> Iterator[Gateway]:
    with running(PRIVATE, ORDERS, limits=True) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared: Gateway) -> Iterator[Gateway]:
    yield shared
    shared.simulator.fault("clear")
    shared.wait(lambda: shared.order("order.cancel-all", BTC).ok, "the orders to end")


class Asker:
    """Sends without waiting, and takes replies as they come."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.replies: dict[str, Reply] = {}
        self.order: list[str] = []

    def ask(self, op: str, args: dict[str, Any], deadline_ms: int = 10_000) -> str:
        return self.client.send(op, args, deadline_ms=deadline_ms)

    def create(self, link_id: str, deadline_ms: int = 10_000, **changes: Any) -> str:
        args = {**BTC, **FAR, "orderLinkId": link_id, **changes}
        return self.ask("order.create", args, deadline_ms)

    def take(self, *keys: str) -> list[Reply]:
        due_s = time.monotonic() + TIMEOUT_S
        while not all(key in self.replies for key in keys) and time.monotonic() < due_s:
            if (reply := self.client.receive(50)) is not None:
                self.replies[reply.id] = reply
                self.order.append(reply.id)
        return [self.replies[key] for key in keys]


@pytest.fixture
def asker(gateway: Gateway) -> Iterator[Asker]:
    address = requests_address(gateway.run_dir, ORDERS)
    with Client(address, client="grid", context=gateway.context) as client:
        yield Asker(client)


def use_up(asker: Asker, name: str) -> list[str]:
    """Send until one waits; return the keys of what was sent."""
    return [asker.create(f"{name}-{number}") for number in range(LIMIT + 1)]


def error_code(reply: Reply) -> Code:
    assert reply.error is not None, reply
    return reply.error.code


def test_what_does_not_fit_now_waits_and_a_cancel_does_not_wait_behind_it(
    gateway: Gateway, asker: Asker
) -> None:
    first = asker.create("wait-0")
    asker.take(first)
    creates = [asker.create(f"wait-{number}") for number in range(1, 2 * LIMIT)]
    cancel = asker.ask("order.cancel", {**BTC, "orderLinkId": "wait-0"})
    replies = asker.take(*creates, cancel)
    assert all(reply.ok for reply in replies)
    assert asker.order.index(cancel) < asker.order.index(creates[-1])
    assert gateway.simulator.state()["limited"] == 0


def test_what_can_not_make_its_deadline_is_refused_at_once_and_its_id_stays_free(
    gateway: Gateway, asker: Asker
) -> None:
    sent = use_up(asker, "soon")
    began_s = time.monotonic()
    (refused,) = asker.take(asker.create("soon-late", deadline_ms=100))
    assert error_code(refused) is Code.RATE_LIMITED
    assert refused.error is not None
    assert (refused.error.outcome, refused.error.retry_safe) == (Outcome.REJECTED, True)
    assert refused.error.retry_after_ms is not None
    assert 0 < refused.error.retry_after_ms < 5000
    assert f"in {refused.error.retry_after_ms} ms" in refused.error.hint
    assert "sent" not in refused.t
    assert time.monotonic() - began_s < 5
    status = gateway.order("order.status", {"orderLinkId": "soon-late"})
    assert error_code(status) is Code.NOT_FOUND
    asker.take(*sent)
    (again,) = asker.take(asker.create("soon-late"))
    assert again.ok


def test_an_order_that_is_asked_for_twice_while_it_waits_is_sent_once(
    gateway: Gateway, asker: Asker
) -> None:
    sent = use_up(asker, "twice")
    before = gateway.trade_requests()
    one, same = asker.create("twice-x"), asker.create("twice-x")
    other = asker.create("twice-x", price="999.00")
    replies = asker.take(one, same, other, *sent)
    assert replies[0].ok
    assert replies[0].result == replies[1].result
    assert error_code(replies[2]) is Code.ID_REUSED
    assert len(gateway.at_exchange("twice-x")) == 1
    assert gateway.trade_requests() - before <= LIMIT + 2


def test_a_batch_above_the_limit_leaves_whole_and_is_limited_item_by_item(
    gateway: Gateway, asker: Asker
) -> None:
    items = [{"symbol": "BTCUSDT", **FAR, "orderLinkId": f"large-{number}"} for number in range(20)]
    args = {"category": "linear", "request": items}
    (reply,) = asker.take(asker.ask("order.create-batch", args))
    assert reply.ok
    told = reply.result["retExtInfo"]["list"]
    assert [item["code"] for item in told] == [0] * LIMIT + [10006] * LIMIT
    assert {item.get("error") for item in told[LIMIT:]} == {"rate_limited"}
    assert {item["outcome"] for item in told[LIMIT:]} == {"rejected"}
    assert gateway.status("large-19")["state"] == "rejected"
    (after,) = asker.take(
        asker.ask(
            "order.create-batch", {**args, "request": [{**items[0], "orderLinkId": "large-next"}]}
        )
    )
    assert after.ok
    assert after.result["retExtInfo"]["list"][0]["code"] == 0


def test_a_refusal_of_the_exchange_stops_its_bucket_and_is_told_as_such(
    gateway: Gateway, asker: Asker
) -> None:
    gateway.simulator.fault("answer", code=10006, op="order.create")
    refused, after = asker.take(asker.create("visits-1"), asker.create("visits-2"))
    if refused.ok:  # the second may have met the fault: they left together
        refused, after = after, refused
    assert error_code(refused) is Code.RATE_LIMITED
    assert refused.error is not None
    assert (refused.error.outcome, refused.error.retry_safe) == (Outcome.REJECTED, True)
    assert refused.error.exchange is not None
    assert refused.error.exchange["retCode"] == 10006
    assert after.ok


@pytest.mark.parametrize("code", [429, 10429])
def test_an_overloaded_exchange_leaves_the_order_unknown_until_it_is_looked_up(
    gateway: Gateway, asker: Asker, code: int
) -> None:
    gateway.simulator.fault("answer", code=code, act=True, op="order.create")
    link_id = f"overload-{code}"
    (reply,) = asker.take(asker.create(link_id))
    assert reply.ok or error_code(reply) is Code.NO_ANSWER  # its event may have come first
    assert gateway.wait_order(link_id, "open")["outcome"] == "accepted"
    assert len(gateway.at_exchange(link_id)) == 1


def test_the_status_shows_the_buckets(gateway: Gateway, asker: Asker) -> None:
    asker.take(asker.create("shown-1"))
    status = gateway.ask(ORDERS, "gateway.status")
    assert status is not None
    rate = status.result["rate"]
    assert rate["buckets"]["order.create on linear and inverse"]["limit"] == LIMIT
    assert rate["waiting"] == 0


def test_a_ban_of_the_address_stops_rest_and_is_shown_while_the_trade_socket_goes_on() -> None:
    with running(PRIVATE, ORDERS, limits=True) as gateway:
        gateway.simulator.fault("http", status=403, path="/v5/order/cancel-all")
        first = gateway.order("order.cancel-all", BTC)
        assert error_code(first) is Code.RATE_LIMITED
        state = gateway.wait_state(ORDERS, "degraded")
        assert "banned" in state["reason"]
        assert state["rest_banned_until_ms"] > time.time() * 1000
        before = gateway.simulator.state()["received"]["rest"]
        second = gateway.order("order.cancel-all", BTC)
        assert error_code(second) is Code.RATE_LIMITED
        assert second.error is not None
        assert second.error.retry_after_ms is not None
        assert second.error.retry_after_ms > 500_000
        assert "banned" in second.error.message
        assert gateway.simulator.state()["received"]["rest"] == before
        ask = {**BTC, "orderId": "no-such-order"}
        assert error_code(gateway.order("order.cancel", ask)) is Code.NOT_FOUND  # over the socket
