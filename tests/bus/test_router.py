"""Who serves a request, and what becomes of one that nobody answers."""

from __future__ import annotations

from typing import Any

import pytest

from bybitbus.codes import Code, Outcome
from bybitbus.messages import ErrorBody, Request
from bybitbus.ops import OPS
from bybitd.bus import router as router_module
from bybitd.bus.router import DEFAULT_WAIT_MS, GRACE_MS, LONGEST_WAIT_MS, Router
from bybitd.settings import Account, Feed, Feeds, Settings

NOW_MS = 1_795_000_000_000


@pytest.fixture
def router() -> Router[str]:
    settings = Settings(
        accounts={"main": Account(), "hedge": Account()},
        feeds=Feeds(spot=Feed(enabled=False)),
    )
    return Router(settings.programs(), settings.accounts)


def request(op: str, args: dict[str, Any] | None = None, **fields: Any) -> Request:
    return Request(id="1", op=op, args=args or {}, **fields)


def refusal(answer: object) -> ErrorBody:
    assert isinstance(answer, ErrorBody), answer
    return answer


def admit(router: Router[str], waiter: str, op: str, **fields: Any) -> int:
    key = router.admit(waiter, request(op, **fields), "order-execution-main", NOW_MS)
    assert isinstance(key, int)
    return key


@pytest.mark.parametrize(
    ("op", "args", "account", "program"),
    [
        ("order.create", {}, "main", "order-execution-main"),
        ("order.status", {}, "hedge", "order-execution-hedge"),
        ("account.wallet", {}, "hedge", "private-stream-hedge"),
        ("market.snapshot", {"category": "linear"}, "main", "public-feed-linear"),
        ("market.instruments", {"category": "option"}, "nobody", "public-feed-option"),
        ("gateway.hello", {}, "nobody", "bus"),
        ("gateway.ping", {}, "main", "bus"),
        ("gateway.ping", {"program": "simulator"}, "main", "simulator"),
        ("gateway.status", {"program": "bus"}, "main", "bus"),
    ],
)
def test_a_request_goes_to_the_program_that_serves_its_op(
    router: Router[str], op: str, args: dict[str, Any], account: str, program: str
) -> None:
    assert router.route(request(op, args, account=account)) == program


@pytest.mark.parametrize(
    ("args", "number"),
    [
        ({"topic": "tickers.BTCUSDT"}, 4),
        ({"topic": "linear.orderbook.50.BTCUSDT."}, 4),
        ({"topic": "linear.book.50.BTCUSDT"}, 4),
        ({"topic": "gateway.feed.linear.orderbook.50.BTCUSDT."}, 4),
        ({"symbol": "BTCUSDT"}, 4),
        ({"topic": "tickers.ETHUSDT", "symbol": "BTCUSDT"}, 1),
        ({}, 1),
        ({"topic": 7, "symbol": ["BTCUSDT"]}, 1),
    ],
)
def test_a_request_about_a_split_category_goes_to_the_program_that_carries_the_symbol(
    args: dict[str, Any], number: int
) -> None:
    settings = Settings(feeds=Feeds(linear=Feed(shards=4)))
    router: Router[str] = Router(settings.programs(), settings.accounts)
    name = "public-feed-linear" + (f"-{number}" if number > 1 else "")
    assert router.route(request("market.snapshot", {"category": "linear", **args})) == name
    refused = refusal(router.route(request("market.snapshot", {"category": "linear-2"})))
    assert refused.hint == "one of spot, linear, inverse, option, spread"


def test_every_op_of_the_protocol_has_a_way(router: Router[str]) -> None:
    for op in OPS:
        assert isinstance(router.route(request(op, {"category": "linear"})), str), op


def test_an_account_that_is_not_configured_is_refused_with_those_that_are(
    router: Router[str],
) -> None:
    error = refusal(router.route(request("order.create", account="mian")))
    assert error.code == Code.UNKNOWN_ACCOUNT
    assert "main" in error.hint
    assert error.outcome == Outcome.REJECTED


@pytest.mark.parametrize("category", ["spot", "moon", 5, ["linear"], None])
def test_a_category_that_no_feed_serves_is_refused_with_those_that_are(
    router: Router[str], category: object
) -> None:
    error = refusal(router.route(request("market.snapshot", {"category": category})))
    assert error.code == (Code.MISSING_FIELD if category is None else Code.BAD_FIELD)
    assert "args.category" in error.message
    assert "linear" in error.hint


@pytest.mark.parametrize("program", ["public-feed-spot", "nobody", 7, ["bus"]])
def test_a_program_that_does_not_run_here_is_refused(router: Router[str], program: object) -> None:
    error = refusal(router.route(request("gateway.ping", {"program": program})))
    assert error.code == Code.UNKNOWN_PROGRAM


def test_each_reply_finds_its_own_waiter_once(router: Router[str]) -> None:
    first, second = admit(router, "a", "order.create"), admit(router, "b", "order.create")
    assert router.answered(second) == "b"
    assert router.answered(first) == "a"
    assert router.pending == 0
    assert router.answered(first) is None
    assert router.late == 1


def test_a_program_that_is_not_there_costs_nothing(router: Router[str]) -> None:
    error = router.withdraw(admit(router, "a", "order.create"))
    assert error.code == Code.UNAVAILABLE
    assert error.outcome == Outcome.REJECTED
    assert error.retry_safe
    assert router.pending == 0


def test_a_write_whose_program_ended_is_unknown_and_must_not_be_sent_again(
    router: Router[str],
) -> None:
    admit(router, "a", "order.create")
    ((waiter, error),) = router.lost("order-execution-main")
    assert waiter == "a"
    assert error.code == Code.NO_ANSWER
    assert error.outcome == Outcome.UNKNOWN
    assert not error.retry_safe
    assert "order.status" in error.hint


def test_a_read_whose_program_ended_may_be_asked_again(router: Router[str]) -> None:
    admit(router, "a", "order.status")
    ((_, error),) = router.lost("order-execution-main")
    assert error.code == Code.NO_ANSWER
    assert error.outcome == Outcome.REJECTED
    assert error.retry_safe


def test_the_end_of_one_program_does_not_touch_what_waits_for_another(
    router: Router[str],
) -> None:
    key = admit(router, "a", "order.create")
    assert router.lost("order-execution-hedge") == []
    assert router.answered(key) == "a"


def test_a_reply_after_the_end_of_its_program_is_dropped(router: Router[str]) -> None:
    key = admit(router, "a", "order.create")
    router.lost("order-execution-main")
    assert router.answered(key) is None


@pytest.mark.parametrize(
    ("deadline_ms", "due_ms"),
    [
        (2_000, NOW_MS + 2_000 + GRACE_MS),  # a duration
        (NOW_MS + 3_000, NOW_MS + 3_000 + GRACE_MS),  # a moment
        (NOW_MS - 5_000, NOW_MS + GRACE_MS),  # past: its program says so
        (None, NOW_MS + DEFAULT_WAIT_MS + GRACE_MS),
        (10**15, NOW_MS + LONGEST_WAIT_MS + GRACE_MS),
    ],
)
def test_a_request_expires_a_little_after_its_deadline(
    router: Router[str], deadline_ms: int | None, due_ms: int
) -> None:
    admit(router, "a", "order.create", deadline_ms=deadline_ms)
    assert router.expire(due_ms - 1) == []
    ((waiter, error),) = router.expire(due_ms)
    assert waiter == "a"
    assert error.outcome == Outcome.UNKNOWN
    assert router.pending == 0
    assert router.expire(due_ms + 1) == []


def test_what_was_answered_does_not_expire(router: Router[str]) -> None:
    router.answered(admit(router, "a", "order.create", deadline_ms=1))
    assert router.expire(NOW_MS + DEFAULT_WAIT_MS) == []


def test_requests_beyond_the_limit_are_refused_and_room_is_made_by_answers(
    router: Router[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router_module, "MAX_PENDING", 2)
    key = admit(router, "a", "order.create")
    admit(router, "b", "order.create")
    error = refusal(router.admit("c", request("order.create"), "order-execution-main", NOW_MS))
    assert error.code == Code.BUSY
    assert error.retry_safe
    router.answered(key)
    admit(router, "d", "order.create")
