"""The server against bare ZeroMQ sockets, as a client in any language would use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from bybitbus import codec
from bybitbus.codes import Code
from bybitbus.endpoints import requests_address
from bybitbus.messages import Reply, gateway_error
from bybitbus.server import Call, Server

Context = zmq.Context[zmq.Socket[bytes]]
PING = {"id": "1", "op": "gateway.ping"}


@pytest.fixture
def server(run_dir: Path, context: Context) -> Iterator[Server]:
    made = Server(context, requests_address(run_dir))
    yield made
    made.close()


@pytest.fixture
def connect(run_dir: Path, context: Context) -> Iterator[Callable[[int], zmq.Socket[bytes]]]:
    opened: list[zmq.Socket[bytes]] = []

    def connected(kind: int) -> zmq.Socket[bytes]:
        socket = context.socket(kind)
        socket.linger = 0
        socket.rcvtimeo = 5000
        socket.connect(requests_address(run_dir))
        opened.append(socket)
        return socket

    yield connected
    for socket in opened:
        socket.close()


def calls(server: Server, number: int = 1) -> list[Call]:
    came: list[Call] = []
    while len(came) < number:
        assert server.socket.poll(5000), f"only {len(came)} came"
        came += server.calls()
    assert len(came) == number
    return came


def answer_malformed(server: Server) -> None:
    before = server.malformed
    while server.malformed == before:
        assert server.socket.poll(5000)
        assert list(server.calls()) == []


@pytest.mark.parametrize(
    ("kind", "envelope"),
    [
        pytest.param(zmq.REQ, [], id="REQ"),
        pytest.param(zmq.DEALER, [], id="DEALER"),
        pytest.param(zmq.DEALER, [b""], id="DEALER with a delimiter"),
        pytest.param(zmq.DEALER, [b"way", b"back", b""], id="through several hops"),
    ],
)
def test_every_client_is_answered_in_kind(
    server: Server,
    connect: Callable[[int], zmq.Socket[bytes]],
    kind: int,
    envelope: list[bytes],
) -> None:
    client = connect(kind)
    client.send_multipart([*envelope, msgpack.packb(PING)])
    (call,) = calls(server)
    call.succeed({"program": "bus"})
    *way_back, body = client.recv_multipart()
    assert way_back == envelope
    reply = msgpack.unpackb(body)
    stamps = reply.pop("t")
    assert reply == {"id": "1", "ok": True, "result": {"program": "bus"}}
    assert stamps["received"] == call.received_ns <= stamps["replied"]
    assert (server.answered, server.malformed, server.undeliverable) == (1, 0, 0)


def test_many_may_be_in_flight_and_are_answered_in_any_order(
    server: Server, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    clients = [connect(zmq.DEALER) for _ in range(3)]
    for index, client in enumerate(clients):
        for number in range(50):
            request = {"id": f"{index}/{number}", "op": "x", "args": {"n": number}}
            client.send(msgpack.packb(request))
    for call in reversed(calls(server, 150)):
        call.succeed(call.request.args["n"])
    for index, client in enumerate(clients):
        replies = [msgpack.unpackb(client.recv()) for _ in range(50)]
        assert {reply["id"]: reply["result"] for reply in replies} == {
            f"{index}/{number}": number for number in range(50)
        }


@pytest.mark.parametrize(
    ("body", "request_id", "names"),
    [
        pytest.param(b"", "", "truncated", id="nothing"),
        pytest.param(b"\xc1", "", "malformed", id="no msgpack"),
        pytest.param(b"hello", "", "Expected `object`", id="text"),
        pytest.param(b"\x81\xa4args" + b"\x81\xa1a" * 100_000, "", "recursion", id="deep"),
        pytest.param(msgpack.packb([1]), "", "Expected `object`", id="a list"),
        pytest.param(msgpack.packb({"id": "7"}), "7", "`op`", id="no op"),
        pytest.param(msgpack.packb({"op": "x"}), "", "`id`", id="no id"),
        pytest.param(msgpack.packb(PING | {"argz": 1}), "1", "`argz`", id="unknown key"),
        pytest.param(msgpack.packb(PING | {"args": 1}), "1", "args", id="args of another type"),
    ],
)
def test_a_frame_that_is_no_request_is_answered_and_never_passed_on(
    server: Server,
    connect: Callable[[int], zmq.Socket[bytes]],
    body: bytes,
    request_id: str,
    names: str,
) -> None:
    client = connect(zmq.DEALER)
    client.send(body)
    answer_malformed(server)
    reply = codec.decode_reply(client.recv())
    assert (reply.id, reply.ok) == (request_id, False)
    assert reply.error is not None
    assert reply.error.code is Code.BAD_MESSAGE
    assert names in reply.error.message
    assert reply.error.hint


def test_an_oversized_request_is_answered_and_the_next_one_works(
    server: Server, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    client = connect(zmq.REQ)
    client.send(msgpack.packb(PING | {"args": {"a": "x" * codec.MAX_REQUEST_BYTES}}))
    answer_malformed(server)
    reply = codec.decode_reply(client.recv())
    assert reply.error is not None
    assert reply.error.code is Code.TOO_LARGE
    client.send(msgpack.packb(PING))
    calls(server)[0].succeed(None)
    assert msgpack.unpackb(client.recv())["ok"]


def test_a_frame_above_all_limits_ends_only_the_connection_that_sent_it(
    server: Server, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    flooding, other = connect(zmq.DEALER), connect(zmq.DEALER)
    flooding.send(b"\x00" * (17 << 20))
    other.send(msgpack.packb(PING))
    calls(server)[0].succeed(None)
    assert msgpack.unpackb(other.recv())["ok"]
    assert flooding.poll(50) == 0


def test_an_error_carries_every_field_of_the_wire(
    server: Server, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    client = connect(zmq.REQ)
    client.send(msgpack.packb(PING))
    (call,) = calls(server)
    call.stamp("sent", 5)
    call.fail(gateway_error(Code.BUSY, "too much", hint="wait", retry_safe=True))
    reply = msgpack.unpackb(client.recv())
    assert reply["t"]["sent"] == 5
    assert reply["error"] == {
        "code": "busy",
        "message": "too much",
        "origin": "gateway",
        "outcome": "rejected",
        "retry_safe": True,
        "hint": "wait",
    }


def test_a_call_is_answered_only_once(
    server: Server, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    client = connect(zmq.DEALER)
    client.send(msgpack.packb(PING))
    (call,) = calls(server)
    call.succeed(1)
    with pytest.raises(RuntimeError, match="answered already"):
        call.succeed(2)
    with pytest.raises(RuntimeError, match="answered already"):
        call.relay(b"")
    assert msgpack.unpackb(client.recv())["result"] == 1


def test_a_result_that_can_not_be_encoded_leaves_the_call_to_be_answered_with_an_error(
    server: Server, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    client = connect(zmq.REQ)
    client.send(msgpack.packb(PING))
    (call,) = calls(server)
    with pytest.raises(TypeError):
        call.succeed(object())
    assert not call.answered
    call.fail(gateway_error(Code.INTERNAL, "a defect"))
    assert msgpack.unpackb(client.recv())["error"]["code"] == "internal"


def test_another_servers_reply_is_relayed_as_it_came(
    server: Server, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    client = connect(zmq.REQ)
    sent = msgpack.packb(PING)
    client.send(sent)
    (call,) = calls(server)
    assert call.body == sent
    other: dict[str, Any] = {"id": "1", "ok": True, "added": "in a later version"}
    call.relay(msgpack.packb(other))
    assert msgpack.unpackb(client.recv()) == other


def test_a_reply_to_a_client_that_has_gone_is_counted_and_harms_nobody(
    server: Server, connect: Callable[[int], zmq.Socket[bytes]], eventually: Any
) -> None:
    gone = connect(zmq.DEALER)
    gone.send(msgpack.packb(PING))
    (call,) = calls(server)
    gone.close()

    def undeliverable() -> bool:
        server.send_encoded(call._envelope, codec.encode(Reply(id="1", ok=True)))
        return server.undeliverable > 0

    eventually(undeliverable)


def test_calls_never_block(server: Server) -> None:
    assert list(server.calls()) == []
