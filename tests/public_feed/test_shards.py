"""Two programs that share a category, on real sockets, against the simulator."""

import contextlib

from bybitbus.endpoints import events_address
from bybitd.settings import Feed, Feeds, Settings
from bybitd.venue.shards import shard_of
from tests.public_feed.running import (
    RunningFeed,
    leave_endpoint,
    running_folder,
    simulated,
    wait_until,
)

TOPICS = ("orderbook.50", "publicTrade", "tickers", "kline.1", "bbo", "ticker", "book.50")
SYMBOLS = ("BTCUSDT", "ETHUSDT")  # of two programs the second and the first one's


@contextlib.contextmanager
def two_programs(folder):
    always = ("tickers.BTCUSDT", "tickers.ETHUSDT")
    settings = Settings(feeds=Feeds(linear=Feed(shards=2, topics=always)))
    programs = []
    try:
        for number in (1, 2):
            programs.append(RunningFeed(folder, "linear", settings, number))
        yield programs
    finally:
        for program in programs:
            program.close()


def test_each_topic_has_one_publisher_and_an_impossible_one_is_refused_once():
    with running_folder() as folder, simulated() as simulator:
        leave_endpoint(folder, simulator)
        with two_programs(folder) as (first, second):
            assert (first.name, second.name) == ("public-feed-linear", "public-feed-linear-2")
            wrong = "linear.orderbook.51.BTCUSDT."
            topics = {f"linear.{name}.{symbol}." for name in TOPICS for symbol in SYMBOLS}
            topics.add("linear.insurance.USDT.")
            # Like the bus, one subscriber at both programs.
            listener = first.listen(*topics, "gateway.rejected.", wrong)
            listener.socket.connect(events_address(folder, second.name))
            publishers = {}
            while publishers.keys() != topics:
                event = listener.read()
                assert event is not None, f"nothing of {topics - publishers.keys()}"
                if event[0] in topics:
                    publishers.setdefault(event[0], set()).add(event[1]["epoch"])
            epochs = [program.program.publisher.epoch for program in (first, second)]
            for topic, seen in publishers.items():
                subject = topic.rpartition(".")[0].rpartition(".")[2]
                assert seen == {epochs[shard_of(subject, 2) - 1]}, topic
            assert {epoch for seen in publishers.values() for epoch in seen} == set(epochs)
            refused = [body for name, body in listener.seen if name.startswith("gateway.rejected.")]
            assert [body["topic"] for body in refused] == [wrong]
            connections = [program.status()["connections"] for program in (first, second)]
            assert all(line["topics"] for lines in connections for line in lines)
            assert [len(lines) for lines in connections] == [1, 1]


def test_either_program_knows_all_instruments():
    with running_folder() as folder, simulated() as simulator:
        leave_endpoint(folder, simulator)
        with two_programs(folder) as programs:
            for program in programs:
                listed = wait_until(
                    lambda: program.ask("market.instruments", category="linear").result,  # noqa: B023
                    "the instruments",
                )
                assert len(listed["list"]) == 3
