from decimal import Decimal

EIGHT_HOURS = 8 * 3_600_000


def test_funding_is_paid_once_at_its_time_without_an_order(desk):
    desk.create(orderType="Market", qty="1.000")
    desk.create(2, side="Sell", orderType="Market", qty="1.000")
    desk.events.clear()
    due = (desk.now // EIGHT_HOURS + 1) * EIGHT_HOURS
    assert desk.exchange.next_deadline_ms() <= due
    before = desk.wallet("USDT"), desk.wallet("USDT", 2)
    desk.run(due)
    assert desk.take("order") == desk.take("execution.fast") == []
    (mine,) = desk.take("execution")
    (theirs,) = desk.take("execution", 2)
    assert (mine["execType"], mine["orderType"], mine["orderLinkId"]) == ("Funding", "UNKNOWN", "")
    assert mine["orderId"] == f"{due // 1000}-BTCUSDT-1-Buy"
    fee = Decimal(mine["execFee"])
    assert fee == -Decimal(theirs["execFee"]) != 0
    assert desk.wallet("USDT") == before[0] - fee
    assert desk.wallet("USDT", 2) == before[1] + fee
    rate = desk.market("funding/history", category="linear", symbol="BTCUSDT", limit="1")["list"][0]
    assert rate["fundingRateTimestamp"] == str(due)
    assert Decimal(rate["fundingRate"]) == Decimal(mine["feeRate"])
    assert desk.take("position")[0]["size"] == "1"
    assert desk.take("wallet")
    desk.run(due + 60_000)
    assert desk.take("execution") == []


def test_flat_accounts_and_dated_contracts_pay_no_funding(desk):
    listed = desk.market("instruments-info", category="linear")["list"]
    dated = next(row["symbol"] for row in listed if row["contractType"] == "LinearFutures")
    desk.create(symbol=dated, orderType="Market", qty="0.010")
    desk.events.clear()
    desk.run((desk.now // EIGHT_HOURS + 1) * EIGHT_HOURS)
    assert desk.take("execution") == []
