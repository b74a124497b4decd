from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.venue.session import (
    ANSWER_WITHIN_MS,
    ATTEMPTS,
    PING_EVERY_MS,
    PONG_WITHIN_MS,
    SILENCE_MS,
    Acknowledged,
    Bad,
    Confirmed,
    Dead,
    Live,
    NoData,
    Rejected,
    Session,
)
from tests.payloads import raw

START = 1_000_000


def sent(session: Session) -> list[dict[str, Any]]:
    return [msgspec.json.decode(frame) for frame in session.data_to_send()]


def opened(socket: str, *topics: str) -> tuple[Session, list[dict[str, Any]]]:
    session = Session(socket, dict.fromkeys(topics), START)
    assert session.take_events() == [Live()]
    return session, sent(session)


def answer(session: Session, now_ms: int = START, **frame: Any) -> None:
    assert session.receive(msgspec.json.encode(frame), now_ms) is None


def acknowledge(session: Session, request: dict[str, Any], ret_msg: str = "") -> None:
    answer(
        session,
        success=not ret_msg,
        ret_msg=ret_msg,
        conn_id="c",
        req_id=request["req_id"],
        op=request["op"],
    )


def command_response(session: Session, *topics: str) -> None:
    data = {"failTopics": [], "successTopics": list(topics)}
    answer(session, success=True, conn_id="c", data=data, type="COMMAND_RESP")


def test_a_new_session_asks_for_every_desired_topic_in_portions_that_the_socket_takes() -> None:
    topics = [f"tickers.S{number}USDT" for number in range(23)]
    _, requests = opened("spot", *topics)
    assert [len(request["args"]) for request in requests] == [10, 10, 3]
    assert [topic for request in requests for topic in request["args"]] == topics
    assert len({request["req_id"] for request in requests}) == 3


def test_an_acknowledged_request_confirms_each_of_its_topics() -> None:
    session, (request,) = opened("linear", "tickers.A", "tickers.B")
    acknowledge(session, request)
    assert session.take_events() == [Confirmed("tickers.A"), Confirmed("tickers.B")]
    session.tick(START + ANSWER_WITHIN_MS)
    assert sent(session) == []


def test_one_bad_topic_is_rejected_and_the_others_of_its_request_are_asked_for_again() -> None:
    session, (request,) = opened("linear", "tickers.A", "tickers.BAD", "tickers.C")
    acknowledge(session, request, "error:handler not found,topic:tickers.BAD")
    (event,) = session.take_events()
    assert isinstance(event, Rejected)
    assert event.topic == "tickers.BAD"
    assert "handler not found" in event.reason
    assert list(session.desired) == ["tickers.A", "tickers.C"]
    (again,) = sent(session)
    assert again["args"] == ["tickers.A", "tickers.C"]
    assert again["req_id"] != request["req_id"]
    acknowledge(session, again)
    assert session.take_events() == [Confirmed("tickers.A"), Confirmed("tickers.C")]


def test_a_topic_that_is_subscribed_already_counts_and_the_others_are_asked_for_again() -> None:
    session, (request,) = opened("linear", "tickers.A", "tickers.B")
    acknowledge(session, request, "error:already subscribed,topic:tickers.A")
    assert session.take_events() == [Confirmed("tickers.A")]
    (again,) = sent(session)
    assert again["args"] == ["tickers.B"]


def test_a_refusal_that_names_no_topic_is_narrowed_down_one_by_one() -> None:
    session, (request,) = opened("linear", "tickers.A", "tickers.B")
    acknowledge(session, request, "Params Error")
    assert session.take_events() == []
    first, second = sent(session)
    assert (first["args"], second["args"]) == (["tickers.A"], ["tickers.B"])
    acknowledge(session, second)
    acknowledge(session, first, "Params Error")
    assert session.take_events() == [
        Confirmed("tickers.B"),
        Rejected("tickers.A", "Params Error"),
    ]
    assert list(session.desired) == ["tickers.B"]


def test_an_unanswered_request_is_made_again_and_in_the_end_the_connection_is_given_up() -> None:
    session, (request,) = opened("linear", "tickers.A")
    for attempt in range(1, ATTEMPTS + 1):
        now = START + attempt * ANSWER_WITHIN_MS
        session.receive(raw("ws_publicTrade"), now)
        answer(session, now, op="pong")
        session.tick(now)
        asked = [frame for frame in sent(session) if frame["op"] == "subscribe"]
        if attempt < ATTEMPTS:
            assert [frame["args"] for frame in asked] == [request["args"]]
            assert session.take_events() == []
        else:
            assert asked == []
    assert session.take_events() == [Dead(f"no answer to {ATTEMPTS} requests to subscribe")]


def test_an_answer_without_an_id_belongs_to_the_oldest_request_of_its_kind() -> None:
    session, (request,) = opened("linear", "tickers.A")
    session.desired["tickers.B"] = None
    session.subscribe(["tickers.B"], START)
    answer(session, success=True, ret_msg="", conn_id="c", req_id="", op=request["op"])
    assert session.take_events() == [Confirmed("tickers.A")]


def test_a_topic_given_up_before_the_answer_is_neither_confirmed_nor_asked_for_again() -> None:
    session, (request,) = opened("linear", "tickers.A", "tickers.B")
    del session.desired["tickers.A"]
    session.unsubscribe(["tickers.A"], START)
    (unsubscription,) = sent(session)
    assert (unsubscription["op"], unsubscription["args"]) == ("unsubscribe", ["tickers.A"])
    acknowledge(session, request, "error:handler not found,topic:tickers.A")
    (again,) = sent(session)
    assert again["args"] == ["tickers.B"]
    assert session.take_events() == []


def test_an_unanswered_unsubscription_is_repeated_unless_the_topic_is_wanted_again() -> None:
    session, (request,) = opened("linear", "tickers.A", "tickers.B")
    acknowledge(session, request)
    for topic in ("tickers.A", "tickers.B"):
        del session.desired[topic]
    session.unsubscribe(["tickers.A", "tickers.B"], START)
    session.desired["tickers.B"] = None
    session.subscribe(["tickers.B"], START)
    session.data_to_send()
    session.tick(START + ANSWER_WITHIN_MS)
    again = sent(session)
    assert [(frame["op"], frame["args"]) for frame in again] == [
        ("unsubscribe", ["tickers.A"]),
        ("subscribe", ["tickers.B"]),
    ]


def test_a_topic_is_never_asked_for_twice_on_one_connection() -> None:
    session, _ = opened("linear", "tickers.A")
    session.subscribe(["tickers.A"], START)
    assert sent(session) == []


def test_a_topic_is_begun_anew_by_leaving_it_first() -> None:
    session, (request,) = opened("linear", "orderbook.50.A")
    acknowledge(session, request)
    session.resubscribe("orderbook.50.A", START)
    left, joined = sent(session)
    assert (left["op"], joined["op"]) == ("unsubscribe", "subscribe")
    session.take_events()
    acknowledge(session, left)
    assert session.take_events() == []
    acknowledge(session, joined)
    assert session.take_events() == [Confirmed("orderbook.50.A")]


def test_option_confirms_by_data_and_says_when_none_comes() -> None:
    session, _ = opened("option", "tickers.A-B", "tickers.C-D", "publicTrade.BTC")
    names = "tickers.A-B", "tickers.C-D", "publicTrade.BTC"
    command_response(session, *names)
    # All that is known is that they would come from now on.
    assert session.take_events() == [Acknowledged(name) for name in names]
    frame = msgspec.json.encode({"topic": "tickers.A-B", "data": {}})
    for _ in range(2):
        assert session.receive(frame, START) == {"topic": "tickers.A-B", "data": {}}
    assert session.take_events() == [Confirmed("tickers.A-B")]
    session.tick(START + ANSWER_WITHIN_MS)
    assert session.take_events() == [NoData("tickers.C-D")]
    session.receive(b'{"topic":"tickers.C-D","data":{}}', START + ANSWER_WITHIN_MS)
    assert session.take_events() == [Confirmed("tickers.C-D")]


def test_the_answer_to_leaving_an_option_topic_is_not_taken_for_one_to_joining_it() -> None:
    session, _ = opened("option", "tickers.A-B")
    command_response(session, "tickers.A-B")
    session.resubscribe("tickers.A-B", START)
    command_response(session, "tickers.A-B")
    session.tick(START + ANSWER_WITHIN_MS)
    again = [frame for frame in sent(session) if frame["op"] == "subscribe"]
    assert len(again) == 2  # the one of the resubscription, and its repetition


def test_a_spot_symbol_that_does_not_exist_is_rejected_by_name() -> None:
    session, (request,) = opened("spot", "tickers.XXX", "tickers.A")
    acknowledge(session, request, "Invalid symbol :[tickers.XXX]")
    (event,) = session.take_events()
    assert event == Rejected("tickers.XXX", "Invalid symbol :[tickers.XXX]")
    assert sent(session)[0]["args"] == ["tickers.A"]


def test_a_ping_goes_out_every_20_seconds_and_its_pong_is_awaited_for_10() -> None:
    session, (request,) = opened("linear", "tickers.A")
    acknowledge(session, request)
    now = START + PING_EVERY_MS
    assert session.next_deadline_ms() == now
    session.tick(now - 1)
    assert sent(session) == []
    session.tick(now)
    assert sent(session) == [{"op": "ping"}]
    assert session.next_deadline_ms() == now + PONG_WITHIN_MS
    answer(session, now + 50, success=True, ret_msg="pong", conn_id="c", op="ping")
    session.tick(now + PONG_WITHIN_MS)
    assert Dead not in map(type, session.take_events())
    assert session.next_deadline_ms() == now + PING_EVERY_MS


def test_data_does_not_stand_in_for_a_pong() -> None:
    session, _ = opened("linear")
    session.tick(START + PING_EVERY_MS)
    late = START + PING_EVERY_MS + PONG_WITHIN_MS
    session.receive(raw("ws_publicTrade"), late)
    session.tick(late)
    assert session.take_events() == [Dead("no pong within 10 s")]
    assert not session.live


def test_a_connection_on_which_nothing_comes_for_30_seconds_is_dead() -> None:
    session, _ = opened("linear")
    session.tick(START + SILENCE_MS)
    assert session.take_events() == [Dead("nothing received for 30 s")]
    session.tick(START + SILENCE_MS + 1)
    assert session.take_events() == []


def test_a_private_session_asks_for_topics_only_once_it_is_authenticated() -> None:
    session = Session("private", {"order": None}, START, auth=lambda now: b'{"op":"auth"}')
    assert sent(session) == [{"op": "auth"}]
    assert not session.live
    session.subscribe(["wallet"], START)
    assert sent(session) == []
    answer(session, success=True, ret_msg="", op="auth", conn_id="c")
    assert session.take_events() == [Live()]
    (request,) = sent(session)
    assert request["args"] == ["order"]
    assert session.receive(b'{"id":"1","topic":"order","creationTime":1,"data":[]}', START)


def test_a_private_session_pings_at_once_when_it_has_subscribed_and_then_as_it_is_told() -> None:
    session = Session("private", {"order": None}, START, lambda now: b"{}", ping_every_ms=1000)
    answer(session, success=True, ret_msg="", op="auth", conn_id="c")
    session.tick(START)
    assert [message.get("op") for message in sent(session)] == [None, "subscribe", "ping"]
    answer(session, op="pong", ret_msg="pong", success=True)
    session.tick(START + 999)
    assert sent(session) == []
    session.tick(START + 1000)
    assert [message["op"] for message in sent(session)] == ["ping"]


def test_a_refused_login_ends_the_session_for_good() -> None:
    session = Session("private", {"order": None}, START, auth=lambda now: b"{}")
    answer(session, success=False, ret_msg="API key is invalid.", op="auth", conn_id="c")
    (event,) = session.take_events()
    assert event == Dead("authentication refused: API key is invalid.", fatal=True)
    assert not session.live


def test_a_login_that_is_not_answered_ends_the_session() -> None:
    session = Session("private", {}, START, auth=lambda now: b"{}")
    session.tick(START + ANSWER_WITHIN_MS)
    assert session.take_events() == [Dead("no answer to the authentication")]


def test_a_private_refusal_keeps_the_topics_that_it_calls_good() -> None:
    session = Session("private", {"order": None, "tiket": None}, START, auth=lambda now: b"{}")
    answer(session, success=True, ret_msg="", op="auth", conn_id="c")
    _, request = sent(session)
    text = (
        "Batch subscription partially succeeded and partially failed.Successful subscriptions are "
        "as follows:[order]. Subscription to the following topics failed because the topic does "
        "not exist or there is a subscription conflict:[tiket]."
    )
    session.take_events()
    acknowledge(session, request, text)
    events = session.take_events()
    assert {type(event) for event in events} == {Confirmed, Rejected}
    assert Confirmed("order") in events
    assert sent(session) == []


def test_a_desired_table_outlives_its_session() -> None:
    desired = dict.fromkeys(("tickers.A", "tickers.BAD"))
    first = Session("linear", desired, START)
    (request,) = sent(first)
    acknowledge(first, request, "error:handler not found,topic:tickers.BAD")
    second = Session("linear", desired, START)
    assert sent(second)[0]["args"] == ["tickers.A"]


def test_data_is_handed_on_decoded_and_everything_else_is_not() -> None:
    session, _ = opened("linear", "orderbook.50.SOLUSDT")
    message = session.receive(raw("ws_orderbook.50.snapshot"), START)
    assert message is not None
    assert message["topic"] == "orderbook.50.SOLUSDT"
    assert message["data"]["u"] == 4100


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b"{",
        raw("ws_orderbook.50.snapshot")[:100],
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"topic":5,"data":1}',
        b'{"topic":"tickers.A"}',
        b'{"op":"order.create","retCode":0}',
        b'{"success":false,"ret_msg":"error:invalid op"}',
    ],
)
def test_a_bad_frame_is_reported_and_the_session_goes_on(payload: bytes) -> None:
    session, _ = opened("linear", "tickers.A")
    assert session.receive(payload, START) is None
    (event,) = session.take_events()
    assert isinstance(event, Bad)
    assert len(event.excerpt) < 1000
    assert session.live


control_frames = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["subscribe", "unsubscribe", "auth", "ping", "pong", "x"]),
        "success": st.booleans(),
        "retCode": st.integers(),
        "req_id": st.sampled_from(["", "s1", "s2", "u3", "zz"]),
        "ret_msg": st.sampled_from(
            [
                "",
                "pong",
                "error:handler not found,topic:tickers.A",
                "Params Error",
                "Invalid symbol",
            ]
        ),
        "type": st.just("COMMAND_RESP"),
        "data": st.dictionaries(
            st.sampled_from(["failTopics", "successTopics"]),
            st.lists(st.sampled_from(["tickers.A", "tickers.B", "?"])) | st.none(),
        ),
        "topic": st.text(max_size=5) | st.integers(),
    },
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), control_frames.map(msgspec.json.encode)),
        st.tuples(st.just("frame"), st.binary(max_size=60)),
        st.tuples(st.just("tick"), st.integers(0, 15_000)),
        st.tuples(st.sampled_from(["add", "remove", "anew"]), st.sampled_from("ABC")),
    ),
    max_size=30,
)


@given(st.sampled_from(["spot", "linear", "option", "private"]), steps)
def test_no_sequence_of_frames_makes_a_session_fail(
    socket: str, sequence: list[tuple[str, Any]]
) -> None:
    auth = (lambda now: b"{}") if socket == "private" else None
    session = Session(socket, dict.fromkeys(("tickers.A", "tickers.B")), START, auth)
    now = START
    for verb, value in sequence:
        topic = f"tickers.{value}"
        if verb == "frame":
            session.receive(value, now)
        elif verb == "tick":
            now += value
            session.tick(now)
        elif verb == "add":
            session.desired[topic] = None
            session.subscribe([topic], now)
        elif verb == "remove":
            session.desired.pop(topic, None)
            session.unsubscribe([topic], now)
        elif topic in session.desired:
            session.resubscribe(topic, now)
        for frame in session.data_to_send():
            assert msgspec.json.decode(frame) is not None
        assert session.next_deadline_ms() >= START
    dead = [event for event in session.take_events() if isinstance(event, Dead)]
    assert len(dead) <= 1
    assert not (dead and session.live)
