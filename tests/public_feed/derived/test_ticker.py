import pytest

from tests.public_feed.messages import Desk, ticker

TICKER = "linear.ticker.BTCUSDT."


def test_each_message_gives_the_full_record():
    desk = Desk()
    desk.line.connect()
    desk.join(TICKER)
    desk.line.say(
        ticker(1, "snapshot", lastPrice="1", markPrice="2"), ticker(2, lastPrice="3", markPrice="")
    )
    first, second = desk.outlet.of(TICKER)
    assert first["data"] == {"symbol": "BTCUSDT", "lastPrice": "1", "markPrice": "2"}
    assert second == {
        "topic": "ticker.BTCUSDT",
        "type": "snapshot",
        "data": {"symbol": "BTCUSDT", "lastPrice": "3", "markPrice": ""},
        "cs": 2,
        "ts": 1_700_000_000_002,
        "seq": 2,
    }


@pytest.mark.parametrize(("category", "key"), [("spot", "cs"), ("option", "id")])
def test_where_every_message_is_whole_it_is_repeated_under_the_other_name(category, key):
    symbol = "BTC-26DEC26-100000-C" if category == "option" else "BTCUSDT"
    desk = Desk(category=category)
    desk.line.connect()
    desk.join(f"{category}.ticker.{symbol}.")
    source = {"topic": f"tickers.{symbol}", "type": "snapshot", "ts": 5, key: 7}
    desk.line.say({**source, "data": {"symbol": symbol, "lastPrice": "1"}})
    (body,) = desk.outlet.of(f"{category}.ticker.{symbol}.")
    assert body == {
        **source,
        "topic": f"ticker.{symbol}",
        "data": {"symbol": symbol, "lastPrice": "1"},
        "seq": 1,
    }
