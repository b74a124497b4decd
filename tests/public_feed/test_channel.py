from bybitd.public_feed.channel import ANSWER_MS, NEVER, Channel
from bybitd.public_feed.published import Health
from bybitd.venue.topics import check
from tests.public_feed.messages import BOOK, BOOK_FEED, BOOK_TOPIC, SECOND, snapshot


def channel(name=BOOK):
    return Channel(check("linear", name), 5)


def test_a_channel_knows_its_topics_on_the_bus():
    it = channel()
    assert (it.topic, it.feed_topic) == (BOOK_TOPIC, BOOK_FEED)


def test_since_is_when_the_state_changed_and_not_when_its_reason_did():
    it = channel()
    assert it.turn(Health.STALE, "no line", 10)
    assert it.turn(Health.STALE, "refused", 20)
    assert not it.turn(Health.STALE, "refused", 30)
    assert it.feed_state() == {
        "topic": BOOK_TOPIC,
        "state": "stale",
        "reason": "refused",
        "since_ns": 10,
    }
    assert it.turn(Health.LIVE, "", 40)
    assert it.since_ns == 40


def test_a_book_without_answer_is_asked_for_again_after_longer_and_longer_waits():
    it, now_ms, waits = channel(), 0, []
    for _ in range(8):
        it.asked(now_ms)
        waits.append(it.retry_ms - now_ms)
        now_ms = it.retry_ms
    assert waits[:3] == [ANSWER_MS, 2 * ANSWER_MS, 4 * ANSWER_MS]
    assert waits[-1] == waits[-2] == 300 * SECOND


def test_an_answer_ends_the_waiting():
    it = channel()
    it.asked(0)
    it.asked(0)
    it.answered()
    assert it.retry_ms == NEVER
    it.asked(0)
    assert it.retry_ms == ANSWER_MS


def test_quiet_topics_are_not_expected_to_answer():
    it = channel("publicTrade.BTCUSDT")
    it.asked(0)
    assert it.retry_ms == NEVER


def test_the_first_break_is_mended_at_once_and_a_series_of_them_ever_later():
    it, now_ms, pauses = channel(), 100 * SECOND, []
    for _ in range(9):
        it.broke(now_ms)
        pauses.append(it.retry_ms - now_ms)
        now_ms = it.retry_ms
        it.asked(now_ms)
    assert pauses[:4] == [0, 500, 1_000, 2_000]
    assert pauses[-1] == 30 * SECOND
    now_ms += 60 * SECOND
    it.broke(now_ms)
    assert it.retry_ms == now_ms


def test_what_a_lost_connection_carried_is_forgotten():
    it = channel()
    assert it.apply(snapshot(10)).publish
    it.lost()
    assert it.state.message() is None
    assert it.retry_ms == NEVER
