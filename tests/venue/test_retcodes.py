from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.venue.retcodes import _TABLE, CODES, IP_BAN, Reaction, explain, http_status, outcome


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (0, "accepted"),
        (110043, "accepted"),
        (10001, "rejected"),
        (10006, "rejected"),
        (110007, "rejected"),
        (110001, "rejected"),
        (10000, "unknown"),
        (10014, "unknown"),
        (10016, "unknown"),
        (170007, "unknown"),
        (170146, "unknown"),
        (20006, "unknown"),
        (500123, "unknown"),
    ],
)
def test_a_code_says_what_became_of_the_request(code: int, says: str) -> None:
    assert outcome(code) == says


@given(st.integers().filter(lambda code: code not in CODES))
def test_a_code_that_is_not_known_never_claims_to_know(code: int) -> None:
    assert outcome(code) == "unknown"
    assert not explain(code).retry_safe


def test_only_what_was_certainly_not_executed_may_be_sent_again() -> None:
    for entry in CODES.values():
        if entry.retry_safe:
            assert entry.outcome == "rejected"
    assert explain(10006).retry_safe
    assert explain(10002).reaction is Reaction.CLOCK
    assert not explain(110007).retry_safe
    assert not explain(10016).retry_safe


@pytest.mark.parametrize("code", [110072, 170141])
def test_a_duplicate_order_link_id_is_not_taken_for_a_rejection(code: int) -> None:
    entry = explain(code)
    assert entry.reaction is Reaction.DUPLICATE
    assert entry.outcome == "unknown"


def test_every_code_has_a_meaning_and_stands_in_the_table_once() -> None:
    assert all(entry.meaning and entry.code == code for code, entry in CODES.items())
    written = [word for row in _TABLE.values() for codes in row for word in codes.split()]
    assert len(written) == len(set(written)) == len(CODES)


def test_http_403_is_a_ban_only_when_it_says_so() -> None:
    assert http_status(403, "<p>access too frequent</p>") is IP_BAN
    assert IP_BAN.retry_safe
    assert http_status(403, "forbidden").reaction is Reaction.FATAL


@pytest.mark.parametrize("status", [302, 408, 429, 499, 500, 502, 503, 504])
def test_an_http_status_that_does_not_say_that_nothing_happened_is_unknown(status: int) -> None:
    assert http_status(status).outcome == "unknown"


@pytest.mark.parametrize("status", [400, 401, 404])
def test_an_http_status_of_a_malformed_request_is_a_rejection(status: int) -> None:
    assert http_status(status).outcome == "rejected"
