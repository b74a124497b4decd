"""Closed profit and the transaction log add up to what the wallet shows."""

from decimal import Decimal

import pytest

from bybitd.simulator.exchange import Refusal

ANN = 1
WHERE = {"category": "linear", "symbol": "BTCUSDT"}


def closed(desk, **params):
    return desk.get("position/closed-pnl", **({"category": "linear"} | params))


def log(desk, **params):
    return desk.get("account/transaction-log", **params)["list"]


def test_a_position_that_is_closed_in_two_parts_gives_two_rows_of_profit(desk):
    start = desk.wallet("USDT")
    desk.create(orderType="Market", qty="0.500")
    assert closed(desk)["list"] == []
    for qty in ("0.200", "0.300"):
        desk.now += 1
        desk.create(side="Sell", orderType="Market", qty=qty, reduceOnly=True)
    newest, oldest = closed(desk)["list"]
    assert (oldest["closedSize"], newest["closedSize"]) == ("0.2", "0.3")
    assert (oldest["side"], oldest["execType"]) == ("Sell", "Trade")
    assert Decimal(oldest["avgEntryPrice"]) > Decimal(oldest["avgExitPrice"])
    total = sum(Decimal(row["closedPnl"]) for row in (newest, oldest))
    assert total == desk.wallet("USDT") - start
    page = closed(desk, limit="1")
    assert page["list"] == [newest]
    assert closed(desk, limit="1", cursor=page["nextPageCursor"])["list"] == [oldest]
    assert closed(desk, symbol="ETHUSDT")["list"] == []
    with pytest.raises(Refusal):
        closed(desk, category="spot")


def test_a_fill_that_turns_a_position_closes_only_what_there_was(desk):
    desk.create(orderType="Market", qty="0.100")
    desk.create(side="Sell", orderType="Market", qty="0.300")
    (row,) = closed(desk)["list"]
    assert (row["closedSize"], row["qty"]) == ("0.1", "0.300")
    desk.create(orderType="Market", qty="0.200")
    wallet = sum(Decimal(row["closedPnl"]) for row in closed(desk)["list"])
    assert wallet == desk.wallet("USDT") - 1_000_000


def test_the_log_tells_every_change_of_a_coin_with_the_balance_after_it(desk):
    desk.create(orderType="Market", qty="0.500")
    desk.now += 1
    desk.create(category="spot", orderType="Market", qty="500")
    desk.now += 1
    desk.exchange.execute(ANN, "Funding", "linear", "BTCUSDT", "", desk.now)
    rows = log(desk, currency="USDT")
    assert rows[0]["type"] == "SETTLEMENT"
    assert Decimal(rows[0]["funding"]) == Decimal(rows[0]["change"])
    balance = Decimal(1_000_000)
    for row in reversed(rows):
        balance += Decimal(row["change"])
        assert Decimal(row["cashBalance"]) == balance
        assert (row["currency"], row["fee"][0] != "-") == ("USDT", True)
    assert balance == desk.wallet("USDT")
    assert {row["category"] for row in rows} == {"linear", "spot"}
    (bought,) = {row["side"] for row in log(desk, category="spot", currency="BTC")}
    assert bought == "Buy"
    assert {row["type"] for row in log(desk, type="SETTLEMENT")} == {"SETTLEMENT"}
    assert log(desk, baseCoin="ETH") == []


def test_the_log_is_paged_without_tearing_a_fill_apart(desk):
    desk.create(category="spot", orderType="Market", qty="90000")
    whole = log(desk, limit="50")
    pages, cursor = [], ""
    while True:
        page = desk.get("account/transaction-log", limit="3", cursor=cursor)
        pages += page["list"]
        cursor = page["nextPageCursor"]
        if not cursor:
            break
    assert pages == whole
    assert len(whole) > 3


def test_greeks_of_option_positions_can_be_asked_for_by_base_coin(desk):
    row = desk.market("instruments-info", category="option", baseCoin="BTC")["list"][0]
    where = {"category": "option", "symbol": row["symbol"]}
    assert desk.get("asset/coin-greeks") == {"list": []}
    desk.post("order/create", **where, side="Buy", orderType="Market", qty="0.1", orderLinkId="g")
    (told,) = desk.take("greeks")
    (asked,) = desk.get("asset/coin-greeks")["list"]
    assert asked == told
    assert asked["baseCoin"] == "BTC"
    assert desk.get("asset/coin-greeks", baseCoin="ETH") == {"list": []}
