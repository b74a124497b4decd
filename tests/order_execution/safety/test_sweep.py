"""What a sweep asks for, and when it ends, without sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from bybitbus.codes import Code
from bybitbus.messages import gateway_error
from bybitbus.server import Call
from bybitd.net.errors import OutcomeUnknown
from bybitd.net.rest import RestClient, RestWorker
from bybitd.order_execution.ledger import Order, State
from bybitd.order_execution.safety.sweep import WHOLE, Sweeper, of_listed, of_ours

LINEAR = {"category": "linear", "symbol": "BTCUSDT", "orderId": "1"}
SPOT = {"category": "spot", "symbol": "BTCUSDT", "orderId": "2"}
TPSL = {**SPOT, "orderId": "3", "stopOrderType": "tpslOrder"}


def order(**changes: Any) -> Order:
    made = Order(
        link_id="a", client="", category="linear", symbol="BTCUSDT", args="{}", received_ns=1
    )
    return msgspec.structs.replace(made, **changes)


def test_what_is_listed_is_first_cancelled_by_symbol_and_filter_each_once() -> None:
    assert of_listed([LINEAR, {**LINEAR, "orderId": "9"}, SPOT, TPSL], 1) == [
        ("order.cancel-all", {"category": "linear", "symbol": "BTCUSDT"}),
        ("order.cancel-all", {"category": "spot", "symbol": "BTCUSDT"}),
        (
            "order.cancel-all",
            {"category": "spot", "symbol": "BTCUSDT", "orderFilter": "tpslOrder"},
        ),
    ]


def test_what_stays_is_cancelled_one_by_one() -> None:
    assert of_listed([LINEAR, TPSL], 2) == [
        ("order.cancel", LINEAR),
        (
            "order.cancel",
            {"category": "spot", "symbol": "BTCUSDT", "orderId": "3", "orderFilter": "tpslOrder"},
        ),
    ]


def test_orders_of_ours_are_cancelled_by_the_id_that_is_known_before_any_answer() -> None:
    stop = order(link_id="b", category="spot", args='{"orderFilter":"StopOrder"}')
    assert of_ours([order(), stop]) == [
        ("order.cancel", {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "a"}),
        (
            "order.cancel",
            {
                "category": "spot",
                "symbol": "BTCUSDT",
                "orderLinkId": "b",
                "orderFilter": "StopOrder",
            },
        ),
    ]


class Exchange:
    """Answers cancels and lists as the test says; pauses are run by `turn`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.lists: list[list[dict[str, Any]] | None] = []
        self.alive: list[Order] = []
        self.doubts: list[str] = []
        self.over = 0
        self._later: list[Callable[[], None]] = []
        self.sweeper = Sweeper(
            self._act,
            cast("RestWorker", self),
            lambda: cast("RestClient", self),
            lambda: self.alive,
            self.doubts.append,
            lambda _pause_s, callback: self._later.append(callback),
            self._swept,
        )

    def submit(self, job: Callable[[], Any], done: Callable[[Any, Any], None]) -> bool:
        if not self.lists:
            done(job(), None)
            return True
        listed = self.lists.pop(0)
        done(listed, None if listed is not None else OutcomeUnknown("no answer"))
        return True

    def get(self, _path: str, params: Mapping[str, Any]) -> Any:
        """Return an empty list; this account may not list options."""
        refused = params["category"] == "option"
        ret_code, text = (10005, "Permission denied") if refused else (0, "")
        return SimpleNamespace(ret_code=ret_code, ret_msg=text, result={"list": []})

    def turn(self) -> list[tuple[str, dict[str, Any]]]:
        """Let the pause pass; return what is asked for then."""
        self.asked.clear()
        callbacks, self._later = self._later, []
        for callback in callbacks:
            callback()
        return list(self.asked)

    def _act(self, call: Call) -> None:
        self.asked.append((call.request.op, call.request.args))
        if call.request.args.get("category") == "option":
            call.fail(gateway_error(Code.EXCHANGE_REFUSED, "no options on this account"))
        else:
            call.succeed({"list": [{"orderId": "1", "orderLinkId": "x"}]})

    def _swept(self) -> None:
        self.over += 1


def test_only_an_empty_list_that_was_asked_for_after_the_cancels_is_the_end() -> None:
    exchange = Exchange()
    exchange.lists = [[], [LINEAR], []]
    exchange.sweeper.begin()
    assert exchange.asked == [("order.cancel-all", args) for args in WHOLE]
    assert exchange.turn() == []  # the first list may have been made before the cancels
    assert exchange.over == 0
    assert exchange.turn() == [("order.cancel", LINEAR)]
    exchange.turn()
    assert exchange.over == 1
    assert exchange.sweeper.progress.over
    assert exchange.sweeper.progress.cancelled == {"1": "x"}


def test_a_list_that_does_not_come_is_no_empty_list() -> None:
    exchange = Exchange()
    exchange.alive = [order(state=State.OPEN)]
    exchange.lists = [None, None, []]
    exchange.sweeper.begin()
    (cancel,) = exchange.turn()
    assert cancel[1]["orderLinkId"] == "a"  # what is known here is cancelled meanwhile
    assert exchange.over == 0
    assert exchange.sweeper.progress.problem


def test_while_an_order_of_ours_may_live_it_is_looked_up_and_nothing_is_over() -> None:
    exchange = Exchange()
    exchange.alive = [order(state=State.UNKNOWN)]
    exchange.lists = [[], [], [], []]
    exchange.sweeper.begin()
    exchange.turn()
    exchange.turn()
    assert exchange.over == 0
    assert exchange.doubts
    exchange.alive = []
    exchange.turn()
    assert exchange.over == 1


def test_after_a_sweep_only_an_order_of_ours_that_lives_begins_another() -> None:
    exchange = Exchange()
    exchange.lists = [[], [], [], []]
    exchange.sweeper.begin()
    exchange.turn()
    exchange.turn()
    exchange.asked.clear()
    exchange.sweeper.look()
    assert exchange.asked == []
    exchange.alive = [order(state=State.OPEN)]
    exchange.sweeper.look()
    assert len(exchange.asked) == len(WHOLE)


def test_a_sweep_that_is_called_off_asks_for_nothing_more() -> None:
    exchange = Exchange()
    exchange.lists = [[LINEAR]]
    exchange.sweeper.begin()
    exchange.sweeper.end()
    assert exchange.turn() == []
    assert exchange.over == 0


def test_what_the_exchange_will_not_list_ends_the_sweep_and_is_never_called_empty() -> None:
    exchange = Exchange()
    exchange.sweeper.begin()
    exchange.turn()
    exchange.turn()
    progress = exchange.sweeper.progress
    assert (exchange.over, progress.over, progress.open) == (1, True, 0)
    assert not progress.complete
    assert "10005 Permission denied" in progress.problem
    assert exchange.turn() == []
