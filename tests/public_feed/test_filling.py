"""What was missed while a connection was away, fetched and told, wired to lists."""

import pytest

from tests.public_feed.asking import RestDesk
from tests.public_feed.messages import trade

TRADES = "linear.publicTrade.BTCUSDT."
STATE = f"gateway.feed.{TRADES}"
KLINE = "linear.kline.1.BTCUSDT."
KLINE_STATE = f"gateway.feed.{KLINE}"
MINUTE = 60_000
HOUR = 1_752_998_400_000


def rest_rows(*numbers, at_ms=1_700_000_000_000):
    return {
        "list": [
            {
                "execId": str(number),
                "symbol": "BTCUSDT",
                "price": "100",
                "size": "1",
                "side": "Buy",
                "time": str(at_ms),
                "isBlockTrade": False,
                "isRPITrade": False,
                "seq": str(number),
            }
            for number in reversed(numbers)
        ]
    }


def live_trades(*numbers):
    desk = RestDesk()
    desk.join(TRADES)
    for number in numbers:
        desk.line.say(trade(number))
    return desk


def ids(desk):
    return [row["i"] for body in desk.outlet.of(TRADES) for row in body["data"]]


def test_nothing_is_fetched_for_a_topic_that_was_never_live():
    desk = live_trades()
    desk.reconnect()
    desk.beat(1_000)
    assert desk.calls == []
    desk.line.say(trade(1))
    desk.beat(2_000)
    assert desk.calls == []
    assert "fill" not in desk.outlet.of(STATE)[-1]


def test_missed_trades_are_told_once_marked_and_oldest_first_and_then_the_fill_is_complete():
    desk = live_trades(1, 2)
    desk.reconnect()
    stale = desk.outlet.of(STATE)[-1]
    assert stale["state"] == "stale"
    assert stale["fill"] == {"state": "pending", "from": 1_700_000_000_000, "count": 0}
    desk.line.say(trade(6), now_ms=10)
    call = desk.call(10)
    assert (call.path, call.params) == (
        "/v5/market/recent-trade",
        {"category": "linear", "symbol": "BTCUSDT", "limit": "1000"},
    )
    desk.line.say(trade(7), now_ms=20)
    call.answer(rest_rows(1, 2, 3, 4, 5, 6), 1_700_000_000_100)
    desk.line.say(trade(5), trade(8), now_ms=30)
    assert ids(desk) == ["1", "2", "6", "7", "3", "4", "5", "8"]
    filled = next(body for body in desk.outlet.of(TRADES) if body.get("filled"))
    assert (filled["topic"], filled["type"], filled["ts"]) == (
        "publicTrade.BTCUSDT",
        "snapshot",
        1_700_000_000_100,
    )
    assert filled["data"][0] == {
        "T": 1_700_000_000_000,
        "s": "BTCUSDT",
        "S": "Buy",
        "v": "1",
        "p": "100",
        "i": "3",
        "BT": False,
        "RPI": False,
        "seq": 3,
    }
    assert desk.outlet.of(STATE)[-1]["fill"] == {
        "state": "complete",
        "from": 1_700_000_000_000,
        "to": 1_700_000_000_100,
        "count": 3,
    }
    assert desk.counters["filled"] == 3
    assert [body["seq"] for body in desk.outlet.of(TRADES)] == list(range(1, 7))


def test_a_quiet_topic_is_live_again_when_the_exchange_says_that_nothing_was_missed():
    desk = live_trades(1, 2)
    desk.reconnect()
    desk.call(10).answer(rest_rows(1, 2), 1_700_000_000_100)
    told = desk.outlet.of(STATE)[-1]
    assert (told["state"], told["fill"]["state"], told["fill"]["count"]) == ("live", "complete", 0)
    assert ids(desk) == ["1", "2"]


def test_nothing_is_asked_before_the_exchange_has_acknowledged_the_subscription():
    desk = live_trades(1)
    desk.line.cut()
    desk.line.connect()
    desk.beat(0)
    assert desk.calls == []
    desk.feed.channels["publicTrade.BTCUSDT"].acknowledged = True
    desk.call(250)


def test_what_rest_can_not_reach_is_said_to_be_missing():
    desk = live_trades(1, 2)
    desk.reconnect()
    desk.call(10).answer(rest_rows(8, 9, at_ms=1_700_000_005_000), 1_700_000_006_000)
    assert ids(desk) == ["1", "2", "8", "9"]
    assert desk.outlet.of(STATE)[-1]["fill"] == {
        "state": "incomplete",
        "from": 1_700_000_000_000,
        "to": 1_700_000_005_000,
        "count": 2,
    }


def test_trades_that_rest_lists_oldest_first_are_filled_all_the_same():
    desk = live_trades(1)
    desk.reconnect()
    rows = rest_rows(1, 2, 3)["list"][::-1]
    for number, row in enumerate(rows):
        row["time"] = str(1_700_000_000_000 + number)
    desk.call(10).answer({"list": rows}, 1_700_000_006_000)
    assert ids(desk) == ["1", "2", "3"]


def test_on_spot_more_than_sixty_trades_since_the_cut_are_out_of_reach():
    topic = "spot.publicTrade.BTCUSDT."
    desk = RestDesk(category="spot")
    desk.join(topic)
    desk.line.say(trade(1))
    desk.reconnect()
    for number in range(100, 170):
        desk.line.say(trade(number))
    desk.beat(10)
    assert desk.calls == []
    told = desk.outlet.of(f"gateway.feed.{topic}")[-1]
    assert (told["state"], told["fill"]["state"], told["fill"]["count"]) == (
        "live",
        "incomplete",
        0,
    )


def test_an_answer_from_before_another_cut_is_of_no_use():
    desk = live_trades(1)
    desk.reconnect()
    call = desk.call(0)
    desk.reconnect()
    call.answer(rest_rows(1, 2), 1_700_000_000_100)
    assert ids(desk) == ["1"]
    desk.call(1_000).answer(rest_rows(1, 2, 3), 1_700_000_000_200)
    assert ids(desk) == ["1", "2", "3"]


@pytest.mark.parametrize("answer", [{}, {"list": [{}]}, {"list": None}, {"list": [5]}])
def test_an_answer_that_makes_no_sense_is_asked_for_again(answer):
    desk = live_trades(1)
    desk.reconnect()
    desk.call(0).answer(answer, 1)
    assert desk.outlet.of(STATE)[-1]["fill"]["state"] == "pending"
    desk.call(1_000).fail("HTTP 503")
    desk.call(60_000).answer(rest_rows(1, 2), 1_700_000_000_100)
    assert ids(desk) == ["1", "2"]


def test_a_message_that_broke_the_topic_is_made_good_as_well():
    desk = live_trades(1)
    desk.line.say({"topic": "publicTrade.BTCUSDT", "data": "x", "ts": 1}, now_ms=5)
    assert desk.outlet.states(STATE)[-1] == "resyncing"
    desk.feed.channels["publicTrade.BTCUSDT"].acknowledged = True
    desk.call(10).answer(rest_rows(1, 2), 1_700_000_000_100)
    assert ids(desk) == ["1", "2"]
    assert desk.outlet.states(STATE)[-1] == "live"


def test_option_trades_are_asked_for_by_base_coin():
    desk = RestDesk(category="option")
    desk.join("option.publicTrade.BTC.")
    desk.line.say(trade(1, "publicTrade.BTC"))
    desk.reconnect()
    assert desk.call(0).params == {"category": "option", "baseCoin": "BTC", "limit": "1000"}


def kline(minute, confirm=False):
    start = HOUR + minute * MINUTE
    candle = {"start": start, "end": start + MINUTE - 1, "confirm": confirm, "close": "1"}
    return {"topic": "kline.1.BTCUSDT", "type": "snapshot", "data": [candle], "ts": start}


def kline_rows(*minutes):
    return {
        "list": [
            [str(HOUR + minute * MINUTE), "1", "2", "0.5", "1.5", "10", "15"]
            for minute in reversed(minutes)
        ]
    }


def test_missed_closes_are_told_and_the_running_candle_stays_the_state():
    desk = RestDesk()
    desk.join(KLINE)
    desk.line.say(kline(0))
    desk.reconnect()
    desk.line.say(kline(3), now_ms=10)
    call = desk.call(10)
    assert (call.path, call.params) == (
        "/v5/market/kline",
        {
            "category": "linear",
            "symbol": "BTCUSDT",
            "interval": "1",
            "start": str(HOUR),
            "limit": "1000",
        },
    )
    call.answer(kline_rows(0, 1, 2, 3), HOUR + 3 * MINUTE + 1_000)
    told = [
        ((body["data"][0]["start"] - HOUR) // MINUTE, body["data"][0]["confirm"], "filled" in body)
        for body in desk.outlet.of(KLINE)
    ]
    assert told == [(0, False, False), (3, False, False), (0, True, True), (1, True, True)]
    assert desk.outlet.of(KLINE_STATE)[-1]["fill"] == {"state": "pending", "from": HOUR, "count": 2}
    # The last one was not final yet.
    desk.call(2_000).answer(kline_rows(2, 3), HOUR + 3 * MINUTE + 2_000)
    (late,) = [body for body in desk.outlet.of(KLINE) if body.get("filled")][2:]
    assert late["data"][0]["start"] == HOUR + 2 * MINUTE
    assert desk.outlet.of(KLINE_STATE)[-1]["fill"] == {
        "state": "complete",
        "from": HOUR,
        "to": HOUR + 3 * MINUTE + 2_000,
        "count": 3,
    }
    assert desk.counters["filled"] == 3
    desk.feed.resend(KLINE)
    assert desk.outlet.of(KLINE)[-1]["data"][0]["start"] == HOUR + 3 * MINUTE


def test_closes_that_the_exchange_has_no_more_are_said_to_be_missing():
    desk = RestDesk()
    desk.join(KLINE)
    desk.line.say(kline(0))
    desk.reconnect()
    desk.call(10).answer(kline_rows(5, 6), HOUR + 6 * MINUTE + 3_000)
    told = desk.outlet.of(KLINE_STATE)[-1]
    assert told["fill"] == {
        "state": "incomplete",
        "from": HOUR,
        "to": HOUR + 5 * MINUTE,
        "count": 1,
    }
    assert told["state"] == "stale"  # no running candle has come yet


def test_a_topic_that_was_silent_too_long_is_filled_as_after_a_cut():
    desk = RestDesk()
    desk.join(KLINE)
    desk.line.say(kline(0))
    desk.beat(150_000)
    assert desk.line.asked_again == ["kline.1.BTCUSDT"]
    assert desk.outlet.of(KLINE_STATE)[-1]["fill"]["state"] == "pending"


def test_the_most_urgent_is_asked_first():
    desk = live_trades(1)
    desk.join(KLINE)
    desk.line.say(kline(0))
    desk.reconnect()
    desk.beat(0)
    assert [call.path[11:] for call in sorted(desk.calls, key=lambda call: call.urgency)] == [
        "recent-trade",
        "kline",
    ]


def test_spread_trades_have_a_rest_path_and_a_shape_of_their_own():
    symbol = "SOLUSDT_SOL/USDT"
    topic = f"spread.publicTrade.{symbol}."
    desk = RestDesk(category="spread")
    desk.join(topic)
    desk.line.say(trade(1, f"publicTrade.{symbol}"))
    desk.reconnect()
    call = desk.call(0)
    assert call.path == "/v5/spread/recent-trade"
    assert call.params == {"symbol": symbol, "limit": "1000"}
    rows = rest_rows(1, 2)["list"]
    for row in rows:
        del row["isBlockTrade"], row["isRPITrade"]
    call.answer({"list": rows}, 1_700_000_000_100)
    (filled,) = [body for body in desk.outlet.of(topic) if body.get("filled")]
    assert filled["data"][0].keys() == {"T", "s", "S", "v", "p", "i", "seq"}
