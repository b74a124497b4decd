from __future__ import annotations

from typing import Any

import pytest

from bybitbus import codec
from bybitbus.codes import Code
from bybitbus.cure import MOST_AT_ONCE, PATIENCE_MS, RETRY_MS, SILENCE_MS, Cure
from bybitbus.events import EventReader
from bybitbus.sequence import Verdict
from bybitbus.waiting import FIRST_PAUSE_MS, Ask

BOOK, FEED = "linear.orderbook.50.BTCUSDT.", "gateway.feed.linear.orderbook.50.BTCUSDT."
TRADES = "linear.publicTrade.BTCUSDT."
Body = dict[str, Any]


def delta(seq: int, epoch: int = 9) -> Body:
    return {"type": "delta", "seq": seq, "epoch": epoch}


def whole(seq: int, epoch: int = 9, **more: Any) -> Body:
    return {"type": "snapshot", "seq": seq, "epoch": epoch, **more}


class Desk:
    """A cure between what arrives and what is handed over, on a clock of its own."""

    def __init__(self) -> None:
        self.reader = EventReader()
        self.cure = Cure(self.reader.sequences)
        self.now_ms = 0

    def arrive(self, topic: str, *bodies: Body) -> None:
        for body in bodies:
            event = self.reader.read([topic.encode(), codec.encode(body)])
            assert event is not None
            self.cure.take(event, self.now_ms)

    def asked(self) -> Ask:
        (ask,) = self.cure.asks()
        return ask

    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.cure.tick(self.now_ms)

    def replay(self, ask: Ask, *bodies: Body, last: int = 0) -> None:
        last = last or (bodies[-1]["seq"] if bodies else 0)
        self.cure.answer(ask, {"list": list(bodies), "last": last}, self.now_ms)

    def snapshot(self, ask: Ask, body: Body) -> None:
        assert ask.op == "market.snapshot"
        self.cure.answer(ask, {"body": body}, self.now_ms)

    def refuse(self, ask: Ask, code: str) -> None:
        self.cure.refuse(ask, code, self.now_ms)

    def given(self) -> list[tuple[int, Verdict, int]]:
        """Take what is handed over, as (seq, verdict, missing)."""
        taken = [(each.body["seq"], each.verdict, each.missing) for each in self.cure.ready]
        self.cure.ready.clear()
        return taken


@pytest.fixture
def desk() -> Desk:
    """A desk at which a book has come up to number 5."""
    made = Desk()
    made.arrive(BOOK, whole(4), delta(5))
    made.given()
    assert made.cure.idle
    return made


NEXT, HOLE, RESEND, NEW_EPOCH = Verdict.NEXT, Verdict.HOLE, Verdict.RESEND, Verdict.NEW_EPOCH


def test_without_a_hole_everything_is_passed_on_and_nothing_asked(desk: Desk) -> None:
    desk.arrive(BOOK, delta(6), whole(6, resend=True), delta(6), delta(7))
    assert desk.given() == [(6, NEXT, 0), (6, RESEND, 0), (7, NEXT, 0)]
    assert desk.cure.asks() == []
    assert desk.cure.idle


def test_a_hole_is_filled_before_what_came_after_it_is_handed_over(desk: Desk) -> None:
    desk.arrive(BOOK, delta(8), delta(9))
    assert desk.given() == []
    ask = desk.asked()
    args = {"category": "linear", "topic": BOOK, "epoch": 9, "from": 6, "to": 7}
    assert (ask.op, ask.args) == ("market.replay", args)
    desk.arrive(BOOK, delta(10))
    desk.replay(ask, delta(6), delta(7), last=10)
    assert desk.given() == [(seq, NEXT, 0) for seq in range(6, 11)]
    assert desk.cure.idle
    assert desk.cure.cured == 2


def test_other_topics_do_not_wait_but_the_states_of_the_same_topic_do(desk: Desk) -> None:
    desk.arrive(FEED, {"seq": 1, "epoch": 9, "state": "live"})
    desk.arrive(BOOK, delta(7))
    desk.arrive(TRADES, whole(1))
    desk.arrive(FEED, {"seq": 2, "epoch": 9, "state": "resyncing"})
    assert [event.topic for event in desk.cure.ready] == [FEED, TRADES]
    desk.given()
    desk.replay(desk.asked(), delta(6))
    assert [event.topic for event in desk.cure.ready] == [BOOK, BOOK, FEED]


def test_a_hole_comes_page_by_page(desk: Desk) -> None:
    desk.arrive(BOOK, delta(10))
    desk.replay(desk.asked(), delta(6), delta(7), last=10)
    ask = desk.asked()
    assert (ask.args["from"], ask.args["to"]) == (8, 9)
    desk.replay(ask, delta(8), delta(9), last=10)
    assert [seq for seq, _, _ in desk.given()] == [6, 7, 8, 9, 10]


def test_a_second_hole_behind_the_first_is_filled_after_it(desk: Desk) -> None:
    desk.arrive(BOOK, delta(7), delta(9))
    desk.replay(desk.asked(), delta(6))
    assert [seq for seq, _, _ in desk.given()] == [6, 7]
    desk.replay(desk.asked(), delta(8))
    assert desk.given() == [(8, NEXT, 0), (9, NEXT, 0)]


def test_a_resend_that_is_ahead_shows_what_was_lost_and_that_is_fetched_too(desk: Desk) -> None:
    desk.arrive(BOOK, whole(7, resend=True))
    ask = desk.asked()
    assert (ask.args["from"], ask.args["to"]) == (6, 7)
    desk.replay(ask, delta(6), delta(7))
    assert desk.given() == [(6, NEXT, 0), (7, NEXT, 0), (7, RESEND, 0)]


def test_where_deltas_are_gone_the_state_takes_their_place(desk: Desk) -> None:
    desk.arrive(BOOK, delta(9), delta(10))
    desk.refuse(desk.asked(), Code.GONE)
    ask = desk.asked()
    assert ask.args == {"category": "linear", "topic": BOOK}
    desk.arrive(BOOK, delta(11))
    desk.snapshot(ask, whole(10))
    assert desk.given() == [(10, RESEND, 5), (11, NEXT, 0)]
    assert desk.cure.idle


def test_a_state_that_is_ahead_of_the_queue_makes_what_comes_late_a_repeat(desk: Desk) -> None:
    desk.arrive(BOOK, delta(9))
    desk.refuse(desk.asked(), Code.GONE)
    desk.snapshot(desk.asked(), whole(12))
    desk.arrive(BOOK, delta(10), delta(11), delta(12), delta(13))
    assert desk.given() == [(12, RESEND, 7), (13, NEXT, 0)]


def test_of_events_the_rest_is_fetched_and_the_loss_is_told_once() -> None:
    desk = Desk()
    desk.arrive(TRADES, whole(1), whole(9))
    desk.given()
    desk.refuse(desk.asked(), Code.GONE)
    ask = desk.asked()
    assert ask.op == "market.replay"
    assert "from" not in ask.args
    assert ask.args["to"] == 8
    desk.replay(ask, whole(6), whole(7), whole(8), last=9)
    assert desk.given() == [(6, HOLE, 4), (7, NEXT, 0), (8, NEXT, 0), (9, NEXT, 0)]


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.NO_ANSWER, Code.BUSY])
def test_a_gateway_that_is_away_for_a_moment_is_asked_again(desk: Desk, code: str) -> None:
    desk.arrive(BOOK, delta(7))
    desk.refuse(desk.asked(), code)
    assert desk.cure.asks() == []
    assert desk.cure.next_deadline_ms() <= RETRY_MS
    desk.wait(RETRY_MS)
    desk.replay(desk.asked(), delta(6))
    assert desk.given() == [(6, NEXT, 0), (7, NEXT, 0)]


def test_nothing_is_held_up_for_long_and_the_state_is_asked_for_until_it_comes(desk: Desk) -> None:
    desk.arrive(BOOK, delta(7), delta(8))
    while desk.now_ms < PATIENCE_MS:
        desk.refuse(desk.asked(), Code.UNAVAILABLE)
        desk.wait(RETRY_MS)
    desk.refuse(desk.asked(), Code.UNAVAILABLE)  # the last attempt to fetch them
    desk.refuse(desk.asked(), Code.UNAVAILABLE)  # and the state
    assert desk.given() == [(7, HOLE, 1), (8, NEXT, 0)]
    for pause_ms in (FIRST_PAUSE_MS, 2 * FIRST_PAUSE_MS, 4 * FIRST_PAUSE_MS):
        desk.wait(pause_ms)
        ask = next(ask for ask in desk.cure.asks() if ask.op == "market.snapshot")
        desk.refuse(ask, Code.NOT_READY)
    desk.arrive(BOOK, delta(9), delta(11))
    assert desk.given() == [(9, NEXT, 0), (11, HOLE, 1)]
    desk.arrive(BOOK, whole(12))
    assert desk.given() == [(12, NEXT, 0)]
    assert desk.cure.idle


def test_a_new_epoch_is_read_from_its_first_message(desk: Desk) -> None:
    desk.arrive(BOOK, delta(3, epoch=10))
    ask = desk.asked()
    assert (ask.args["epoch"], ask.args["from"], ask.args["to"]) == (10, 1, 2)
    desk.replay(ask, whole(1, epoch=10), delta(2, epoch=10))
    assert desk.given() == [(1, NEW_EPOCH, 0), (2, NEXT, 0), (3, NEXT, 0)]
    assert desk.cure.idle


def test_what_is_missing_of_a_new_epoch_is_told() -> None:
    desk = Desk()
    desk.arrive(TRADES, whole(5), whole(4, epoch=10))
    desk.given()
    for _ in range(2):
        desk.refuse(desk.asked(), Code.GONE)
    assert desk.given() == [(4, NEW_EPOCH, 3)]


def test_messages_of_an_epoch_that_a_snapshot_has_ended_are_dropped(desk: Desk) -> None:
    desk.arrive(BOOK, delta(8))
    desk.refuse(desk.asked(), Code.GONE)
    desk.snapshot(desk.asked(), whole(2, epoch=10))
    desk.arrive(BOOK, delta(9))
    desk.arrive(BOOK, whole(1, epoch=10), delta(2, epoch=10), delta(3, epoch=10))
    assert desk.given() == [(2, NEW_EPOCH, 2), (3, NEXT, 0)]
    assert desk.cure.idle


def test_a_subscriber_who_is_sent_nothing_asks_for_the_state() -> None:
    desk = Desk()
    desk.cure.followed(BOOK, 0)
    desk.wait(FIRST_PAUSE_MS)
    desk.snapshot(desk.asked(), whole(30))
    desk.arrive(BOOK, delta(31))
    assert desk.given() == [(30, RESEND, 0), (31, NEXT, 0)]


def test_a_topic_without_state_is_not_asked_for_twice() -> None:
    desk = Desk()
    desk.cure.followed(TRADES, 0)
    desk.wait(FIRST_PAUSE_MS)
    desk.refuse(desk.asked(), Code.NOT_FOUND)
    assert desk.cure.idle
    desk.arrive(TRADES, whole(1))
    assert desk.given() == [(1, Verdict.FIRST, 0)]


def test_who_joined_with_a_delta_gets_the_state_in_its_place_among_what_comes() -> None:
    desk = Desk()
    desk.arrive(BOOK, delta(5))
    desk.wait(FIRST_PAUSE_MS)
    ask = desk.asked()
    desk.arrive(BOOK, delta(6), delta(7))
    desk.snapshot(ask, whole(6))
    assert desk.given() == [(5, Verdict.FIRST, 0), (6, NEXT, 0), (6, RESEND, 0), (7, NEXT, 0)]


def test_the_last_message_before_a_silence_is_asked_for_once(desk: Desk) -> None:
    desk.wait(SILENCE_MS)
    desk.wait(SILENCE_MS)
    ask = desk.asked()
    args = {"category": "linear", "topic": BOOK, "epoch": 9, "from": 6}
    assert (ask.op, ask.args) == ("market.replay", args)
    desk.replay(ask, delta(6), delta(7))
    assert desk.given() == [(6, NEXT, 0), (7, NEXT, 0)]
    assert desk.cure.idle
    desk.arrive(BOOK, delta(7), delta(8))  # the lost one was only late
    assert desk.given() == [(8, NEXT, 0)]
    desk.wait(SILENCE_MS)
    desk.wait(SILENCE_MS)
    desk.replay(desk.asked(), last=8)
    for _ in range(5):
        desk.wait(SILENCE_MS)
    assert desk.cure.asks() == []


def test_a_feed_that_was_restarted_in_silence_is_noticed(desk: Desk) -> None:
    desk.cure.check(desk.now_ms)
    desk.refuse(desk.asked(), Code.GONE)
    desk.snapshot(desk.asked(), whole(1, epoch=10))
    assert desk.given() == [(1, NEW_EPOCH, 1)]


def test_of_events_that_ended_unseen_the_rest_is_fetched() -> None:
    desk = Desk()
    desk.arrive(TRADES, whole(1))
    desk.given()
    desk.cure.check(0)
    desk.refuse(desk.asked(), Code.GONE)
    desk.refuse(desk.asked(), Code.NOT_FOUND)
    ask = desk.asked()
    assert ask.args == {"category": "linear", "topic": TRADES, "epoch": 9}
    desk.replay(ask, whole(7), last=8)
    ask = desk.asked()
    assert ask.args["from"] == 8
    desk.replay(ask, whole(8))
    assert desk.given() == [(7, HOLE, 5), (8, NEXT, 0)]
    assert desk.cure.idle


def test_what_can_not_be_told_is_not_asked_for_ever() -> None:
    desk = Desk()
    desk.arrive(TRADES, whole(1))
    desk.given()
    desk.wait(SILENCE_MS)
    desk.wait(SILENCE_MS)
    for code in (Code.GONE, Code.NOT_FOUND, Code.GONE):
        desk.refuse(desk.asked(), code)
    assert desk.cure.idle
    desk.wait(SILENCE_MS)
    assert desk.cure.asks() == []


@pytest.mark.parametrize("topic", ["private.main.order.", "gateway.status.bus.", "system.x."])
def test_topics_of_no_category_are_the_clients_matter(topic: str) -> None:
    desk = Desk()
    desk.cure.followed(topic, 0)
    desk.arrive(topic, {"seq": 1, "epoch": 9}, {"seq": 5, "epoch": 9})
    assert desk.given() == [(1, Verdict.FIRST, 0), (5, HOLE, 3)]
    desk.cure.check(0)
    assert desk.cure.asks() == []


def test_only_some_requests_are_in_flight_at_once() -> None:
    desk = Desk()
    topics = [f"linear.publicTrade.S{number}USDT." for number in range(MOST_AT_ONCE + 3)]
    for topic in topics:
        desk.arrive(topic, whole(1), whole(3))
    first = desk.cure.asks()
    assert len(first) == MOST_AT_ONCE
    assert desk.cure.asks() == []
    for ask in first:
        desk.replay(ask, whole(2))
    assert len(desk.cure.asks()) == 3


def test_what_was_unsubscribed_is_forgotten_with_its_requests(desk: Desk) -> None:
    desk.arrive(BOOK, delta(9))
    ask = desk.asked()
    desk.cure.forget(BOOK)
    assert desk.cure.idle
    desk.replay(ask, delta(6))
    assert desk.given() == []


@pytest.mark.parametrize("result", [None, {}, {"list": [{}], "last": 9}, {"list": [], "last": 9}])
def test_an_answer_that_makes_no_sense_is_as_good_as_none(desk: Desk, result: Any) -> None:
    desk.arrive(BOOK, delta(8))
    desk.cure.answer(desk.asked(), result, 0)
    desk.snapshot(desk.asked(), whole(8))
    assert desk.given() == [(8, RESEND, 3)]
