"""The measurement of many symbols, with few of them: that what it reports is what happened."""

from tests.bench import crowd
from tests.bench.symbols600 import setting


def test_a_flood_reaches_the_subscriber_whole_by_two_programs_and_the_bus():
    with setting(4, shards=2) as it:
        step = it.run(400.0, 0.6)
        assert step.lost == 0
        assert step.report.received >= 200
        assert min(step.report.delays) > 0
        programs = {"bus", "public-feed-linear", "public-feed-linear-2"}
        assert step.cpu_us.keys() == programs | {"flood", "subscriber"}
        assert it.cut() > 0
        assert min(it.rss_mb().values()) > 1


def test_topics_are_in_the_proportions_of_the_exchange():
    flood = crowd.Crowd(2, crowd.KINDS)
    names = [topic._name for topic in flood._order]
    assert len(names) == 26
    assert sum(name.startswith("orderbook") for name in names) == 20
