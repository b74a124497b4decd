"""What waits for a thread to go over REST, on an account that is stopped meanwhile."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bybitd.net.rest import RestReply
from bybitd.order_execution import transport as module
from bybitd.order_execution.safety.kill_switch import KillSwitch
from bybitd.order_execution.transport import Transport
from bybitd.venue.operations import OPERATIONS

FAR_MS = 1 << 60
WAIT_S = 20.0
CREATE, CANCEL = OPERATIONS["order.create"].path, OPERATIONS["order.cancel"].path


ANSWER = RestReply(
    ret_code=0,
    ret_msg="OK",
    result={},
    ret_ext_info={},
    time_ms=1,
    limit=None,
    remaining=None,
    reset_ms=None,
    sent_ns=1,
    received_ns=1,
)


class Client:
    """An exchange that answers nothing before it is let."""

    def __init__(self) -> None:
        self.posted: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self.may_answer = threading.Event()

    def post(self, path: str, args: dict[str, Any]) -> RestReply:
        self.posted.put((path, args))
        assert self.may_answer.wait(WAIT_S)
        return ANSWER


class Receiver:
    def __init__(self) -> None:
        self.answers: set[str] = set()
        self.never_sent: dict[str, str] = {}

    def answered(self, req_id: str, _message: dict[str, Any], _rx_ns: int) -> None:
        self.answers.add(req_id)

    def unanswered(self, req_id: str, reason: str) -> None:
        raise AssertionError(f"{req_id}: {reason}")

    def not_sent(self, req_id: str, reason: str, _retry_after_ms: int = 0) -> None:
        self.never_sent[req_id] = reason


def test_what_waits_for_rest_when_the_account_is_stopped_is_not_sent_unless_it_cancels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "now_ms", lambda: 1)  # nothing waits too long here
    client, receiver, switch = Client(), Receiver(), KillSwitch(tmp_path, "main")
    landed: queue.Queue[Callable[[], None]] = queue.Queue()
    access: Any = SimpleNamespace(
        client=client,
        known=True,
        clock=SimpleNamespace(known=True),
        locate=lambda _socket: lambda: None,
        login=lambda _now: b"{}",
    )
    loop: Any = SimpleNamespace(call_soon_threadsafe=landed.put)
    transport = Transport(access, loop, receiver, lambda: None, switch.stops)
    try:
        for req_id in ("1", "2"):  # one for each thread
            transport.send("order.create", req_id, '{"symbol":"BTCUSDT"}', 1, FAR_MS)
            assert client.posted.get(timeout=WAIT_S)[0] == CREATE
        transport.send("order.create", "3", "{}", 1, FAR_MS)
        transport.send("order.cancel", "4", "{}", 1, FAR_MS)
        switch.kill("test", "")
        client.may_answer.set()
        for _ in range(4):
            landed.get(timeout=WAIT_S)()
    finally:
        client.may_answer.set()
        transport.close()
    assert receiver.answers == {"1", "2", "4"}
    assert list(receiver.never_sent) == ["3"]
    assert "the account was stopped" in receiver.never_sent["3"]
    assert client.posted.get_nowait()[0] == CANCEL
    assert client.posted.empty()
