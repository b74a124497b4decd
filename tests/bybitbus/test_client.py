"""The blocking client against a server in a thread, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from bybitbus.client import Client
from bybitbus.codes import Code, Origin, Outcome
from bybitbus.endpoints import requests_address
from bybitbus.errors import CodecError, NoAnswer, Refused
from tests.bybitbus.answering import Answering, answering

Context = zmq.Context[zmq.Socket[bytes]]
Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def server(run_dir: Path) -> Iterator[Answering]:
    with answering(requests_address(run_dir)) as seen:
        yield seen


@pytest.fixture
def client(run_dir: Path, context: Context) -> Iterator[Client]:
    with Client(run_dir, client="maker", context=context) as made:
        yield made


def test_a_request_returns_its_result(server: Answering, client: Client) -> None:
    before_ms = time.time_ns() // 1_000_000
    assert client.request("echo", {"qty": "1"}, account="second", timeout_ms=4000) == {"qty": "1"}
    (request,) = server.requests
    assert (request.account, request.client) == ("second", "maker")
    assert request.deadline_ms is not None
    assert before_ms + 3600 <= request.deadline_ms <= time.time_ns() // 1_000_000 + 3600


def test_a_deadline_that_is_given_is_sent_as_it_is(server: Answering, client: Client) -> None:
    client.request("echo", deadline_ms=123)
    assert server.requests[0].deadline_ms == 123


def test_an_error_reply_raises_with_the_fields_of_the_wire(
    server: Answering, client: Client
) -> None:
    with pytest.raises(Refused) as raised:
        client.request("refuse")
    assert (raised.value.op, raised.value.code, raised.value.hint) == ("refuse", "busy", "wait")
    assert raised.value.retry_safe


def test_no_reply_in_time_is_of_unknown_outcome_and_a_late_one_is_dropped(
    server: Answering, client: Client
) -> None:
    with pytest.raises(NoAnswer, match="no reply within 30 ms") as raised:
        client.request("hold", {"n": 1}, timeout_ms=30)
    assert raised.value.outcome is Outcome.UNKNOWN
    assert client.request("release") is None  # the held reply comes first, and to nobody
    assert client.correlation.late == 1
    assert client.receive(0) is None


def test_many_requests_are_in_flight_and_each_reply_finds_its_own(
    server: Answering, client: Client
) -> None:
    ids = {client.send("hold", {"n": n}): n for n in range(200)}
    assert client.request("release") is None
    replies = [client.receive(5000) for _ in ids]
    results = {reply.id: reply.unwrap("hold")["n"] for reply in replies if reply is not None}
    assert results == ids
    assert client.receive(0) is None


def test_a_request_keeps_the_replies_of_others_for_receive(
    server: Answering, client: Client
) -> None:
    first = client.send("echo", {"n": 1})
    assert client.request("echo", {"n": 2}) == {"n": 2}
    reply = client.receive(0)
    assert reply is not None
    assert (reply.id, reply.result) == (first, {"n": 1})
    assert "replied" in reply.t


def test_what_was_given_up_is_not_received(server: Answering, client: Client) -> None:
    client.give_up(client.send("echo"))
    kept = client.send("echo")
    reply = client.receive(5000)
    assert reply is not None
    assert reply.id == kept


def test_a_request_that_nobody_listens_to_is_refused_and_never_sent_later(
    run_dir: Path, client: Client
) -> None:
    with pytest.raises(Refused) as raised:
        client.request("echo", {"n": 1}, timeout_ms=30)
    assert (raised.value.code, raised.value.origin) == (Code.UNAVAILABLE, Origin.NETWORK)
    assert raised.value.outcome is Outcome.REJECTED
    with answering(requests_address(run_dir)) as server:
        assert client.request("echo", {"n": 2}) == {"n": 2}
        assert [request.args for request in server.requests] == [{"n": 2}]


def test_a_client_may_come_before_its_server(run_dir: Path, client: Client) -> None:
    with answering(requests_address(run_dir)):
        assert client.request("echo", {"n": 1}) == {"n": 1}


def test_a_client_survives_a_restart_of_its_server(
    run_dir: Path, client: Client, eventually: Eventually
) -> None:
    address = requests_address(run_dir)
    with answering(address):
        assert client.request("echo", {"n": 1}) == {"n": 1}
        lost = client.send("ignore")
    # ZeroMQ may lose what is sent into a connection that is breaking: wait until it has broken.
    eventually(lambda: not client.socket.poll(0, zmq.POLLOUT))
    with answering(address) as server:
        assert client.request("echo", {"n": 2}) == {"n": 2}
        assert [request.op for request in server.requests] == ["echo"]
    assert client.receive(0) is None
    client.give_up(lost)
    assert len(client.correlation) == 0


def test_a_delimiter_before_the_reply_is_passed_over(run_dir: Path, client: Client) -> None:
    context: Context = zmq.Context()
    with context.socket(zmq.ROUTER) as router:
        router.bind(requests_address(run_dir))
        sent = client.send("echo")
        peer, body = router.recv_multipart()
        assert sent.encode() in body
        for garbage in (b"", b"\xc1"):
            router.send_multipart([peer, garbage])
        reply = b"\x82\xa2id" + bytes([0xA0 + len(sent)]) + sent.encode() + b"\xa2ok\xc3"
        router.send_multipart([peer, b"", reply])
        received = client.receive(5000)
        assert received is not None
        assert received.id == sent
        assert client.correlation.malformed == 2
        router.close(linger=0)
    context.destroy(linger=0)


def test_a_value_that_the_wire_has_no_form_for_is_refused(client: Client) -> None:
    with pytest.raises(CodecError):
        client.send("echo", {"n": object()})


def test_without_anything_said_the_run_folder_of_the_environment_is_used(
    server: Answering, run_dir: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BYBITD_RUN_DIR", str(run_dir))
    with Client(context=context) as client:
        assert client.request("echo", {"n": 1}) == {"n": 1}
