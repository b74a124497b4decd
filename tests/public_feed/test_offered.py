import pytest

from bybitd.public_feed.offered import is_prefix, offered
from bybitd.venue.errors import TopicError


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        ("linear", "orderbook"),
        ("linear", "orderbook.50"),
        ("linear", "orderbook.rpi"),
        ("linear", "kline"),
        ("linear", "kline.5"),
        ("linear", "tickers"),
        ("linear", "insurance"),
        ("inverse", "adlAlert"),
        ("option", "orderbook"),
        ("option", "orderbook.25"),
        ("option", "publicTrade"),
        ("option", "tickers"),
        ("spread", "orderbook.25"),
        ("spot", "orderbook.full"),
        ("linear", "markPrice"),
        ("linear", "indexPrice.5"),
        ("option", "markPrice.D"),
    ],
)
def test_the_beginning_of_topics_that_exist_is_a_prefix(stream, name):
    assert is_prefix(stream, name)


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        ("linear", "orderbook.51"),
        ("linear", "orderbooks"),
        ("linear", "kline.7"),
        ("option", "kline"),
        ("option", "orderbook.50"),
        ("spot", "insurance"),
        ("linear", "tickers.btcusdt"),
        ("linear", "order"),
        ("option", "orderbook.full"),
        ("option", "indexPrice.1"),
        ("linear", "markPrice.7"),
    ],
)
def test_the_beginning_of_nothing_is_no_prefix(stream, name):
    assert not is_prefix(stream, name)


@pytest.mark.parametrize("stream", ["spot", "linear", "inverse"])
def test_full_books_are_served_where_the_exchange_has_them(stream):
    assert offered(stream, "orderbook.full.X").name == "orderbook.full.X"
    with pytest.raises(TopicError):
        offered("option", "orderbook.full.BTC-26DEC26-100000-C")
