import msgspec
import pytest

from bybitbus.codes import Code
from bybitd.public_feed import replay
from tests.public_feed.messages import BOOK, BOOK_FEED, BOOK_TOPIC, Desk, book
from tests.public_feed.test_requests import ask


@pytest.fixture
def desk():
    """A feed that has published a book as number 1 and nine deltas."""
    made = Desk()
    made.live_book()
    made.line.say(*(book(u, [("100.0", str(u))]) for u in range(11, 20)))
    return made


def replayed(desk, **args):
    result = ask(
        desk, "market.replay", **{"category": "linear", "topic": BOOK, "epoch": 77, **args}
    )
    if isinstance(result, dict):
        return result, [bytes(body) for body in result.pop("list")]
    return result


def published(desk, topic):
    """Return what went out, to the byte."""
    return [body for name, body in desk.outlet.frames if name == topic]


def numbers(bodies):
    return [msgspec.msgpack.decode(body)["seq"] for body in bodies]


@pytest.mark.parametrize("written", [BOOK, BOOK + ".", BOOK_TOPIC, BOOK_TOPIC.removesuffix(".")])
def test_what_was_missed_comes_as_it_was_published(desk, written):
    result, bodies = replayed(desk, topic=written, **{"from": 4, "to": 6})
    assert result == {"topic": BOOK_TOPIC, "epoch": 77, "last": 10}
    assert bodies == published(desk, BOOK_TOPIC)[3:6]
    assert numbers(bodies) == [4, 5, 6]


def test_without_limits_all_that_is_kept_comes_up_to_the_last(desk):
    assert numbers(replayed(desk)[1]) == list(range(1, 11))
    assert numbers(replayed(desk, **{"from": 9, "to": 99})[1]) == [9, 10]


def test_who_has_everything_is_told_so_by_an_empty_list(desk):
    assert replayed(desk, **{"from": 11}) == (
        {"topic": BOOK_TOPIC, "epoch": 77, "last": 10},
        [],
    )


def test_the_states_of_a_topic_can_be_had_again_too(desk):
    desk.line.say(book(30))
    result, bodies = replayed(desk, topic=BOOK_FEED)
    assert result["topic"] == BOOK_FEED
    assert bodies == published(desk, BOOK_FEED)
    assert msgspec.msgpack.decode(bodies[-1])["state"] == "resyncing"


def test_a_page_is_of_moderate_size_and_the_next_one_goes_on(desk, monkeypatch):
    monkeypatch.setattr(replay, "PAGE_BYTES", 500)
    seen, result = [], {"last": 10}
    while len(seen) < result["last"]:
        result, bodies = replayed(desk, **{"from": len(seen) + 1})
        assert 1 <= len(bodies) < 5
        seen += bodies
    assert seen == published(desk, BOOK_TOPIC)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ({"epoch": 76}, Code.GONE, "76 is over, 77 is the one"),
        ({"from": 12}, Code.BAD_FIELD, "the last number of linear.orderbook.50.BTCUSDT. is 10"),
        ({"from": 0}, Code.BAD_FIELD, "numbers begin with 1"),
        ({"from": 5, "to": 4}, Code.BAD_FIELD, "args.to: 4 is below args.from, which is 5"),
        ({"from": "5"}, Code.BAD_FIELD, "args.from: must be a whole number, not str"),
        ({"from": True}, Code.BAD_FIELD, "args.from: must be a whole number, not bool"),
        ({"since": 5}, Code.UNKNOWN_FIELD, "args.since"),
        ({"topic": "orderbook.51.X"}, Code.UNKNOWN_TOPIC, "depth '51'"),
        ({"topic": "gateway.feed.linear.orderbook.51.X"}, Code.UNKNOWN_TOPIC, "depth '51'"),
        ({"topic": "tickers.ETHUSDT"}, Code.NOT_FOUND, "nothing was published on linear.tickers"),
    ],
)
def test_what_can_not_be_had_is_refused_with_the_reason(desk, args, code, says):
    error = replayed(desk, **args)
    assert error.code is code
    assert says in f"{error.message} {error.hint}"
    assert not error.retry_safe


def test_what_is_not_kept_any_more_is_gone_and_the_rest_is_not(desk):
    desk.outlet.forget(BOOK_TOPIC)
    desk.line.say(book(20), book(21))
    gone = replayed(desk, **{"from": 10, "to": 11})
    assert gone.code is Code.GONE
    assert "message 10 of linear.orderbook.50.BTCUSDT. is not kept any more" in gone.message
    assert "the oldest that is kept is 11" in gone.message
    assert "market.snapshot" in gone.hint
    assert numbers(replayed(desk)[1]) == [11, 12]
    desk.outlet.forget(BOOK_TOPIC)
    assert "none is kept" in replayed(desk, **{"from": 12}).message
    assert replayed(desk)[1] == []


def test_a_feed_that_keeps_nothing_says_gone():
    desk = Desk()
    desk.outlet.__init__(replay_bytes=0)
    desk.live_book()
    assert replayed(desk, **{"from": 1}).code is Code.GONE


def test_a_topic_that_nobody_wants_any_more_is_not_kept():
    desk = Desk(linger_ms=0)
    desk.live_book()
    desk.leave(BOOK_TOPIC)
    desk.beat(1)
    assert not desk.outlet.kept(BOOK_TOPIC)
    assert not desk.outlet.kept(BOOK_FEED)
