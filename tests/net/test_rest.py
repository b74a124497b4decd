from __future__ import annotations

import contextlib
import http.server
import queue
import socket
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bybitd.net.errors import HttpRefused, IpBanned, NotSent, OutcomeUnknown
from bybitd.net.rest import RestClient, RestReply, RestWorker, encode_query
from tests.net.gates import OpenGate
from tests.net.servers import Answer, http_server


def envelope(result: dict[str, Any], code: int = 0) -> bytes:
    return msgspec.json.encode(
        {"retCode": code, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1700}
    )


def always(status: int, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    return lambda _request, _body: (status, headers or {}, body)


def test_the_signed_bytes_of_a_get_are_the_bytes_sent() -> None:
    seen = []

    def answer(
        request: http.server.BaseHTTPRequestHandler, _body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        seen.append((request.path, request.headers["X-Signed"]))
        return 200, {}, envelope({})

    with http_server(answer) as url:
        client = RestClient(url, OpenGate(), lambda payload: {"X-Signed": payload})
        client.get("/v5/x", {"symbol": "SOLUSDT_SOL/USDT", "cursor": "a%3A1%2C2"})
        client.get("/v5/x", {"cursor": "a%3ab%2c"})
        client.close()
    for path, signed in seen:
        assert path == "/v5/x?" + signed
    assert seen[0][1].endswith("cursor=a%3A1%2C2")
    assert seen[1][1].lower() == "cursor=a%3ab%2c"


def test_the_signed_bytes_of_a_post_are_the_bytes_sent() -> None:
    seen = []

    def answer(
        request: http.server.BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        seen.append((body.decode(), request.headers["X-Signed"], request.command))
        return 200, {}, envelope({"orderId": "1"})

    with http_server(answer) as url:
        client = RestClient(url, OpenGate(), lambda payload: {"X-Signed": payload})
        reply = client.post("/v5/order/create", {"qty": "0.10"})
        client.close()
    assert seen == [('{"qty":"0.10"}', '{"qty":"0.10"}', "POST")]
    assert reply.result == {"orderId": "1"}


def test_limits_are_read_whatever_the_case_of_their_headers() -> None:
    headers = {
        "x-bapi-limit": "10",
        "X-BAPI-LIMIT-STATUS": "7",
        "X-Bapi-Limit-Reset-Timestamp": "1700000000000",
    }
    with http_server(always(200, envelope({}, code=10006), headers)) as url:
        client = RestClient(url, OpenGate())
        reply = client.get("/v5/market/time")
        client.close()
    assert (reply.ret_code, reply.limit, reply.remaining) == (10006, 10, 7)
    assert reply.reset_ms == 1_700_000_000_000
    assert reply.received_ns >= reply.sent_ns


def test_no_listener_means_that_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = RestClient(f"http://127.0.0.1:{port}", OpenGate(), timeout_s=2)
    with pytest.raises(NotSent) as caught:
        client.post("/v5/order/create", {})
    assert not caught.value.sent
    client.close()


def test_a_hang_up_after_the_request_leaves_the_outcome_unknown_and_repeats_nothing() -> None:
    calls = []

    def answer(*_: object) -> tuple[int, dict[str, str], bytes]:
        calls.append(1)
        return 0, {}, b""

    with http_server(answer) as url:
        client = RestClient(url, OpenGate())
        with pytest.raises(OutcomeUnknown) as caught:
            client.post("/v5/order/create", {})
        client.close()
    assert caught.value.sent
    assert len(calls) == 1


def test_an_answer_that_is_no_envelope_leaves_the_outcome_unknown() -> None:
    with http_server(always(200, b"<html>")) as url:
        client = RestClient(url, OpenGate())
        with pytest.raises(OutcomeUnknown):
            client.get("/v5/market/time")
        client.close()


@pytest.mark.parametrize(
    ("status", "sent"), [(403, False), (404, False), (408, True), (429, True), (502, True)]
)
def test_a_status_tells_whether_the_request_may_have_acted(status: int, sent: bool) -> None:
    with http_server(always(status, b"access too frequent")) as url:
        client = RestClient(url, OpenGate())
        with pytest.raises(HttpRefused) as caught:
            client.post("/v5/order/create", {})
        client.close()
    assert (caught.value.status, caught.value.sent) == (status, sent)


def paged(pages: list[tuple[list[dict[str, Any]], str]]) -> tuple[Answer, list[str]]:
    asked: list[str] = []

    def answer(
        request: http.server.BaseHTTPRequestHandler, _body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        asked.append(request.path.partition("?")[2])
        rows, cursor = pages[len(asked) - 1]
        return 200, {}, envelope({"list": rows, "nextPageCursor": cursor})

    return answer, asked


@pytest.mark.parametrize(
    "ending",
    [([{"n": 2}], ""), ([{"n": 2}], "p%3A1"), ([], "p%3A2")],
    ids=["empty", "same", "none"],
)
def test_pages_end_with_an_empty_or_repeated_cursor_or_an_empty_page(
    ending: tuple[list[dict[str, Any]], str],
) -> None:
    answer, asked = paged([([{"n": 1}], "p%3A1"), ending])
    with http_server(answer) as url:
        client = RestClient(url, OpenGate())
        rows = [row for page in client.pages("/v5/x", {"limit": 1}) for row in page]
        client.close()
    assert rows == [{"n": 1}, *ending[0]]
    assert asked == ["limit=1", "limit=1&cursor=p%3A1"]


def test_a_list_broken_off_by_a_refusal_does_not_pass_for_a_whole_one() -> None:
    with http_server(always(200, envelope({}, code=10006))) as url:
        client = RestClient(url, OpenGate())
        with pytest.raises(OutcomeUnknown, match="10006"):
            list(client.pages("/v5/x", {}))
        client.close()


def test_a_query_is_percent_encoded_once() -> None:
    assert encode_query({"a": "x y/z", "b": 1}) == "a=x%20y%2Fz&b=1"


def test_a_worker_hands_results_and_errors_to_the_loop_and_refuses_when_full() -> None:
    posted: queue.Queue[Callable[[], None]] = queue.Queue()
    worker = RestWorker(posted.put, threads=1, capacity=1)
    hold: queue.Queue[None] = queue.Queue()
    outcomes: list[tuple[Any, Exception | None]] = []

    def job() -> str:
        hold.get(timeout=5)
        return "done"

    def failing() -> RestReply:
        raise NotSent("no network")

    def note(result: Any, error: Exception | None) -> None:
        outcomes.append((result, error))

    assert worker.submit(job, note)
    while not worker._jobs.empty():  # taken by the thread
        pass
    assert worker.submit(failing, note)
    assert not worker.submit(job, note)
    hold.put(None)
    posted.get(timeout=5)()
    posted.get(timeout=5)()
    worker.close()
    assert outcomes[0] == ("done", None)
    assert isinstance(outcomes[1][1], NotSent)


def test_a_worker_that_is_full_can_be_closed_and_drops_what_waits() -> None:
    hold: queue.Queue[None] = queue.Queue()
    worker = RestWorker(lambda _callback: None, threads=1, capacity=2)
    for _ in range(4):
        worker.submit(lambda: hold.get(timeout=5), lambda _result, _error: None)
    hold.put(None)
    worker.close(timeout_s=5)
    hold.put(None)
    worker.close(timeout_s=5)
    assert not any(thread.is_alive() for thread in worker._threads)


@pytest.mark.parametrize(
    ("status", "body", "bans"),
    [
        (403, b"403, access too frequent. Try again later.", 1),
        (403, b"<html>" + 5000 * b" " + b"Access Too Frequent</html>", 1),
        (403, b"The Amazon CloudFront distribution is configured to block your country", 0),
        (403, b"", 0),
        (429, b"access too frequent", 0),
        (200, envelope({}, code=10018), 1),
        (200, envelope({}, code=10006), 0),
    ],
)
def test_only_what_says_that_the_address_is_banned_counts_as_a_ban(
    status: int, body: bytes, bans: int
) -> None:
    gate = OpenGate()
    with http_server(always(status, body)) as url:
        client = RestClient(url, gate)
        with contextlib.suppress(HttpRefused):
            client.get("/v5/market/time")
        client.close()
    assert gate.bans == bans


class Shut(OpenGate):
    def enter(self, path: str) -> None:
        raise IpBanned(path, 1_700_000_000_000)


def test_nothing_leaves_when_the_gate_is_shut_and_it_is_said_until_when() -> None:
    seen = []

    def answer(*_: object) -> tuple[int, dict[str, str], bytes]:
        seen.append(1)
        return 200, {}, envelope({})

    with http_server(answer) as url:
        client = RestClient(url, Shut())
        for call in (lambda: client.get("/v5/market/time"), lambda: client.post("/v5/x", {})):
            with pytest.raises(NotSent, match="1700000000000") as caught:
                call()
            assert not caught.value.sent
        client.close()
    assert seen == []
