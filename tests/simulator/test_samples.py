"""Our records against the samples of the exchange's documentation, where those are at hand."""

import json
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "../shared/bybit-v5/samples"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")


def sample(name):
    return json.loads((SAMPLES / name).read_text())


def listed(name):
    return sample(name)["result"]["list"][0]


def same_shape(ours, theirs, *, more=(), less=()):
    """Assert that ours has the sample's keys (less some, more some) with values of their types."""
    assert set(ours) - set(more) == set(theirs) - set(less)
    for key in set(ours) & set(theirs):
        if theirs[key] is not None and ours[key] is not None:
            assert isinstance(ours[key], type(theirs[key])), key


def private(desk, topic):
    return next(e[2] for e in desk.events if e[1] == topic)


# Fields that the samples of one category leave out and others or the tables have.
ORDER_FIELDS = {
    "parentOrderLinkId", "brokerOrderPrice", "isLeverage", "ocoTriggerBy", "marketUnit",
    "slippageToleranceType", "slippageTolerance", "blockTradeId", "placeType",
}  # fmt: skip


def option_symbol(desk):
    return desk.market("instruments-info", category="option")["list"][0]["symbol"]


def test_private_envelopes_and_records_are_those_of_the_documentation(desk):
    desk.create(
        category="option",
        symbol=option_symbol(desk),
        orderType="Market",
        qty="0.1",
        orderLinkId="o",
    )
    order = sample("ws-private/order-stream-example.json")
    same_shape(private(desk, "order"), order)
    same_shape(private(desk, "order")["data"][0], order["data"][0], more=ORDER_FIELDS - {
        "blockTradeId", "placeType"})  # fmt: skip
    same_shape(private(desk, "greeks"), sample("ws-private/greek-stream-example.json"))
    greek = sample("ws-private/greek-stream-example.json")["data"][0]
    same_shape(private(desk, "greeks")["data"][0], greek)
    desk.events.clear()
    desk.create(orderType="Market")
    execution = sample("ws-private/execution-stream-example.json")
    same_shape(private(desk, "execution"), execution)
    theirs = execution["data"][0] | {"extraFees": ""}
    same_shape(private(desk, "execution")["data"][0], theirs, more={"execFeeV2"})
    fast = sample("ws-private/fast-execution-stream-example.json")
    same_shape(private(desk, "execution.fast"), fast)
    same_shape(private(desk, "execution.fast")["data"][0], fast["data"][0])
    position = sample("ws-private/position-stream-example.json")
    same_shape(private(desk, "position"), position)
    same_shape(private(desk, "position")["data"][0], position["data"][0], more={"openTime"})
    wallet = sample("ws-private/wallet-stream-example.json")
    same_shape(private(desk, "wallet"), wallet)
    same_shape(private(desk, "wallet")["data"][0], wallet["data"][0])
    ours = private(desk, "wallet")["data"][0]["coin"][0]
    same_shape(ours, wallet["data"][0]["coin"][0], more={"colRes", "free"})


def test_rest_rows_are_those_of_the_documentation(desk):
    desk.create(price="90000")
    gone = desk.create(orderType="Market")
    rows = desk.get("order/realtime", category="linear", symbol="BTCUSDT")
    more = ORDER_FIELDS | {
        "category", "createType", "closedPnl", "feeCurrency", "rpiTakerAccess", "rpiMatchedQty",
    }  # fmt: skip
    theirs = listed("rest-order/open-order.json")
    same_shape(rows["list"][0], theirs, more=more - set(theirs))
    assert set(rows) == set(sample("rest-order/open-order.json")["result"])
    history = desk.get("order/history", category="linear")["list"]
    assert history[0]["orderId"] == gone
    theirs = listed("rest-order/order-list.json")
    same_shape(history[0], theirs, more=more - set(theirs))
    execution = desk.get("execution/list", category="linear")["list"][0]
    theirs = listed("rest-order/execution.json")
    more = {"category", "createType", "execPnl", "execFeeV2", "isLeverage", "marketUnit"}
    same_shape(execution, theirs, more=more)
    position = listed("rest-position/position.json")
    same_shape(desk.position(), position, more={"openTime", "mmrSysUpdatedTime"})
    wallet = desk.get("account/wallet-balance", accountType="UNIFIED")["list"][0]
    same_shape(wallet, listed("rest-account/wallet-balance.json"))
    theirs = listed("rest-account/wallet-balance.json")["coin"][0]
    same_shape(wallet["coin"][0], theirs, more={"colRes", "free"})
    same_shape(desk.get("account/info"), sample("rest-account/account-info.json")["result"])
    fee = desk.get("account/fee-rate", category="linear", symbol="BTCUSDT")["list"][0]
    same_shape(fee, listed("rest-account/fee-rate.json"))


def test_answers_to_order_requests_are_those_of_the_documentation(desk):
    body = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01",
            "price": "90000", "orderLinkId": "b"}  # fmt: skip

    def post(action, **body):
        return desk.exchange.private_post(1, f"/v5/order/{action}", body, desk.now)

    for action, name, answer in [
        ("create-batch", "batch-place", post("create-batch", category="linear", request=[body])),
        (
            "amend-batch",
            "batch-amend",
            post("amend-batch", category="linear", request=[body | {"price": "90001"}]),
        ),
        ("cancel-batch", "batch-cancel", post("cancel-batch", category="linear", request=[body])),
    ]:
        theirs = sample(f"rest-order/{name}.json")
        same_shape(answer[0]["list"][0], theirs["result"]["list"][0])
        same_shape(answer[1]["list"][0], theirs["retExtInfo"]["list"][0])
        assert answer[1]["list"][0]["code"] == 0, action
    desk.create(price="90000")
    everything = post("cancel-all", category="linear", settleCoin="USDT")[0]
    theirs = sample("rest-order/cancel-all.json")["result"]
    same_shape(everything, theirs)
    same_shape(everything["list"][0], theirs["list"][0])


def test_public_envelopes_are_those_of_the_documentation(new_desk):
    desk = new_desk(rate=300.0)
    names = {
        "orderbook.50.BTCUSDT": "orderbook-delta",
        "publicTrade.BTCUSDT": "trade",
        "kline.5.BTCUSDT": "kline",
        "orderbook.rpi.BTCUSDT": "orderbook-rpi",
        "orderbook.full.BTCUSDT": "full-ob",
        "priceLimit.BTCUSDT": "order-price-limit",
        "allLiquidation.BTCUSDT": "all-liquidation",
        "insurance.USDT": "insurance-pool",
    }
    first = {topic: desk.open("linear", topic) for topic in names}
    made = {topic: message for _, topic, message in desk.run(desk.now + 5_000)}
    snapshot = sample("ws-public/orderbook-snapshot.json")
    same_shape(first["orderbook.50.BTCUSDT"], snapshot)
    same_shape(first["orderbook.50.BTCUSDT"]["data"], snapshot["data"])
    for topic, name in names.items():
        theirs = sample(f"ws-public/{name}.json")
        same_shape(made[topic], theirs)
        assert topic.startswith(("kline", "orderbook.full")) or list(made[topic]) == list(theirs)
        ours, theirs = made[topic]["data"], theirs["data"]
        if isinstance(theirs, list):
            ours, theirs = ours[0], theirs[0]
        same_shape(ours, theirs, more={"RPI"} & set(ours))


def test_adl_alerts_are_those_of_the_documentation(desk):
    theirs = sample("ws-public/adl-alert.json")
    ours = desk.open("linear", "adlAlert.USDT")
    same_shape(ours, theirs)
    # The highest balance is not told any more, and the table says that it is an empty text.
    same_shape(ours["data"][0], theirs["data"][1] | {"mb": ""})


@pytest.mark.parametrize(
    ("category", "find", "name", "more"),
    [
        (
            "linear",
            lambda symbol: symbol == "BTCUSDT",
            "ticker-linear-linearperpetual",
            {"singleOpenInterest", "singleOpenInterestValue"},
        ),
        (
            "linear",
            lambda symbol: symbol.startswith("BTC-"),
            "ticker-linear-linearfutures",
            {"singleOpenInterest", "singleOpenInterestValue"},
        ),
        ("option", lambda symbol: True, "ticker-option", set()),
        ("spot", lambda symbol: symbol == "BTCUSDT", "ticker-spot", set()),
    ],
)
def test_ticker_records_are_those_of_the_documentation(desk, category, find, name, more):
    rows = desk.market("instruments-info", category=category)["list"]
    symbol = next(row["symbol"] for row in rows if find(row["symbol"]))
    message = desk.open(category, f"tickers.{symbol}")
    theirs = sample(f"ws-public/{name}.json")
    same_shape(message, theirs)
    assert list(message) == list(theirs) or category == "spot"
    same_shape(message["data"], theirs["data"], more=more)


@pytest.mark.parametrize(
    ("path", "params", "name", "more"),
    [
        (
            "instruments-info",
            {"category": "linear"},
            "instrument-linear-trading",
            {"displayName", "forbidUplWithdrawal"},
        ),
        ("instruments-info", {"category": "option"}, "instrument-option", {"symbolId"}),
        ("instruments-info", {"category": "spot"}, "instrument-spot", {"xstockMultiplier"}),
        (
            "tickers",
            {"category": "inverse"},
            "tickers-inverse",
            {"tickDirection", "singleOpenInterest", "singleOpenInterestValue"},
        ),
        ("tickers", {"category": "option", "baseCoin": "BTC"}, "tickers-option", set()),
        ("tickers", {"category": "spot"}, "tickers-spot", set()),
        ("recent-trade", {"category": "spot", "symbol": "BTCUSDT"}, "recent-trade", set()),
        ("insurance", {}, "insurance", set()),
        ("adlAlert", {"symbol": "BTCUSDT"}, "adl-alert", set()),
        (
            "funding/history",
            {"category": "linear", "symbol": "BTCUSDT"},
            "history-fund-rate",
            set(),
        ),
        (
            "open-interest",
            {"category": "inverse", "symbol": "BTCUSD", "intervalTime": "1d"},
            "open-interest",
            set(),
        ),
    ],
)
def test_rows_of_market_data_are_those_of_the_documentation(new_desk, path, params, name, more):
    desk = new_desk(rate=300.0)
    desk.open("spot", "publicTrade.BTCUSDT")
    desk.run(desk.now + 1_000)
    result = desk.market(path, **params)
    theirs = sample(f"rest-market/{name}.json")["result"]
    same_shape(result, theirs)
    same_shape(result["list"][0], theirs["list"][0], more=more)
    for key, block in theirs["list"][0].items():
        if isinstance(block, dict):
            assert set(result["list"][0][key]) == set(block), key


@pytest.mark.parametrize(
    ("path", "params", "name"),
    [
        ("time", {}, "time"),
        ("orderbook", {"category": "spot", "symbol": "BTCUSDT"}, "orderbook"),
        ("full_orderbook", {"category": "spot", "symbol": "BTCUSDT"}, "full-ob"),
        ("rpi_orderbook", {"symbol": "BTCUSDT", "limit": "1"}, "rpi-orderbook"),
        ("price-limit", {"symbol": "BTCUSDT"}, "order-price-limit"),
        ("kline", {"category": "inverse", "symbol": "BTCUSD", "interval": "60"}, "kline"),
        ("mark-price-kline", {"symbol": "BTCUSDT", "interval": "60"}, "mark-kline"),
        ("index-price-kline", {"symbol": "BTCUSDT", "interval": "60"}, "index-kline"),
    ],
)
def test_results_of_market_data_are_those_of_the_documentation(desk, path, params, name):
    theirs = sample(f"rest-market/{name}.json")["result"]
    ours = desk.market(path, **params)
    same_shape(ours, theirs)
    if "list" in theirs:
        assert len(ours["list"][0]) == len(theirs["list"][0])


def test_spreads_are_those_of_the_documentation(new_desk):
    desk = new_desk(rate=300.0)
    symbol = "SOLUSDT_SOL/USDT"
    topics = {
        f"orderbook.25.{symbol}": "orderbook-event-example",
        f"publicTrade.{symbol}": "trade",
        f"tickers.{symbol}": "ticker-event-example",
    }
    for topic in topics:
        desk.open("spread", topic)
    made = {topic: message for _, topic, message in desk.run(desk.now + 5_000)}
    for topic, name in topics.items():
        theirs = sample(f"ws-spread-public/{name}.json")
        same_shape(made[topic], theirs)
        assert list(made[topic]) == list(theirs)
        ours, theirs = made[topic]["data"], theirs["data"]
        if isinstance(theirs, list):
            ours, theirs = ours[0], theirs[0]
        same_shape(ours, theirs)
    for path in ("instrument", "orderbook", "tickers", "recent-trade"):
        theirs = sample(f"rest-spread/{path}.json")["result"]
        ours = desk.exchange.public_get(f"/v5/spread/{path}", {"symbol": symbol}, desk.now)
        same_shape(ours, theirs)
        if "list" in theirs:
            same_shape(ours["list"][0], theirs["list"][0])


def test_statements_and_settings_are_those_of_the_documentation(desk):
    desk.create(orderType="Market", qty="0.010")
    desk.create(side="Sell", orderType="Market", qty="0.010", reduceOnly=True)
    desk.post("order/disconnected-cancel-all", product="SPOT", timeWindow=10)
    desk.post("account/mmp-modify", baseCoin="BTC", window="10", frozenPeriod="10",
              qtyLimit="1", deltaLimit="1")  # fmt: skip
    symbol = option_symbol(desk)
    where = {"category": "option", "symbol": symbol}
    desk.post("order/create", **where, side="Buy", orderType="Market", qty="0.1", orderLinkId="o")
    same_shape(
        desk.get("position/closed-pnl", category="linear")["list"][0],
        listed("rest-position/close-pnl.json"),
        more=("openFee", "closeFee"),
    )
    same_shape(
        desk.get("account/transaction-log", category="linear")["list"][0],
        listed("rest-account/transaction-log.json"),
    )
    same_shape(desk.get("asset/coin-greeks")["list"][0], listed("rest-account/coin-greeks.json"))
    same_shape(
        desk.get("account/query-dcp-info")["dcpInfos"][0],
        sample("rest-account/dcp-info.json")["result"]["dcpInfos"][0],
    )
    same_shape(
        desk.get("account/mmp-state", baseCoin="BTC")["result"][0],
        sample("rest-account/get-mmp-state.json")["result"]["result"][0],
    )
    same_shape(
        desk.get("account/user-setting-config"),
        sample("rest-account/get-user-setting-config.json")["result"],
        more=("deltaEnable",),
    )
    body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
    same_shape(
        desk.post("order/pre-check", **body, price="90000", qty="0.010"),
        sample("rest-order/pre-check-order.json")["result"],
    )


@pytest.mark.parametrize("name", ["limit-order-with-limit-tp-sl", "limit-order-with-market-tp-sl"])
def test_the_requests_of_the_documentation_are_taken(desk, name):
    body = sample(f"rest-order/create-order-req-spot-{name}.json")
    assert desk.post("order/create", **body)["orderId"]
