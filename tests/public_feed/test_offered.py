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
    ],
)
def test_the_beginning_of_nothing_is_no_prefix(stream, name):
    assert not is_prefix(stream, name)


def test_a_book_that_can_not_be_seeded_yet_is_refused_with_the_one_to_use():
    with pytest.raises(TopicError) as caught:
        offered("spot", "orderbook.full.BTCUSDT")
    assert caught.value.hint == "use orderbook.1000.BTCUSDT"
