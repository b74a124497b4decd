"""Spreads: combos of two legs, whose prices may lie below zero."""

from decimal import Decimal

import pytest

from bybitd.simulator.exchange import Refusal, UnknownTopic
from bybitd.venue.outcome import APPLIED
from bybitd.venue.state import state_for
from bybitd.venue.topics import check

SYMBOL = "BTCUSDT_BTC/USDT"
BOOK = f"orderbook.25.{SYMBOL}"


def rest(desk, path, **params):
    return desk.exchange.public_get(f"/v5/spread/{path}", params, desk.now)


def of(topic, made):
    return [message for _, name, message in made if name == topic]


def test_each_combo_names_its_legs_and_pages_follow_their_cursor(desk):
    rows = rest(desk, "instrument")["list"]
    kinds = {row["contractType"] for row in rows}
    assert kinds == {"FundingRateArb", "CarryTrade", "PerpBasis"}
    for row in rows:
        first, second = row["legs"]
        assert row["symbol"].startswith(f"{first['symbol']}_")
        assert second["contractType"] in ("Spot", "LinearPerpetual")
        assert Decimal(row["minPrice"]) == -Decimal(row["maxPrice"]) < 0
        assert (row["deliveryTime"] == "0") == (row["contractType"] == "FundingRateArb")
    paged, cursor = [], ""
    while True:
        page = rest(desk, "instrument", limit="3", cursor=cursor)
        paged += page["list"]
        cursor = page["nextPageCursor"]
        if not cursor:
            break
    assert paged == rows
    assert [row["symbol"] for row in rest(desk, "instrument", symbol=SYMBOL)["list"]] == [SYMBOL]


def test_a_book_kept_from_its_deltas_is_the_book_of_rest(new_desk):
    desk = new_desk(rate=200.0)
    state = state_for(check("spread", BOOK))
    assert state.apply(desk.open("spread", BOOK)) == APPLIED
    messages = of(BOOK, desk.run(desk.now + 5_000))
    assert len(messages) > 20
    for message in messages:
        assert state.apply(message) == APPLIED, message
    book = rest(desk, "orderbook", symbol=SYMBOL, limit="25")
    kept = state.message()["data"]
    assert (book["b"], book["a"], book["u"]) == (kept["b"], kept["a"], kept["u"])
    assert len(rest(desk, "orderbook", symbol=SYMBOL)["b"]) == 1


def test_a_spread_is_traded_on_both_sides_of_zero(new_desk):
    desk = new_desk(rate=0.0)
    markets = desk.exchange._markets
    it = markets.instruments["spread"][SYMBOL]
    day = [markets.fair_value.mark(it, desk.now + hour * 3_600_000) for hour in range(72)]
    assert min(day) < 0 < max(day)
    below = next(hour for hour, price in enumerate(day) if price < -1)
    desk = new_desk(rate=50.0, now=desk.now + below * 3_600_000)
    trades, ticker = f"publicTrade.{SYMBOL}", f"tickers.{SYMBOL}"
    desk.open("spread", trades)
    desk.open("spread", ticker)
    made = desk.run(desk.now + 20_000)
    prices = [Decimal(row["p"]) for message in of(trades, made) for row in message["data"]]
    assert prices
    assert min(prices) < 0
    last = of(ticker, made)[-1]["data"]
    assert Decimal(last["bidPrice"]) < Decimal(last["askPrice"]) <= 0
    assert Decimal(last["lowPrice24h"]) <= Decimal(last["lastPrice"])
    newest = rest(desk, "recent-trade", symbol=SYMBOL, limit="1")["list"][0]
    assert Decimal(newest["price"]) == prices[-1]


@pytest.mark.parametrize("kind", ["orderbook.1", "orderbook.rpi", "orderbook.full", "kline.1",
                                  "priceLimit", "allLiquidation"])  # fmt: skip
def test_topics_that_spreads_have_not_do_not_exist(desk, kind):
    with pytest.raises(UnknownTopic):
        desk.open("spread", f"{kind}.{SYMBOL}")


def test_a_spread_is_no_symbol_of_the_ordinary_calls(desk):
    for path in ("orderbook", "tickers", "instruments-info"):
        with pytest.raises(Refusal, match="category"):
            desk.market(path, category="spread", symbol=SYMBOL)
    with pytest.raises(Refusal, match="symbol"):
        rest(desk, "orderbook", symbol="BTCUSDT")
    with pytest.raises(Refusal, match="category"):
        desk.create(category="spread", symbol=SYMBOL, price="1")
