from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bybitd.order_execution.trade_session import Answer, NoAnswer, TradeSession, request
from bybitd.venue.session import PING_EVERY_MS, PONG_WITHIN_MS, SILENCE_MS, Bad, Dead, Live

LOGIN = b'{"op":"auth"}'
OK = {"retCode": 0, "retMsg": "OK", "op": "auth", "connId": "c"}


def frame(**message: Any) -> bytes:
    return msgspec.json.encode(message)


def live() -> TradeSession:
    session = TradeSession(lambda _now: LOGIN, 0)
    session.receive(msgspec.json.encode(OK), 0)
    assert session.take_events() == [Live()]
    session.data_to_send()
    return session


def test_it_logs_in_first_and_is_ready_only_when_that_succeeded() -> None:
    session = TradeSession(lambda now: LOGIN + str(now).encode(), 5)
    assert session.data_to_send() == [LOGIN + b"5"]
    assert not session.ready
    session.receive(msgspec.json.encode(OK), 6)
    assert session.ready


def test_a_refused_login_ends_the_connection() -> None:
    session = TradeSession(lambda _now: LOGIN, 0)
    session.receive(frame(retCode=10004, retMsg="Error sign", op="auth"), 1)
    (dead,) = session.take_events()
    assert isinstance(dead, Dead)
    assert dead.fatal
    assert "10004" in dead.reason
    assert not session.ready


def test_a_repeated_login_is_as_good_as_a_login() -> None:
    session = TradeSession(lambda _now: LOGIN, 0)
    session.receive(frame(retCode=20001, retMsg="Repeat auth", op="auth"), 1)
    assert session.ready


def test_answers_find_their_requests_in_any_order() -> None:
    session = live()
    for req_id in ("1", "2"):
        session.expect(req_id, "order.create", 5000)
    session.receive(frame(reqId="2", retCode=0, op="order.create"), 1)
    session.receive(frame(reqId="1", retCode=110007, op="order.create"), 2)
    answers = session.take_events()
    assert [(a.req_id, a.message["retCode"]) for a in answers if isinstance(a, Answer)] == [
        ("2", 0),
        ("1", 110007),
    ]
    assert session.waiting == 0


def test_an_answer_without_an_id_belongs_to_the_only_request_of_its_op() -> None:
    session = live()
    session.expect("1", "order.create", 5000)
    session.expect("2", "order.cancel", 5000)
    session.receive(frame(retCode=10005, op="order.create"), 1)
    (answer,) = session.take_events()
    assert isinstance(answer, Answer)
    assert answer.req_id == "1"
    assert session.waiting == 1


def test_an_answer_without_an_id_to_one_of_several_leaves_all_of_them_unknown() -> None:
    session = live()
    session.expect("1", "order.create", 5000)
    session.expect("2", "order.create", 5000)
    session.receive(frame(retCode=10005, op="order.create"), 1)
    events = session.take_events()
    assert {e.req_id for e in events if isinstance(e, NoAnswer)} == {"1", "2"}
    session.receive(frame(reqId="2", retCode=0, op="order.create"), 2)
    (late,) = session.take_events()
    assert isinstance(late, Answer)
    assert late.late


def test_a_request_is_given_up_at_its_time_and_a_later_answer_still_counts() -> None:
    session = live()
    session.expect("1", "order.create", 5000)
    session.tick(4999)
    assert session.take_events() == []
    session.tick(5000)
    assert session.take_events() == [NoAnswer("1", "no answer in time")]
    session.receive(frame(reqId="1", retCode=0, op="order.create"), 6000)
    assert session.take_events() == [
        Answer("1", {"reqId": "1", "retCode": 0, "op": "order.create"}, late=True)
    ]


def test_the_end_of_the_connection_leaves_every_request_without_an_answer() -> None:
    session = live()
    session.expect("1", "order.create", 5000)
    session.lost("cut")
    assert session.take_events() == [NoAnswer("1", "cut")]
    assert not session.ready


def test_a_restarting_node_gets_nothing_new_but_is_heard_to_the_end() -> None:
    session = live()
    session.expect("1", "order.create", 60_000)
    session.expect("2", "order.create", 60_000)
    session.receive(frame(reqId="1", retCode=10019, op="order.create"), 10)
    assert not session.ready
    session.take_events()
    session.tick(11)
    assert session.take_events() == []
    session.receive(frame(reqId="2", retCode=0, op="order.create"), 12)
    session.tick(13)
    events = session.take_events()
    assert isinstance(events[0], Answer)
    assert isinstance(events[1], Dead)


def test_it_pings_and_takes_a_missing_pong_for_the_end() -> None:
    session = live()
    session.tick(PING_EVERY_MS)
    assert session.data_to_send() == [b'{"op":"ping"}']
    session.receive(frame(retCode=0, retMsg="OK", op="pong", data=["1"]), PING_EVERY_MS + 5)
    session.tick(2 * PING_EVERY_MS)
    session.tick(2 * PING_EVERY_MS + PONG_WITHIN_MS)
    (dead,) = session.take_events()
    assert isinstance(dead, Dead)


def test_silence_is_the_end_even_before_the_login_is_answered() -> None:
    session = TradeSession(lambda _now: LOGIN, 0)
    session.tick(SILENCE_MS)
    (dead,) = session.take_events()
    assert isinstance(dead, Dead)


def test_an_answer_to_a_request_that_nobody_made_is_only_noted() -> None:
    session = live()
    session.receive(frame(reqId="9", retCode=0, op="order.create"), 1)
    (bad,) = session.take_events()
    assert isinstance(bad, Bad)


@given(st.binary(max_size=200))
def test_garbage_never_raises_and_answers_nothing(payload: bytes) -> None:
    session = live()
    session.expect("1", "order.create", 5000)
    session.receive(payload, 1)
    assert not any(isinstance(event, Answer) for event in session.take_events())


def test_a_request_carries_its_arguments_as_they_were_journaled() -> None:
    args = '{"category":"linear","qty":"0.10"}'
    sent = request("order.create", "r-1", args, 1_700_000_000_000, 5000)
    assert args.encode() in sent
    assert msgspec.json.decode(sent) == {
        "reqId": "r-1",
        "header": {"X-BAPI-TIMESTAMP": "1700000000000", "X-BAPI-RECV-WINDOW": "5000"},
        "op": "order.create",
        "args": [{"category": "linear", "qty": "0.10"}],
    }
