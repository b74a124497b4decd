from __future__ import annotations

import msgspec

from bybitbus.outgoing import Outgoing

TOPIC = "linear.publicTrade.BTCUSDT."


class Sent:
    def __init__(self, limit: int) -> None:
        self.bodies: list[bytes] = []
        self.outgoing = Outgoing(9, lambda _, body: self.bodies.append(body), lambda: 1_000)
        self.outgoing.keep(limit)

    def publish(self, count: int) -> None:
        for number in range(count):
            self.outgoing.publish(TOPIC, {"data": [number], "pad": "x" * 100}, 5)


def test_what_is_replayed_has_the_bytes_that_went_out() -> None:
    sent = Sent(1 << 20)
    sent.publish(10)
    assert sent.outgoing.kept(TOPIC) == range(1, 11)
    assert sent.outgoing.replay(TOPIC, range(3, 6), 1 << 20) == sent.bodies[2:5]
    assert [msgspec.msgpack.decode(body)["seq"] for body in sent.bodies[2:5]] == [3, 4, 5]


def test_a_page_ends_before_its_limit_and_has_one_message_at_least() -> None:
    sent = Sent(1 << 20)
    sent.publish(10)
    size = len(sent.bodies[0])
    assert sent.outgoing.replay(TOPIC, range(1, 11), 3 * size) == sent.bodies[:3]
    assert sent.outgoing.replay(TOPIC, range(4, 11), 1) == sent.bodies[3:4]


def test_a_resend_is_not_kept() -> None:
    sent = Sent(1 << 20)
    sent.publish(2)
    sent.outgoing.resend(TOPIC, {"data": []})
    assert sent.outgoing.kept(TOPIC) == range(1, 3)


def test_only_the_last_ones_are_kept_and_none_after_a_topic_was_given_up() -> None:
    sent = Sent(1000)
    sent.publish(20)
    kept = sent.outgoing.kept(TOPIC)
    assert kept.stop == 21
    assert 1 < kept.start < 20
    sent.outgoing.forget(TOPIC)
    assert not sent.outgoing.kept(TOPIC)
    sent.publish(1)
    assert sent.outgoing.kept(TOPIC) == range(21, 22)


def test_without_a_limit_nothing_is_kept() -> None:
    sent = Sent(0)
    sent.publish(3)
    assert not sent.outgoing.kept(TOPIC)
    assert sent.outgoing.replay(TOPIC, range(1, 3), 100) == []
    assert sent.outgoing.seq(TOPIC) == 3


def test_a_topic_that_was_never_published_has_nothing() -> None:
    sent = Sent(1000)
    sent.outgoing.forget("a.b.")
    assert (sent.outgoing.seq("a.b."), len(sent.outgoing.kept("a.b."))) == (0, 0)
