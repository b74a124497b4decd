"""The desk with everything but the sockets: what leaves when, and what its clients are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from bybitbus.codes import Code, Outcome
from bybitbus.messages import ErrorBody, Reply, Request, gateway_error
from bybitbus.server import Call
from bybitd.order_execution import departures as departures_module
from bybitd.order_execution import desk as desk_module
from bybitd.order_execution import ledger
from bybitd.order_execution import resender as resender_module
from bybitd.order_execution.checks import Checks
from bybitd.order_execution.departures import Departures
from bybitd.order_execution.desk import Desk
from bybitd.order_execution.flights import Flights
from bybitd.order_execution.gates import Ask
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.ledger import State
from bybitd.order_execution.link_ids import LinkIds
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.outcomes import CANCELLED_AT_MOST, Outcomes
from bybitd.order_execution.rate_budget import RateBudget
from bybitd.order_execution.resender import Resender
from bybitd.order_execution.waiting import MOST_OF_A_CLIENT
from bybitd.venue.operations import OPERATIONS

T_MS = 1_700_000_000_000
ORDER = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "1",
    "price": "100",
}
LIMIT = 10
Handler = Callable[[Call], None]


@dataclass
class Timer:
    at_ms: float
    callback: Callable[[], None] | None

    def cancel(self) -> None:
        self.callback = None


@dataclass
class Rig:
    """A desk on a journal in a temporary folder; its time stands still until it is moved."""

    ms: int = T_MS
    sent: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    ready: bool = True
    clock_known: bool = True
    clock_refused: int = 0
    banned_until_ms: int = 0
    refusals: list[ErrorBody] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)
    timers: list[Timer] = field(default_factory=list)
    replies: dict[str, Reply] = field(default_factory=dict)
    desk: Desk = field(init=False)
    orders: OrderStore = field(init=False)
    departures: Departures = field(init=False)

    # What the desk asks of its surroundings

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self.ms + delay_s * 1000, callback)
        self.timers.append(timer)
        return timer

    def by_rest(self, op: str) -> bool:
        return not OPERATIONS[op].on_trade_socket

    def way(self, op: str) -> str:
        return "rest" if self.by_rest(op) else "ws"

    def valid_until_ms(self, timestamp_ms: int) -> int:
        return timestamp_ms + 6000

    def send(self, op: str, req_id: str, args: str, timestamp_ms: int, due_ms: int) -> None:
        self.sent.append((op, req_id, msgspec.json.decode(args)))

    def refusal(self, _ask: Ask) -> ErrorBody | None:
        return self.refusals[0] if self.refusals else None

    def hold(self, *_: object) -> bool:
        return False

    def send_encoded(self, _envelope: list[bytes], reply: bytes) -> None:
        decoded = msgspec.msgpack.decode(reply, type=Reply)
        self.replies[decoded.id] = decoded

    # What tests do

    def ask(self, handler: Handler, key: str, op: str, args: dict[str, Any], **more: Any) -> None:
        request = Request(id=key, op=op, args=dict(args), **more)
        handler(Call(self, [], b"", request, self.ms * 1_000_000))  # type: ignore[arg-type]

    def create(self, key: str, **more: Any) -> None:
        args = {**ORDER, "orderLinkId": key, **more.pop("args", {})}
        self.ask(self.desk.create, more.pop("id", key), "order.create", args, **more)

    def use_up(self) -> None:
        for number in range(LIMIT):
            self.create(f"used-{number}")

    def answer(self, index: int, code: int = 0, **more: Any) -> None:
        _, req_id, args = self.sent[index]
        data = {"orderId": f"ex-{index}", "orderLinkId": args.get("orderLinkId", "")}
        message = {"retCode": code, "retMsg": "text", "data": data, "retExtInfo": {}, **more}
        self.departures.answered(req_id, message, self.ms * 1_000_000)

    def move(self, ms: int) -> None:
        """Let time pass, and run the timers that are due."""
        end = self.ms + ms
        while True:
            due = [timer for timer in self.timers if timer.callback and timer.at_ms <= end]
            if not due:
                break
            timer = min(due, key=lambda timer: timer.at_ms)
            self.ms = max(self.ms, int(timer.at_ms) + 1)
            callback, timer.callback = timer.callback, None
            assert callback is not None
            callback()
        self.ms = max(self.ms, end)

    def error(self, key: str) -> ErrorBody:
        error = self.replies[key].error
        assert error is not None, self.replies[key]
        return error


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    rig = Rig()
    monkeypatch.setattr(departures_module, "_clock_ms", lambda: float(rig.ms))
    monkeypatch.setattr(departures_module, "now_ms", lambda: rig.ms)
    monkeypatch.setattr(desk_module, "now_ms", lambda: rig.ms)
    monkeypatch.setattr(resender_module, "now_ms", lambda: rig.ms)
    with Journal(tmp_path / "main.journal.db", "main", "process") as journal:
        rig.orders = OrderStore(journal, lambda _order: None)
        actions, flights = ActionStore(journal, lambda _action: None), Flights()
        silent = SimpleNamespace(
            order=lambda *_: None, shown=lambda *_: None, action=lambda *_: None
        )

        def refused() -> None:
            rig.clock_refused += 1
            rig.clock_known = False

        outcomes = Outcomes(rig.orders, actions, flights, silent, refused)  # type: ignore[arg-type]
        stand_in: Any = rig
        rig.departures = Departures(
            stand_in,
            RateBudget(),
            outcomes,
            rig.by_rest,
            exchange_ms=lambda: rig.ms,
            banned_until_ms=lambda: rig.banned_until_ms,
        )
        access: Any = SimpleNamespace(
            settings=SimpleNamespace(accounts={"main": SimpleNamespace(order_timeout_ms=5000)}),
            account="main",
            exchange_ms=lambda: rig.ms,
            clock=_Clock(rig),
        )
        no_rules: Any = SimpleNamespace(refusal=lambda _ask: None, hold=rig.hold)
        rig.desk = Desk(
            *(access, stand_in, rig.departures, Checks(no_rules, (rig,), Unhurried())),
            *(rig.orders, actions, flights, LinkIds("t", 1), lambda _order: None),
        )
        outcomes.next_round = rig.desk.next_round
        outcomes.again = Resender(
            *(stand_in, access, stand_in, rig.departures),
            *(rig.orders, actions, flights, LinkIds("r", 1), rig.stopped.__contains__),
        ).again
        yield rig


class Unhurried:
    """A pace that nothing is too fast for."""

    def refusal(self, _ask: Ask) -> None:
        """Let everything through."""


@dataclass
class _Clock:
    rig: Rig

    @property
    def known(self) -> bool:
        return self.rig.clock_known


def test_what_fits_leaves_at_once_and_the_rest_when_there_is_room_again(rig: Rig) -> None:
    rig.use_up()
    rig.create("late")
    assert len(rig.sent) == LIMIT
    for index in range(LIMIT):
        rig.answer(index)
    rig.move(1000)
    assert len(rig.sent) == LIMIT
    rig.move(10)
    assert rig.sent[-1][2]["orderLinkId"] == "late"


def test_what_waits_is_not_in_the_journal_and_is_stamped_when_it_leaves(rig: Rig) -> None:
    rig.use_up()
    rig.create("late")
    assert rig.orders.get("late") is None
    rig.move(500)
    rig.departures.not_sent(rig.sent[0][1], "nothing left")
    order = rig.orders.get("late")
    assert order is not None
    assert (order.state, order.timestamp_ms) == (State.SENT, T_MS + 500)
    assert order.received_ns == T_MS * 1_000_000


def test_what_still_waits_at_its_deadline_is_dropped_without_a_trace(rig: Rig) -> None:
    rig.use_up()
    rig.create("late", deadline_ms=1100)
    rig.move(1000)  # nothing was answered, so nothing is free yet
    assert "late" not in rig.replies
    rig.move(100)
    error = rig.error("late")
    assert (error.code, error.outcome) == (Code.DEADLINE_PASSED, Outcome.REJECTED)
    assert rig.orders.get("late") is None
    for index in range(LIMIT):
        rig.answer(index)
    rig.move(2000)
    assert len(rig.sent) == LIMIT
    rig.create("late", id="again")
    assert rig.sent[-1][2]["orderLinkId"] == "late"


def test_gates_are_asked_again_when_a_request_has_waited(rig: Rig) -> None:
    rig.use_up()
    rig.create("late")
    rig.refusals.append(gateway_error(Code.NOT_READY, "the kill switch was pulled"))
    rig.departures.not_sent(rig.sent[0][1], "nothing left")
    assert "kill switch" in rig.error("late").message
    assert len(rig.sent) == LIMIT
    assert rig.orders.get("late") is None


def test_the_same_order_again_is_answered_as_the_first_time_whatever_holds_now(rig: Rig) -> None:
    rig.create("first")
    rig.answer(0)
    rig.refusals.append(gateway_error(Code.NOT_READY, "the kill switch was pulled"))
    rig.create("first", id="killed")
    rig.refusals.clear()
    rig.ready = False
    rig.create("first", id="cut-off")
    rig.ready = True
    rig.create("first", id="late", deadline_ms=T_MS - 1)
    for key in ("killed", "cut-off", "late"):
        assert rig.replies[key].result == rig.replies["first"].result
    rig.create("second", deadline_ms=T_MS - 1)
    assert rig.error("second").code is Code.DEADLINE_PASSED
    assert len(rig.sent) == 1


def test_a_defect_costs_the_request_that_met_it_and_no_other(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.use_up()
    rig.create("unlucky")
    rig.create("lucky")

    def add(orders: list[ledger.Order]) -> None:
        if orders[0].link_id == "unlucky":
            raise ZeroDivisionError
        original(orders)

    original = rig.orders.add
    monkeypatch.setattr(rig.orders, "add", add)
    rig.departures.not_sent(rig.sent[0][1], "nothing left")
    assert rig.error("unlucky").code is Code.INTERNAL
    assert rig.error("unlucky").outcome is Outcome.UNKNOWN
    assert rig.sent[-1][2]["orderLinkId"] == "lucky"


def test_a_way_out_that_was_lost_meanwhile_is_told(rig: Rig) -> None:
    rig.use_up()
    rig.create("late")
    rig.ready = False
    rig.departures.not_sent(rig.sent[0][1], "nothing left")
    assert rig.error("late").code is Code.NOT_READY
    assert rig.orders.get("late") is None


def test_too_many_that_wait_are_refused_as_busy(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        departures_module.WaitingRoom, "full", lambda _room, client: client == "greedy"
    )
    rig.use_up()
    rig.create("one-more", client="greedy")
    error = rig.error("one-more")
    assert (error.code, error.retry_safe) == (Code.BUSY, True)
    rig.create("other", client="modest")
    assert "other" not in rig.replies
    assert MOST_OF_A_CLIENT > 1000


def test_what_waits_when_the_program_stops_is_told_so(rig: Rig) -> None:
    rig.use_up()
    rig.create("late")
    rig.departures.close()
    assert rig.error("late").code is Code.UNAVAILABLE


def test_an_order_in_the_journal_is_answered_while_the_budget_is_used_up(rig: Rig) -> None:
    rig.use_up()
    rig.answer(0)
    rig.create("used-0", id="again")
    assert rig.replies["again"].result == rig.replies["used-0"].result
    rig.create("used-1", id="other", args={"price": "99"})
    assert rig.error("other").code is Code.ID_REUSED


def test_a_refused_timestamp_waits_for_the_clock_and_is_sent_once_more(rig: Rig) -> None:
    rig.create("clock")
    rig.answer(0, 10002)
    assert (rig.clock_refused, len(rig.sent)) == (1, 1)
    rig.create("clock", id="meanwhile")
    rig.move(300)
    assert len(rig.sent) == 1
    rig.clock_known = True
    rig.move(50)
    assert len(rig.sent) == 2
    assert rig.sent[1][1] != rig.sent[0][1]
    assert rig.sent[1][2] == rig.sent[0][2]
    order = rig.orders.get("clock")
    assert order is not None
    assert order.timestamp_ms > T_MS + 300
    assert order.valid_until_ms == order.timestamp_ms + 6000
    rig.answer(1)
    assert rig.replies["clock"].ok
    assert rig.replies["meanwhile"].result == rig.replies["clock"].result


def test_an_order_that_was_settled_while_the_clock_was_measured_is_not_sent_again(
    rig: Rig,
) -> None:
    rig.create("clock")
    rig.answer(0, 10002)
    order = rig.orders.get("clock")
    assert order is not None
    record = {"orderId": "ex", "orderStatus": "New", "cumExecQty": "0", "updatedTime": "1"}
    rig.orders.put(ledger.observe(order, record, 1))
    rig.clock_known = True
    rig.move(50)
    assert len(rig.sent) == 1
    assert rig.replies["clock"].ok  # its event knows better than the refusal


def test_while_the_account_is_stopped_only_what_may_still_leave_is_sent_again(rig: Rig) -> None:
    rig.create("clock")
    cancel = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "clock"}
    rig.ask(rig.desk.act, "cancel", "order.cancel", cancel)
    rig.answer(0, 10002)
    rig.answer(1, 10002)
    rig.stopped.add("order.create")
    rig.clock_known = True
    rig.move(50)
    assert [op for op, _, _ in rig.sent] == ["order.create", "order.cancel", "order.cancel"]
    assert rig.error("clock").code is Code.EXCHANGE_REFUSED
    assert "cancel" not in rig.replies


def test_a_timestamp_that_stays_refused_is_told_and_not_sent_a_third_time(rig: Rig) -> None:
    rig.create("clock")
    rig.answer(0, 10002)
    rig.clock_known = True
    rig.move(50)
    rig.answer(1, 10002)
    error = rig.error("clock")
    assert (error.code, error.outcome) == (Code.EXCHANGE_REFUSED, Outcome.REJECTED)
    assert len(rig.sent) == 2
    order = rig.orders.get("clock")
    assert order is not None
    assert order.state is State.REJECTED


def test_without_a_clock_the_refusal_is_told_at_the_deadline(rig: Rig) -> None:
    rig.create("clock", deadline_ms=1000)
    rig.answer(0, 10002)
    rig.move(900)
    assert "clock" not in rig.replies
    rig.move(200)
    assert rig.error("clock").outcome is Outcome.REJECTED
    assert len(rig.sent) == 1


def cancel_all(rig: Rig, **more: Any) -> None:
    args = {"category": "linear", "settleCoin": "USDT"}
    rig.ask(rig.desk.act, "all", "order.cancel-all", args, **more)


def cancelled(rig: Rig, index: int, count: int, code: int = 0) -> None:
    listed = [{"orderId": f"{index}-{n}", "orderLinkId": ""} for n in range(count)]
    rig.answer(index, code, data={"list": listed, "success": "1"} if code == 0 else {})


def test_cancel_all_goes_on_until_the_exchange_cancels_fewer_than_it_could(rig: Rig) -> None:
    cancel_all(rig)
    cancelled(rig, 0, CANCELLED_AT_MOST)
    assert "all" not in rig.replies
    cancelled(rig, 1, CANCELLED_AT_MOST)
    cancelled(rig, 2, 3)
    result = rig.replies["all"].result
    assert len(result["list"]) == 2 * CANCELLED_AT_MOST + 3
    assert (result["success"], result["complete"]) == ("1", True)
    assert len({req_id for _, req_id, _ in rig.sent}) == 3


def test_a_cancel_all_that_has_no_time_for_the_rest_says_so(rig: Rig) -> None:
    cancel_all(rig, deadline_ms=1000)
    rig.move(1001)
    cancelled(rig, 0, CANCELLED_AT_MOST)
    assert rig.replies["all"].result["complete"] is False
    assert len(rig.sent) == 1


@pytest.mark.parametrize("code", [10006, 10016, 110007])
def test_a_cancel_all_whose_later_round_fails_tells_what_was_cancelled(rig: Rig, code: int) -> None:
    cancel_all(rig)
    cancelled(rig, 0, CANCELLED_AT_MOST)
    cancelled(rig, 1, 0, code)
    result = rig.replies["all"].result
    assert (len(result["list"]), result["complete"]) == (CANCELLED_AT_MOST, False)


def test_on_spot_one_call_cancels_everything(rig: Rig) -> None:
    rig.ask(rig.desk.act, "all", "order.cancel-all", {"category": "spot"})
    cancelled(rig, 0, CANCELLED_AT_MOST)
    assert rig.replies["all"].result["complete"] is True


def test_while_the_address_is_banned_nothing_leaves_over_rest(rig: Rig) -> None:
    rig.banned_until_ms = T_MS + 600_000
    cancel_all(rig)
    error = rig.error("all")
    assert (error.code, error.retry_after_ms) == (Code.RATE_LIMITED, 600_000)
    assert "banned" in error.message
    rig.create("over-the-socket")
    assert [op for op, _, _ in rig.sent] == ["order.create"]


def test_what_the_budget_of_the_address_held_back_is_limited_and_not_unavailable(
    rig: Rig,
) -> None:
    cancel_all(rig)
    rig.departures.not_sent(rig.sent[0][1], "the budget is used up", 250)
    error = rig.error("all")
    assert (error.code, error.outcome, error.retry_after_ms) == (
        Code.RATE_LIMITED,
        Outcome.REJECTED,
        250,
    )


def test_a_reused_req_id_leaves_an_order_unknown(rig: Rig) -> None:
    rig.create("reused")
    rig.answer(0, 20006)
    assert rig.error("reused").outcome is Outcome.UNKNOWN
    order = rig.orders.get("reused")
    assert order is not None
    assert order.state is State.UNKNOWN


def test_req_ids_are_never_used_twice(rig: Rig) -> None:
    for number in range(LIMIT):
        rig.create(f"id-{number}")
    assert len({req_id for _, req_id, _ in rig.sent}) == LIMIT


def test_the_answer_to_a_limited_order_tells_when_there_is_room(rig: Rig) -> None:
    rig.create("limited")
    header = {
        "X-Bapi-Limit": "10",
        "X-Bapi-Limit-Status": "0",
        "X-Bapi-Limit-Reset-Timestamp": str(T_MS + 700),
    }
    rig.answer(0, 10006, header=header)
    error = rig.error("limited")
    assert (error.code, error.outcome, error.retry_safe) == (
        Code.RATE_LIMITED,
        Outcome.REJECTED,
        True,
    )
    assert error.retry_after_ms is not None
    assert 700 <= error.retry_after_ms <= 1100
    rig.create("next")
    rig.move(600)
    assert len(rig.sent) == 1
    rig.move(500)
    assert len(rig.sent) == 2
