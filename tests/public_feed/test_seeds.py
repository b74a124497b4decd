"""What is fetched before a topic can be shown, wired to lists."""

import pytest

from tests.public_feed.asking import RestDesk
from tests.public_feed.messages import SECOND, ticker

FULL = "orderbook.full.BTCUSDT"
TOPIC = f"linear.{FULL}."
STATE = f"gateway.feed.{TOPIC}"
MARK = "linear.markPrice.1.BTCUSDT."
MARK_STATE = f"gateway.feed.{MARK}"
MINUTE = 60_000
HOUR = 1_752_998_400_000


def delta(u, bids=(), asks=()):
    data = {"s": "BTCUSDT", "b": list(bids), "a": list(asks), "u": u, "seq": 10 * u}
    return {"topic": FULL, "type": "delta", "ts": HOUR + u, "data": data, "cts": HOUR + u}


def rest(u, bids=(("100.0", "1"),), asks=(("101.0", "2"),)):
    levels = {"b": [list(level) for level in bids], "a": [list(level) for level in asks]}
    return {"s": "BTCUSDT", **levels, "ts": HOUR, "u": u, "seq": 10 * u, "cts": HOUR}


def full_desk():
    desk = RestDesk()
    desk.join(TOPIC)
    return desk


def test_a_full_book_is_asked_for_after_its_first_delta_and_shown_when_it_fits():
    desk = full_desk()
    desk.beat(0)
    assert desk.calls == []
    desk.line.say(delta(5), delta(6, [("99.0", "3")]), now_ms=100)
    call = desk.call(250)
    assert call.path == "/v5/market/full_orderbook"
    assert call.params == {"category": "linear", "symbol": "BTCUSDT"}
    assert desk.outlet.of(TOPIC) == []
    call.answer(rest(5), HOUR)
    desk.line.say(delta(7, [("99.0", "0")]), now_ms=300)
    first, second = desk.outlet.of(TOPIC)
    assert (first["type"], first["data"]["u"], first["seq"]) == ("snapshot", 6, 1)
    assert first["data"]["b"] == [["100.0", "1"], ["99.0", "3"]]
    assert (second["type"], second["data"]["u"], second["seq"]) == ("delta", 7, 2)
    assert desk.outlet.topics() == [TOPIC, STATE, TOPIC]
    desk.feed.resend(TOPIC)
    again = desk.outlet.of(TOPIC)[-1]
    assert (again["type"], again["data"]["b"], again["seq"]) == ("snapshot", [["100.0", "1"]], 2)


def test_a_book_that_is_ahead_waits_for_its_delta_and_is_fetched_anew_if_that_does_not_come():
    desk = full_desk()
    desk.line.say(delta(5), now_ms=0)
    desk.call(0).answer(rest(6), HOUR)
    desk.beat(250)
    assert (desk.calls, desk.outlet.of(TOPIC)) == ([], [])
    desk.line.say(delta(6), now_ms=300)
    desk.beat(500)
    assert desk.outlet.of(TOPIC)[0]["data"]["u"] == 6

    desk = full_desk()
    desk.line.say(delta(5), now_ms=0)
    desk.call(0).answer(rest(6), HOUR)
    desk.beat(2_900)
    assert desk.calls == []
    desk.call(3_100)


def test_a_book_that_does_not_fit_is_fetched_again_less_and_less_often():
    desk = full_desk()
    desk.line.say(delta(5), now_ms=0)
    times = []
    for now in range(0, 20_000, 250):
        desk.beat(now)
        for call in desk.calls:
            times.append(now)
            call.answer(rest(3), HOUR)
        desk.calls.clear()
    assert times == [0, 250, 750, 1_750, 3_750, 7_750, 15_750]


@pytest.mark.parametrize("broken", [delta(8), delta(1), delta(6, [("101.0", "1")])])
def test_a_broken_full_book_is_told_and_seeded_anew_without_a_new_subscription(broken):
    desk = full_desk()
    desk.line.say(delta(5), now_ms=0)
    desk.call(0).answer(rest(5), HOUR)
    desk.line.requests()
    desk.line.say(broken, now_ms=1)
    assert desk.outlet.states(STATE) == ["live", "resyncing"]
    assert desk.line.requests() == []
    desk.beat(70_000)
    u = broken["data"]["u"]
    desk.line.say(delta(u + 1), now_ms=70_001)
    (call,) = desk.calls
    call.answer(rest(u), HOUR)
    assert desk.outlet.states(STATE) == ["live", "resyncing", "live"]
    told = desk.outlet.of(TOPIC)
    assert [(body["type"], body["data"]["u"]) for body in told] == [
        ("snapshot", 5),
        ("snapshot", u + 1),
    ]
    assert desk.line.asked_again == []


def test_a_symbol_without_a_book_is_stale_until_a_delta_says_that_there_is_one():
    desk = full_desk()
    desk.line.say(delta(1), now_ms=0)
    desk.call(0).answer(rest(1, (), ()), HOUR)
    (told,) = desk.outlet.of(STATE)
    assert (told["state"], told["reason"][:29]) == ("stale", "the exchange has no book of i")
    desk.beat(100 * SECOND)
    assert desk.calls == []
    desk.line.say(delta(2, [("100.0", "1")]), now_ms=100 * SECOND)
    desk.call(101 * SECOND).answer(rest(2), HOUR)
    assert desk.outlet.states(STATE) == ["stale", "live"]


def test_a_book_that_can_not_be_fetched_is_stale_with_the_reason():
    desk = full_desk()
    desk.line.say(delta(5), now_ms=0)
    desk.call(0).fail("retCode 10001 no such thing")
    (told,) = desk.outlet.of(STATE)
    assert told["state"] == "stale"
    assert told["reason"] == "its book can not be fetched: retCode 10001 no such thing"
    desk.call(60_000).answer(rest(5), HOUR)
    assert desk.outlet.states(STATE) == ["stale", "live"]


def test_an_answer_for_a_topic_that_is_gone_or_lost_its_connection_counts_nothing():
    desk = full_desk()
    desk.line.say(delta(5), now_ms=0)
    call = desk.call(0)
    desk.line.cut()
    call.answer(rest(5), HOUR)
    assert desk.outlet.of(TOPIC) == []
    desk.leave(TOPIC, now_ms=0)
    desk.beat(40 * SECOND)
    desk.join(TOPIC)
    call = None
    desk.line.connect()
    desk.line.say(delta(9), now_ms=41 * SECOND)
    desk.call(41 * SECOND).answer(rest(9), HOUR)
    assert len(desk.outlet.of(TOPIC)) == 1


def tick(ms, price=None, kind="delta", **fields):
    prices = {} if price is None else {"markPrice": price}
    return {**ticker(1, kind, **prices, **fields), "ts": HOUR + ms}


def candles(*rows):
    return {"list": [[str(HOUR + minute * MINUTE), *prices] for minute, *prices in rows]}


def mark_desk():
    desk = RestDesk()
    desk.join(MARK)
    desk.line.say(tick(10_000, "100.0", "snapshot", indexPrice="99"), now_ms=0)
    return desk


def live_mark():
    desk = mark_desk()
    desk.call(0).answer(candles((0, "98.0", "102.0", "97.0", "100.0")), HOUR + 10_001)
    return desk


def rows_of(desk):
    return [body["data"][0] for body in desk.outlet.of(MARK)]


def test_candles_of_a_price_are_not_shown_before_their_seed_has_come():
    desk = mark_desk()
    desk.line.say(tick(11_000, "103.0"), now_ms=1_000)
    call = desk.call(1_000)
    assert (call.path, call.params) == (
        "/v5/market/mark-price-kline",
        {"category": "linear", "symbol": "BTCUSDT", "interval": "1", "limit": "2"},
    )
    assert (desk.outlet.of(MARK), desk.outlet.of(MARK_STATE)) == ([], [])
    desk.feed.resend(MARK)
    call.answer(candles((0, "98.0", "102.0", "97.0", "100.0")), HOUR + 10_500)
    (body,) = desk.outlet.of(MARK)
    assert (body["topic"], body["type"], body["ts"]) == (
        "markPrice.1.BTCUSDT",
        "snapshot",
        HOUR + 10_500,
    )
    assert body["data"] == [
        {
            "start": HOUR,
            "end": HOUR + MINUTE - 1,
            "interval": "1",
            "open": "98.0",
            "close": "103.0",
            "high": "103.0",
            "low": "97.0",
            "confirm": False,
            "timestamp": HOUR + 11_000,
        }
    ]
    assert desk.outlet.topics()[-2:] == [MARK, MARK_STATE]
    assert desk.outlet.states(MARK_STATE) == ["live"]


def test_ticks_go_on_with_the_candle_and_close_it_by_the_exchanges_time():
    desk = live_mark()
    desk.line.say(tick(59_999, "96.0"), tick(60_000), tick(60_100, "96.5"), now_ms=50_000)
    told = [(row["start"] - HOUR, row["low"], row["confirm"]) for row in rows_of(desk)[1:]]
    assert told == [
        (0, "96.0", False),
        (0, "96.0", True),
        (MINUTE, "96.0", False),
        (MINUTE, "96.0", False),
    ]
    desk.feed.resend(MARK)
    body = desk.outlet.of(MARK)[-1]
    assert (body["resend"], body["data"][0]["close"]) == (True, "96.5")
    assert desk.counters["filled"] == 0


def test_a_quiet_candle_is_closed_over_rest():
    desk = live_mark()
    desk.beat(51_000)
    assert desk.calls == []
    call = desk.call(52_100)
    answer = candles((1, *["100.0"] * 4), (0, "98.0", "102.0", "97.0", "100.0"))
    call.answer(answer, HOUR + MINUTE + 2_100)
    closed, running = rows_of(desk)[1:]
    assert (closed["start"], closed["confirm"]) == (HOUR, True)
    assert (running["start"], running["confirm"]) == (HOUR + MINUTE, False)
    assert desk.outlet.states(MARK_STATE) == ["live"]
    desk.beat(60_000)
    assert desk.calls == []


def test_a_break_of_the_ticker_has_the_candle_fetched_again_and_those_between_filled():
    desk = live_mark()
    desk.reconnect()
    told = desk.outlet.of(MARK_STATE)[-1]
    assert (told["state"], told["fill"]) == (
        "stale",
        {"state": "pending", "from": HOUR, "count": 0},
    )
    desk.line.say(tick(150_000, "110.0", "snapshot"), now_ms=70_000)
    waiting = desk.outlet.of(MARK_STATE)[-1]
    assert (waiting["state"], waiting["reason"]) == (
        "stale",
        "its running candle has not been fetched yet",
    )
    sent = len(desk.outlet.of(MARK))
    desk.line.say(tick(150_100, "111.0"), now_ms=70_100)
    assert len(desk.outlet.of(MARK)) == sent
    call = desk.call(70_200)
    assert call.params["limit"] == "4"
    call.answer(
        candles(
            (2, "105.0", "112.0", "104.0", "111.0"),
            (1, "90.0", "106.0", "89.0", "105.0"),
            (0, "98.0", "103.0", "90.0", "90.0"),
        ),
        HOUR + 150_200,
    )
    told = [
        (body["data"][0]["start"] - HOUR, body["data"][0]["confirm"], body.get("filled"))
        for body in desk.outlet.of(MARK)[sent:]
    ]
    assert told == [(0, True, True), (MINUTE, True, True), (2 * MINUTE, False, None)]
    states = desk.outlet.of(MARK_STATE)
    assert states[-2]["fill"] == {
        "state": "complete",
        "from": HOUR,
        "to": HOUR + 150_200,
        "count": 2,
    }
    assert states[-1]["state"] == "live"
    assert desk.counters["filled"] == 2


def test_an_answer_from_before_a_break_is_not_joined_to_what_came_after_it():
    desk = mark_desk()
    call = desk.call(0)
    desk.reconnect()
    desk.line.say(tick(30_000, "100.0", "snapshot"), now_ms=20_000)
    call.answer(candles((0, "98.0", "102.0", "97.0", "100.0")), HOUR + 30_001)
    assert desk.outlet.of(MARK) == []


def test_candles_that_can_not_be_fetched_say_so_and_are_tried_again():
    desk = mark_desk()
    desk.call(0).fail("HTTP 500")
    (told,) = desk.outlet.of(MARK_STATE)
    assert (told["state"], told["reason"][-8:]) == ("stale", "HTTP 500")
    desk.reconnect()
    desk.line.say(tick(30_000, "100.0", "snapshot"), now_ms=20_000)
    desk.call(20_000).answer({"list": [["x"]]}, HOUR + 30_000)
    told = desk.outlet.of(MARK_STATE)[-1]
    assert told["state"] == "stale"
    assert told["reason"].startswith("its running candle can not be fetched: the answer makes no")
    desk.call(30_000).answer(candles((0, "98.0", "102.0", "97.0", "100.0")), HOUR + 30_001)
    assert desk.outlet.states(MARK_STATE)[-1] == "live"


def test_a_ticker_without_the_price_is_no_source_of_candles():
    desk = live_mark()
    desk.line.say(tick(11_000, ""), now_ms=1_000)
    told = desk.outlet.of(MARK_STATE)[-1]
    assert (told["state"], told["reason"]) == ("stale", "the ticker has no markPrice now")
    desk.line.say(tick(12_000, "5.0"), now_ms=2_000)
    desk.call(3_000).answer(candles((0, "98.0", "102.0", "5.0", "5.0")), HOUR + 12_001)
    assert desk.outlet.states(MARK_STATE)[-1] == "live"
    assert rows_of(desk)[-1]["low"] == "5.0"


def test_candles_of_several_intervals_and_prices_share_one_ticker():
    desk = RestDesk()
    for name in ("markPrice.1", "markPrice.D", "indexPrice.60"):
        desk.join(f"linear.{name}.BTCUSDT.")
    assert list(desk.line.desired) == ["tickers.BTCUSDT"]
    desk.line.say(tick(0, "100.0", "snapshot", indexPrice="99.0"), now_ms=0)
    desk.beat(0)
    assert sorted((call.path[11:16], call.params["interval"]) for call in desk.calls) == [
        ("index", "60"),
        ("mark-", "1"),
        ("mark-", "D"),
    ]


def test_an_option_has_candles_of_its_mark_price():
    symbol = "BTC-26DEC26-100000-C"
    desk = RestDesk(category="option")
    desk.join(f"option.markPrice.1.{symbol}.")
    message = {
        "topic": f"tickers.{symbol}",
        "ts": HOUR + 5_000,
        "type": "snapshot",
        "id": "x",
        "data": {"symbol": symbol, "markPrice": "3.5"},
    }
    desk.line.say(message, now_ms=0)
    call = desk.call(0)
    assert call.params == {"category": "option", "symbol": symbol, "interval": "1", "limit": "2"}
    call.answer(candles((0, "3.0", "4.0", "3.0", "3.5")), HOUR + 5_001)
    (body,) = desk.outlet.of(f"option.markPrice.1.{symbol}.")
    assert body["data"][0]["high"] == "4.0"
