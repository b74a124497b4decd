import pytest

from bybitd.public_feed.published import Health
from tests.public_feed.messages import (
    BOOK,
    BOOK_FEED,
    BOOK_TOPIC,
    SECOND,
    Desk,
    book,
    frame,
    snapshot,
    ticker,
    trade,
)


def test_messages_go_out_as_they_came_with_the_stamp_of_their_read():
    desk = Desk()
    desk.live_book()
    delta = book(11, [("100.0", "5")])
    desk.line.say(delta, now_ms=3)
    published = desk.outlet.of(BOOK_TOPIC)
    assert [body["seq"] for body in published] == [1, 2]
    assert {key: published[1][key] for key in delta} == delta


def test_live_follows_the_message_that_proves_it():
    desk = Desk()
    desk.live_book()
    assert desk.outlet.topics()[-2:] == [BOOK_TOPIC, BOOK_FEED]
    assert desk.outlet.of(BOOK_FEED)[-1]["state"] == "live"


@pytest.mark.parametrize(
    ("message", "reason", "counter"),
    [
        (book(13, [("100.0", "5")]), "update 13 came after 10", "gaps"),
        (book(11, [("101.0", "5")]), "bid 101.0 at or above ask 100.5", "crossed"),
        (book(12, [("1", "1"), ("2", "1")], kind="snapshot"), "out of order", "unsorted"),
        (book(11, [("100.0",)]), "", "bad_frames"),
    ],
)
def test_a_book_that_breaks_a_rule_is_not_published_but_dropped_and_asked_for_anew(
    message, reason, counter
):
    desk = Desk()
    channel = desk.live_book()
    desk.outlet.sent.clear()
    desk.line.say(message, now_ms=1)
    assert desk.outlet.of(BOOK_TOPIC) == []
    (told,) = desk.outlet.of(BOOK_FEED)
    assert told["state"] == "resyncing"
    assert reason in told["reason"]
    assert told["reason"]
    assert channel.state.message() is None
    assert desk.line.requests() == [("unsubscribe", [BOOK]), ("subscribe", [BOOK])]
    assert desk.counters[counter] == 1
    assert desk.counters["resyncs"] == 1


def test_deltas_after_a_gap_wait_for_the_snapshot_which_then_counts_as_a_message():
    desk = Desk()
    desk.live_book()
    desk.line.say(book(12), book(13), book(14), now_ms=1)
    assert [body["seq"] for body in desk.outlet.of(BOOK_TOPIC)] == [1]
    assert desk.counters["early"] == 2
    desk.line.say(snapshot(14), book(15), now_ms=2)
    after = desk.outlet.of(BOOK_TOPIC)[1:]
    assert [(body["type"], body["seq"]) for body in after] == [("snapshot", 2), ("delta", 3)]
    assert desk.outlet.states(BOOK_FEED)[-2:] == ["resyncing", "live"]


def test_a_book_that_breaks_again_at_once_is_not_asked_for_in_a_tight_loop():
    desk = Desk()
    desk.live_book()
    desk.line.say(book(12), now_ms=1)
    assert desk.line.requests()
    desk.line.say(snapshot(20), book(22), now_ms=2)
    assert desk.line.requests() == []
    desk.beat(400)
    assert desk.line.asked_again == []
    desk.beat(502)
    assert desk.line.asked_again == [BOOK]
    assert desk.feed.channels[BOOK].health is Health.RESYNCING


def test_an_old_update_is_counted_and_not_published():
    desk = Desk()
    desk.live_book()
    desk.line.say(book(9), book(10))
    assert [body["seq"] for body in desk.outlet.of(BOOK_TOPIC)] == [1]
    assert desk.counters["duplicates"] == 2
    assert desk.outlet.states(BOOK_FEED)[-1] == "live"


def test_a_restart_of_the_exchange_replaces_the_book():
    desk = Desk()
    channel = desk.live_book()
    desk.line.say(snapshot(1), book(2, [("100.0", "0")]))
    assert [body["seq"] for body in desk.outlet.of(BOOK_TOPIC)] == [1, 2, 3]
    assert channel.state.message()["data"]["b"] == [["99.5", "2"]]


def test_a_repeated_level_one_book_is_a_sign_of_life():
    desk = Desk()
    desk.line.connect()
    desk.join("linear.orderbook.1.BTCUSDT.")
    one = book(5, [("100.0", "1")], [("100.5", "3")], "snapshot", "orderbook.1.BTCUSDT")
    desk.line.say(one, now_ms=0)
    desk.line.say(one, now_ms=9 * SECOND)
    desk.beat(15 * SECOND)
    assert desk.outlet.states("gateway.feed.linear.orderbook.1.BTCUSDT.")[-1] == "live"
    desk.beat(19 * SECOND)
    told = desk.outlet.of("gateway.feed.linear.orderbook.1.BTCUSDT.")[-1]
    assert (told["state"], told["reason"]) == ("stale", "nothing came for 10 s")
    assert desk.line.asked_again == ["orderbook.1.BTCUSDT"]
    desk.line.say(one, now_ms=20 * SECOND)
    assert desk.outlet.states("gateway.feed.linear.orderbook.1.BTCUSDT.")[-1] == "live"


def test_a_deep_book_may_be_silent_for_ever():
    desk = Desk()
    desk.live_book()
    desk.beat(10_000 * SECOND)
    assert desk.outlet.states(BOOK_FEED)[-1] == "live"


def test_a_lost_connection_makes_all_it_carried_stale_until_a_fresh_message():
    desk = Desk()
    desk.live_book()
    desk.join("linear.publicTrade.BTCUSDT.")
    trades = "gateway.feed.linear.publicTrade.BTCUSDT."
    desk.line.say(trade(1))
    desk.line.cut()
    assert desk.outlet.of(BOOK_FEED)[-1]["reason"] == "the line was cut"
    assert desk.outlet.states(trades)[-1] == "stale"
    desk.line.connect()
    assert desk.outlet.states(BOOK_FEED)[-1] == "stale"
    desk.line.say(book(11))
    assert desk.outlet.states(BOOK_FEED)[-1] == "stale"
    assert len(desk.outlet.of(BOOK_TOPIC)) == 1
    desk.line.say(snapshot(20))
    assert desk.outlet.states(BOOK_FEED)[-1] == "live"
    assert desk.outlet.states(trades)[-1] == "stale"
    desk.line.say(trade(2))
    assert desk.outlet.states(trades)[-1] == "live"


@pytest.mark.parametrize(
    "payload",
    [b"not json", b"\xff\xfe", b"[]", b'"x"', b"{}", b'{"topic":5,"data":{}}', b'{"topic":"x"}'],
)
def test_a_bad_frame_is_counted_and_kept_and_costs_nothing_else(payload):
    desk = Desk()
    desk.live_book()
    desk.line.say(payload, book(11))
    assert [body["seq"] for body in desk.outlet.of(BOOK_TOPIC)] == [1, 2]
    assert [event.excerpt for event in desk.line.session.take_events() if hasattr(event, "excerpt")]


@pytest.mark.parametrize("data", [None, 5, "x", [], {}, {"u": "a"}, [None]])
def test_no_shape_of_data_can_stop_the_pipeline(data):
    desk = Desk()
    desk.live_book()
    desk.join("linear.tickers.BTCUSDT.")
    desk.join("linear.publicTrade.BTCUSDT.")
    desk.join("linear.kline.1.BTCUSDT.")
    for name in list(desk.feed.channels):
        for kind in ("snapshot", "delta", 7):
            desk.line.say(frame({"topic": name, "type": kind, "data": data, "ts": 1, "cs": 1}))
    desk.line.say(snapshot(50))
    assert desk.outlet.states(BOOK_FEED)[-1] == "live"


def test_what_trickles_in_after_an_unsubscribe_is_not_published():
    desk = Desk()
    desk.line.connect()
    desk.line.say(trade(1))
    assert desk.outlet.sent == []
    assert desk.counters["unasked"] == 1


def test_ticker_deltas_go_out_as_they_are_and_add_up_for_late_joiners():
    desk = Desk()
    desk.line.connect()
    desk.join("linear.tickers.BTCUSDT.")
    desk.line.say(ticker(1, "snapshot", lastPrice="1", markPrice="2"), ticker(2, lastPrice="3"))
    assert "markPrice" not in desk.outlet.of("linear.tickers.BTCUSDT.")[1]["data"]
    desk.feed.resend("linear.tickers.BTCUSDT.")
    again = desk.outlet.of("linear.tickers.BTCUSDT.")[-1]
    assert (again["resend"], again["seq"], again["type"]) == (True, 2, "snapshot")
    assert again["data"] == {"symbol": "BTCUSDT", "lastPrice": "3", "markPrice": "2"}
