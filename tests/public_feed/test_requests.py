import pytest

from bybitbus.codes import Code
from bybitd.public_feed.requests import Refusal, Requests
from bybitd.public_feed.share import Share
from tests.public_feed.messages import BOOK, BOOK_TOPIC, Desk, book


class FakeInstruments:
    def __init__(self, *rows):
        self.kept = {row["symbol"]: row for row in rows}
        self.fetched_ns = 1 if rows else 0
        self.problem = "" if rows else "connection refused"

    def rows(self, symbol=None):
        return [row for name, row in self.kept.items() if symbol in (None, name)]


class FakeCall:
    def __init__(self, op, args):
        self.request = type("Request", (), {"op": op, "args": args})
        self.result = self.error = None

    def succeed(self, result):
        self.result = result

    def fail(self, error):
        self.error = error


def requests(desk, *rows):
    return Requests(desk.feed, FakeInstruments(*rows), desk.outlet)


def ask(desk, op, *rows, **args):
    call = FakeCall(op, args)
    requests(desk, *rows).handlers()[op](call)
    return call.error or call.result


@pytest.mark.parametrize("written", [BOOK, BOOK + ".", BOOK_TOPIC, BOOK_TOPIC.removesuffix(".")])
def test_a_snapshot_carries_the_numbers_of_the_last_event_in_it(written):
    desk = Desk()
    desk.live_book()
    desk.line.say(book(11, [("100.0", "7")]))
    result = ask(desk, "market.snapshot", category="linear", topic=written)
    assert (result["topic"], result["seq"], result["epoch"]) == (BOOK_TOPIC, 2, 77)
    assert (result["body"]["seq"], result["body"]["type"]) == (2, "snapshot")
    assert result["body"]["data"]["b"] == [["100.0", "7"], ["99.5", "2"]]


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ({"topic": "orderbook.51.X"}, Code.UNKNOWN_TOPIC, "depth '51'"),
        ({"topic": "tickers.ETHUSDT"}, Code.NOT_FOUND, "nobody subscribes to linear.tickers.ETH"),
        ({"topic": "publicTrade.BTCUSDT"}, Code.NOT_FOUND, "has no state"),
        ({"topic": "kline.1.BTCUSDT"}, Code.NOT_READY, "pending"),
        ({"topic": 5}, Code.BAD_FIELD, "args.topic: must be a string, not int"),
        ({}, Code.MISSING_FIELD, "args.topic"),
        ({"topic": BOOK, "depth": 5}, Code.UNKNOWN_FIELD, "args.depth"),
        ({"topic": BOOK, "category": "spot"}, Code.BAD_FIELD, "'spot' is not served here"),
    ],
)
def test_a_snapshot_that_can_not_be_had_is_refused_with_the_reason(args, code, says):
    desk = Desk()
    desk.live_book()
    desk.join("linear.publicTrade.BTCUSDT.")
    desk.join("linear.kline.1.BTCUSDT.")
    error = ask(desk, "market.snapshot", **{"category": "linear", **args})
    assert error.code is code
    assert says in error.message


def test_a_book_under_repair_is_not_ready():
    desk = Desk()
    desk.live_book()
    desk.line.say(book(12))
    with pytest.raises(Refusal) as caught:
        requests(desk).snapshot({"category": "linear", "topic": BOOK})
    assert caught.value.body.code is Code.NOT_READY
    assert caught.value.body.retry_safe
    assert "resyncing: update 12 came after 10" in caught.value.body.message


def test_instruments_are_listed_whole_or_by_symbol():
    rows = [{"symbol": "A"}, {"symbol": "B"}]
    listed = ask(Desk(), "market.instruments", *rows, category="linear")
    assert listed == {"list": rows, "nextPageCursor": ""}
    one = ask(Desk(), "market.instruments", *rows, category="linear", symbol="B")
    assert one["list"] == [{"symbol": "B"}]


def test_instruments_that_are_not_there_are_told_from_symbols_that_are_not():
    early = ask(Desk(), "market.instruments", category="linear")
    assert (early.code, early.retry_safe) == (Code.NOT_READY, True)
    assert "connection refused" in early.message
    wrong = ask(Desk(), "market.instruments", {"symbol": "A"}, category="linear", symbol="b")
    assert wrong.code is Code.NOT_FOUND


def test_a_program_says_who_carries_a_topic_that_it_does_not():
    desk = Desk(share=Share("linear", 1, 2))
    error = ask(desk, "market.snapshot", category="linear", topic="tickers.BTCUSDT")
    assert (error.code, error.retry_safe) == (Code.BAD_FIELD, False)
    assert error.hint == "send it to the bus, or to public-feed-linear-2"
