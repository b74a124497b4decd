from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bybitbus.history import OVERHEAD_BYTES, History, Kept

SIZE = OVERHEAD_BYTES + 36  # 100 bytes a message


def fill(history: History, kept: Kept, count: int) -> None:
    for _ in range(count):
        history.keep(kept, b"x" * (SIZE - OVERHEAD_BYTES))


def test_the_oldest_message_makes_room_for_the_newest() -> None:
    history = History(3 * SIZE)
    kept = history.open()
    for number in range(5):
        history.keep(kept, bytes([number]) * 36)
    assert [message[0] for message in kept.messages] == [2, 3, 4]
    assert history.size == kept.size == 3 * SIZE


def test_a_quiet_topic_keeps_its_messages_while_a_busy_one_makes_room_for_itself() -> None:
    history = History(10 * SIZE)
    quiet, busy = history.open(), history.open()
    fill(history, quiet, 4)
    fill(history, busy, 1000)
    assert (len(quiet.messages), len(busy.messages)) == (4, 6)


def test_a_topic_with_less_than_its_share_takes_room_from_those_with_more() -> None:
    history = History(12 * SIZE)
    first, second, late = history.open(), history.open(), history.open()
    fill(history, first, 7)
    fill(history, second, 5)
    fill(history, late, 20)
    assert [len(kept.messages) for kept in (first, second, late)] == [4, 4, 4]


def test_what_nobody_reads_any_more_gives_its_room_back() -> None:
    history = History(4 * SIZE)
    kept, other = history.open(), history.open()
    fill(history, kept, 3)
    history.clear(kept)
    assert (len(kept.messages), kept.size, history.size) == (0, 0, 0)
    fill(history, other, 4)
    assert len(other.messages) == 4


@given(
    st.integers(0, 3000),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 500)), max_size=120),
)
def test_never_more_than_the_limit_and_always_the_newest_of_each_topic(
    limit: int, steps: list[tuple[int, int]]
) -> None:
    history = History(limit)
    topics = [history.open() for _ in range(7)]
    sent: list[list[bytes]] = [[] for _ in topics]
    for number, size in steps:
        message = bytes(size)
        history.keep(topics[number], message)
        sent[number].append(message)
        assert history.size <= limit
        for kept, all_sent in zip(topics, sent, strict=True):
            assert list(kept.messages) == all_sent[len(all_sent) - len(kept.messages) :]
            assert kept.size == sum(len(each) + OVERHEAD_BYTES for each in kept.messages)
    assert history.size == sum(kept.size for kept in topics)
