from __future__ import annotations

import pytest

from bybitbus import codec
from bybitbus.codes import Code, Outcome
from bybitbus.correlation import Correlation, deadline_for, not_sent
from bybitbus.errors import CodecError, Refused
from bybitbus.messages import Reply


def reply_to(request_id: str) -> bytes:
    return codec.encode(Reply(id=request_id, ok=True))


def test_a_request_has_an_id_of_its_own_and_carries_the_name_of_the_client() -> None:
    correlation = Correlation("a", "maker")
    sent = [correlation.compose("order.cancel", {"n": n}, "main", 5) for n in range(2)]
    decoded = [codec.decode_request(body) for _, body in sent]
    assert [request_id for request_id, _ in sent] == [request.id for request in decoded]
    assert decoded[0].id != decoded[1].id
    assert (decoded[1].client, decoded[1].args, decoded[1].deadline_ms) == ("maker", {"n": 1}, 5)
    assert len(correlation) == 2


def test_replies_match_in_any_order_and_once() -> None:
    correlation = Correlation("a")
    first, second = (correlation.compose("x", None, "main", None)[0] for _ in range(2))
    for request_id in (second, first):
        reply = correlation.match(reply_to(request_id))
        assert reply is not None
        assert reply.id == request_id
    assert correlation.match(reply_to(first)) is None
    assert (correlation.late, len(correlation)) == (1, 0)


def test_a_reply_to_a_request_that_was_given_up_is_dropped() -> None:
    correlation = Correlation("a")
    request_id, _ = correlation.compose("x", None, "main", None)
    correlation.give_up(request_id)
    assert correlation.match(reply_to(request_id)) is None
    assert correlation.late == 1


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x80", b"\x90", b"\x91" * 100_000])
def test_what_is_no_reply_is_counted(body: bytes) -> None:
    correlation = Correlation("a")
    assert correlation.match(body) is None
    assert correlation.malformed == 1


def test_a_request_that_would_be_too_large_is_refused_here_and_not_waited_for() -> None:
    correlation = Correlation("a")
    with pytest.raises(Refused) as raised:
        correlation.compose("x", {"a": "x" * codec.MAX_REQUEST_BYTES}, "main", None)
    assert raised.value.code == Code.TOO_LARGE
    assert raised.value.outcome is Outcome.REJECTED
    assert len(correlation) == 0


@pytest.mark.parametrize("value", [object(), 2**64, -(2**63) - 1])
def test_a_value_that_the_wire_has_no_form_for_is_refused_here(value: object) -> None:
    correlation = Correlation("a")
    with pytest.raises(CodecError, match="args"):
        correlation.compose("x", {"a": value}, "main", None)
    assert len(correlation) == 0


def test_the_deadline_of_a_patient_caller_is_a_moment_before_the_patience_ends() -> None:
    now_ms = 1_795_478_460_118
    assert deadline_for(1000, now_ms) == now_ms + 900


def test_a_request_that_nobody_listened_to_is_certainly_not_done_and_may_be_sent_again() -> None:
    refused = not_sent("order.create", "ipc:///x/bus.requests", 250)
    assert (refused.outcome, refused.retry_safe) == (Outcome.REJECTED, True)
    assert "/x/bus.requests" in str(refused)
    assert "BYBITD_RUN_DIR" in str(refused)
