from itertools import pairwise

from bybitd.public_feed.channel import Channel
from bybitd.public_feed.errands import Errands
from bybitd.venue.topics import check


def channel():
    return Channel(check("linear", "tickers.BTCUSDT"), 1)


def test_a_topic_is_asked_for_less_and_less_often_until_it_was_left_in_peace_for_a_while():
    errand = Errands(lambda _: None).of(channel())
    gone = []
    for now in [*range(0, 100_000, 250), 200_000, 200_250]:
        if errand.may_go(now):
            gone.append(now)
            errand.ended("")
    pauses = [later - sooner for sooner, later in pairwise(gone)]
    assert pauses == [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 108_250, 250]


def test_nothing_is_asked_for_twice_at_once():
    errand = Errands(lambda _: None).of(channel())
    assert errand.may_go(0)
    assert not errand.may_go(90_000)
    errand.ended("")
    assert errand.may_go(90_000)


def test_a_problem_is_news_once_until_there_was_an_answer():
    errand = Errands(lambda _: None).of(channel())
    assert [errand.ended(problem) for problem in ("no", "no", "other", "", "no")] == [
        True,
        False,
        False,
        False,
        True,
    ]


def test_an_errand_ends_with_its_topic_and_one_that_comes_back_begins_anew():
    held = {}
    errands = Errands(held.get)
    first = held["linear.tickers.BTCUSDT."] = channel()
    errand = errands.of(first)
    assert errands.of(first) is errand
    assert errands.stands(errand)
    second = held["linear.tickers.BTCUSDT."] = channel()
    assert not errands.stands(errand)
    assert errands.of(second) is not errand
    held.clear()
    errands.forget_gone()
    assert errands._errands == {}
