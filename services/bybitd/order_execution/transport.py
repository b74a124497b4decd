"""The way out: the trade socket, or REST where that is known to be down before anything is sent.

Whichever way a request takes, it takes once. Answers of both have the shape of the trade socket's
(`retCode`, `retMsg`, `data`, `retExtInfo`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from bybitd.net.clock import now_ms
from bybitd.net.errors import HttpRefused, NotSent, OverBudget, RestError
from bybitd.net.rest import RestReply, RestWorker
from bybitd.order_execution.trade_link import TradeLink
from bybitd.order_execution.trade_session import request
from bybitd.runtime.account_access import AccountAccess
from bybitd.runtime.loop import Loop
from bybitd.venue.operations import OPERATIONS
from bybitd.venue.retcodes import IP_BAN, http_status

# A REST request is signed when its thread takes it up; one that waited longer is not sent at all,
# so that the moment after which the exchange can not accept it is known when it is journaled.
SIGNED_WITHIN_MS: Final = 1000
# Two HTTP statuses say what a retCode says too.
_IP_BANNED: Final = 10018
_OVERLOADED: Final = 429
log = logging.getLogger(__name__)


class Receiver(Protocol):
    """Who is told what became of requests."""

    def answered(self, req_id: str, message: dict[str, Any], rx_ns: int) -> None:
        """The exchange answered, maybe after `unanswered` had been called."""

    def unanswered(self, req_id: str, reason: str) -> None:
        """It was sent, and no usable answer will come in time."""

    def not_sent(self, req_id: str, reason: str, retry_after_ms: int = 0) -> None:
        """Certainly nothing of it reached the exchange; `retry_after_ms`: the budget of the IP
        address held it back, and has room then.
        """


class Transport:
    """Sends order operations and hands their answers over.

    `stopped(op)` tells, in any thread, whether an operation may not leave any more: what waited for
    its turn to go over REST is not sent then.
    """

    def __init__(
        self,
        access: AccountAccess,
        loop: Loop,
        receiver: Receiver,
        on_change: Callable[[], None],
        stopped: Callable[[str], bool],
    ) -> None:
        self.link = TradeLink(loop, access.locate("trade"), access.login, receiver, on_change)
        self.over_rest = 0
        self._access = access
        self._receiver = receiver
        self._stopped = stopped
        self._worker = RestWorker(loop.call_soon_threadsafe, threads=2)
        self._due: dict[str, int] = {}
        self._started = False

    @property
    def ready(self) -> bool:
        """Whether an order can be sent at all."""
        return self.link.ready or self.rest_ready

    @property
    def rest_ready(self) -> bool:
        """Whether REST was seen to work."""
        return self._access.known and self._access.clock.known

    def close(self) -> None:
        """Release sockets and threads; what waits is told that its answer will not come."""
        self.link.close()
        for req_id in list(self._due):
            self._give_up(req_id, "the gateway stops")
        self._worker.close()

    def tick(self) -> None:
        """Let deadlines pass. To be called every 100 ms or so."""
        access = self._access
        if not self._started and access.known and access.has_trade_socket:
            self._started = True
            self.link.start()
        self.link.tick()
        if self._due:
            at_ms = now_ms()
            for req_id in [key for key, due_ms in self._due.items() if due_ms <= at_ms]:
                self._give_up(req_id, "no answer in time")

    def valid_until_ms(self, timestamp_ms: int) -> int:
        """Return after which moment of its clock the exchange can not accept what is sent now."""
        return timestamp_ms + SIGNED_WITHIN_MS + self._access.recv_window_ms

    def way(self, op: str) -> str:
        """Return which way a request takes that is sent now: `ws` or `rest`."""
        return "ws" if self.link.ready and OPERATIONS[op].on_trade_socket else "rest"

    def send(self, op: str, req_id: str, args: str, timestamp_ms: int, due_ms: int) -> None:
        """Send a request; the receiver hears what becomes of it, perhaps before this returns.

        `args` is the JSON of its argument, `due_ms` is when an answer is no longer waited for (our
        clock, Unix ms).
        """
        if self.way(op) == "ws":
            frame = request(op, req_id, args, timestamp_ms, self._access.recv_window_ms)
            if self.link.send(op, req_id, frame, due_ms):
                return
        if self.rest_ready:
            self._post(op, req_id, args, due_ms)
        else:
            self._receiver.not_sent(req_id, "there is no connection to the exchange")

    def _post(self, op: str, req_id: str, args: str, due_ms: int) -> None:
        client = self._access.client
        path = OPERATIONS[op].path
        latest_ms = now_ms() + SIGNED_WITHIN_MS

        def job() -> RestReply:
            if client is None or now_ms() > latest_ms:
                raise NotSent(f"{path}: it waited too long for its turn")
            if self._stopped(op):
                raise NotSent(f"{path}: the account was stopped before its turn came")
            return client.post(path, msgspec.json.decode(args))

        def done(reply: RestReply | None, error: RestError | None) -> None:
            self._due.pop(req_id, None)
            if reply is not None:
                self._receiver.answered(req_id, _as_message(reply), reply.received_ns)
            elif isinstance(error, HttpRefused) and (code := _code_of(error)):
                message = {"retCode": code, "retMsg": error.text, "data": {}, "retExtInfo": {}}
                self._receiver.answered(req_id, message, time.time_ns())
            elif isinstance(error, OverBudget):
                after_ms = max(1, error.until_ms - now_ms())
                self._receiver.not_sent(req_id, error.why, after_ms)
            elif error is not None and error.sent:
                self._receiver.unanswered(req_id, str(error))
            else:
                self._receiver.not_sent(req_id, str(error))

        self._due[req_id] = due_ms
        if self._worker.submit(job, done):
            self.over_rest += 1
        else:
            del self._due[req_id]
            self._receiver.not_sent(req_id, "too many requests wait for REST")

    def _give_up(self, req_id: str, reason: str) -> None:
        del self._due[req_id]
        self._receiver.unanswered(req_id, reason)


def _code_of(error: HttpRefused) -> int | None:
    """Return the retCode that says the same as an HTTP status, None if there is none."""
    if error.status == _OVERLOADED:
        return _OVERLOADED
    return _IP_BANNED if http_status(error.status, error.text) is IP_BAN else None


def _as_message(reply: RestReply) -> dict[str, Any]:
    return {
        "retCode": reply.ret_code,
        "retMsg": reply.ret_msg,
        "data": reply.result,
        "retExtInfo": reply.ret_ext_info,
        "header": {
            name: str(value)
            for name, value in (
                ("X-Bapi-Limit", reply.limit),
                ("X-Bapi-Limit-Status", reply.remaining),
                ("X-Bapi-Limit-Reset-Timestamp", reply.reset_ms),
            )
            if value is not None
        },
    }
