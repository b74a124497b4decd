"""Every socket has its own way to say pong, yes and no."""

import json
from pathlib import Path

import pytest

from bybitd.simulator.wire import acknowledgements as acks
from bybitd.simulator.wire.acknowledgements import FUTURES, OPTION, PRIVATE, SPOT, Asked

ID = "0970e817-426e-429a-a679-ff7f55e0b16a"
SAMPLES = Path(__file__).parents[3] / "../shared/bybit-v5/samples"


def test_a_spot_pong_has_a_req_id_only_if_one_was_sent():
    assert SPOT.pong(ID, Asked(op="ping"), 1) == {
        "success": True,
        "ret_msg": "pong",
        "conn_id": ID,
        "op": "ping",
    }
    assert SPOT.pong(ID, Asked(op="ping", req_id="a"), 1)["req_id"] == "a"


def test_a_futures_pong_always_has_a_req_id():
    assert FUTURES.pong(ID, Asked(op="ping"), 1)["req_id"] == ""
    assert FUTURES.pong(ID, Asked(op="ping", req_id="a"), 1)["req_id"] == "a"


def test_option_private_and_trade_pongs_tell_the_time():
    assert OPTION.pong(ID, Asked(op="ping", req_id="a"), 17) == {"args": ["17"], "op": "pong"}
    assert PRIVATE.pong(ID, Asked(op="ping"), 17) == {"op": "pong", "args": ["17"], "conn_id": ID}
    assert acks.trade_pong(ID, 17)["data"] == ["17"]


def test_the_spot_acknowledgement_says_subscribe_and_the_futures_one_nothing():
    asked = Asked(op="subscribe", req_id="x", args=("orderbook.1.BTCUSDT",))
    assert SPOT.success(ID, asked)["ret_msg"] == "subscribe"
    assert FUTURES.success(ID, asked)["ret_msg"] == ""


def test_the_option_acknowledgement_names_topics_and_neither_op_nor_req_id():
    reply = OPTION.success(ID, Asked(op="subscribe", req_id="x", args=("a", "b")))
    assert reply["data"] == {"failTopics": [], "successTopics": ["a", "b"]}
    assert not {"op", "req_id", "ret_msg"} & set(reply)


def test_a_private_refusal_of_some_topics_lists_both_kinds():
    assert acks.partly_failed([], ["ticketInfo"]) == (
        "Batch subscription partially succeeded and partially failed.Successful subscriptions "
        "are as follows:[]. Subscription to the following topics failed because the topic does "
        "not exist or there is a subscription conflict:[ticketInfo]."
    )


def test_an_unknown_trade_operation_is_answered_with_an_empty_text():
    reply = acks.trade_unknown_op(ID, op="subscribe", req_id="r")
    assert reply == {"op": "subscribe", "reqId": "r", "retCode": 10404, "retMsg": "", "connId": ID}


def test_text_that_is_not_json_is_quoted_in_part():
    text = acks.not_json("hello " * 100)
    assert text.startswith("Failed to decode incoming data:readObjectStart")
    assert len(text) < 250


OURS = {
    "ws-connect/pong-spot": lambda c: SPOT.pong(c, Asked(op="ping"), 0),
    "ws-connect/pong-linear-inverse": lambda c: FUTURES.pong(c, Asked(op="ping"), 0),
    "ws-connect/pong-option-spread": lambda c: OPTION.pong(c, Asked(op="ping"), 1672916271846),
    "ws-connect/pong-private": lambda c: PRIVATE.pong(
        c, Asked(op="ping", req_id="test"), 1675418560633
    ),
    "ws-connect/subscribe-ack-spot": lambda c: SPOT.success(
        c, Asked(op="subscribe", req_id="10001")
    ),
    "ws-connect/subscribe-ack-linear-inverse": lambda c: FUTURES.success(c, Asked(op="subscribe")),
    "ws-connect/subscribe-ack-option-spread": lambda c: OPTION.success(
        c, Asked(op="subscribe", args=("orderbook.100.BTC-6JAN23-18000-C",))
    ),
    "ws-connect/subscribe-ack-private": lambda c: PRIVATE.success(c, Asked(op="subscribe")),
    "ws-connect/auth-resp-private": lambda c: PRIVATE.success(c, Asked(op="auth")),
    "ws-trade/auth-resp": lambda c: acks.trade_reply(c, op="auth", ret_code=0, ret_msg="OK"),
    "ws-trade/pong-resp": lambda c: acks.trade_pong(c, 1711002002529),
}


@pytest.mark.parametrize("name", OURS)
def test_a_reply_equals_the_documented_sample_in_keys_values_and_order(name):
    path = SAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip("the samples of the documentation are not here")
    sample = json.loads(path.read_text())
    ours = OURS[name](sample.get("conn_id") or sample.get("connId"))
    assert ours == sample
    assert list(ours) == list(sample)
