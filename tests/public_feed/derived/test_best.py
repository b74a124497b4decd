from tests.public_feed.messages import SECOND, Desk, book

SOURCE = "orderbook.1.BTCUSDT"
BBO = "linear.bbo.BTCUSDT."


def one(u, bid=("100.0", "1"), ask=("100.5", "3")):
    return book(u, [bid] if bid else [], [ask] if ask else [], "snapshot", SOURCE)


def joined():
    desk = Desk()
    desk.line.connect()
    desk.join(BBO)
    return desk


def test_the_best_prices_come_in_the_exchanges_words_with_the_times_of_their_book():
    desk = joined()
    desk.line.say(one(5), now_ms=3)
    (body,) = desk.outlet.of(BBO)
    assert body == {
        "topic": "bbo.BTCUSDT",
        "type": "snapshot",
        "ts": 1_700_000_000_005,
        "cts": 1_700_000_000_005,
        "data": {
            "symbol": "BTCUSDT",
            "bid1Price": "100.0",
            "bid1Size": "1",
            "ask1Price": "100.5",
            "ask1Size": "3",
            "u": 5,
            "seq": 50,
        },
        "seq": 1,
    }


def test_only_a_change_of_a_price_or_size_is_published():
    desk = joined()
    desk.line.say(one(5), one(5), one(6), one(7, bid=("100.0", "2")), now_ms=3 * SECOND)
    assert [body["data"]["bid1Size"] for body in desk.outlet.of(BBO)] == ["1", "2"]


def test_an_empty_side_has_no_price():
    desk = joined()
    desk.line.say(one(5, bid=None))
    data = desk.outlet.of(BBO)[0]["data"]
    assert (data["bid1Price"], data["bid1Size"], data["ask1Price"]) == ("", "", "100.5")


def test_a_deeper_book_counts_only_where_its_best_level_changes():
    desk = Desk(category="option")
    desk.line.connect()
    symbol = "BTC-26DEC26-100000-C"
    deep = f"orderbook.25.{symbol}"
    desk.join(f"option.bbo.{symbol}.")
    desk.line.say(
        book(10, [("5", "1"), ("4", "1")], [("6", "1")], "snapshot", deep),
        book(11, [("4", "2")], topic=deep),
        book(12, [("5", "0")], topic=deep),
    )
    best = [body["data"]["bid1Price"] for body in desk.outlet.of(f"option.bbo.{symbol}.")]
    assert best == ["5", "4"]
