from urllib.parse import unquote

import pytest

from bybitd.simulator.exchange import Refusal

ANN, BOB = 1, 2
DAY = 86_400_000


def refused(desk, path, **params):
    with pytest.raises(Refusal) as caught:
        desk.get(path, **params)
    return caught.value.retCode


def pages(desk, path, *, decode=False, **params):
    """Walk all pages, giving the cursor back as it came or as a server would decode it."""
    cursor, walked = "", []
    while True:
        answer = desk.get(path, cursor=cursor, **params)
        walked.append(answer["list"])
        cursor = answer["nextPageCursor"]
        if not cursor:
            return walked
        assert "%3D" in cursor
        cursor = unquote(cursor) if decode else cursor


@pytest.mark.parametrize("decode", [False, True])
def test_open_orders_are_paged_newest_first_without_holes_or_repeats(desk, decode):
    made = [desk.create(price=f"{90_000 + n}") for n in range(7)]
    walked = pages(
        desk, "order/realtime", decode=decode, category="linear", symbol="BTCUSDT", limit="3"
    )
    assert [len(page) for page in walked] == [3, 3, 1]
    assert [row["orderId"] for page in walked for row in page] == made[::-1]


def test_a_cursor_stays_right_while_new_orders_come(desk):
    made = [desk.create(price=f"{90_000 + n}") for n in range(4)]
    first = desk.get("order/realtime", category="linear", symbol="BTCUSDT", limit="2")
    desk.create(price="91000")
    rest = desk.get("order/realtime", category="linear", symbol="BTCUSDT", limit="2",
                    cursor=first["nextPageCursor"])  # fmt: skip
    seen = [row["orderId"] for row in first["list"] + rest["list"]]
    assert seen == made[::-1]
    assert rest["nextPageCursor"] == ""


def test_executions_are_paged_and_filtered(desk):
    for _ in range(3):
        desk.create(orderType="Market", qty="1.000", orderLinkId="")
    last = desk.create(symbol="ETHUSDT", orderType="Market", qty="0.10", orderLinkId="eth")
    walked = pages(desk, "execution/list", category="linear", limit="2")
    rows = [row for page in walked for row in page]
    assert len({row["execId"] for row in rows}) == len(rows) > 4
    assert rows[0]["orderId"] == last
    assert [int(row["execTime"]) for row in rows] == [desk.now] * len(rows)
    by_link = desk.get("execution/list", category="linear", orderLinkId="eth", symbol="BTCUSDT")
    assert {row["symbol"] for row in by_link["list"]} == {"ETHUSDT"}
    by_base = desk.get("execution/list", category="linear", baseCoin="BTC")["list"]
    assert {row["symbol"] for row in by_base} == {"BTCUSDT"}
    assert desk.get("execution/list", category="linear", execType="Funding")["list"] == []
    assert desk.get("execution/list", BOB, category="linear")["list"] == []
    earlier = str(desk.now - 2 * DAY), str(desk.now - DAY)
    assert desk.get("execution/list", category="linear", startTime=earlier[0],
                    endTime=earlier[1])["list"] == []  # fmt: skip


def test_open_orders_of_contracts_need_a_filter(desk):
    assert refused(desk, "order/realtime", category="linear") == 10001
    assert desk.get("order/realtime", category="inverse")["list"] == []
    assert desk.get("order/realtime", category="spot")["list"] == []


def test_an_id_finds_an_order_open_or_closed_and_open_only_shows_the_closed(desk):
    gone = desk.create(price="90000", orderLinkId="gone")
    stays = desk.create(price="90000", orderLinkId="stays")
    desk.post("order/cancel", category="linear", symbol="BTCUSDT", orderId=gone)

    def ids(**params):
        rows = desk.get("order/realtime", category="linear", **params)["list"]
        return [row["orderId"] for row in rows]

    assert ids(orderLinkId="gone") == [gone]
    assert ids(orderId=stays, orderLinkId="gone") == [stays]
    assert ids(settleCoin="USDT") == [stays]
    assert ids(settleCoin="USDT", openOnly="1") == [gone]
    assert ids(settleCoin="USDC") == []
    assert ids(baseCoin="ETH") == []
    history = desk.get("order/history", category="linear")["list"]
    assert [(row["orderId"], row["extraFees"]) for row in history] == [(gone, "")]
    assert desk.get("order/history", category="linear", orderStatus="Filled")["list"] == []


def test_history_hides_unfilled_orders_after_a_day(desk):
    gone = desk.create(price="90000")
    filled = desk.create(orderType="Market")
    desk.post("order/cancel", category="linear", symbol="BTCUSDT", orderId=gone)
    desk.now += 2 * DAY
    assert [row["orderId"] for row in desk.get("order/history", category="linear")["list"]] == [
        filled
    ]
    desk.now += 6 * DAY
    assert desk.get("order/history", category="linear")["list"] == []


def test_spot_rows_have_a_base_price_that_the_topic_lacks(desk):
    desk.create(category="spot", price="90000")
    assert "basePrice" in desk.get("order/realtime", category="spot")["list"][0]
    assert "basePrice" not in desk.take("order")[0]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("order/realtime", {"category": "linear", "symbol": "BTCUSDT", "limit": "x"}),
        ("order/realtime", {"category": "linear", "symbol": "BTCUSDT", "limit": "0"}),
        ("order/realtime", {"category": "linear", "symbol": "BTCUSDT", "cursor": "junk"}),
        ("order/realtime", {}),
        ("order/history", {"category": "linear", "startTime": "1", "endTime": "99999999999"}),
        ("execution/list", {"category": "linear", "startTime": "-5"}),
        ("position/list", {"category": "linear"}),
        ("position/list", {"category": "spot"}),
        ("position/list", {"category": "linear", "symbol": "NOPE"}),
        ("account/wallet-balance", {}),
        ("account/wallet-balance", {"accountType": "SPOT"}),
        ("account/fee-rate", {}),
    ],
)
def test_parameters_that_cannot_be_are_refused(desk, path, params):
    assert refused(desk, path, **params) == 10001


def test_a_path_that_does_not_exist_is_refused(desk):
    assert refused(desk, "order/nothing") == 10017
    with pytest.raises(Refusal, match="10017"):
        desk.market("nothing")
    with pytest.raises(Refusal, match="10017"):
        desk.post("order/nothing")


def test_a_position_is_shown_flat_by_symbol_and_hidden_by_coin(desk):
    flat = desk.position()
    assert (flat["size"], flat["side"], flat["avgPrice"], flat["seq"]) == ("0", "", "0", -1)
    assert "entryPrice" not in flat
    assert desk.get("position/list", category="linear", settleCoin="USDT")["list"] == []
    desk.create(orderType="Market")
    desk.create(symbol="ETHUSDT", orderType="Market", qty="0.10")
    rows = desk.get("position/list", category="linear", settleCoin="USDT", limit="1")
    assert len(rows["list"]) == 1
    more = desk.get("position/list", category="linear", settleCoin="USDT", limit="1",
                    cursor=rows["nextPageCursor"])  # fmt: skip
    assert {rows["list"][0]["symbol"], more["list"][0]["symbol"]} == {"BTCUSDT", "ETHUSDT"}
    assert more["nextPageCursor"] == ""


def test_the_wallet_can_be_asked_for_some_coins(desk):
    rows = desk.get("account/wallet-balance", accountType="UNIFIED", coin="BTC,USDC")["list"]
    assert [coin["coin"] for coin in rows[0]["coin"]] == ["BTC", "USDC"]


def test_fee_rates_have_the_shape_of_their_category(desk):
    linear = desk.get("account/fee-rate", category="linear", symbol="BTCUSDT")
    assert linear == {
        "list": [{"symbol": "BTCUSDT", "takerFeeRate": "0.00055", "makerFeeRate": "0.0002"}]
    }
    spot = desk.get("account/fee-rate", category="spot")
    assert spot["category"] == "spot"
    assert len(spot["list"]) > 5
    option = desk.get("account/fee-rate", category="option", baseCoin="ETH")["list"]
    assert [(row["symbol"], row["baseCoin"]) for row in option] == [("", "ETH")]


def test_the_key_may_trade_and_not_withdraw(desk):
    key = desk.get("user/query-api")
    assert key["userID"] == ANN
    assert key["permissions"]["Wallet"] == []
    assert "Order" in key["permissions"]["ContractTrade"]
    assert {"readOnly", "ips", "deadlineDay", "expiredAt", "uta"} <= set(key)
    assert desk.get("account/info")["marginMode"] == "REGULAR_MARGIN"
