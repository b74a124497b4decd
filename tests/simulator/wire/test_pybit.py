"""The official Python SDK, unmodified, works against the simulator with only its host changed.

It speaks TLS to the simulator and trusts its authority.
The simulator answers 20 ms late here: the SDK sends a request before it registers who waits for
the answer, and loses what comes at once.
"""

import contextlib
import dataclasses
import queue
import time

import pybit._http_manager
import pybit._websocket_trading
import pybit.unified_trading
import pytest
from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP, WebSocket, WebSocketTrading

from bybitd.simulator.wire import RateLimits, WireConfig, run_simulator

TIMEOUT_S = 20
SYMBOLS = {"spot": "BTCUSDT", "linear": "BTCUSDT", "inverse": "BTCUSD"}
# An idle stream of the SDK needs this long to see that it has been closed; ten seconds by default.
STREAM = {"testnet": True, "ping_timeout": 1}
ORDER = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.010",
    "price": "60000",
}


@pytest.fixture(scope="module")
def secure(exchange_config):
    """A simulator with TLS, many trades and no rate limits."""
    config = dataclasses.replace(exchange_config, rate_per_s=60.0)
    wire = WireConfig(limits=RateLimits(enabled=False))
    with run_simulator(config, tls=True, wire=wire) as sim:
        sim.fault("delay", ms=20)
        yield sim


@pytest.fixture
def host(secure, monkeypatch):
    """Put the simulator in the place of the exchange's host; nothing else of the SDK changes."""
    here = f"127.0.0.1:{secure.port}"
    for module, name in (
        (pybit._http_manager, "HTTP_URL"),
        (pybit.unified_trading, "PUBLIC_WSS"),
        (pybit.unified_trading, "PRIVATE_WSS"),
        (pybit._websocket_trading, "TRADE_WSS"),
    ):
        url = getattr(module, name)
        for template in ("{SUBDOMAIN}.{DOMAIN}.{TLD}", "{SUBDOMAIN}.{DOMAIN}.com"):
            url = url.replace(template, here)
        assert here in url
        monkeypatch.setattr(module, name, url)
    monkeypatch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", str(secure.authority))
    return here


@pytest.fixture
def keys(exchange_config):
    """The credentials as the SDK names them."""
    key = exchange_config.api_keys[0]
    return {"api_key": key.key, "api_secret": key.secret}


@contextlib.contextmanager
def ending(socket):
    """Close a socket of the SDK and wait until its thread has ended."""
    try:
        yield socket
    finally:
        socket.exit()
        socket.wst.join(TIMEOUT_S)
        assert not socket.wst.is_alive()


@pytest.fixture
def http(host, keys, secure):
    session = HTTP(testnet=True, **keys)
    # Its session sends prepared requests, for which no environment variable names an authority.
    session.client.verify = str(secure.authority)
    yield session
    session.client.close()


class Inbox:
    """Collects what the callbacks of the SDK get, by topic."""

    def __init__(self):
        self.messages = queue.Queue()
        self.latest = {}

    def __call__(self, message):
        self.messages.put(message)

    def wait_for(self, topics):
        deadline = time.monotonic() + TIMEOUT_S
        while missing := set(topics) - set(self.latest):
            try:
                message = self.messages.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"nothing came on {sorted(missing)}")
            self.latest[message["topic"]] = message
        return self.latest


@pytest.mark.parametrize("category", SYMBOLS)
def test_every_kind_of_public_topic_is_delivered(host, category):
    inbox, symbol = Inbox(), SYMBOLS[category]
    with ending(WebSocket(category, **STREAM)) as stream:
        for depth in (1, 50, 200, 1000):
            stream.orderbook_stream(depth, symbol, inbox)
        stream.trade_stream(symbol, inbox)
        stream.ticker_stream(symbol, inbox)
        stream.kline_stream(1, symbol, inbox)
        stream.price_limit_stream(symbol, inbox)
        latest = inbox.wait_for(
            [f"orderbook.{depth}.{symbol}" for depth in (1, 50, 200, 1000)]
            + [f"{kind}.{symbol}" for kind in ("publicTrade", "tickers", "kline.1", "priceLimit")]
        )
    assert latest[f"orderbook.50.{symbol}"]["data"]["b"]
    assert latest[f"tickers.{symbol}"]["data"]["symbol"] == symbol


@pytest.mark.parametrize("category", SYMBOLS)
def test_rpi_books_are_delivered(host, category):
    inbox, topic = Inbox(), f"orderbook.rpi.{SYMBOLS[category]}"
    with ending(WebSocket(category, **STREAM)) as stream:
        stream.rpi_orderbook_stream(SYMBOLS[category], inbox)
        assert len(inbox.wait_for([topic])[topic]["data"]["b"]) == 50


@pytest.mark.parametrize(("category", "group"), [("linear", "USDT"), ("inverse", "inverse")])
def test_pools_alerts_and_liquidations_are_delivered(host, category, group):
    inbox, symbol = Inbox(), SYMBOLS[category]
    topics = [f"insurance.{group}", f"adlAlert.{group}", f"allLiquidation.{symbol}"]
    with ending(WebSocket(category, **STREAM)) as stream:
        stream.insurance_pool_stream(group, inbox)
        stream.subscribe("adlAlert.{symbol}", inbox, group)  # the SDK has no method of its own
        stream.all_liquidation_stream(symbol, inbox)
        latest = inbox.wait_for(topics)
    assert latest[topics[2]]["data"][0]["s"] == symbol


def test_the_rest_twins_of_these_topics_answer(http):
    where = {"category": "linear", "symbol": "BTCUSDT"}
    limit = http.get_price_limit(**where)["result"]
    assert float(limit["sellLmt"]) < float(limit["buyLmt"])
    assert len(http.get_rpi_orderbook(**where, limit=5)["result"]["a"][0]) == 3
    assert http.get_insurance(coin="USDT")["result"]["list"]
    assert http.get_adl_alert(symbol="BTCUSDT")["result"]["list"][0]["coin"] == "USDT"


def test_every_kind_of_option_topic_is_delivered(host, http):
    listed = http.get_instruments_info(category="option", baseCoin="BTC")["result"]["list"]
    symbols = [row["symbol"] for row in listed]
    inbox = Inbox()
    with ending(WebSocket("option", **STREAM)) as stream:
        for depth in (25, 100):
            stream.orderbook_stream(depth, symbols[0], inbox)
        stream.ticker_stream(symbols, inbox)
        stream.trade_stream("BTC", inbox)
        inbox.wait_for(
            [f"orderbook.{depth}.{symbols[0]}" for depth in (25, 100)]
            + [f"tickers.{symbol}" for symbol in symbols]
            + ["publicTrade.BTC"]
        )


def test_the_book_that_the_sdk_keeps_is_the_book_of_the_exchange(host):
    inbox = Inbox()
    with ending(WebSocket("linear", **STREAM)) as stream:
        stream.orderbook_stream(50, "BTCUSDT", inbox)
        for _ in range(40):
            book = inbox.messages.get(timeout=TIMEOUT_S)["data"]
            bids, asks = ([float(price) for price, _ in book[side]] for side in "ba")
            assert len(bids) == len(set(bids)) <= 50
            assert max(bids) < min(asks)


def test_a_topic_can_be_left_again(host):
    inbox = Inbox()
    with ending(WebSocket("spot", **STREAM)) as stream:
        stream.trade_stream("BTCUSDT", inbox)
        inbox.wait_for(["publicTrade.BTCUSDT"])
        stream.unsubscribe("publicTrade.BTCUSDT")
        deadline = time.monotonic() + TIMEOUT_S
        while stream.get_subscription_topics() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert stream.get_subscription_topics() == []


def test_the_status_socket_takes_its_topic(host, secure):
    inbox = Inbox()
    with ending(WebSocket("misc/status", **STREAM)) as stream:
        stream.system_status_stream(inbox)
        deadline = time.monotonic() + TIMEOUT_S
        while inbox.messages.empty() and time.monotonic() < deadline:
            secure.call(lambda simulator: simulator.announce({"id": "1", "state": "ongoing"}))
            time.sleep(0.05)
        assert inbox.messages.get_nowait()["data"][0]["id"] == "1"


def test_orders_over_the_trade_socket_show_on_every_private_topic(host, keys):
    inbox, answers, errors = Inbox(), queue.Queue(), queue.Queue()

    def answer():
        return answers.get(timeout=TIMEOUT_S)

    with (
        ending(WebSocket("private", **STREAM, **keys)) as stream,
        ending(WebSocketTrading(recv_window=5_000, **STREAM, **keys)) as trading,
    ):
        for subscribe in (
            stream.order_stream,
            stream.execution_stream,
            stream.position_stream,
            stream.wallet_stream,
            stream.greek_stream,
        ):
            subscribe(inbox)
        stream.fast_execution_stream(inbox, "linear")
        _wait_until_subscribed(inbox, stream)

        trading.place_order(answers.put, errors.put, **ORDER, orderLinkId="sdk-rest")
        order_id = answer()["data"]["orderId"]
        trading.amend_order(
            answers.put,
            errors.put,
            category="linear",
            symbol="BTCUSDT",
            orderId=order_id,
            qty="0.020",
        )
        assert answer()["data"]["orderId"] == order_id
        trading.cancel_order(
            answers.put, errors.put, category="linear", symbol="BTCUSDT", orderId=order_id
        )
        assert answer()["retCode"] == 0
        trading.cancel_order(
            answers.put, errors.put, category="linear", symbol="BTCUSDT", orderId=order_id
        )
        assert errors.get(timeout=TIMEOUT_S)["retCode"] == 110001

        market = ORDER | {"orderType": "Market", "orderLinkId": "sdk-market"}
        trading.place_order(answers.put, errors.put, **market)
        assert answer()["retCode"] == 0
        inbox.wait_for(["order", "execution", "execution.fast.linear", "position", "wallet"])

        items = [
            {k: v for k, v in ORDER.items() if k != "category"} | {"orderLinkId": f"sdk-{n}"}
            for n in range(2)
        ]
        trading.place_batch_order(answers.put, errors.put, category="linear", request=items)
        ids = [row["orderId"] for row in answer()["data"]["list"]]
        assert all(ids)
        changes = [{"symbol": "BTCUSDT", "orderId": i, "price": "59000"} for i in ids]
        trading.amend_batch_order(answers.put, errors.put, category="linear", request=changes)
        assert [row["code"] for row in answer()["retExtInfo"]["list"]] == [0, 0]
        ends = [{"symbol": "BTCUSDT", "orderId": i} for i in ids]
        trading.cancel_batch_order(answers.put, errors.put, category="linear", request=ends)
        assert [row["code"] for row in answer()["retExtInfo"]["list"]] == [0, 0]
    assert errors.empty()


def _wait_until_subscribed(inbox, stream):
    """The SDK logs its acknowledgements only, so ask the socket for a pong behind them."""
    pongs = []
    normal, stream._is_custom_pong = stream._is_custom_pong, lambda m: pongs.append(m) or normal(m)
    stream._send_custom_ping()
    deadline = time.monotonic() + TIMEOUT_S
    while not any(m.get("op") == "pong" for m in pongs) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert any(m.get("op") == "pong" for m in pongs)


def test_the_public_rest_calls_are_answered(http):
    assert int(http.get_server_time()["result"]["timeSecond"]) > 0
    for category, symbol in SYMBOLS.items():
        where = {"category": category, "symbol": symbol}
        assert http.get_instruments_info(**where)["result"]["list"][0]["symbol"] == symbol
        book = http.get_orderbook(**where, limit=5)["result"]
        assert len(book["b"]) == len(book["a"]) == 5
        assert http.get_tickers(**where)["result"]["list"][0]["symbol"] == symbol
        assert len(http.get_kline(**where, interval=1, limit=3)["result"]["list"]) == 3
        assert "list" in http.get_public_trade_history(**where)["result"]


def test_an_order_lives_over_rest(http):
    placed = http.place_order(**ORDER, orderLinkId="sdk-http")["result"]
    where = {"category": "linear", "symbol": "BTCUSDT"}
    http.amend_order(**where, orderId=placed["orderId"], price="59000")
    (row,) = http.get_open_orders(**where, orderLinkId="sdk-http")["result"]["list"]
    assert float(row["price"]) == 59_000
    http.cancel_order(**where, orderId=placed["orderId"])
    http.place_order(**ORDER, orderLinkId="sdk-http-2")
    cancelled = http.cancel_all_orders(**where)["result"]["list"]
    assert "sdk-http-2" in [row["orderLinkId"] for row in cancelled]
    history = http.get_order_history(**where, limit=50)["result"]["list"]
    ended = {row["orderLinkId"]: row["orderStatus"] for row in history}
    assert ended["sdk-http"] == ended["sdk-http-2"] == "Cancelled"
    with pytest.raises(InvalidRequestError, match="110001"):
        http.cancel_order(**where, orderId=placed["orderId"])


def test_the_account_is_readable_after_a_fill(http):
    http.place_order(**ORDER | {"orderType": "Market"}, orderLinkId="sdk-fill")
    where = {"category": "linear", "symbol": "BTCUSDT"}
    rows = http.get_executions(**where)["result"]["list"]
    assert "sdk-fill" in [row["orderLinkId"] for row in rows]
    assert float(http.get_positions(**where)["result"]["list"][0]["size"]) > 0
    (wallet,) = http.get_wallet_balance(accountType="UNIFIED")["result"]["list"]
    assert wallet["accountType"] == "UNIFIED"
    assert "unifiedMarginStatus" in http.get_account_info()["result"]
    assert http.get_fee_rates(**where)["result"]["list"]
    assert http.get_api_key_information()["result"]["apiKey"] == http.api_key


def test_pages_of_instruments_are_turned_with_the_cursor(http):
    symbols, cursor = [], None
    while cursor != "":
        page = http.get_instruments_info(category="linear", limit=4, cursor=cursor)["result"]
        symbols += [row["symbol"] for row in page["list"]]
        cursor = page["nextPageCursor"]
    assert len(symbols) == len(set(symbols)) > 8


def rows(answer):
    return answer["result"]["list"]


def last_price(http):
    return float(rows(http.get_tickers(category="linear", symbol="ETHUSDT"))[0]["lastPrice"])


def eventually(condition):
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_a_conditional_order_and_stops_live_over_rest(http):
    where = {"category": "linear", "symbol": "ETHUSDT"}
    price = last_price(http)
    far = f"{price * 0.5:.2f}"
    placed = http.place_order(
        **where,
        side="Buy",
        orderType="Market",
        qty="0.10",
        triggerPrice=far,
        triggerDirection=2,
        triggerBy="MarkPrice",
        orderLinkId="sdk-conditional",
    )["result"]
    (row,) = rows(http.get_open_orders(**where, orderLinkId="sdk-conditional"))
    assert (row["orderStatus"], row["triggerPrice"], row["triggerBy"]) == (
        "Untriggered",
        far,
        "MarkPrice",
    )
    http.amend_order(**where, orderId=placed["orderId"], triggerPrice=f"{price * 0.6:.2f}")
    http.place_order(
        **where,
        side="Buy",
        orderType="Market",
        qty="0.10",
        takeProfit=f"{price * 1.5:.2f}",
        stopLoss=f"{price * 0.6:.2f}",
        tpslMode="Full",
    )
    http.set_trading_stop(**where, tpslMode="Full", positionIdx=0, trailingStop="500")
    kinds = {row["stopOrderType"] for row in rows(http.get_open_orders(**where))}
    assert kinds == {"Stop", "TakeProfit", "StopLoss", "TrailingStop"}
    position = rows(http.get_positions(**where))[0]
    assert float(position["takeProfit"]) == pytest.approx(price * 1.5, abs=0.01)
    assert len(rows(http.cancel_all_orders(**where, orderFilter="StopOrder"))) == 4
    http.place_order(**where, side="Sell", orderType="Market", qty="0.10", reduceOnly=True)
    eventually(lambda: rows(http.get_closed_pnl(**where)))
    assert rows(http.get_transaction_log(category="linear", currency="USDT"))


def test_the_other_kinds_of_orders_are_taken(http):
    where = {"category": "linear", "symbol": "ETHUSDT"}
    best = http.place_order(
        **where, side="Buy", orderType="Limit", qty="0.10", bboSideType="Queue", bboLevel="5"
    )["result"]
    http.cancel_order(**where, orderId=best["orderId"])
    http.place_order(
        **where,
        side="Buy",
        orderType="Market",
        qty="0.10",
        slippageToleranceType="TickSize",
        slippageTolerance="100",
    )
    http.place_order(**where, side="Sell", orderType="Market", qty="0", reduceOnly=True,
                     closeOnTrigger=True)  # fmt: skip
    symbol = rows(http.get_instruments_info(category="option", baseCoin="BTC"))[0]["symbol"]
    option = {"category": "option", "symbol": symbol}
    http.place_order(**option, side="Buy", orderType="Limit", qty="0.1", orderIv="0.05",
                     timeInForce="PostOnly", orderLinkId="sdk-iv", mmp=True)  # fmt: skip
    http.cancel_all_orders(category="option")
    spot = {"category": "spot", "symbol": "BTCUSDT"}
    placed = http.place_order(**spot, side="Buy", orderType="Limit", qty="0.01", price="50000",
                              triggerPrice="55000", orderFilter="tpslOrder")["result"]  # fmt: skip
    assert rows(http.cancel_all_orders(category="spot", orderFilter="tpslOrder")) == [placed]


def test_settings_of_the_account_are_taken(http):
    http.set_mmp(baseCoin="BTC", window="5000", frozenPeriod="1000", qtyLimit="5", deltaLimit="5")
    assert http.get_mmp_state(baseCoin="BTC")["result"]["result"][0]["qtyLimit"] == "5"
    http.reset_mmp(baseCoin="BTC")
    http.set_dcp(product="SPOT", timeWindow=30)
    http.set_margin_mode(setMarginMode="ISOLATED_MARGIN")
    http.set_auto_add_margin(category="linear", symbol="BTCUSDT", autoAddMargin=1, positionIdx=0)
    http.set_margin_mode(setMarginMode="REGULAR_MARGIN")
    assert http.get_account_info()["result"]["marginMode"] == "REGULAR_MARGIN"
    assert http.get_coin_greeks()["retCode"] == 0
