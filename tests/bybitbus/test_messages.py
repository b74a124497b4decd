from __future__ import annotations

import pytest

from bybitbus.codes import Code, Origin, Outcome
from bybitbus.errors import Refused
from bybitbus.messages import Reply, Request, gateway_error

NOW_MS = 1_795_478_460_118


@pytest.mark.parametrize(
    ("deadline_ms", "moment_ms"),
    [
        (None, None),
        (0, NOW_MS),
        (2500, NOW_MS + 2500),
        (NOW_MS + 7, NOW_MS + 7),
        (NOW_MS - 1, NOW_MS - 1),
        (99_999_999_999, NOW_MS + 99_999_999_999),
        (100_000_000_000, 100_000_000_000),
    ],
)
def test_a_small_deadline_is_a_duration_and_a_large_one_a_moment(
    deadline_ms: int | None, moment_ms: int | None
) -> None:
    request = Request(id="1", op="x", deadline_ms=deadline_ms)
    assert request.deadline_at_ms(NOW_MS) == moment_ms


def test_a_good_reply_unwraps_to_its_result() -> None:
    assert Reply(id="1", ok=True, result={"a": 1}).unwrap("x") == {"a": 1}


def test_a_bad_reply_unwraps_to_an_error_with_every_field_of_the_wire() -> None:
    error = gateway_error(Code.BUSY, "too much", hint="wait", retry_safe=True)
    with pytest.raises(Refused, match=r"order\.create: too much \(wait\)") as raised:
        Reply(id="1", ok=False, error=error).unwrap("order.create")
    refused = raised.value
    assert (refused.code, refused.origin, refused.outcome) == ("busy", "gateway", "rejected")
    assert refused.retry_safe
    assert refused.hint == "wait"
    assert refused.exchange is None


def test_an_error_without_a_body_is_of_unknown_outcome_and_never_a_refusal() -> None:
    with pytest.raises(Refused) as raised:
        Reply(id="1", ok=False).unwrap("order.create")
    assert raised.value.outcome is Outcome.UNKNOWN
    assert raised.value.origin is Origin.GATEWAY
    assert not raised.value.retry_safe


def test_an_error_names_its_op_once_also_where_the_message_does() -> None:
    for message in ("order.create: no such symbol", "no such symbol"):
        error = Refused(
            "order.create",
            code="bad_args",
            message=message,
            origin="gateway",
            outcome=Outcome.REJECTED,
            retry_safe=False,
        )
        assert str(error) == "order.create: no such symbol"
