from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.public_feed.messages import BOOK, Desk, book, snapshot

WHOLE = "linear.book.50.BTCUSDT."


def joined(topic=WHOLE):
    desk = Desk()
    desk.line.connect()
    desk.join(topic)
    return desk


def test_the_book_is_whole_in_the_exchanges_shape():
    desk = joined()
    desk.line.say(snapshot(10))
    (body,) = desk.outlet.of(WHOLE)
    assert body == {**snapshot(10), "topic": "book.50.BTCUSDT", "seq": 1}


def test_of_many_changes_within_the_interval_the_last_is_published_at_its_end():
    desk = joined()
    desk.line.say(snapshot(10), now_ms=1_000)
    desk.line.say(book(11, [("100.0", "5")]), now_ms=1_030)
    desk.line.say(book(12, [("99.5", "0")]), now_ms=1_060)
    assert [body["data"]["u"] for body in desk.outlet.of(WHOLE)] == [10]
    assert [delay_ms for delay_ms, _ in desk.later] == [70]
    desk.settle(1_100)
    last = desk.outlet.of(WHOLE)[-1]
    assert (last["seq"], last["data"]["u"], last["data"]["b"]) == (2, 12, [["100.0", "5"]])
    assert desk.feed.find(WHOLE).rx_ns == 1_060_000_000
    desk.line.say(book(13, [("100.0", "6")]), now_ms=1_199)
    assert len(desk.outlet.of(WHOLE)) == 2
    desk.settle(1_200)
    desk.line.say(book(14, [("100.0", "7")]), now_ms=1_300)
    assert [body["data"]["u"] for body in desk.outlet.of(WHOLE)] == [10, 12, 13, 14]


def test_another_interval_holds_for_what_is_published_next():
    desk = joined()
    desk.feed.configure(linger_ms=30_000, book_interval_ms=10)
    desk.line.say(snapshot(10), now_ms=1_000)
    desk.line.say(book(11, [("100.0", "5")]), now_ms=1_010)
    assert [body["data"]["u"] for body in desk.outlet.of(WHOLE)] == [10, 11]
    desk.leave(WHOLE)
    desk.beat(31_000)
    desk.join(WHOLE)
    desk.line.say(snapshot(20), book(21, [("100.0", "5")]), now_ms=40_000)
    assert [delay_ms for delay_ms, _ in desk.later] == [10]


def test_a_timer_that_is_early_is_set_again():
    desk = joined()
    desk.line.say(snapshot(10), now_ms=1_000)
    desk.line.say(book(11, [("100.0", "5")]), now_ms=1_030)
    desk.settle(1_099)
    assert len(desk.outlet.of(WHOLE)) == 1
    assert [delay_ms for delay_ms, _ in desk.later] == [1]
    desk.settle(1_100)
    assert len(desk.outlet.of(WHOLE)) == 2


def test_a_book_that_broke_is_not_owed_any_more_and_the_new_one_does_not_wait():
    desk = joined()
    desk.line.say(snapshot(10), now_ms=1_000)
    desk.line.say(book(11, [("100.0", "5")]), book(13), now_ms=1_030)
    desk.settle(1_100)
    assert len(desk.outlet.of(WHOLE)) == 1
    assert desk.outlet.states(f"gateway.feed.{WHOLE}") == ["live", "resyncing"]
    desk.line.say(snapshot(20), now_ms=1_101)
    assert [body["data"]["u"] for body in desk.outlet.of(WHOLE)] == [10, 20]
    assert desk.outlet.states(f"gateway.feed.{WHOLE}")[-1] == "live"


def test_a_book_that_nobody_wants_any_more_is_not_published_when_its_time_comes():
    desk = joined()
    desk.join(f"linear.{BOOK}.")
    desk.line.say(snapshot(10), now_ms=1_000)
    desk.line.say(book(11, [("100.0", "5")]), now_ms=1_030)
    desk.leave(WHOLE, now_ms=1_040)
    desk.beat(40_000)
    desk.settle(40_000)
    assert len(desk.outlet.of(WHOLE)) == 1


def test_a_late_joiner_is_told_the_book_of_that_moment():
    desk = joined()
    desk.line.say(snapshot(10), book(11, [("100.0", "5")]), now_ms=1_000)
    desk.feed.resend(WHOLE)
    told = desk.outlet.of(WHOLE)[-1]
    assert (told["resend"], told["seq"], told["data"]["u"]) == (True, 1, 11)


def test_a_repeated_level_one_book_is_no_change():
    topic = "orderbook.1.BTCUSDT"
    desk = joined("linear.book.1.BTCUSDT.")
    one = book(5, [("100.0", "1")], [("100.5", "3")], "snapshot", topic)
    for now_ms in (1_000, 4_000, 7_000):
        desk.line.say(one, now_ms=now_ms)
    assert len(desk.outlet.of("linear.book.1.BTCUSDT.")) == 1


@given(pauses=st.lists(st.integers(0, 150), max_size=30))
def test_never_two_within_the_interval_and_the_last_change_always_comes(pauses):
    desk = joined()
    desk.line.say(snapshot(10), now_ms=0)
    told, now_ms = [0], 0
    for number, pause_ms in enumerate(pauses):
        for _ in range(pause_ms):
            now_ms += 1
            if desk.later and now_ms >= told[-1] + 100:
                desk.settle(now_ms)
            if len(desk.outlet.of(WHOLE)) > len(told):
                told.append(now_ms)
        desk.line.say(book(11 + number, [("100.0", str(number + 1))]), now_ms=now_ms)
        if len(desk.outlet.of(WHOLE)) > len(told):
            told.append(now_ms)
    assert all(later - sooner >= 100 for sooner, later in pairwise(told))
    desk.settle(now_ms + 100)
    assert desk.outlet.of(WHOLE)[-1]["data"]["u"] == 10 + len(pauses)
