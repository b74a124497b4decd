"""Bad input gets a clear answer through the front door, and costs no process and no data."""

from __future__ import annotations

import time
from typing import Any

import msgpack
import pytest
import zmq

from bybitbus.client import Client
from bybitbus.endpoints import requests_address
from bybitbus.errors import Refused
from bybitbus.sequence import Verdict
from bybitbus.subscriber import Subscriber
from tests.e2e.conftest import Daemon

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

BOOK = "linear.orderbook.50.BTCUSDT."
ORDER = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.01",
    "price": "1000",
}


def answer_to(daemon: Daemon, frame: bytes) -> dict[str, Any]:
    """Send one frame as a plain REQ socket does; return the reply."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.REQ)
    try:
        socket.connect(requests_address(daemon.run_dir))
        socket.send(frame)
        assert socket.poll(10_000), "no answer"
        reply: dict[str, Any] = msgpack.unpackb(socket.recv())
        return reply
    finally:
        socket.close(0)
        context.term()


@pytest.mark.parametrize(
    ("frame", "code", "words"),
    [
        (b"", "bad_message", "msgpack"),
        (b"\xc1garbage", "bad_message", "no request"),
        (msgpack.packb([1, 2]), "bad_message", "object"),
        (msgpack.packb({"id": "1"}), "bad_message", "op"),
        (msgpack.packb({"id": "1", "op": "gateway.ping", "arg": {}}), "bad_message", "arg"),
        (msgpack.packb({"id": 1, "op": "gateway.ping"}), "bad_message", "id"),
        (
            msgpack.packb({"id": "1", "op": "gateway.ping", "args": {"x": "y" * 2**21}}),
            "too_large",
            "",
        ),
        (msgpack.packb({"id": "1", "op": "order.crate"}), "unknown_op", "order.create"),
        (
            msgpack.packb({"id": "1", "op": "account.orders", "account": "mine"}),
            "unknown_account",
            "mine",
        ),
    ],
    ids=[
        "empty",
        "garbage",
        "list",
        "no op",
        "unknown key",
        "id type",
        "oversized",
        "op",
        "account",
    ],
)
def test_a_frame_that_is_no_request_is_answered_with_what_is_wrong(
    daemon: Daemon, frame: bytes, code: str, words: str
) -> None:
    reply = answer_to(daemon, frame)
    assert reply["ok"] is False
    assert reply["error"]["code"] == code
    assert reply["error"]["outcome"] == "rejected"
    assert words in reply["error"]["message"] + reply["error"].get("hint", "")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"prize": "1"}, "unknown_field", ["prize", "price"]),
        ({"price": 1000}, "bad_field", ["price", "string"]),
        ({"price": "1e3"}, "bad_field", ["price"]),
        ({"side": "buy"}, "bad_field", ["side", "Buy"]),
        ({"qty": None}, "bad_field", ["qty"]),
        ({"category": "futures"}, "bad_field", ["category", "linear"]),
        ({"orderLinkId": "x" * 37}, "bad_field", ["orderLinkId", "36"]),
    ],
    ids=["unknown", "number", "exponent", "enum", "null", "category", "link id"],
)
def test_a_wrong_order_field_is_named_and_nothing_is_sent(
    daemon: Daemon, change: dict[str, Any], code: str, words: list[str]
) -> None:
    with Client(daemon.run_dir) as client:
        with pytest.raises(Refused) as caught:
            client.request("order.create", {**ORDER, **change})
        assert caught.value.code == code
        assert caught.value.outcome == "rejected"
        for word in words:
            assert word in f"{caught.value.message} {caught.value.hint}"


def test_a_missing_order_field_is_named(daemon: Daemon) -> None:
    with Client(daemon.run_dir) as client, pytest.raises(Refused) as caught:
        client.request("order.create", {key: ORDER[key] for key in ORDER if key != "qty"})
    assert caught.value.code == "missing_field"
    assert "qty" in caught.value.message


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        ("linear.orderbook.500.BTCUSDT.", "removed"),
        ("linear.tickers.btcusdt.", "upper case"),
        ("linear.trades.BTCUSDT.", "trades"),
        ("option.publicTrade.BTC-1JAN27-1-C.", "base coin"),
        ("futures.tickers.BTCUSDT.", "futures"),
        ("private.nobody.order.", "nobody"),
        ("linear.tickers.NOSUCHUSDT.", ""),
    ],
)
def test_a_topic_that_can_not_exist_is_rejected_aloud(
    daemon: Daemon, topic: str, words: str
) -> None:
    rejected = f"gateway.rejected.{topic}"
    with Subscriber(daemon.run_dir, [rejected]) as subscriber:
        due_s = time.monotonic() + 15
        while time.monotonic() < due_s:
            # Asked for until the subscription to the answer stands: ZeroMQ does not say when.
            subscriber.subscribe(topic)
            event = subscriber.receive(timeout_ms=500)
            if event is not None and event.topic == rejected:
                assert words in event.body["reason"] + event.body["hint"]
                return
            subscriber.unsubscribe(topic)
    raise AssertionError(f"no {rejected}")


def test_none_of_it_ends_a_process_or_costs_a_subscriber_an_event(daemon: Daemon) -> None:
    before = {name: row["pid"] for name, row in daemon.programs().items()}
    with Subscriber(daemon.run_dir, [BOOK]) as subscriber:
        assert subscriber.receive(timeout_ms=10_000)
        for frame in (b"", b"\xc1", b"\x81" * 100, msgpack.packb({"id": "1", "op": "x" * 10_000})):
            answer_to(daemon, frame)
        verdicts = set()
        until_s = time.monotonic() + 2
        while time.monotonic() < until_s:
            if event := subscriber.receive(timeout_ms=200):
                verdicts.add(event.verdict)
    assert Verdict.NEXT in verdicts
    assert verdicts <= {Verdict.NEXT, Verdict.RESEND, Verdict.FIRST}
    assert {name: row["pid"] for name, row in daemon.programs().items()} == before
