from tests.public_feed.messages import Desk

TOPIC = "linear.liquidation.BTCUSDT."


def joined():
    desk = Desk()
    desk.line.connect()
    desk.join(TOPIC)
    return desk


def row(moment, **changed):
    return {"T": moment, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": "64100.0", **changed}


def liquidated(*rows):
    return {"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": 9, "data": list(rows)}


def test_each_row_is_an_event():
    desk = joined()
    assert list(desk.line.desired) == ["allLiquidation.BTCUSDT"]
    desk.line.say(liquidated(row(7), row(8, S="Sell")))
    first, second = desk.outlet.of(TOPIC)
    assert first == {
        "topic": "liquidation.BTCUSDT",
        "type": "snapshot",
        "ts": 9,
        "data": {
            "symbol": "BTCUSDT",
            "side": "Buy",
            "size": "0.5",
            "price": "64100.0",
            "updatedTime": 7,
        },
        "seq": 1,
    }
    assert (second["seq"], second["data"]["side"]) == (2, "Sell")


def test_the_past_is_not_repeated():
    desk = joined()
    desk.line.say(liquidated(row(7)))
    desk.feed.resend(TOPIC)
    assert len(desk.outlet.of(TOPIC)) == 1
    assert not desk.feed.find(TOPIC).has_state


def test_a_row_that_makes_no_sense_is_kept_for_inspection_and_ends_nothing():
    desk = joined()
    desk.line.say(liquidated(row(6)), liquidated({"T": 7}), liquidated(5), liquidated(row(8)))
    assert [body["data"]["updatedTime"] for body in desk.outlet.of(TOPIC)] == [6, 8]
    assert desk.outlet.states(f"gateway.feed.{TOPIC}") == ["live", "stale", "live"]
    assert desk.counters["bad_frames"] == 2
    assert "liquidation.BTCUSDT" in desk.feed.pipeline.quarantine.last(1)[0]["reason"]
