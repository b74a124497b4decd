from __future__ import annotations

import http.server
import queue
import select
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bybitd.net.errors import ConnectFailed
from bybitd.net.frames import Opcode, close_payload
from bybitd.net.websocket import Connecting, WebSocketLink, open_link
from tests.net.servers import http_server, websocket_server
from tests.net.test_frames import server_frame


def read_until(link: WebSocketLink, done: Callable[[list[bytes]], bool]) -> list[bytes]:
    messages: list[bytes] = []
    deadline_s = time.monotonic() + 10
    while not done(messages):
        assert time.monotonic() < deadline_s, (len(messages), link.closed)
        select.select([link], [link] if link.wants_write else [], [], 0.2)
        link.flush()
        messages += link.read()
    return messages


def closed(link: WebSocketLink) -> Callable[[list[bytes]], bool]:
    return lambda _messages: link.closed is not None


def wait_for_leave(peer: socket.socket) -> None:
    while peer.recv(65536):
        pass


@pytest.mark.parametrize("tls", [False, True])
def test_everything_sent_is_read_whole_and_in_order(tls: bool, tmp_path: Path) -> None:
    texts = [b"%d" % number * (1 + number % 700) for number in range(20_000)]

    def talk(peer: socket.socket) -> None:
        peer.sendall(b"".join(server_frame(1, text) for text in texts))
        wait_for_leave(peer)

    with websocket_server(talk, tmp_path if tls else None) as (url, authority):
        link = open_link(url, authority=authority)
        assert read_until(link, lambda messages: len(messages) >= len(texts)) == texts
        link.close()


def test_a_message_larger_than_one_read_comes_whole(tmp_path: Path) -> None:
    text = b"x" * 3_000_000

    def talk(peer: socket.socket) -> None:
        peer.sendall(server_frame(1, text))
        wait_for_leave(peer)

    with websocket_server(talk, tmp_path) as (url, authority):
        link = open_link(url, authority=authority)
        assert read_until(link, bool) == [text]
        link.close()


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with (
        websocket_server(wait_for_leave, tmp_path) as (url, _authority),
        pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        open_link(url)


def test_a_ping_is_answered_with_its_payload() -> None:
    heard: queue.Queue[bytes] = queue.Queue()

    def talk(peer: socket.socket) -> None:
        peer.sendall(server_frame(Opcode.PING, b"abc"))
        head = peer.recv(2 + 4 + 3)
        mask = head[2:6]
        heard.put(bytes(byte ^ mask[i] for i, byte in enumerate(head[6:])))
        assert head[0] == 0x80 | Opcode.PONG
        peer.sendall(server_frame(1, b"{}"))
        wait_for_leave(peer)

    with websocket_server(talk) as (url, _):
        link = open_link(url)
        assert read_until(link, bool) == [b"{}"]
        assert heard.get(timeout=5) == b"abc"
        link.close()


def test_a_close_of_the_peer_keeps_code_reason_and_what_came_before() -> None:
    def talk(peer: socket.socket) -> None:
        closing = server_frame(Opcode.CLOSE, close_payload(1012, "restarting"))
        peer.sendall(server_frame(1, b"last") + closing)
        wait_for_leave(peer)

    with websocket_server(talk) as (url, _):
        link = open_link(url)
        assert read_until(link, closed(link)) == [b"last"]
        assert link.closed == "the peer closed the connection: 1012 restarting"
        link.close()


def test_a_frame_cut_short_by_the_end_is_not_delivered() -> None:
    def talk(peer: socket.socket) -> None:
        peer.sendall(server_frame(1, b"whole") + server_frame(1, b"half" * 50)[:40])

    with websocket_server(talk) as (url, _):
        link = open_link(url)
        assert read_until(link, closed(link)) == [b"whole"]
        assert link.closed is not None
        link.close()


def test_a_reset_ends_the_connection_with_a_reason() -> None:
    def talk(peer: socket.socket) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with websocket_server(talk) as (url, _):
        link = open_link(url)
        read_until(link, closed(link))
        assert link.closed == "read failed: Connection reset by peer"
        link.close()


def test_garbage_is_a_protocol_violation_and_ends_the_connection() -> None:
    def talk(peer: socket.socket) -> None:
        peer.sendall(b"\xff" * 100)
        wait_for_leave(peer)

    with websocket_server(talk) as (url, _):
        link = open_link(url)
        assert read_until(link, closed(link)) == []
        assert link.closed is not None
        assert link.closed.startswith("protocol violation")
        link.close()


def test_sends_to_a_peer_that_does_not_read_queue_up_and_are_written_whole_later() -> None:
    go: queue.Queue[None] = queue.Queue()
    size, count = 100_000, 30
    total: queue.Queue[int] = queue.Queue()

    def talk(peer: socket.socket) -> None:
        go.get(timeout=10)
        received = 0
        while received < count * (size + 14):
            received += len(peer.recv(65536))
        total.put(received)
        peer.sendall(server_frame(1, b"enough"))
        wait_for_leave(peer)

    with websocket_server(talk) as (url, _):
        link = open_link(url)
        link._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for _ in range(count):
            link.send(b"y" * size)
        assert link.wants_write
        go.put(None)
        assert read_until(link, bool) == [b"enough"]
        assert total.get(timeout=5) == count * (size + 14)
        assert not link.wants_write
        link.close()


def test_a_peer_that_never_reads_is_given_up_instead_of_queueing_without_end() -> None:
    release: queue.Queue[None] = queue.Queue()
    with websocket_server(lambda _peer: release.get(timeout=10)) as (url, _):
        link = open_link(url)
        while link.closed is None:
            link.send(b"z" * 500_000)
        assert link.closed == "the peer does not read what is sent"
        link.close()
        release.put(None)


def test_a_refused_connection_says_where_but_shows_no_query() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectFailed) as caught:
        open_link(f"ws://127.0.0.1:{port}/v5/private?token=hidden", timeout_s=2)
    assert f"127.0.0.1:{port}/v5/private" in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_refused_handshake_shows_the_status_and_nothing_of_the_answer() -> None:
    def answer(
        _request: http.server.BaseHTTPRequestHandler, _body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        return 403, {"X-Told": "hush"}, b"your key is hush"

    with http_server(answer) as url, pytest.raises(ConnectFailed) as caught:
        open_link(url.replace("http", "ws") + "/v5/private")
    assert "HTTP 403" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_redirect_is_not_followed() -> None:
    reached: list[bytes] = []
    with websocket_server(lambda _peer: reached.append(b"x")) as (target, _):

        def answer(
            _request: http.server.BaseHTTPRequestHandler, _body: bytes
        ) -> tuple[int, dict[str, str], bytes]:
            return 302, {"Location": target}, b""

        with http_server(answer) as url, pytest.raises(ConnectFailed, match="Redirect limit"):
            open_link(url.replace("http", "ws"))
    assert reached == []


def test_connecting_hands_the_link_over_in_the_loops_thread_and_an_abandoned_one_is_closed() -> (
    None
):
    posted: queue.Queue[Callable[[], None]] = queue.Queue()
    done: list[WebSocketLink | None] = []
    gone: queue.Queue[bool] = queue.Queue()

    def talk(peer: socket.socket) -> None:
        wait_for_leave(peer)
        gone.put(True)

    with websocket_server(talk) as (url, _):
        Connecting(url, lambda link, _error: done.append(link), posted.put)
        posted.get(timeout=5)()
        assert done[0] is not None
        done[0].close()
        assert gone.get(timeout=5)
        Connecting(url, lambda link, _error: done.append(link), posted.put).abandon()
        assert gone.get(timeout=5)  # closed though no loop turned
        late = Connecting(url, lambda link, _error: done.append(link), posted.put)
        turn = posted.get(timeout=5)
        late.abandon()
        assert gone.get(timeout=5)
        turn()
        assert len(done) == 1
