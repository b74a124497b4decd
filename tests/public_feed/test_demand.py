from bybitd.public_feed.demand import Demand


def test_a_topic_is_wanted_until_the_linger_time_after_the_last_subscriber_left():
    demand = Demand((), 100)
    demand.joined("tickers.A", "linear.tickers.A.")
    demand.left("tickers.A", "linear.tickers.A.", 1_000)
    assert demand.expired(1_099) == []
    assert "tickers.A" in demand
    assert demand.expired(1_100) == ["tickers.A"]
    assert "tickers.A" not in demand
    assert demand.expired(9_999) == []


def test_another_linger_time_holds_for_who_leaves_next():
    demand = Demand((), 100)
    for name in ("tickers.A", "tickers.B"):
        demand.joined(name, name)
    demand.left("tickers.A", "tickers.A", 0)
    demand.linger_ms = 500
    demand.left("tickers.B", "tickers.B", 0)
    assert demand.expired(499) == ["tickers.A"]
    assert demand.expired(500) == ["tickers.B"]


def test_a_subscriber_who_comes_back_in_time_keeps_the_topic():
    demand = Demand((), 100)
    demand.joined("tickers.A", "linear.tickers.A.")
    demand.left("tickers.A", "linear.tickers.A.", 0)
    demand.joined("tickers.A", "linear.tickers.A.")
    assert demand.expired(10_000) == []


def test_both_spellings_of_a_topic_must_be_left():
    demand = Demand((), 100)
    demand.joined("tickers.A", "linear.tickers.A.")
    demand.joined("tickers.A", "linear.tickers.A")
    demand.left("tickers.A", "linear.tickers.A.", 0)
    assert demand.expired(1_000) == []
    demand.left("tickers.A", "linear.tickers.A", 1_000)
    assert demand.expired(1_100) == ["tickers.A"]


def test_a_topic_that_is_always_on_is_never_given_up():
    demand = Demand(("tickers.A",), 100)
    assert "tickers.A" in demand
    demand.joined("tickers.A", "linear.tickers.A.")
    demand.left("tickers.A", "linear.tickers.A.", 0)
    assert demand.expired(1_000) == []
    assert "tickers.A" in demand


def test_leaving_what_was_never_joined_means_nothing():
    demand = Demand((), 100)
    demand.left("tickers.A", "linear.tickers.A.", 0)
    assert demand.expired(1_000) == []
    assert "tickers.A" not in demand
