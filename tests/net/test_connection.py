from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bybitd.net import connection as module
from bybitd.net.connection import Address, Connection
from bybitd.runtime.loop import Loop
from tests.net.servers import websocket_server
from tests.net.test_frames import server_frame


class Listener:
    """A peer that notes what happens and calls `then` after each thing."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.then: Callable[[str], None] = lambda _what: None

    def note(self, what: str) -> None:
        self.heard.append(what)
        self.then(what)

    def opened(self) -> None:
        self.note("opened")

    def received(self, payloads: list[bytes], rx_ns: int) -> None:
        assert rx_ns > 0
        for payload in payloads:
            self.note(payload.decode())

    def lost(self, reason: str) -> None:
        self.note(f"lost: {reason}")


def quick(_low: float, _high: float) -> float:
    return 0.01


@contextlib.contextmanager
def connection(
    locate: Callable[[], Address | None],
) -> Iterator[tuple[Connection, Listener, Loop]]:
    loop, listener = Loop(), Listener()
    wanted = Connection("test", loop, locate, listener, uniform=quick)
    loop.call_later(20, lambda: pytest.fail(f"too slow: {listener.heard} {wanted.describe()}"))
    try:
        yield wanted, listener, loop
    finally:
        wanted.close()
        loop.close()


def stay(peer: socket.socket) -> None:
    while peer.recv(65536):
        pass


def test_it_connects_again_for_ever_and_tells_each_transition() -> None:
    served = []

    def talk(peer: socket.socket) -> None:
        served.append(1)
        peer.sendall(server_frame(1, b"hello %d" % len(served)))

    with (
        websocket_server(talk) as (url, _),
        connection(lambda: Address(url)) as (wanted, listener, loop),
    ):
        listener.then = lambda what: loop.stop() if what == "hello 5" else None
        wanted.start()
        loop.run()
    assert [what for what in listener.heard if what.startswith("hello")] == [
        f"hello {number}" for number in range(1, 6)
    ]
    assert listener.heard.count("opened") == 5
    assert wanted.connects == 5


def test_it_waits_until_the_address_is_known_and_follows_it_when_it_changes() -> None:
    addresses: list[Address | None] = [None, None]
    asked = []

    def locate() -> Address | None:
        asked.append(1)
        return addresses[min(len(asked), len(addresses)) - 1]

    with (
        websocket_server(lambda _peer: None) as (first, _),
        websocket_server(stay) as (second, _),
        connection(locate) as (wanted, listener, loop),
    ):
        addresses += [Address(first), Address(second)]
        listener.then = lambda _what: loop.stop() if wanted.connects == 2 else None
        wanted.start()
        assert not wanted.send("too early")
        loop.run()
    assert len(asked) == 4


def test_a_refused_connection_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        dead = Address(f"ws://127.0.0.1:{nobody.getsockname()[1]}")
    attempts: list[Address] = []
    with websocket_server(stay) as (url, _):

        def locate() -> Address:
            attempts.append(dead if len(attempts) < 3 else Address(url))
            return attempts[-1]

        with connection(locate) as (wanted, listener, loop):
            listener.then = lambda _what: loop.stop()
            wanted.start()
            loop.run()
    assert listener.heard == ["opened"]
    assert len(attempts) == 4


def test_a_handshake_that_hangs_does_not_hold_it_up_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        websocket_server(stay) as (url, _),
    ):
        hanging = Address(f"ws://127.0.0.1:{mute.getsockname()[1]}")
        addresses = iter([hanging])
        with connection(lambda: next(addresses, Address(url))) as (wanted, listener, loop):
            listener.then = lambda _what: loop.stop()
            wanted.start()
            loop.run()
            assert listener.heard == ["opened"]


def test_a_dropped_connection_is_replaced_and_the_peer_is_told_why() -> None:
    with (
        websocket_server(stay) as (url, _),
        connection(lambda: Address(url)) as (wanted, listener, loop),
    ):

        def then(what: str) -> None:
            if wanted.connects == 2:
                loop.stop()
            elif what == "opened":
                wanted.drop("no pong")

        listener.then = then
        wanted.start()
        loop.run()
    assert listener.heard == ["opened", "lost: no pong", "opened"]


def test_what_came_before_a_reset_is_heard_before_the_loss() -> None:
    def talk(peer: socket.socket) -> None:
        peer.sendall(server_frame(1, b"last words"))
        peer.recv(10)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with (
        websocket_server(talk) as (url, _),
        connection(lambda: Address(url)) as (wanted, listener, loop),
    ):

        def then(what: str) -> None:
            if what == "last words":
                assert wanted.send("good-bye")
            elif what.startswith("lost"):
                loop.stop()

        listener.then = then
        wanted.start()
        loop.run()
    assert listener.heard[:2] == ["opened", "last words"]
    assert listener.heard[2].startswith("lost: ")


def test_many_reconnects_leave_no_thread_and_no_descriptor_behind() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    at_connects: dict[int, int] = {}
    with (
        websocket_server(lambda _peer: None) as (url, _),
        connection(lambda: Address(url)) as (wanted, listener, loop),
    ):

        def then(what: str) -> None:
            if what.startswith("lost"):
                at_connects[wanted.connects] = descriptors()
                if wanted.connects == 30:
                    loop.stop()

        listener.then = then
        wanted.start()
        loop.run()
        connecting = [t for t in threading.enumerate() if t.name.startswith("connect")]
    assert len(connecting) <= 1  # the last one may still be on its way out
    # The test's own server closes its side when it likes: a few may be open, but not one for each.
    assert at_connects[30] - at_connects[5] < 10


def test_the_loop_goes_on_turning_while_a_connect_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", 30)
    beats = []
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes the connection, says nothing
        hanging = Address(f"ws://127.0.0.1:{mute.getsockname()[1]}")
        with connection(lambda: hanging) as (wanted, listener, loop):
            wanted.start()
            loop.call_every(0.01, lambda: loop.stop() if len(beats) == 50 else beats.append(1))
            loop.run()
            assert listener.heard == []
            assert wanted.connects == 0
    assert len(beats) == 50
