"""Copies of candles: no state goes back, and each candle ends once."""

from bybitd.public_feed.merging.candles import Candles
from bybitd.public_feed.merging.choice import merging_for
from bybitd.public_feed.merging.records import Records
from bybitd.public_feed.merging.rows import Messages, Rows
from bybitd.public_feed.merging.top_of_book import TopOfBook
from bybitd.public_feed.merging.updates import Updates
from bybitd.venue.topics import check


def candle(start, ts, ends=False):
    data = [{"start": start, "timestamp": ts - 1, "confirm": ends, "close": "1"}]
    return {"topic": "kline.1.BTCUSDT", "type": "snapshot", "ts": ts, "data": data}


def offer(merging, lane, *candle_of):
    return bool(merging.offer(lane, candle(*candle_of), 0, 0))


def test_each_state_of_a_candle_passes_once_and_none_goes_back():
    merging = Candles()
    assert offer(merging, 0, 60, 70)
    assert not offer(merging, 1, 60, 70)
    assert offer(merging, 1, 60, 80)
    assert not offer(merging, 0, 60, 75)
    assert not offer(merging, 0, 60, 80)
    assert merging.carries(0)


def test_the_end_of_a_candle_passes_once_even_when_the_next_one_has_begun():
    merging = Candles()
    assert offer(merging, 0, 60, 70)
    assert offer(merging, 0, 120, 121)
    assert not offer(merging, 1, 60, 119)
    assert offer(merging, 1, 60, 120, True)
    assert not offer(merging, 0, 60, 120, True)
    assert not offer(merging, 1, 60, 119)
    assert offer(merging, 1, 120, 122)


def test_ends_are_remembered_for_a_while_and_older_ones_do_not_come_again():
    merging = Candles()
    for number in range(40):
        assert offer(merging, 0, 60 * number, 60 * number + 60, True)
    for number in range(40):
        assert not offer(merging, 1, 60 * number, 60 * number + 60, True)


def test_every_kind_of_topic_has_its_way():
    ways = {
        "orderbook.1.BTCUSDT": TopOfBook,
        "orderbook.50.BTCUSDT": Updates,
        "orderbook.rpi.BTCUSDT": Updates,
        "orderbook.full.BTCUSDT": Updates,
        "publicTrade.BTCUSDT": Rows,
        "tickers.BTCUSDT": Records,
        "kline.1.BTCUSDT": Candles,
        "allLiquidation.BTCUSDT": Messages,
        "insurance.USDT": Records,
        "priceLimit.BTCUSDT": Records,
        "adlAlert.USDT": Records,
    }
    for name, way in ways.items():
        assert type(merging_for(check("linear", name), 2)) is way, name
