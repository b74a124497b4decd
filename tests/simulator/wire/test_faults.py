"""Faults are armed by name, last as long as they say and are used up as they say."""

import pytest

from bybitd.simulator.wire import faults as faulty
from bybitd.simulator.wire import order_faults, topic_faults
from bybitd.simulator.wire.faults import FaultError, Faults, covers, parse


def armed(name, /, now_ms=0, **fields):
    faults = Faults()
    faults.arm(parse(name, fields), now_ms)
    return faults


def test_an_unknown_fault_is_refused_with_the_list_of_known_ones():
    with pytest.raises(FaultError, match=r"no fault is called 'explode'.*clock_skew.*stall"):
        parse("explode", {})


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        ("cut", {"scop": "all"}, "scop"),
        ("cut", {"scope": "linar"}, "linar"),
        ("drop", {"category": "linear"}, "topic"),
        ("drop", {"category": "linear", "topic": "t", "count": 0}, ">= 1"),
        ("delay", {"ms": "5"}, "int"),
        ("garbage", {"kind": "binary"}, "binary"),
        ("bad_book", {"category": "linear", "topic": "t", "kind": "odd"}, "odd"),
        ("cut", {"count": -1}, ">= 0"),
    ],
)
def test_fields_that_do_not_fit_are_named_together_with_those_that_would(name, fields, text):
    with pytest.raises(FaultError, match=text) as caught:
        parse(name, fields)
    assert f"fault {name!r}" in str(caught.value)
    assert "its fields: " in str(caught.value)


def test_every_known_fault_stands_in_the_description():
    for name in faulty.KNOWN:
        assert f"| `{name}` |" in faulty.__doc__ + topic_faults.__doc__ + order_faults.__doc__


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ("all", {"linear", "status", "private", "trade", "rest"}),
        ("public", {"linear", "status"}),
        ("linear", {"linear"}),
        ("trade", {"trade"}),
    ],
)
def test_a_scope_covers_its_kinds_of_connections(scope, covered):
    kinds = ("linear", "status", "private", "trade", "rest")
    assert {kind for kind in kinds if covers(scope, kind)} == covered


def test_a_stall_ends_by_itself_and_without_a_length_lasts_until_cleared():
    faults = armed("stall", now_ms=1_000, scope="private", seconds=2)
    assert faults.stalled_until_ms("private", 2_999) == 3_000
    assert faults.stalled_until_ms("private", 3_000) is None
    assert faults.stalled_until_ms("trade", 1_000) is None
    endless = armed("stall")
    assert endless.stalled_until_ms("trade", 10**15) is not None
    endless.arm(parse("clear", {}), 0)
    assert endless.stalled_until_ms("trade", 0) is None


def test_the_longest_delay_that_covers_a_connection_counts():
    faults = armed("delay", ms=20)
    faults.arm(parse("delay", {"ms": 50, "scope": "trade"}), 0)
    assert (faults.delay_ms("trade"), faults.delay_ms("rest")) == (50, 20)
    faults.arm(parse("delay", {"ms": 0, "scope": "trade"}), 0)
    assert faults.delay_ms("trade") == 20


def test_messages_of_one_topic_are_lost_and_then_doubled():
    faults = armed("drop", category="linear", topic="t", count=2)
    faults.arm(parse("repeat", {"category": "linear", "topic": "t"}), 0)
    assert sent(faults, "ab", category="spot") == ["a", "b"]
    assert sent(faults, "abcde") == ["", "", "cc", "d", "e"]


def sent(faults, messages, category="linear", topic="t", now_ms=0):
    """What is sent for each of these messages of a topic."""
    return [
        b"".join(faults.topics.outgoing(category, topic, message.encode(), now_ms)).decode()
        for message in messages
    ]


def test_a_message_changes_places_with_the_one_that_follows():
    faults = armed("reorder", category="linear", topic="t", count=2)
    assert sent(faults, "abcde") == ["", "ba", "", "dc", "e"]
    faults.arm(parse("reorder", {"category": "linear", "topic": "t"}), 0)
    assert sent(faults, "a") == [""]
    assert faults.describe(0)["topics"][0]["held"] is True


def test_a_muted_topic_says_nothing_until_its_time_is_over():
    faults = armed("mute", category="linear", topic="t", seconds=2)
    assert faults.topics.muted("linear", "t", 1_999)
    assert sent(faults, "a", now_ms=1_999) == [""]
    assert not faults.topics.muted("linear", "t", 2_000)
    assert sent(faults, "b", now_ms=2_000) == ["b"]
    assert not faults.topics.muted("spot", "t", 0)


def test_a_topic_is_refused_until_cleared():
    faults = armed("refuse_topic", category="linear", topic="t")
    assert faults.topics.refuses("linear", "t", 10**15)
    assert not faults.topics.refuses("linear", "u", 0)
    faults.arm(parse("clear", {}), 0)
    assert not faults.topics.refuses("linear", "t", 0)


def test_the_first_messages_of_so_many_subscribers_are_late():
    faults = armed("delay_first", category="linear", topic="t", ms=70, count=2)
    delays = [faults.topics.delay_of_first("linear", "t") for _ in range(3)]
    assert [delay and delay.ms for delay in delays] == [70, 70, None]


def test_a_ban_of_the_address_ends_by_itself_and_replies_are_cut_one_by_one():
    faults = armed("ip_ban", seconds=3)
    assert faults.bans(2_999)
    assert faults.describe(2_999)["ip_banned"] is True
    assert not faults.bans(3_000)
    faults.arm(parse("truncate", {"path": "/v5/market/"}), 0)
    calls = [faults.truncates(path) for path in ("/v5/order/x", "/v5/market/time") * 2]
    assert calls == [False, True, False, False]


def test_an_http_status_is_given_to_the_next_calls_below_a_path():
    faults = armed("http", status=503, count=2, path="/v5/order/")
    assert faults.next_http("/v5/market/time") is None
    calls = [faults.next_http("/v5/order/create") for _ in range(3)]
    assert calls == [503, 503, None]


def test_what_lasts_can_be_described():
    faults = armed("clock_skew", ms=-700)
    faults.arm(parse("refuse_connect", {"scope": "linear", "seconds": 5}), 0)
    faults.arm(parse("answer", {"code": 10006}), 0)
    described = faults.describe(1_000)
    assert described["clock_skew_ms"] == -700
    assert described["refusing"] == ["linear"]
    assert described["orders"][0]["code"] == 10006
    assert faults.describe(6_000)["refusing"] == []
