import pytest

from bybitd.errors import ConfigError
from bybitd.public_feed.configured import always_on


def test_a_configured_topic_may_be_written_in_either_way_and_counts_once():
    written = ("tickers.BTCUSDT", "linear.tickers.BTCUSDT.", "linear.orderbook.50.BTCUSDT")
    assert always_on("linear", written) == ("tickers.BTCUSDT", "orderbook.50.BTCUSDT")


def test_a_wrong_configured_topic_is_named_with_its_place_and_what_would_be_right():
    with pytest.raises(ConfigError) as caught:
        always_on("option", ("tickers.BTC-26DEC26-100000-C", "orderbook.50.BTC-26DEC26-100000-C"))
    assert caught.value.where == "feeds.option.topics[1]"
    assert "depth '50'" in caught.value.problem
    assert "25, 100" in caught.value.hint
