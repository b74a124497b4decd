from tests.public_feed.messages import Desk

AAA, BTC = "linear.insurance.AAAUSDT.", "linear.insurance.BTCUSDT."


def pools(kind, ts, **balances):
    rows = [
        {"coin": "USDT", "symbols": symbol, "balance": balance, "updateTime": str(ts)}
        for symbol, balance in balances.items()
    ]
    return {"topic": "insurance.USDT", "type": kind, "ts": ts, "data": rows}


def joined(*topics):
    desk = Desk()
    desk.line.connect()
    for topic in topics:
        desk.join(topic)
    return desk


def test_a_symbol_is_told_of_its_own_pools_when_they_change():
    desk = joined(AAA)
    desk.line.say(
        pools("snapshot", 1, AAAUSDT="10", BBBUSDT="7"),
        pools("delta", 2, BBBUSDT="6"),
        pools("delta", 3, AAAUSDT="9"),
    )
    first, second = desk.outlet.of(AAA)
    assert first["data"] == pools("snapshot", 1, AAAUSDT="10")["data"]
    assert second == {
        **pools("snapshot", 3, AAAUSDT="9"),
        "topic": "insurance.AAAUSDT",
        "seq": 2,
    }


def test_a_symbol_whose_pool_is_shared_has_none_and_says_so():
    desk = joined(BTC)
    desk.line.say(pools("snapshot", 1, AAAUSDT="10"), pools("delta", 2, AAAUSDT="9"))
    assert [body["data"] for body in desk.outlet.of(BTC)] == [[]]


def test_the_pools_of_a_group_remain_a_topic_of_their_own_and_serve_every_symbol():
    desk = joined("linear.insurance.USDT.", AAA, BTC)
    assert list(desk.line.desired) == ["insurance.USDT"]
    desk.line.say(pools("snapshot", 1, AAAUSDT="10"))
    assert [len(desk.outlet.of(topic)) for topic in ("linear.insurance.USDT.", AAA, BTC)] == [1] * 3
