import pytest

from bybitd.public_feed.derived.catalogue import derived
from bybitd.public_feed.offered import is_prefix
from bybitd.venue.errors import TopicError

OPTION = "BTC-26DEC26-100000-C"


@pytest.mark.parametrize(
    ("stream", "name", "source"),
    [
        ("linear", "bbo.BTCUSDT", "orderbook.1.BTCUSDT"),
        ("spot", "bbo.BTCUSDT", "orderbook.1.BTCUSDT"),
        ("option", f"bbo.{OPTION}", f"orderbook.25.{OPTION}"),
        ("linear", "book.200.BTCUSDT", "orderbook.200.BTCUSDT"),
        ("option", f"book.100.{OPTION}", f"orderbook.100.{OPTION}"),
        ("linear", "funding.BTCUSDT", "tickers.BTCUSDT"),
        ("option", f"delivery.{OPTION}", f"tickers.{OPTION}"),
        ("inverse", "openInterest.BTCUSD", "tickers.BTCUSD"),
        ("inverse", "liquidation.BTCUSD", "allLiquidation.BTCUSD"),
        ("linear", "insurance.BTCUSDT", "insurance.USDT"),
        ("linear", "insurance.BTCUSDT-26DEC26", "insurance.USDT"),
        ("linear", "insurance.BTCPERP", "insurance.USDC"),
        ("linear", "insurance.BTC-26DEC26", "insurance.USDC"),
        ("inverse", "insurance.BTCUSD", "insurance.inverse"),
        ("inverse", "ticker.BTCUSD", "tickers.BTCUSD"),
        ("linear", "markPrice.1.BTCUSDT", "tickers.BTCUSDT"),
        ("inverse", "indexPrice.W.BTCUSD", "tickers.BTCUSD"),
        ("option", f"markPrice.D.{OPTION}", f"tickers.{OPTION}"),
        ("spread", "ticker.BTCUSDT_SOL/USDT", "tickers.BTCUSDT_SOL/USDT"),
    ],
)
def test_a_derived_topic_follows_a_topic_of_the_exchange(stream, name, source):
    topic = derived(stream, name)
    assert (topic.name, topic.source, topic.stream) == (name, source, stream)


@pytest.mark.parametrize(
    "name",
    [
        "tickers.BTCUSDT",
        "orderbook.1.BTCUSDT",
        "insurance.USDT",
        "insurance.inverse",
        "bbos.X",
        "",
        "order",
    ],
)
def test_the_exchanges_own_topics_and_mistakes_are_no_derived_ones(name):
    assert derived("linear", name) is None


@pytest.mark.parametrize(
    ("stream", "name", "problem", "hint"),
    [
        ("linear", "bbo.btcusdt", "symbols are upper case", "use bbo.BTCUSDT"),
        ("linear", "ticker", "the symbol is missing", "use ticker.<symbol>"),
        ("linear", "bbo.A.B", "'A.B' is no symbol", ""),
        ("linear", "book.50.btcusdt", "symbols are upper case", "use book.50.BTCUSDT"),
        ("linear", "book.50", "the symbol is missing", "use book.50.<symbol>"),
        (
            "option",
            f"book.50.{OPTION}",
            "no book of depth '50'",
            "use book.<depth>.<symbol>; depths are 25, 100",
        ),
        (
            "spot",
            "book.rpi.BTCUSDT",
            "no book of depth 'rpi'",
            "use book.<depth>.<symbol>; depths are 1, 50, 200, 1000",
        ),
        ("spot", "funding.BTCUSDT", "spot has no funding", "it exists on linear, inverse"),
        (
            "option",
            f"insurance.{OPTION}",
            "option has no insurance",
            "it exists on linear, inverse",
        ),
        (
            "spot",
            "openInterest.BTCUSDT",
            "spot has no openInterest",
            "it exists on linear, inverse, option",
        ),
        ("linear", "insurance.btcusdt", "symbols are upper case", "use insurance.BTCUSDT"),
        ("linear", "liquidation.btcusdt", "symbols are upper case", "use liquidation.BTCUSDT"),
        (
            "linear",
            "markPrice.7.BTCUSDT",
            "interval '7' does not exist",
            "use markPrice.<interval>.<symbol>; intervals are "
            "1, 3, 5, 15, 30, 60, 120, 240, 360, 720, D, W, M",
        ),
        (
            "linear",
            "markPrice.BTCUSDT",
            "interval 'BTCUSDT' does not exist",
            "use markPrice.<interval>.<symbol>; intervals are "
            "1, 3, 5, 15, 30, 60, 120, 240, 360, 720, D, W, M",
        ),
        ("linear", "markPrice.5", "the symbol is missing", "use markPrice.5.<symbol>"),
        ("inverse", "indexPrice.1.btcusd", "symbols are upper case", "use indexPrice.1.BTCUSD"),
        (
            "option",
            f"indexPrice.1.{OPTION}",
            "option has no indexPrice",
            "it exists on linear, inverse",
        ),
        (
            "spot",
            "markPrice.1.BTCUSDT",
            "spot has no markPrice",
            "it exists on linear, inverse, option",
        ),
        ("option", "bbo.BTC", "'BTC' is no option symbol", "such as BTC-26DEC26-100000-C"),
    ],
)
def test_one_that_can_not_exist_is_refused_with_what_would_be_right(stream, name, problem, hint):
    with pytest.raises(TopicError) as caught:
        derived(stream, name)
    assert (caught.value.topic, caught.value.hint) == (name, hint)
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("stream", "name"),
    [("linear", "bbo"), ("option", "ticker"), ("option", "book"), ("spot", "book.50")],
)
def test_its_beginning_is_a_prefix(stream, name):
    assert is_prefix(stream, name)
