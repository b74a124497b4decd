"""Which subscriptions no program could ever answer."""

from __future__ import annotations

import pytest

from bybitbus.topics import split
from bybitd.bus.streams import Streams
from bybitd.settings import CATEGORIES, Account, Feed, Feeds, Settings


@pytest.fixture
def streams() -> Streams:
    return Streams(
        Settings(
            feeds=Feeds(option=Feed(enabled=False)),
            accounts={"main": Account(), "hedge": Account()},
        )
    )


@pytest.mark.parametrize(
    "topic",
    [
        "linear.orderbook.50.BTCUSDT.",
        "spot.nonsense.",  # the feed knows what exists within its stream
        "private.hedge.order.",
        "gateway.status.bus.",
        "system.system.status.",
        "gateway.rejected.lineer.x.",
    ],
)
def test_a_stream_that_is_served_is_left_to_its_program(streams: Streams, topic: str) -> None:
    assert streams.refuse(split(topic)) is None


@pytest.mark.parametrize(
    ("topic", "problem", "hint"),
    [
        ("lineer.tickers.BTCUSDT.", "'lineer'", "'linear'"),
        ("option.tickers.BTC.", "switched off", "feeds.option.enabled"),
        ("private.mian.order.", "'mian'", "hedge, main"),
        ("qqqqq.x.", "'qqqqq'", "served here: gateway"),
    ],
)
def test_a_stream_that_nobody_serves_is_refused_with_what_would_be_right(
    streams: Streams, topic: str, problem: str, hint: str
) -> None:
    refusal = streams.refuse(split(topic))
    assert refusal is not None
    assert problem in refusal.problem
    assert hint in refusal.hint


def test_announcements_need_a_feed_to_carry_them() -> None:
    off = Feed(enabled=False)
    nobody = Streams(Settings(feeds=Feeds(**dict.fromkeys(CATEGORIES, off))))
    refusal = nobody.refuse(split("system.system.status."))
    assert refusal is not None
    assert "switched off" in refusal.problem
    assert "feeds.<category>.enabled" in refusal.hint


@pytest.mark.parametrize("prefix", ["", "lin", "linear", "linear.", "private.", "private.hedge."])
def test_the_beginning_of_a_stream_sees_what_flows(streams: Streams, prefix: str) -> None:
    assert streams.refuse_prefix(prefix, "x") is None


@pytest.mark.parametrize("prefix", ["option.", "linear..x", "privat.", "x y", "\x00", "private.m."])
def test_a_prefix_that_can_match_nothing_is_refused(streams: Streams, prefix: str) -> None:
    refusal = streams.refuse_prefix(prefix, "has an empty token")
    assert refusal is not None
    assert refusal.problem == "has an empty token"
