import pytest

from bybitd.errors import ConfigError
from bybitd.public_feed.configured import always_on
from bybitd.public_feed.share import Share


def test_a_configured_topic_may_be_written_in_either_way_and_counts_once():
    written = ("tickers.BTCUSDT", "linear.tickers.BTCUSDT.", "linear.orderbook.50.BTCUSDT")
    assert always_on(Share("linear"), written) == ("tickers.BTCUSDT", "orderbook.50.BTCUSDT")


def test_a_wrong_configured_topic_is_named_with_its_place_and_what_would_be_right():
    with pytest.raises(ConfigError) as caught:
        always_on(
            Share("option"), ("tickers.BTC-26DEC26-100000-C", "orderbook.50.BTC-26DEC26-100000-C")
        )
    assert caught.value.where == "feeds.option.topics[1]"
    assert "depth '50'" in caught.value.problem
    assert "25, 100" in caught.value.hint


def test_a_share_keeps_its_own_topics_on_and_still_refuses_a_wrong_one_of_another():
    written = ("tickers.BTCUSDT", "tickers.XRPUSDT", "bbo.BTCUSDT")
    assert always_on(Share("linear", 1, 2), written) == ("tickers.XRPUSDT",)
    assert always_on(Share("linear", 2, 2), written) == ("tickers.BTCUSDT", "bbo.BTCUSDT")
    with pytest.raises(ConfigError):
        always_on(Share("linear", 1, 2), ("orderbook.51.BTCUSDT",))
