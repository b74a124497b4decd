"""Price limits, RPI books, insurance pools and ADL alerts, and the REST answers that match them."""

import itertools
from decimal import Decimal

import pytest

from bybitd.simulator.exchange import Refusal, UnknownTopic
from bybitd.venue.outcome import APPLIED
from bybitd.venue.state import state_for
from bybitd.venue.topics import check

SECOND = 1_000
RPI = "orderbook.rpi.BTCUSDT"
SYMBOLS = [("spot", "BTCUSDT"), ("linear", "BTCUSDT"), ("inverse", "BTCUSD")]


def of(topic, made):
    return [message for _, name, message in made if name == topic]


def kept(category, topic, first):
    """A careful client's state of a topic after its first message."""
    state = state_for(check(category, topic))
    assert state.apply(first) == APPLIED
    return state


# --- price limits
@pytest.mark.parametrize(("category", "symbol"), SYMBOLS)
def test_price_limits_are_sent_when_they_move_and_are_those_of_rest(new_desk, category, symbol):
    desk, topic = new_desk(rate=0.0), f"priceLimit.{symbol}"
    first = desk.open(category, topic)
    assert list(first) == ["topic", "data", "ts"]
    messages = of(topic, desk.run(desk.now + 30 * SECOND))
    assert messages
    gaps = [b["ts"] - a["ts"] for a, b in itertools.pairwise([first, *messages])]
    assert min(gaps) >= 300
    limits = [message["data"] for message in [first, *messages]]
    assert all(a != b for a, b in itertools.pairwise(limits))
    assert all(float(one["sellLmt"]) < float(one["buyLmt"]) for one in limits)
    rest = desk.market("price-limit", category=category, symbol=symbol)
    assert rest == {**rest, "symbol": symbol, "ts": str(desk.now)}
    again = desk.open(category, f"priceLimit.{symbol}")
    assert again["data"] == limits[-1]


def test_an_order_at_the_limit_is_taken_as_it_is(desk):
    limit = desk.open("linear", "priceLimit.BTCUSDT")["data"]
    order = desk.create(side="Sell", price=limit["sellLmt"], qty="0.001")
    assert desk.order(order)["price"] == limit["sellLmt"]


# --- RPI books
@pytest.mark.parametrize(("category", "symbol"), SYMBOLS)
def test_an_rpi_book_kept_from_its_deltas_is_the_book_of_rest(new_desk, category, symbol):
    desk, topic = new_desk(rate=200.0), f"orderbook.rpi.{symbol}"
    first = desk.open(category, topic)
    assert list(first) == ["topic", "ts", "type", "data", "cts"]
    state = kept(category, topic, first)
    times = []
    for message in of(topic, desk.run(desk.now + 5 * SECOND)):
        assert state.apply(message) == APPLIED, message
        times.append(message["ts"])
    assert min(b - a for a, b in itertools.pairwise(times)) >= 100
    data = state.message()["data"]
    rest = desk.market("rpi_orderbook", category=category, symbol=symbol, limit="50")
    assert (rest["u"], rest["seq"]) == (data["u"], data["seq"])
    assert (rest["b"], rest["a"]) == (data["b"], data["a"])
    assert len(rest["b"]) == len(rest["a"]) == 50
    assert any(level[2] != "0" for level in rest["b"])


def test_an_rpi_book_shows_the_same_ordinary_sizes_as_the_others(new_desk):
    desk = new_desk(rate=50.0)
    desk.run(desk.now + SECOND)
    rpi = desk.market("rpi_orderbook", category="linear", symbol="BTCUSDT", limit="50")
    plain = desk.market("orderbook", category="linear", symbol="BTCUSDT", limit="50")
    for side in ("b", "a"):
        ordinary = [level[:2] for level in rpi[side] if level[1] != "0"]
        assert ordinary == plain[side][: len(ordinary)]


def test_an_rpi_book_restarts_and_loses_updates_as_the_others(new_desk):
    desk = new_desk(rate=200.0)
    state = kept("linear", RPI, desk.open("linear", RPI))
    desk.exchange.restart_books("linear", "BTCUSDT", desk.now)
    (restart,) = of(RPI, desk.exchange.take_public())
    assert (restart["type"], restart["data"]["u"]) == ("snapshot", 1)
    assert state.apply(restart).publish
    desk.exchange.skip_update_id("linear", RPI)
    outcomes = [state.apply(m) for m in of(RPI, desk.run(desk.now + 2 * SECOND))]
    assert outcomes[0].resync


@pytest.mark.parametrize(
    "params",
    [{}, {"limit": "0"}, {"limit": "51"}, {"limit": "x"}, {"limit": "5", "category": "option"}],
)
def test_an_rpi_book_needs_a_limit_that_can_be(desk, params):
    with pytest.raises(Refusal) as caught:
        desk.market("rpi_orderbook", symbol="BTCUSDT", **params)
    assert caught.value.retCode == 10001


# --- insurance pools
def test_insurance_pools_come_whole_and_then_only_those_that_moved(desk):
    topic = "insurance.USDT"
    first = desk.open("linear", topic)
    assert list(first) == ["topic", "type", "ts", "data"]
    assert first["type"] == "snapshot"
    whole = {row["symbols"]: row for row in first["data"]}
    assert "SOLUSDT" in whole
    assert not any("BTC" in symbols or "," in symbols for symbols in whole)
    state, messages = kept("linear", topic, first), of(topic, desk.run(desk.now + 30 * SECOND))
    assert min(b["ts"] - a["ts"] for a, b in itertools.pairwise([first, *messages])) >= 1_000
    for message in messages:
        assert message["type"] == "delta"
        for row in message["data"]:
            assert row != whole[row["symbols"]]
            assert int(row["updateTime"]) <= message["ts"]
            whole[row["symbols"]] = row
        state.apply(message)
    assert any(len(message["data"]) < len(whole) for message in messages)
    assert desk.exchange.initial("linear", topic, desk.now)["data"] == list(whole.values())
    assert state.message()["data"] == list(whole.values())


def test_a_group_that_only_shares_pools_is_silent(desk):
    assert desk.open("linear", "insurance.USDC") is None
    assert desk.run(desk.now + 10 * SECOND) == []


def test_rest_lists_isolated_and_shared_pools_as_of_the_last_minute(desk):
    result = desk.market("insurance")
    assert int(result["updatedTime"]) == desk.now // 60_000 * 60_000
    rows = {row["symbols"]: row for row in result["list"]}
    assert any(symbols.startswith("BTCUSDT,ETHUSDT") for symbols in rows)
    assert {"USDT", "USDC", "BTC", "SOL"} <= {row["coin"] for row in rows.values()}
    assert all(Decimal(row["value"]) > 0 for row in rows.values())
    only = desk.market("insurance", coin="BTC")["list"]
    assert {row["coin"] for row in only} == {"BTC"}
    desk.now = int(result["updatedTime"]) + 60_000
    topic_rows = {row["symbols"]: row for row in desk.open("linear", "insurance.USDT")["data"]}
    rest = {row["symbols"]: row for row in desk.market("insurance", coin="USDT")["list"]}
    assert topic_rows["SOLUSDT"]["balance"] == rest["SOLUSDT"]["balance"]


# --- ADL
@pytest.mark.parametrize(
    ("category", "group"), [("linear", "USDT"), ("linear", "USDC"), ("inverse", "inverse")]
)
def test_adl_alerts_name_every_contract_of_their_group_each_second(desk, category, group):
    topic = f"adlAlert.{group}"
    first = desk.open(category, topic)
    messages = of(topic, desk.run(desk.now + 5 * SECOND))
    assert [message["ts"] - first["ts"] for message in messages] == [
        1_000, 2_000, 3_000, 4_000, 5_000
    ]  # fmt: skip
    listed = desk.market("instruments-info", category=category, limit="1000")["list"]
    symbols = {
        row["symbol"] for row in listed if category == "inverse" or row["settleCoin"] == group
    }
    for message in [first, *messages]:
        assert message["type"] == "snapshot"
        assert {row["s"] for row in message["data"]} == symbols
        for row in message["data"]:
            assert row["b"] > 0
            assert row["pr"] > row["i_pr"]  # no ADL


def test_rest_tells_the_same_of_a_contract_by_its_long_names(desk):
    desk.now = (desk.now // 60_000 + 1) * 60_000
    (row,) = desk.market("adlAlert", symbol="SOLUSDT")["list"]
    told = desk.open("linear", "adlAlert.USDT")["data"]
    (short,) = [one for one in told if one["s"] == "SOLUSDT"]
    assert float(row["balance"]) == short["b"]
    assert float(row["pnlRatio"]) == short["pr"]
    assert float(row["adlStopRatio"]) == short["adl_sr"]
    assert len(desk.market("adlAlert")["list"]) > 20
    with pytest.raises(Refusal):
        desk.market("adlAlert", symbol="NOPE")


# --- all of them
@pytest.mark.parametrize(
    ("category", "topic"),
    [
        ("option", "priceLimit.BTCUSDT"),
        ("linear", "priceLimit.NOPE"),
        ("linear", "priceLimit"),
        ("spot", "allLiquidation.BTCUSDT"),
        ("linear", "allLiquidation.NOPE"),
        ("option", "orderbook.rpi.BTC"),
        ("linear", "orderbook.rpi"),
        ("linear", "insurance.inverse"),
        ("linear", "insurance.BTCUSDT"),
        ("spot", "insurance.USDT"),
        ("inverse", "adlAlert.USDT"),
        ("linear", "adlAlert"),
    ],
)
def test_a_topic_that_its_category_has_not_is_refused(desk, category, topic):
    with pytest.raises(UnknownTopic):
        desk.exchange.open_topic(category, topic)


def test_nothing_is_produced_after_a_topic_is_left(new_desk):
    desk = new_desk(rate=100.0)
    quiet = desk.exchange.next_deadline_ms()
    topics = [RPI, "priceLimit.BTCUSDT", "allLiquidation.BTCUSDT", "insurance.USDT",
              "adlAlert.USDT"]  # fmt: skip
    for topic in topics:
        desk.open("linear", topic)
    assert {name for _, name, _ in desk.run(desk.now + 20 * SECOND)} == set(topics)
    for topic in topics:
        desk.exchange.close_topic("linear", topic)
    assert desk.run(desk.now + 20 * SECOND) == []
    assert desk.exchange.next_deadline_ms() == quiet
