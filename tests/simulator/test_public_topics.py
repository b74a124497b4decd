"""The public topics as subscribers see them: through the exchange, in time."""

import itertools
from decimal import Decimal

import pytest

from bybitd.simulator.exchange import UnknownTopic
from bybitd.simulator.topics import make_channel

SECOND = 1_000
BOOKS = [
    ("linear", "orderbook.50.BTCUSDT"),
    ("linear", "orderbook.200.DOGEUSDT"),
    ("inverse", "orderbook.1000.BTCUSD"),
    ("spot", "orderbook.50.ETHUSDT"),
]


class LocalBook:
    """What a careful subscriber holds: refuses whatever does not follow."""

    def __init__(self, snapshot):
        assert snapshot["type"] == "snapshot"
        self.snapshot = snapshot
        self.u = snapshot["data"]["u"]
        self.seq = snapshot["data"]["seq"]
        self.sides = {side: dict(snapshot["data"][side]) for side in ("b", "a")}

    def apply(self, message):
        data = message["data"]
        if message["type"] == "snapshot":
            self.__init__(message)
            return
        assert data["u"] == self.u + 1
        assert data["seq"] > self.seq
        assert message["cts"] <= message["ts"]
        assert data["b"] or data["a"]
        self.u, self.seq = data["u"], data["seq"]
        for side, levels in self.sides.items():
            for price, size in data[side]:
                if size == "0":
                    del levels[price]  # only what was held may be deleted
                else:
                    levels[price] = size

    @property
    def levels(self):
        bids = sorted(self.sides["b"].items(), key=lambda level: -Decimal(level[0]))
        asks = sorted(self.sides["a"].items(), key=lambda level: Decimal(level[0]))
        return [list(level) for level in bids], [list(level) for level in asks]


def option_of(new_desk):
    listed = new_desk().market("instruments-info", category="option")["list"]
    return listed[0]["symbol"]


@pytest.mark.parametrize(("category", "topic"), BOOKS)
@pytest.mark.parametrize("seed", [1, 2])
def test_deltas_on_the_first_snapshot_give_what_a_new_subscriber_is_sent(
    new_desk, category, topic, seed
):
    desk = new_desk(seed=seed, rate=200.0)
    depth = int(topic.split(".")[1])
    held = LocalBook(desk.open(category, topic))
    deltas = 0
    for _ in range(30):
        for _, _, message in desk.run(desk.now + 150):
            assert message["type"] == "delta"
            held.apply(message)
            deltas += 1
        fresh = desk.exchange.initial(category, topic, desk.now)
        for _, _, message in desk.exchange.take_public():
            held.apply(message)
        assert fresh["data"]["u"] == held.u
        assert [fresh["data"]["b"], fresh["data"]["a"]] == list(held.levels)
        assert all(len(side) <= depth for side in held.levels)
        assert Decimal(fresh["data"]["b"][0][0]) < Decimal(fresh["data"]["a"][0][0])
    assert deltas > 15


def test_option_books_carry_an_id_and_push_within_their_window(new_desk):
    symbol = option_of(new_desk)
    desk = new_desk(rate=2_000.0)
    topic = f"orderbook.25.{symbol}"
    held = LocalBook(desk.open("option", topic))
    assert next(iter(held.snapshot)) == "id"
    messages = [message for _, _, message in desk.run(desk.now + 2 * SECOND)]
    for message in messages:
        held.apply(message)
    assert messages
    assert len({message["id"] for message in messages}) == len(messages)


@pytest.mark.parametrize(
    ("topic", "period"),
    [
        ("orderbook.1.BTCUSDT", 10),
        ("orderbook.50.BTCUSDT", 20),
        ("orderbook.200.BTCUSDT", 100),
        ("orderbook.1000.BTCUSDT", 200),
        ("tickers.BTCUSDT", 100),
    ],
)
def test_messages_keep_to_the_push_period_of_their_topic(new_desk, topic, period):
    desk = new_desk(rate=1_000.0)
    desk.open("linear", topic)
    times = [message["ts"] for _, _, message in desk.run(desk.now + 2 * SECOND)]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) >= period
    assert min(gaps) < period + 10  # and it is used


def test_depth_one_is_always_whole_and_repeated_with_the_same_u_when_quiet(desk):
    first = desk.open("linear", "orderbook.1.BTCUSDT")
    start = desk.now
    messages = [message for _, _, message in desk.run(desk.now + 10 * SECOND)]
    assert [message["ts"] - start for message in messages] == [3_000, 6_000, 9_000]
    assert all(message["type"] == "snapshot" for message in messages)
    assert all(message["data"] == first["data"] for message in messages)
    _, ask = desk.touch()
    desk.create(side="Buy", price=str(ask - Decimal("0.1")), qty="0.001")
    ((_, _, changed),) = desk.run(desk.now + 20)
    assert changed["data"]["u"] == first["data"]["u"] + 1
    assert changed["data"]["b"][0][1] == "0.001"


def test_the_deeper_books_of_a_quiet_market_stay_silent(desk):
    desk.open("linear", "orderbook.50.BTCUSDT")
    assert desk.run(desk.now + 10 * SECOND) == []


def test_key_order_of_book_messages_differs_by_category_and_depth(desk):
    def keys(category, topic):
        return list(desk.open(category, topic))

    assert keys("spot", "orderbook.50.BTCUSDT") == ["topic", "ts", "type", "data", "cts"]
    assert keys("linear", "orderbook.1.BTCUSDT") == ["topic", "ts", "type", "data", "cts"]
    assert keys("linear", "orderbook.50.BTCUSDT") == ["topic", "type", "ts", "data", "cts"]


def test_restarted_books_begin_at_u_one_on_every_open_depth(new_desk):
    desk = new_desk(rate=200.0)
    topics = ["orderbook.50.BTCUSDT", "orderbook.200.BTCUSDT", "orderbook.1.BTCUSDT"]
    held = {topic: LocalBook(desk.open("linear", topic)) for topic in topics}
    desk.open("linear", "orderbook.50.ETHUSDT")
    desk.run(desk.now + SECOND)
    desk.exchange.restart_books("linear", "BTCUSDT", desk.now)
    restarted = desk.exchange.take_public()
    snapshots = [m for _, _, m in restarted if m["data"]["s"] == "BTCUSDT"][:3]
    assert [(m["topic"], m["type"], m["data"]["u"]) for m in snapshots] == [
        (topic, "snapshot", 1) for topic in topics
    ]
    for message in snapshots:
        held[message["topic"]].apply(message)
    for _, topic, message in desk.run(desk.now + SECOND):
        if topic in held:
            held[topic].apply(message)
    assert held[topics[0]].u > 1


def test_a_skipped_update_id_leaves_a_hole_of_one(new_desk):
    desk = new_desk(rate=200.0)
    topic = "orderbook.50.BTCUSDT"
    u = [desk.open("linear", topic)["data"]["u"]]
    u += [m["data"]["u"] for _, _, m in desk.run(desk.now + SECOND)]
    desk.exchange.skip_update_id("linear", topic)
    u += [m["data"]["u"] for _, _, m in desk.run(desk.now + SECOND)]
    steps = [after - before for before, after in itertools.pairwise(u)]
    assert sorted(set(steps)) == [1, 2]
    assert steps.count(2) == 1


def test_trades_have_no_first_message_and_come_in_the_order_of_the_tape(new_desk):
    desk = new_desk(rate=300.0)
    assert desk.open("linear", "publicTrade.BTCUSDT") is None
    messages = [message for _, _, message in desk.run(desk.now + 3 * SECOND)]
    rows = [row for message in messages for row in message["data"]]
    assert [row["i"] for row in rows] == [
        row["execId"]
        for row in reversed(
            desk.market("recent-trade", category="linear", symbol="BTCUSDT")["list"]
        )
    ]
    assert all(row["T"] <= message["ts"] for message in messages for row in message["data"])
    assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)


def test_option_trades_come_by_base_coin_and_name_their_symbol(new_desk):
    desk = new_desk(rate=500.0)
    desk.open("option", "publicTrade.BTC")
    rows = [r for _, _, m in desk.run(desk.now + 3 * SECOND) for r in m["data"]]
    assert {row["s"].split("-")[0] for row in rows} == {"BTC"}
    assert {row["s"].endswith("-USDT") for row in rows} == {True, False}
    assert all(row["mP"] and row["iv"] and "L" not in row for row in rows)


def test_a_contract_ticker_is_a_snapshot_and_then_only_what_changed(new_desk):
    desk = new_desk(rate=200.0)
    record = dict(desk.open("linear", "tickers.BTCUSDT")["data"])
    whole = set(record)
    sizes = []
    for _, _, message in desk.run(desk.now + 5 * SECOND):
        assert message["type"] == "delta"
        changed = message["data"]
        assert changed["symbol"] == "BTCUSDT"
        assert set(changed) <= whole
        assert any(record[key] != changed[key] for key in changed)
        sizes.append(len(changed))
        record |= changed
    assert sizes
    assert min(sizes) < len(whole) / 2
    assert record == desk.exchange.initial("linear", "tickers.BTCUSDT", desk.now)["data"]


@pytest.mark.parametrize("category", ["spot", "option"])
def test_spot_and_option_tickers_are_snapshots_only(new_desk, category):
    symbol = "BTCUSDT" if category == "spot" else option_of(new_desk)
    desk = new_desk(rate=2_000.0)
    first = desk.open(category, f"tickers.{symbol}")
    messages = [message for _, _, message in desk.run(desk.now + 3 * SECOND)]
    assert {message["type"] for message in messages} == {"snapshot"}
    assert all(set(message["data"]) == set(first["data"]) for message in messages)


def test_perpetuals_have_funding_and_dated_contracts_a_delivery(desk):
    rows = {r["symbol"]: r for r in desk.market("instruments-info", category="linear")["list"]}
    dated = next(s for s, row in rows.items() if s.startswith("BTC-"))
    perpetual = desk.open("linear", "tickers.BTCUSDT")["data"]
    future = desk.open("linear", f"tickers.{dated}")["data"]
    assert perpetual["fundingIntervalHour"] == "8"
    assert "deliveryTime" not in perpetual
    assert future["fundingRate"] == future["nextFundingTime"] == ""
    assert "fundingIntervalHour" not in future
    assert future["deliveryTime"].endswith("T08:00:00Z")
    assert "preOpenPrice" not in future


def test_a_candle_closes_confirmed_and_the_next_one_opens_where_it_closed(new_desk):
    desk = new_desk(rate=50.0)
    first = desk.open("linear", "kline.1.BTCUSDT")["data"][0]
    assert first["confirm"] is False
    candles = [m["data"][0] for _, _, m in desk.run(first["end"] + 61 * SECOND)]
    closed = [candle for candle in candles if candle["confirm"]]
    assert [candle["start"] for candle in closed] == [first["start"], first["end"] + 1]
    assert all(c["end"] - c["start"] == 59_999 for c in candles)
    assert closed[0]["close"] == closed[1]["open"]
    for candle in candles:
        low, high = Decimal(candle["low"]), Decimal(candle["high"])
        assert low <= Decimal(candle["open"]) <= high
        assert low <= Decimal(candle["close"]) <= high
        assert candle["timestamp"] <= candle["end"]
    rest = desk.market("kline", category="linear", symbol="BTCUSDT", interval="1", limit="3")
    assert rest["list"][1][:5] == [
        str(closed[1]["start"]),
        *(closed[1][name] for name in ("open", "high", "low", "close")),
    ]


def test_a_quiet_candle_is_pushed_at_its_close_and_once_a_minute(desk):
    first = desk.open("spot", "kline.1.BTCUSDT")["data"][0]
    candles = [m["data"][0] for _, _, m in desk.run(first["end"] + 2)]
    assert [candle["confirm"] for candle in candles] == [True]


@pytest.mark.parametrize(
    ("category", "topic"),
    [
        ("linear", "orderbook.30.BTCUSDT"),
        ("linear", "orderbook.500.BTCUSDT"),
        ("linear", "orderbook.050.BTCUSDT"),
        ("linear", "orderbook.50.btcusdt"),
        ("linear", "orderbook.50"),
        ("linear", "orderbook.50.BTCUSDT."),
        ("option", "orderbook.50.BTCUSDT"),
        ("option", "publicTrade.DOGE"),
        ("spot", "tickers.NOPEUSDT"),
        ("spot", "kline.2.BTCUSDT"),
        ("option", "kline.1.BTCUSDT"),
        ("linear", "order"),
        ("spread", "tickers.BTCUSDT"),
        ("linear", ""),
    ],
)
def test_a_topic_that_does_not_exist_is_refused_by_name(desk, category, topic):
    with pytest.raises(UnknownTopic) as caught:
        desk.exchange.open_topic(category, topic)
    assert (caught.value.category, caught.value.topic) == (category, topic)


def test_only_open_topics_are_wanted_and_produced(new_desk):
    desk = new_desk(rate=100.0)
    quiet = desk.exchange.next_deadline_ms()
    assert quiet - desk.now > 60 * SECOND  # nothing but funding
    desk.open("linear", "orderbook.50.BTCUSDT")
    desk.open("linear", "publicTrade.BTCUSDT")
    assert desk.exchange.next_deadline_ms() < desk.now + SECOND
    desk.exchange.close_topic("linear", "orderbook.50.BTCUSDT")
    desk.exchange.close_topic("linear", "orderbook.50.BTCUSDT")
    assert {topic for _, topic, _ in desk.run(desk.now + SECOND)} == {"publicTrade.BTCUSDT"}
    desk.exchange.close_topic("linear", "publicTrade.BTCUSDT")
    assert desk.run(desk.now + SECOND) == []
    assert desk.exchange.next_deadline_ms() == quiet


def test_update_ids_go_on_when_a_topic_is_opened_again(new_desk):
    desk = new_desk(rate=100.0)
    topic = "orderbook.50.BTCUSDT"
    desk.open("linear", topic)
    last = [m["data"]["u"] for _, _, m in desk.run(desk.now + SECOND)][-1]
    desk.exchange.close_topic("linear", topic)
    desk.run(desk.now + SECOND)
    assert desk.open("linear", topic)["data"]["u"] >= last


def test_every_topic_of_every_instrument_can_be_made(new_desk):
    desk = new_desk(symbols={"linear": 40})
    markets = desk.exchange._markets
    for category, listed in markets.instruments.items():
        depths = {"option": (25, 100), "spread": (25,)}.get(category, (1, 50, 200, 1000))
        for symbol in listed:
            for depth in depths:
                make_channel(category, f"orderbook.{depth}.{symbol}", markets)
            channel = make_channel(category, f"tickers.{symbol}", markets)
            data = channel.initial(desk.now)["data"]
            assert data["symbol"] == symbol
            assert all(isinstance(text, str) for text in data.values())
