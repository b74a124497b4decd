from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.venue import control
from bybitd.venue.control import (
    AuthResult,
    Malformed,
    Pong,
    Refused,
    SubscribeAck,
    TradeReply,
    classify,
)

PONGS = {
    "spot": {"success": True, "ret_msg": "pong", "conn_id": "c1", "op": "ping"},
    "linear": {"success": True, "ret_msg": "pong", "conn_id": "c1", "req_id": "", "op": "ping"},
    "option": {"args": ["1790000000000"], "op": "pong"},
    "private": {"req_id": "7", "op": "pong", "args": ["1790000000000"], "conn_id": "c1"},
    "trade": {"retCode": 0, "retMsg": "OK", "op": "pong", "data": ["17"], "connId": "c1"},
}


@pytest.mark.parametrize("socket", PONGS)
def test_the_pong_of_every_socket_is_known(socket: str) -> None:
    assert classify(PONGS[socket]) == Pong()


@pytest.mark.parametrize(
    "frame",
    [
        {"success": True, "ret_msg": "", "op": "subscribe", "conn_id": "c", "req_id": "r1"},
        {
            "success": True,
            "ret_msg": "subscribe",
            "conn_id": "c",
            "req_id": "r1",
            "op": "subscribe",
        },
    ],
)
def test_an_acknowledgement_is_a_success_whatever_its_text(frame: dict[str, Any]) -> None:
    assert classify(frame) == SubscribeAck(op="subscribe", success=True, req_id="r1")


def test_the_acknowledgement_of_option_names_topics_and_nothing_else() -> None:
    frame = {
        "success": True,
        "conn_id": "c",
        "data": {"failTopics": ["tickers.X"], "successTopics": ["orderbook.25.A-B"]},
        "type": "COMMAND_RESP",
    }
    ack = classify(frame)
    assert isinstance(ack, SubscribeAck)
    assert (ack.op, ack.req_id) == ("", "")
    assert (ack.succeeded, ack.failed) == (("orderbook.25.A-B",), ("tickers.X",))


@pytest.mark.parametrize(
    ("ret_msg", "failed", "already", "succeeded"),
    [
        ("error:handler not found,topic:orderbook.30.X", ("orderbook.30.X",), (), ()),
        ("error:already subscribed,topic:tickers.X", (), ("tickers.X",), ()),
        ("Invalid symbol :[tickers.XXX]", ("tickers.XXX",), (), ()),
        ("Params Error", (), (), ()),
        (
            "Batch subscription partially succeeded and partially failed.Successful subscriptions "
            "are as follows:[order, wallet]. Subscription to the following topics failed because "
            "the topic does not exist or there is a subscription conflict:[tiket].",
            ("tiket",),
            (),
            ("order", "wallet"),
        ),
    ],
)
def test_a_refused_subscription_names_its_topics_where_the_exchange_does(
    ret_msg: str,
    failed: tuple[str, ...],
    already: tuple[str, ...],
    succeeded: tuple[str, ...],
) -> None:
    frame = {"success": False, "ret_msg": ret_msg, "req_id": "r", "op": "subscribe"}
    ack = classify(frame)
    assert isinstance(ack, SubscribeAck)
    assert not ack.success
    assert ack.reason == ret_msg
    assert (ack.failed, ack.already, ack.succeeded) == (failed, already, succeeded)


def test_the_escaped_refusal_of_spot_reads_as_plain_text() -> None:
    frame = b'{"success":false,"ret_msg":"args size \\u003e10","req_id":"r","op":"subscribe"}'
    ack = classify(msgspec.json.decode(frame))
    assert isinstance(ack, SubscribeAck)
    assert ack.reason == "args size >10"


@pytest.mark.parametrize(
    ("frame", "success", "code"),
    [
        ({"success": True, "ret_msg": "", "op": "auth", "conn_id": "c"}, True, None),
        ({"success": False, "ret_msg": "Params Error", "op": "auth"}, False, None),
        ({"retCode": 0, "retMsg": "OK", "op": "auth", "connId": "c"}, True, 0),
        ({"retCode": 20001, "retMsg": "Repeat auth", "op": "auth"}, True, 20001),
        ({"retCode": 10004, "retMsg": "error sign", "op": "auth"}, False, 10004),
    ],
)
def test_a_login_is_judged_on_both_kinds_of_socket(
    frame: dict[str, Any], success: bool, code: int | None
) -> None:
    result = classify(frame)
    assert isinstance(result, AuthResult)
    assert (result.success, result.code) == (success, code)


def test_an_answer_to_an_order_is_handed_on_whole_even_without_its_id() -> None:
    frame = {"retCode": 10005, "retMsg": "Permission denied", "op": "order.create", "data": {}}
    assert classify(frame) == TradeReply(message=frame)


def test_a_topic_asked_for_on_the_trade_socket_is_refused_by_code() -> None:
    frame = {"op": "subscribe", "reqId": "a", "retCode": 10404, "retMsg": "", "connId": "c"}
    assert classify(frame) == SubscribeAck(
        op="subscribe", success=False, req_id="a", reason="10404"
    )


def test_a_refusal_of_something_that_was_no_request_is_told_apart() -> None:
    text = "Failed to decode incoming data:readObjectStart"
    assert classify({"success": False, "ret_msg": text}) == Refused(reason=text)
    assert isinstance(classify({"hello": 1}), Malformed)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KEYS = ["op", "type", "data", "success", "ret_msg", "req_id", "retCode", "retMsg", "reqId", "args"]
WORDS = ["subscribe", "unsubscribe", "auth", "ping", "pong", "COMMAND_RESP"]


@given(st.dictionaries(st.sampled_from(KEYS), json_values | st.sampled_from(WORDS)))
def test_no_frame_makes_the_reader_fail(frame: dict[str, Any]) -> None:
    assert isinstance(classify(frame), control.Control)


def test_frames_are_built_as_the_exchange_documents_them() -> None:
    decode = msgspec.json.decode
    assert decode(control.subscribe(("a", "b"), "r1")) == {
        "op": "subscribe",
        "req_id": "r1",
        "args": ["a", "b"],
    }
    assert decode(control.unsubscribe(("a",), "r2"))["op"] == "unsubscribe"
    assert decode(control.ping()) == {"op": "ping"}
    assert decode(control.auth("key", 1790000000000, "sig")) == {
        "op": "auth",
        "args": ["key", 1790000000000, "sig"],
    }


def test_spot_takes_ten_topics_a_request_whatever_is_configured() -> None:
    topics = [f"tickers.S{number}" for number in range(25)]
    portions = list(control.requests("spot", topics, per_request=100))
    assert [len(portion) for portion in portions] == [10, 10, 5]
    assert [topic for portion in portions for topic in portion] == topics
    assert [len(portion) for portion in control.requests("linear", topics, 20)] == [20, 5]


@given(st.lists(st.text("AB.", min_size=1, max_size=300), max_size=300))
def test_a_connection_never_carries_more_characters_than_it_may(topics: list[str]) -> None:
    portions = control.connections("linear", topics)
    assert [topic for portion in portions for topic in portion] == topics
    for portion in portions:
        assert len(msgspec.json.encode(portion)) <= control.MAX_ARGS_CHARACTERS + 2
        assert control.args_characters(portion) <= control.MAX_ARGS_CHARACTERS


def test_an_option_connection_carries_two_thousand_topics_at_most() -> None:
    topics = [f"t{number}" for number in range(2001)]
    assert [len(portion) for portion in control.connections("option", topics)] == [2000, 1]
