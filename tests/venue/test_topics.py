from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.venue.errors import TopicError
from bybitd.venue.topics import PUBLIC_STREAMS, Kind, check, check_private, split

EXISTING = [
    ("spot", "orderbook.1.BTCUSDT"),
    ("spot", "orderbook.1000.BTCUSDT"),
    ("spot", "orderbook.full.BTCUSDT"),
    ("spot", "publicTrade.BTCUSDT"),
    ("spot", "tickers.BTCUSDT"),
    ("spot", "kline.720.BTCUSDT"),
    ("spot", "priceLimit.BTCUSDT"),
    ("linear", "orderbook.50.BTCUSDT"),
    ("linear", "orderbook.200.BTC-26DEC26"),
    ("linear", "orderbook.rpi.1000PEPEUSDT"),
    ("linear", "allLiquidation.BTCUSDT"),
    ("linear", "insurance.USDC"),
    ("linear", "adlAlert.USDT"),
    ("inverse", "kline.M.BTCUSD"),
    ("inverse", "insurance.inverse"),
    ("option", "orderbook.25.BTC-26DEC26-100000-C"),
    ("option", "orderbook.100.BTC-26DEC26-100000-P-USDT"),
    ("option", "publicTrade.BTC"),
    ("option", "tickers.BTC-26DEC26-100000-C"),
    ("spread", "orderbook.25.SOLUSDT_SOL/USDT"),
    ("spread", "publicTrade.SOLUSDT_SOL/USDT"),
    ("spread", "tickers.SOLUSDT_SOL/USDT"),
    ("system", "system.status"),
]
WRONG = [
    ("linear", "orderbook.500.BTCUSDT", "depth 500 was removed .* depths are 1, 50, 200, 1000"),
    ("linear", "orderbook.25.BTCUSDT", "no book of depth '25'; depths are 1, 50, 200, 1000"),
    ("option", "orderbook.50.BTC-26DEC26-100000-C", "depths are 25, 100"),
    ("linear", "orderbook.BTCUSDT", "no book of depth 'BTCUSDT'"),
    ("linear", "orderbook.50.", "the symbol is missing; use orderbook.50.<symbol>"),
    ("linear", "orderbook.50.btcusdt", "upper case; use orderbook.50.BTCUSDT"),
    ("linear", "publicTrade", "the symbol is missing; use publicTrade.<symbol>"),
    ("linear", "kline.2.BTCUSDT", "interval '2' does not exist; use 1 3 5"),
    ("option", "publicTrade.BTC-26DEC26-100000-C", "per base coin; use publicTrade.BTC$"),
    ("option", "tickers.BTC", "'BTC' is no option symbol"),
    ("option", "kline.5.BTC-26DEC26-100000-C", "option has no kline; option has orderbook"),
    ("spot", "allLiquidation.BTCUSDT", "spot has no allLiquidation"),
    ("linear", "liquidation.BTCUSDT", "use allLiquidation"),
    ("linear", "insurance.BTCUSDT", "per pool group.*use insurance.USDT or insurance.USDC"),
    ("linear", "adlAlert", "use adlAlert.USDT"),
    ("linear", "markPrice.1.BTCUSDT", "the value is in tickers"),
    ("linear", "order", "private topic"),
    ("linear", "wallet", "private topic"),
    ("linear", "ticker.BTCUSDT", "did you mean 'tickers'"),
    ("linear", "system.status", "only topic of the stream 'system'"),
    ("system", "tickers.BTCUSDT", "only topic of the stream 'system'"),
    ("futures", "tickers.BTCUSDT", "streams are spot, linear"),
    ("linear", "tickers.BTC USDT", "is no symbol"),
    ("linear", "tickers.BTC.USDT", "is no symbol"),
    ("linear", "", "does not exist"),
    ("linear", "tickers." + "A" * 65, "is no symbol"),
]


@pytest.mark.parametrize(("stream", "name"), EXISTING)
def test_a_topic_of_the_catalogue_is_parsed_and_keeps_its_name(stream: str, name: str) -> None:
    topic = check(stream, name)
    assert topic.name == name
    assert topic.stream == stream


@pytest.mark.parametrize(("stream", "name", "says"), WRONG)
def test_a_topic_that_can_not_exist_is_refused_with_what_would_be_right(
    stream: str, name: str, says: str
) -> None:
    with pytest.raises(TopicError, match=says) as caught:
        check(stream, name)
    assert (caught.value.stream, caught.value.topic) == (stream, name)


@given(st.sampled_from(PUBLIC_STREAMS), st.text(max_size=60))
def test_no_text_makes_the_check_fail_otherwise_than_by_a_topic_error(
    stream: str, name: str
) -> None:
    try:
        topic = check(stream, name)
    except TopicError:
        return
    assert topic.name == name


def test_the_name_is_cut_into_kind_parameter_and_subject() -> None:
    assert split("orderbook.50.BTCUSDT") == (Kind.BOOK, "50", "BTCUSDT")
    assert split("orderbook.rpi.BTCUSDT") == (Kind.RPI_BOOK, "", "BTCUSDT")
    assert split("kline.D.BTCUSDT") == (Kind.KLINE, "D", "BTCUSDT")
    assert split("publicTrade.BTC") == (Kind.TRADES, "", "BTC")
    assert split("order") is None


def test_a_level_1_book_is_stale_after_its_repeats_were_missed_and_a_deep_one_never() -> None:
    first = check("linear", "orderbook.1.BTCUSDT").behaviour
    assert first.snapshot_only
    assert first.silence_ms is not None
    assert first.silence_ms > 3000
    deep = check("linear", "orderbook.50.BTCUSDT").behaviour
    assert deep.silence_ms is None
    assert not deep.snapshot_only


def test_tickers_are_merged_only_where_the_exchange_sends_deltas() -> None:
    assert not check("linear", "tickers.BTCUSDT").behaviour.snapshot_only
    assert check("spot", "tickers.BTCUSDT").behaviour.snapshot_only
    assert check("option", "tickers.BTC-26DEC26-100000-C").behaviour.snapshot_only


def test_trades_have_no_state_to_repeat() -> None:
    assert not check("linear", "publicTrade.BTCUSDT").behaviour.has_state
    assert check("linear", "kline.1.BTCUSDT").behaviour.has_state


def test_a_private_topic_that_does_not_exist_is_refused_with_the_nearest() -> None:
    assert check_private(["order", "execution", "order"]) == ("order", "execution")
    with pytest.raises(TopicError, match="did you mean 'wallet'"):
        check_private(["walet"])


def test_a_private_topic_stands_for_all_categories_or_for_one_but_not_for_both() -> None:
    assert check_private(["order.linear", "order.spot"])
    assert check_private(["execution", "execution.fast"])
    with pytest.raises(TopicError, match="together with 'order'"):
        check_private(["order", "order.linear"])
