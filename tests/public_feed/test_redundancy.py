"""A feed with two connections for each topic, on real sockets, against the simulator."""

import pytest

from tests.public_feed.running import (
    KeptBook,
    leave_endpoint,
    running_feed,
    running_folder,
    simulated,
    wait_until,
)

BOOK = "linear.orderbook.50.BTCUSDT."
FEED = f"gateway.feed.{BOOK}"
NAMES = ("orderbook.50", "orderbook.1", "orderbook.rpi", "publicTrade", "tickers", "kline.1")


@pytest.fixture
def folder():
    with running_folder() as run_dir:
        yield run_dir


@pytest.fixture
def simulator(folder):
    with simulated() as running:
        leave_endpoint(folder, running)
        yield running


@pytest.fixture
def feed(folder, simulator):
    with running_feed(folder, linger_s=0.3, redundancy=2) as running:
        yield running


def carriers(simulator):
    """How many connections carry each topic of the category that is open."""
    topics = simulator.state()["topics"]
    return {row["topic"]: row["listeners"] for row in topics if row["category"] == "linear"}


def follow(listener, book, until):
    while not until():
        topic, body = listener.read()
        if topic == BOOK:
            book.apply(body)


def states(listener):
    """What was said of the book from when it was live first."""
    told = [body["state"] for name, body in listener.seen if name == FEED]
    return told[told.index("live") :] if "live" in told else []


def updates(listener):
    """The `u` of all that counted of the book."""
    return [b["data"]["u"] for name, b in listener.seen if name == BOOK and not b.get("resend")]


def test_two_connections_carry_every_topic_and_each_message_comes_once(simulator, feed):
    topics = {f"linear.{name}.BTCUSDT." for name in NAMES}
    listener, seen = feed.listen(*topics), {}
    while seen.keys() != topics or min(seen.values()) < 2:
        topic, body = listener.read()
        if not body.get("resend"):
            assert body["seq"] == seen.get(topic, 0) + 1
            seen[topic] = body["seq"]
    wait_until(lambda: set(carriers(simulator).values()) == {2}, "both connections")
    status = wait_until(
        lambda: (now := feed.status())["state"] == "ready" and now, "both connections"
    )
    names = [line["name"] for line in status["connections"]]
    assert names == ["public-linear-0a", "public-linear-0b"]
    assert [line["topics"] for line in status["connections"]] == [len(NAMES)] * 2
    wait_until(lambda: feed.status()["counters"]["copies"] > 0, "a copy")


def test_a_connection_that_is_lost_shows_in_the_status_and_nowhere_else(simulator, feed):
    listener, book = feed.listen(BOOK, FEED), KeptBook()
    follow(listener, book, lambda: len(book.at) > 3 and states(listener))
    wait_until(lambda: set(carriers(simulator).values()) == {2}, "both connections")
    simulator.fault("refuse_connect", scope="linear", seconds=60)
    simulator.fault("cut", scope="linear", count=1)
    status = wait_until(
        lambda: (now := feed.status())["state"] == "degraded" and now, "the loss to be told"
    )
    assert "another connection carries its topics" in status["reason"]
    assert sorted(line["state"] for line in status["connections"]).count("open") == 1
    so_far = len(book.at)
    follow(listener, book, lambda: len(book.at) > so_far + 5)
    simulator.fault("clear")
    wait_until(lambda: feed.status()["state"] == "ready", "the connection to be back")
    so_far = len(book.at)
    follow(listener, book, lambda: len(book.at) > so_far + 5)
    seen = updates(listener)
    assert seen == list(range(seen[0], seen[0] + len(seen)))
    assert states(listener) == ["live"]


def test_a_restart_of_the_books_is_published_once(simulator, feed):
    listener, book = feed.listen(BOOK, FEED), KeptBook()
    follow(listener, book, lambda: len(book.at) > 3)
    wait_until(lambda: set(carriers(simulator).values()) == {2}, "both connections")
    before = len(updates(listener))
    simulator.fault("restart_books", category="linear", symbol="BTCUSDT")
    follow(listener, book, lambda: 1 in updates(listener)[before:-5])
    after = updates(listener)[before:]
    again = after[after.index(1) :]
    assert again == list(range(1, len(again) + 1))
    assert states(listener) == ["live"]


def test_what_is_lost_on_both_connections_is_a_resync(simulator, feed):
    listener, book = feed.listen(BOOK, FEED), KeptBook()
    follow(listener, book, lambda: len(book.at) > 3)
    wait_until(lambda: set(carriers(simulator).values()) == {2}, "both connections")
    simulator.fault("skip_update_id", category="linear", topic="orderbook.50.BTCUSDT")
    follow(listener, book, lambda: states(listener)[-2:] == ["resyncing", "live"])
    assert feed.status()["counters"]["gaps"] == 1
    wait_until(lambda: set(carriers(simulator).values()) == {2}, "both connections")


def test_a_topic_that_the_exchange_refuses_is_refused_once(simulator, feed):
    listener = feed.listen("gateway.rejected.", "linear.tickers.NOSUCHUSDT.", BOOK)
    listener.wait_for("gateway.rejected.linear.tickers.NOSUCHUSDT.")
    for _ in range(10):
        listener.wait_for(BOOK)
    refused = [name for name, _ in listener.seen if name.startswith("gateway.rejected.")]
    assert len(refused) == 1
    listener.leave(BOOK)
    wait_until(lambda: not any(carriers(simulator).values()), "the unsubscription")
