"""The hand-over from one trade socket to the next, without sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bybitd.net.backoff import FIRST_S
from bybitd.order_execution.trade_link import TradeLink

OPEN = {"retCode": 0, "retMsg": "OK", "op": "auth", "connId": "c"}
FAR_MS = 1 << 60


class Timer:
    def cancel(self) -> None:
        """Nothing runs here by itself."""


class Reactor:
    """Remembers what was to be called later, and when."""

    def __init__(self) -> None:
        self.later: list[tuple[float, Callable[[], None]]] = []

    def add_reader(self, source: Any, callback: Callable[[], None]) -> None:
        raise AssertionError("nothing connects here")

    modify = remove = add_reader

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        self.later.append((delay_s, callback))
        return Timer()

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        raise AssertionError("no thread here")


class Listener:
    def __init__(self) -> None:
        self.answers: list[str] = []
        self.lost: list[str] = []

    def answered(self, req_id: str, message: dict[str, Any], rx_ns: int) -> None:
        self.answers.append(req_id)

    def unanswered(self, req_id: str, reason: str) -> None:
        self.lost.append(req_id)


class Linked:
    """A link whose connections carry what the test says."""

    def __init__(self) -> None:
        self.reactor, self.listener = Reactor(), Listener()
        self.link = TradeLink(
            self.reactor,
            lambda: None,
            lambda _now: b"{}",
            self.listener,
            lambda: None,
            uniform=lambda _low, high: high,
        )
        self.log_in()

    def log_in(self) -> None:
        self.socket = self.link._current
        self.socket.opened()
        self.hear(self.socket, OPEN)

    def hear(self, socket: Any, message: dict[str, Any]) -> None:
        socket.received([msgspec.json.encode(message)], 1)

    def expect(self, req_id: str) -> None:
        session = self.socket._session
        assert session is not None
        session.expect(req_id, "order.create", FAR_MS)

    def restart_node(self, req_id: str) -> None:
        self.expect(req_id)
        self.hear(self.socket, {"reqId": req_id, "retCode": 10019, "op": "order.create"})


def test_what_is_due_on_the_old_socket_is_answered_there_after_the_hand_over() -> None:
    linked = Linked()
    linked.expect("1")
    old = linked.socket
    linked.restart_node("2")
    assert linked.listener.answers == ["2"]
    assert not linked.link.ready
    linked.log_in()
    assert linked.link.ready
    assert [entry["name"] for entry in linked.link.describe()] == ["trade-2", "trade-1"]
    linked.hear(old, {"reqId": "1", "retCode": 0, "op": "order.create"})
    assert linked.listener.answers == ["2", "1"]


def test_what_the_old_socket_takes_with_it_is_unanswered_and_it_is_not_made_again() -> None:
    linked = Linked()
    linked.expect("1")
    old = linked.socket
    linked.restart_node("2")
    old.lost("the peer closed the connection")
    assert linked.listener.lost == ["1"]
    assert old.over
    assert old.connection.state == "closed"
    linked.link.tick()
    assert [entry["name"] for entry in linked.link.describe()] == ["trade-2"]


def test_nodes_that_all_restart_are_not_met_with_a_connection_for_every_order() -> None:
    linked = Linked()
    for number in range(4):
        linked.restart_node(str(number))
        linked.log_in()
    delays = [
        delay_s for delay_s, callback in linked.reactor.later if callback == linked.link.start
    ]
    assert delays == pytest.approx([0.0, FIRST_S, 2 * FIRST_S, 4 * FIRST_S], abs=FIRST_S / 2)
