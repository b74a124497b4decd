from collections import Counter

import pytest

from bybitd.public_feed.derived.catalogue import DerivedKind, derived
from bybitd.venue.errors import TopicError
from bybitd.venue.shards import shard_of, shard_of_topic


@pytest.mark.parametrize("shards", range(1, 17))
def test_every_topic_of_a_symbol_is_carried_by_the_program_that_carries_the_symbol(shards):
    names = ("orderbook.1", "orderbook.50", "orderbook.rpi", "publicTrade", "tickers", "kline.5")
    for symbol in ("BTCUSDT", "BTCPERP", "BTC-26DEC26", "1000PEPEUSDT"):
        carried_by = {shard_of_topic("linear", f"{name}.{symbol}", shards) for name in names}
        assert carried_by == {shard_of(symbol, shards)}


@pytest.mark.parametrize("category", ["spot", "linear", "inverse", "option", "spread"])
@pytest.mark.parametrize("kind", DerivedKind)
def test_a_derived_topic_is_carried_where_its_source_is(category, kind):
    symbols = ("BTCUSDT", "BTCPERP", "BTCUSD", "ETHUSDT-26DEC26", "BTC-26DEC26-100000-C")
    depth = {"option": "25.", "spread": "25."}.get(category, "50.") if kind == "book" else ""
    for symbol in symbols:
        name = f"{kind}.{depth}{symbol}"
        try:
            topic = derived(category, name)
        except TopicError:
            continue  # that symbol or kind is not of this category
        carried_by = shard_of_topic(category, name, 7)
        assert carried_by == shard_of_topic(category, topic.source, 7)


def test_the_pools_of_a_group_are_carried_by_one_program_and_its_symbols_with_them():
    group = shard_of_topic("linear", "insurance.USDT", 5)
    assert shard_of_topic("linear", "adlAlert.USDT", 5) == group
    assert shard_of_topic("linear", "insurance.BTCUSDT", 5) == group
    assert shard_of_topic("linear", "insurance.ETHUSDT-26DEC26", 5) == group
    usdc = shard_of_topic("linear", "insurance.USDC", 5)
    assert shard_of_topic("linear", "insurance.BTCPERP", 5) == usdc


def test_the_answer_never_changes_and_spreads_the_symbols():
    # Written down: a client that connects to a program's own socket relies on it.
    assert [shard_of(symbol, 4) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")] == [4, 1, 1]
    spread = Counter(shard_of(f"S{number}USDT", 4) for number in range(1000))
    assert sorted(spread) == [1, 2, 3, 4]
    assert min(spread.values()) > 150


@pytest.mark.parametrize(
    "name", ["", "x", "orderbook", "orderbook.51.BTCUSDT", "insurance", "a.b."]
)
def test_also_a_topic_that_can_not_exist_has_one_program_that_refuses_it(name):
    assert shard_of_topic("linear", name, 3) in (1, 2, 3)
