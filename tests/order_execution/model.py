"""A model of the exchange, as far as the ledger depends on it, and a gateway that trades on it.

What is here is decided by the documentation: a request is taken iff it comes before its window is
over; an order that was taken, or has ended, shows in one of the two lists within
`settling.SLACK_MS` and not necessarily earlier; the history forgets after a day what ended without
a fill; everything that the exchange says may come late, twice, in another order, or never.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from bybitbus.messages import ErrorBody
from bybitd.net.errors import OutcomeUnknown
from bybitd.net.rest import RestReply
from bybitd.order_execution import actions as acts
from bybitd.order_execution import ledger, restart
from bybitd.order_execution.actions import Action
from bybitd.order_execution.flights import Flight, Flights
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.ledger import Order, State
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.outcomes import Outcomes
from bybitd.order_execution.searcher import Searcher
from bybitd.order_execution.settling import HISTORY_FORGETS_MS
from tests.order_execution.records import T_MS, WINDOW_MS

TIMEOUT_MS = 20_000  # longer than a request is valid, so that one may be refused as too old
ENDED = frozenset({"Filled", "Cancelled", "Rejected"})


@dataclass(slots=True)
class Real:
    """An order as it really is. `seen_ms` is from when on the lists show what it is now."""

    order_id: str
    link_id: str
    price: str
    status: str = "New"
    filled: Decimal = Decimal(0)
    created_ms: int = 0
    updated_ms: int = 0
    seen_ms: int = 0

    @property
    def over(self) -> bool:
        return self.status in ENDED

    def record(self) -> dict[str, Any]:
        return {
            "category": "linear",
            "symbol": "BTCUSDT",
            "orderId": self.order_id,
            "orderLinkId": self.link_id,
            "orderStatus": self.status,
            "cumExecQty": str(self.filled),
            "leavesQty": "0" if self.over else str(1 - self.filled),
            "avgPrice": self.price if self.filled else "",
            "price": self.price,
            "qty": "1",
            "rejectReason": "EC_NoError",
            "cancelType": "UNKNOWN",
            "createdTime": str(self.created_ms),
            "updatedTime": str(self.updated_ms),
        }


@dataclass(slots=True, kw_only=True)
class Sent:
    """A request on the wire. Its `key` is what acted says was done."""

    req_id: str
    op: str
    key: str
    args: Mapping[str, str]
    valid_until_ms: int


@dataclass(slots=True)
class Exchange:
    """The truth. `closed_in_realtime`: whether the first list shows what has ended, too."""

    lag_ms: int = 0
    closed_in_realtime: bool = True
    now_ms: int = T_MS
    orders: dict[str, Real] = field(default_factory=dict)
    wire: list[Sent] = field(default_factory=list)
    replies: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    acted: set[str] = field(default_factory=set)
    made: int = 0

    def take(self, index: int, code: int = 0, then: str = "New", *, answer: bool = True) -> None:
        """Let a request come in; `code` other than 0 refuses it, `then` is what becomes of it."""
        sent = self.wire.pop(index % len(self.wire))
        if self.now_ms >= sent.valid_until_ms:
            code = 10002
        elif code in (0, 10016):  # 10016 decides nothing: it may have been done
            code = self._act(sent, then) or code
        if answer:
            order = self._meant(sent)
            data = {"orderId": order.order_id if order else "", "orderLinkId": ""}
            reply = {"retCode": code, "retMsg": str(code), "data": data if code == 0 else {}}
            self.replies.append((sent.req_id, {**reply, "retExtInfo": {}}))

    def _act(self, sent: Sent, then: str) -> int:
        order = self._meant(sent)
        if sent.op == "order.create":
            if order is not None:
                return 110072
            self.made += 1
            real = Real(f"ex-{self.made}", sent.args["orderLinkId"], sent.args["price"])
            real.created_ms = self.now_ms
            self.orders[real.link_id] = real
            self.acted.add(sent.key)
            self.change(real, then)
            return 0
        if order is None or order.over:
            return 110001
        self.acted.add(sent.key)
        if sent.op == "order.cancel":
            self.change(order, "Cancelled")
        else:
            order.price = sent.args["price"]
            self.change(order, order.status)
        return 0

    def _meant(self, sent: Sent) -> Real | None:
        if named := sent.args.get("orderId"):
            return next((real for real in self.orders.values() if real.order_id == named), None)
        return self.orders.get(sent.args["orderLinkId"])

    def change(self, order: Real, status: str, filled: str = "0") -> None:
        """Let an order become something, and say so."""
        order.filled = max(order.filled, Decimal(filled), Decimal(status == "Filled"))
        order.status = status
        order.updated_ms = max(self.now_ms, order.updated_ms + 1)
        order.seen_ms = self.now_ms + self.lag_ms
        self.events.append(order.record())

    def get(self, path: str, query: Mapping[str, Any]) -> RestReply:
        """Answer a look-up."""
        rows = [real.record() for real in self.orders.values() if self._shows(path, real, query)]
        return RestReply(
            ret_code=0,
            ret_msg="",
            result={"list": rows, "nextPageCursor": ""},
            ret_ext_info={},
            time_ms=self.now_ms,
            limit=None,
            remaining=None,
            reset_ms=None,
            sent_ns=0,
            received_ns=0,
        )

    def _shows(self, path: str, real: Real, query: Mapping[str, Any]) -> bool:
        if real.order_id != query.get("orderId", real.order_id):
            return False
        if real.link_id != query.get("orderLinkId", real.link_id):
            return False
        if path == "/v5/order/realtime":
            if real.over:
                return self.closed_in_realtime
            return self.now_ms >= real.created_ms + self.lag_ms
        forgotten = not real.filled and self.now_ms > real.updated_ms + HISTORY_FORGETS_MS
        return real.over and self.now_ms >= real.seen_ms and not forgotten


class Call:
    """A client that waits for the answer to one request."""

    def __init__(self) -> None:
        self.stamps: dict[str, int] = {}
        self.answer: dict[str, Any] | ErrorBody | None = None

    @property
    def answered(self) -> bool:
        return self.answer is not None

    def stamp(self, stage: str, at_ns: int) -> None:
        self.stamps[stage] = at_ns

    def succeed(self, result: dict[str, Any]) -> None:
        self.answer = result

    def fail(self, error: ErrorBody) -> None:
        self.answer = error


class Worker:
    """Look-ups under way: asked when `ask` says so, answered when `answer` does."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], Any], Callable[..., None]]] = []
        self.asked: list[Callable[[], None]] = []

    def submit(self, job: Callable[[], Any], done: Callable[..., None]) -> bool:
        self.waiting.append((job, done))
        return True

    def ask(self, *, fails: bool = False) -> None:
        job, done = self.waiting.pop(0)
        if fails:
            self.asked.append(lambda: done(None, OutcomeUnknown("no answer")))
            return
        record = job()
        self.asked.append(lambda: done(record, None))

    def answer(self, index: int = 0) -> None:
        self.asked.pop(index % len(self.asked))()


class Gateway:
    """What is real here: the ledger, the stores, the journal, the judging, the looking up.

    `told` is called with every change that is published.
    """

    def __init__(
        self, path: Path, exchange: Exchange, told: Callable[[Order | Action], None]
    ) -> None:
        self.exchange = exchange
        self.journal = Journal(path, "main", "process")
        self.orders = OrderStore(self.journal, told)
        self.actions = ActionStore(self.journal, told)
        self.flights = Flights()
        self.worker = Worker()
        access: Any = SimpleNamespace(exchange_ms=lambda: exchange.now_ms, client=exchange)
        worker: Any = self.worker
        self.searcher = Searcher(access, worker, self.orders, self.actions)
        self.outcomes = Outcomes(
            self.orders, self.actions, self.flights, self.searcher, lambda: None
        )
        self.outcomes.again = self.again
        self.outcomes.next_round = self.next_round
        restart.take_over(self.orders, self.actions, self.searcher)
        self.waited_for: list[str] = []

    def create(self, link_id: str, *, leaves: bool = True) -> Call:
        """Send an order as the desk does; without `leaves` the transport finds itself cut off."""
        args = {"category": "linear", "orderLinkId": link_id, "price": "100", "qty": "1"}
        order = Order(
            link_id=link_id,
            client="grid",
            category="linear",
            symbol="BTCUSDT",
            args=msgspec.json.encode(args).decode(),
            received_ns=self.exchange.now_ms * 1_000_000,
        )
        order = ledger.sent(
            order,
            timestamp_ms=self.exchange.now_ms,
            recv_window_ms=WINDOW_MS,
            now_ns=self.exchange.now_ms * 1_000_000,
            req_id=f"r-{link_id}",
            transport="ws",
        )
        self.orders.add([order])
        return self._fly("order.create", link_id, args, creates=True, leaves=leaves)

    def act(self, op: str, number: int, named: Mapping[str, str], price: str) -> Call:
        """Send a cancel or an amend as the desk does."""
        at_ns = self.exchange.now_ms * 1_000_000
        args = {"category": "linear", "symbol": "BTCUSDT", **named}
        if op == "order.amend":
            args["price"] = price
        action = Action(
            id=f"x-{number}",
            op=op,
            client="grid",
            category="linear",
            symbol="BTCUSDT",
            order_id=named.get("orderId", ""),
            link_id=named.get("orderLinkId", ""),
            args=msgspec.json.encode(args).decode(),
            timestamp_ms=self.exchange.now_ms,
            valid_until_ms=self.exchange.now_ms + WINDOW_MS,
            received_ns=at_ns,
            sent_ns=at_ns,
            changed_ns=at_ns,
        )
        self.actions.add([action])
        return self._fly(op, action.id, args, creates=False, leaves=True)

    def _fly(
        self, op: str, key: str, args: Mapping[str, str], *, creates: bool, leaves: bool
    ) -> Call:
        call = Call()
        waits: Any = call
        req_id = f"r-{key}"
        flight = Flight(
            op=op,
            client="grid",
            category="linear",
            units=1,
            text=msgspec.json.encode(args).decode(),
            due_ms=self.exchange.now_ms + TIMEOUT_MS,
            keys=(key,),
            creates=creates,
            batch=False,
            calls=[waits],
        )
        self.flights.add(req_id, flight)
        if not leaves:
            self.outcomes.not_sent(req_id, "there is no connection to the exchange")
            return call
        self._leave(req_id, flight)
        return call

    def _leave(self, req_id: str, flight: Flight) -> None:
        self.waited_for.append(req_id)
        sent = Sent(
            req_id=req_id,
            op=flight.op,
            key=flight.keys[0],
            args=msgspec.json.decode(flight.text),
            valid_until_ms=self.exchange.now_ms + WINDOW_MS,
        )
        self.exchange.wire.append(sent)

    def again(self, flight: Flight, give_up: Callable[[], None]) -> bool:
        """Send once more what was refused for its timestamp, as the desk does."""
        (key,) = flight.keys
        thing = self.orders.get(key) if flight.creates else self.actions.get(key)
        if flight.again or thing is None or thing.state != State.SENT:
            return False
        flight.again = True
        if self.exchange.now_ms >= flight.due_ms:
            give_up()
            return True
        at_ns, now_ms = self.exchange.now_ms * 1_000_000, self.exchange.now_ms
        if isinstance(thing, Order):
            self.orders.put(
                ledger.sent_again(
                    thing, timestamp_ms=now_ms, recv_window_ms=WINDOW_MS, now_ns=at_ns
                )
            )
        else:
            until_ms = now_ms + WINDOW_MS
            self.actions.put(
                acts.sent(thing, timestamp_ms=now_ms, valid_until_ms=until_ms, now_ns=at_ns)
            )
        req_id = f"again-{key}"
        self.flights.add(req_id, flight)
        self._leave(req_id, flight)
        return True

    def next_round(self, flight: Flight, gone: list[dict[str, Any]]) -> bool:
        """There is no cancel-all here."""
        raise AssertionError((flight, gone))

    def hear(self, req_id: str, message: dict[str, Any]) -> None:
        """Take an answer, in time or late."""
        if req_id in self.waited_for:
            self.waited_for.remove(req_id)
        self.outcomes.answered(req_id, message, self.exchange.now_ms * 1_000_000)

    def give_up(self, index: int) -> None:
        """Let a request's time run out."""
        req_id = self.waited_for.pop(index % len(self.waited_for))
        self.outcomes.unanswered(req_id, "no answer in time")

    def look_up_all(self) -> None:
        """Do what is done when messages of the private stream are missing."""
        for order in list(self.orders.live.values()):
            self.searcher.check(order)

    def close(self) -> None:
        self.journal.close()
