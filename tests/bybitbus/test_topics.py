from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitbus import topics
from bybitbus.errors import TopicError

tokens = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="."),
    min_size=1,
    max_size=12,
)
streams = st.one_of(
    st.sampled_from(["spot", "linear", "inverse", "option", "gateway"]),
    tokens.map(lambda account: f"private.{account}"),
)
names = st.lists(tokens, min_size=1, max_size=5).map(".".join)


@given(streams, names)
def test_a_topic_that_was_joined_splits_into_the_same_parts(stream: str, name: str) -> None:
    topic = topics.join(stream, name)
    assert topics.split(topic) == (stream, name)
    assert str(topics.split(topic)) == topic


@given(streams, names)
def test_a_missing_closing_dot_is_understood(stream: str, name: str) -> None:
    assert topics.split(f"{stream}.{name}") == topics.split(f"{stream}.{name}.")


@given(streams, names, names)
def test_a_topic_is_the_prefix_of_no_other_unless_at_a_token_boundary(
    stream: str, name: str, longer: str
) -> None:
    topic = topics.join(stream, name)
    other = topics.join(stream, name + longer)  # another symbol that begins alike
    assert not other.startswith(topic)


@given(st.text(max_size=300))
def test_any_text_splits_or_is_refused_and_nothing_else(text: str) -> None:
    with suppress(TopicError):
        topic = topics.split(text)
        assert str(topic).removesuffix(".") == text.removesuffix(".")


@pytest.mark.parametrize(
    ("topic", "problem"),
    [
        ("", "empty token"),
        (".", "empty token"),
        ("linear", "stream only"),
        ("linear.", "stream only"),
        ("private.main.", "stream only"),
        ("linear..BTCUSDT.", "empty token"),
        ("linear.tickers.BTCUSDT..", "empty token"),
        ("linear.tickers.BTC USDT.", "printable ASCII"),
        ("linear.tickers.BTCÜSDT.", "printable ASCII"),
        ("linear.tickers.BTC\n.", "printable ASCII"),
        ("linear." + "x" * 300, "longer than 255"),
    ],
)
def test_a_topic_that_breaks_the_grammar_is_refused_and_told_why(topic: str, problem: str) -> None:
    with pytest.raises(TopicError, match=problem):
        topics.split(topic)


def test_the_stream_of_a_private_topic_has_two_tokens() -> None:
    assert topics.split("private.main.order.") == ("private.main", "order")
    assert topics.split("gateway.order.main.") == ("gateway", "order.main")
