import itertools

import pytest

SECOND = 1_000
TOPIC = "allLiquidation.BTCUSDT"


def liquidations(desk, seconds, topic=TOPIC):
    return [m for _, name, m in desk.run(desk.now + seconds * SECOND) if name == topic]


def test_liquidations_come_together_twice_a_second_at_most_and_in_order(new_desk):
    desk = new_desk(rate=400.0)
    assert desk.open("linear", TOPIC) is None
    messages = liquidations(desk, 20)
    assert list(messages[0]) == ["topic", "type", "ts", "data"]
    assert {message["type"] for message in messages} == {"snapshot"}
    gaps = [b["ts"] - a["ts"] for a, b in itertools.pairwise(messages)]
    assert min(gaps) >= 500
    assert any(len(message["data"]) > 1 for message in messages)
    rows = [row for message in messages for row in message["data"]]
    assert all(list(row) == ["T", "s", "S", "v", "p"] for row in rows)
    assert all(row["T"] <= message["ts"] for message in messages for row in message["data"])
    assert [row["T"] for row in rows] == sorted(row["T"] for row in rows)
    assert {row["S"] for row in rows} == {"Buy", "Sell"}


def test_a_long_goes_bankrupt_below_the_market_and_a_short_above_it(new_desk):
    desk = new_desk(rate=400.0)
    desk.open("linear", TOPIC)
    for message in liquidations(desk, 10):
        for row in message["data"]:
            bid, ask = desk.touch()
            low, high = float(bid) * 0.993, float(ask) * 1.007
            assert low < float(row["p"]) < high
            assert (float(row["p"]) < float(ask) * 1.003) or row["S"] == "Sell"
            assert (float(row["p"]) > float(bid) * 0.997) or row["S"] == "Buy"


def test_the_same_seed_liquidates_the_same_positions_and_another_one_others(new_desk):
    def told(seed):
        desk = new_desk(seed=seed, rate=100.0)
        desk.open("linear", TOPIC)
        return liquidations(desk, 20)

    assert told(1) == told(1) != told(2)


def test_liquidations_leave_the_market_as_it_is(new_desk):
    def trades(topics):
        desk = new_desk(rate=200.0)
        for topic in topics:
            desk.open("linear", topic)
        return [m for _, name, m in desk.run(desk.now + 5 * SECOND) if name.startswith("public")]

    assert trades(["publicTrade.BTCUSDT", TOPIC]) == trades(["publicTrade.BTCUSDT"])


@pytest.mark.parametrize("pause", [1, 60])
def test_who_slept_is_told_of_the_last_seconds_only(new_desk, pause):
    desk = new_desk(rate=400.0)
    desk.open("linear", TOPIC)
    desk.run(desk.now + SECOND)
    desk.now += pause * SECOND
    desk.exchange.tick(desk.now)
    rows = [row for _, _, m in desk.exchange.take_public() for row in m["data"]]
    assert all(row["T"] >= desk.now - 5 * SECOND for row in rows)
    assert len(rows) < 200


def test_a_market_without_participants_liquidates_nobody(desk):
    desk.open("linear", TOPIC)
    assert liquidations(desk, 60) == []
