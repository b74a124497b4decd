from bybitd.public_feed.share import Share
from tests.public_feed.messages import (
    BOOK,
    BOOK_FEED,
    BOOK_TOPIC,
    SECOND,
    Desk,
    book,
    snapshot,
    trade,
)


def test_the_first_subscriber_opens_a_topic_and_the_second_is_answered_with_its_state():
    desk = Desk()
    channel = desk.live_book()
    assert desk.again == []
    desk.line.say(book(11, [("100.0", "0")]))
    desk.join(BOOK_TOPIC)
    assert desk.again == [BOOK_TOPIC]
    desk.feed.resend(BOOK_TOPIC)
    body = desk.outlet.of(BOOK_TOPIC)[-1]
    assert (body["resend"], body["seq"], body["type"]) == (True, 2, "snapshot")
    assert body["data"]["b"] == [["99.5", "2"]]
    assert body["data"] == channel.state.message()["data"]


def test_state_that_can_not_be_trusted_is_not_repeated():
    desk = Desk()
    desk.live_book()
    desk.line.say(book(12))
    desk.feed.resend(BOOK_TOPIC)
    assert not any(body.get("resend") for body in desk.outlet.of(BOOK_TOPIC))


def test_a_topic_without_state_is_not_repeated():
    desk = Desk()
    desk.line.connect()
    desk.join("linear.publicTrade.BTCUSDT.")
    desk.line.say(trade(1))
    desk.feed.resend("linear.publicTrade.BTCUSDT.")
    assert len(desk.outlet.of("linear.publicTrade.BTCUSDT.")) == 1


def test_a_topic_is_given_up_when_nobody_came_back():
    desk = Desk(linger_ms=100)
    desk.live_book()
    desk.leave(BOOK_TOPIC, now_ms=1_000)
    desk.beat(1_050)
    assert BOOK in desk.feed.channels
    desk.beat(1_100)
    assert desk.feed.channels == {}
    assert desk.line.desired == {}
    told = desk.outlet.of(BOOK_FEED)[-1]
    assert (told["state"], told["reason"]) == ("stale", "dropped: nobody subscribes to it any more")
    desk.join(BOOK_TOPIC)
    desk.feed.resend(BOOK_TOPIC)
    assert not any(body.get("resend") for body in desk.outlet.of(BOOK_TOPIC))


def test_prefixes_and_other_streams_drive_nothing_and_are_not_refused():
    desk = Desk()
    for topic in ("linear.tickers.", "linear.orderbook.50.", "spot.tickers.BTCUSDT.", "x.y."):
        desk.join(topic)
    assert desk.feed.channels == {}
    assert desk.rejected == []


def test_a_topic_that_can_not_exist_is_refused_with_what_would_be_right():
    desk = Desk()
    desk.join("linear.orderbook.51.BTCUSDT.")
    ((written, problem, hint),) = desk.rejected
    assert written == "linear.orderbook.51.BTCUSDT."
    assert "depth" in problem
    assert "1, 50, 200, 1000" in hint
    assert desk.feed.channels == {}


def test_a_topic_that_the_exchange_refuses_is_told_and_tried_again_while_somebody_wants_it():
    desk = Desk(linger_ms=100)
    desk.line.connect()
    desk.join("linear.tickers.NOSUCHUSDT.")
    desk.line.desired.clear()  # as the session does
    desk.feed.rejected("tickers.NOSUCHUSDT", "error:handler not found", 0, 0)
    ((topic, problem, _),) = desk.rejected
    assert topic == "linear.tickers.NOSUCHUSDT."
    assert "handler not found" in problem
    assert desk.outlet.states("gateway.feed.linear.tickers.NOSUCHUSDT.") == ["stale"]
    desk.beat(59 * SECOND)
    assert desk.line.desired == {}
    desk.beat(60 * SECOND)
    assert desk.line.desired == {"tickers.NOSUCHUSDT": None}
    desk.feed.rejected("tickers.NOSUCHUSDT", "again", 60 * SECOND, 0)
    desk.leave("linear.tickers.NOSUCHUSDT.", now_ms=61 * SECOND)
    desk.beat(200 * SECOND)
    assert desk.line.desired == {}


def test_a_new_subscriber_of_a_refused_topic_has_it_tried_at_once():
    desk = Desk()
    desk.line.connect()
    desk.join("linear.tickers.NOSUCHUSDT.")
    desk.feed.rejected("tickers.NOSUCHUSDT", "no", 0, 0)
    desk.join("linear.tickers.NOSUCHUSDT.")
    assert desk.line.desired == {"tickers.NOSUCHUSDT": None}


def test_without_a_connection_a_topic_is_stale_from_the_start():
    desk = Desk()
    desk.join(BOOK_TOPIC)
    (told,) = desk.outlet.of(BOOK_FEED)
    assert (told["state"], told["reason"]) == ("stale", "not connected: no line")


def test_configured_topics_are_on_without_subscribers():
    desk = Desk(always=(BOOK,), linger_ms=10)
    assert desk.line.started
    assert desk.line.desired == {BOOK: None}
    desk.join(BOOK_TOPIC)
    desk.leave(BOOK_TOPIC)
    desk.beat(1_000)
    assert desk.line.desired == {BOOK: None}


def test_who_subscribes_to_the_feed_state_hears_the_present_one():
    desk = Desk()
    desk.live_book()
    desk.join(BOOK_FEED)
    desk.join("gateway.feed.linear.")
    desk.join("gateway.feed.spot.")
    assert desk.again == [BOOK_FEED, BOOK_FEED]
    assert desk.feed.channels.keys() == {BOOK}
    desk.feed.resend(BOOK_FEED)
    told = desk.outlet.of(BOOK_FEED)[-1]
    assert (told["state"], told["resend"]) == ("live", True)


def test_a_topic_without_an_answer_becomes_stale_and_is_asked_for_again():
    desk = Desk()
    desk.line.connect()
    desk.join(BOOK_TOPIC)
    desk.feed.channels[BOOK].asked(0)
    desk.beat(9 * SECOND)
    assert desk.outlet.of(BOOK_FEED) == []
    desk.beat(10 * SECOND)
    (told,) = desk.outlet.of(BOOK_FEED)
    assert (told["state"], told["reason"]) == ("stale", "the exchange sends no snapshot")
    assert desk.line.asked_again == [BOOK]
    desk.line.say(snapshot(1), now_ms=11 * SECOND)
    assert desk.outlet.states(BOOK_FEED) == ["stale", "live"]


def test_topics_spread_over_connections_and_an_empty_one_is_closed():
    desk = Desk(linger_ms=0, most=2)
    names = [f"linear.tickers.S{number}USDT." for number in range(3)]
    for name in names:
        desk.join(name)
    first, second = desk.feed.carriers
    assert (len(first.desired), len(second.desired)) == (2, 1)
    assert second.started
    desk.leave(names[2])
    desk.beat(1)
    assert desk.feed.carriers == [first]
    assert second.closed
    for name in names[:2]:
        desk.leave(name)
    desk.beat(2)
    assert desk.feed.carriers == [first]
    assert not first.closed


def test_the_status_counts_topics_by_state():
    desk = Desk()
    desk.live_book()
    desk.join("linear.tickers.BTCUSDT.")
    assert desk.feed.describe()["topics"] == {"pending": 1, "live": 1, "stale": 0, "resyncing": 0}


def test_a_share_of_a_category_leaves_the_topics_of_others_alone_and_refuses_only_its_own():
    # Of two, BTCUSDT belongs to the second program and XRPUSDT to the first.
    desks = [Desk(share=Share("linear", number, 2)) for number in (1, 2)]
    for desk in desks:
        for topic in (BOOK_TOPIC, "linear.tickers.XRPUSDT.", "linear.tickers.btcusdt."):
            desk.join(topic)
        desk.join("linear.orderbook.51.BTCUSDT.")
        desk.leave("linear.tickers.XRPUSDT.")
        desk.leave(BOOK_TOPIC)
    assert [list(desk.feed.channels) for desk in desks] == [["tickers.XRPUSDT"], [BOOK]]
    refused = [refusal[0] for desk in desks for refusal in desk.rejected]
    assert sorted(refused) == ["linear.orderbook.51.BTCUSDT.", "linear.tickers.btcusdt."]
