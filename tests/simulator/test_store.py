"""A simulator that is killed and started again still knows its accounts."""

import sqlite3
from decimal import Decimal

import pytest

from bybitd.simulator.exchange import Refusal
from bybitd.simulator.store import AccountStore

ANN, BOB = 1, 2
HOUR = 3_600_000


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "simulator.db")


@pytest.fixture
def born(path, new_desk):
    """Start a desk on the file, as often as asked; nothing is ever closed in order."""
    stores = []

    def start(**how):
        stores.append(AccountStore(path))
        return new_desk(store=stores[-1], **how)

    yield start
    for store in stores:
        store.close()


def test_resting_orders_balances_positions_and_history_survive(born):
    desk = born()
    resting = desk.create(price="90000", qty="0.020", orderLinkId="rest")
    desk.create(category="spot", price="90000", qty="0.010", orderLinkId="spot")
    desk.create(orderType="Market", qty="0.010", orderLinkId="market")
    desk.post("position/set-leverage", category="linear", symbol="BTCUSDT",
              buyLeverage="25", sellLeverage="25")  # fmt: skip
    desk.post("position/switch-mode", category="linear", symbol="XRPUSDT", mode=3)
    questions = [
        ("order/realtime", {"category": "linear", "settleCoin": "USDT"}),
        ("order/realtime", {"category": "spot"}),
        ("order/history", {"category": "linear"}),
        ("execution/list", {"category": "linear"}),
        ("position/list", {"category": "linear", "symbol": "BTCUSDT"}),
        ("position/list", {"category": "linear", "symbol": "XRPUSDT"}),
        ("account/wallet-balance", {"accountType": "UNIFIED"}),
    ]
    before = [desk.get(path, **params) for path, params in questions]
    again = born(now=desk.now)
    after = [again.get(path, **params) for path, params in questions]
    for answer in (before[-1], after[-1]):
        answer["list"][0]["coin"].sort(key=lambda coin: coin["coin"])
    assert after == before
    again.post("order/cancel", category="linear", symbol="BTCUSDT", orderId=resting)
    with pytest.raises(Refusal, match="110072"):
        again.create(price="90000", orderLinkId="rest")


def test_a_restored_order_is_on_its_book_and_can_be_filled(born):
    desk = born()
    bid, _ = desk.touch()
    price = str(bid + Decimal("0.1"))
    mine = desk.create(price=price, qty="0.010")
    again = born(now=desk.now + 1_000)
    book = again.market("orderbook", category="linear", symbol="BTCUSDT", limit="200")
    assert [price, "0.010"] in [[p, size] for p, size in book["b"]]
    assert Decimal(book["b"][0][0]) < Decimal(book["a"][0][0])
    again.create(BOB, side="Sell", orderType="Market", qty="0.010")
    assert again.order(mine)["orderStatus"] == "Filled"
    assert again.take("order")[0]["orderId"] == mine


def test_a_restored_order_keeps_its_market_awake_until_it_is_filled(born):
    desk = born(rate=50.0)
    _, ask = desk.touch()
    mine = desk.create(price=str(ask - Decimal("0.1")), qty="0.010", timeInForce="PostOnly")
    again = born(rate=50.0, now=desk.now + 500)
    assert again.exchange.next_deadline_ms() <= again.now + 10
    again.run(again.now + 20_000)
    assert again.order(mine)["orderStatus"] == "Filled"
    assert {e["isMaker"] for e in again.take("execution")} == {True}


def test_an_order_that_the_market_has_passed_leaves_no_crossed_book(born, new_desk):
    # The price is a function of the time: place the order at a high, come back at a low.
    fair = new_desk().exchange._markets.fair_value
    hours = [new_desk().now + n * HOUR for n in range(48)]
    high = max(hours[:24], key=lambda at: fair.index("BTC", at))
    low = min(hours[24:], key=lambda at: fair.index("BTC", at))
    assert fair.index("BTC", low) < fair.index("BTC", high) - 300
    desk = born(rate=50.0, now=high)
    start = desk.touch()[0]
    mine = desk.create(price=str(start), qty="0.010")
    again = born(rate=50.0, now=low)
    bid, ask = again.touch()
    assert bid < ask
    again.run(low + 5_000)
    assert again.order(mine)["orderStatus"] == "Filled"
    bid, ask = again.touch()
    assert bid < ask < start


def test_ids_do_not_repeat_over_restarts(born):
    ids = []
    for _ in range(3):
        desk = born()
        ids.append(desk.create(category="spot", orderType="Market", qty="50"))
        ids.append(desk.create(orderType="Market"))
    executions = [
        row["execId"]
        for category in ("spot", "linear")
        for row in desk.get("execution/list", category=category)["list"]
    ]
    assert len(set(ids)) == len(ids) == 6
    assert len(set(executions)) == len(executions)


def test_every_action_is_on_disk_before_it_is_answered(born, path):
    desk = born()
    mine = desk.create(price="90000")
    other = sqlite3.connect(path)
    rows = other.execute("SELECT order_id, open FROM orders").fetchall()
    assert rows == [(mine, 1)]
    desk.post("order/cancel", category="linear", symbol="BTCUSDT", orderId=mine)
    assert other.execute("SELECT open FROM orders").fetchall() == [(0,)]
    other.close()


def test_orders_of_a_contract_that_is_gone_are_cancelled(born):
    desk = born()
    listed = desk.market("instruments-info", category="linear")["list"]
    dated = next(row["symbol"] for row in listed if row["contractType"] == "LinearFutures")
    mine = desk.create(symbol=dated, price="90000")
    kept = desk.create(price="90000")
    again = born(now=desk.now + 90 * 24 * HOUR)
    rows = again.get("order/realtime", category="linear", settleCoin="USDT")["list"]
    assert [row["orderId"] for row in rows] == [kept]
    with pytest.raises(Refusal, match="symbol invalid"):
        again.post("order/cancel", category="linear", symbol=dated, orderId=mine)


def test_a_file_of_another_version_is_refused_with_what_to_do(path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ValueError, match=r"simulator\.db was written by another version.*remove"):
        AccountStore(path)


def test_an_account_without_a_past_begins_with_its_start_balances(born):
    desk = born()
    coins = desk.get("account/wallet-balance", BOB, accountType="UNIFIED")["list"][0]["coin"]
    assert {coin["coin"]: coin["walletBalance"] for coin in coins} == {
        "USDT": "1000000",
        "USDC": "1000000",
        "BTC": "10",
        "ETH": "100",
    }
