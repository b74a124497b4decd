"""How much one connection may carry, and what it tells of what comes; no socket is opened."""

import pytest

from bybitd.net.backoff import ConnectBudget
from bybitd.public_feed.upstream import Upstream
from bybitd.venue import control


class FakeTimer:
    def cancel(self):
        pass


class FakeReactor:
    def call_later(self, delay_s, callback):
        return FakeTimer()


class FakeTaker:
    def __init__(self):
        self.was_asked, self.was_lost = [], []

    def asked(self, names, now_ms):
        self.was_asked.append(tuple(names))

    def lost(self, names, reason, now_ns):
        self.was_lost.append((tuple(names), reason))


def upstream(socket="linear", taker=None):
    return Upstream(
        "line",
        socket,
        FakeReactor(),
        lambda: None,
        taker or FakeTaker(),
        rejected=lambda name, why: None,
        changed=lambda: None,
        budget=ConnectBudget(),
    )


def fill(line, names):
    """Add topics until one has no room; return those that it carries."""
    for name in names:
        if not line.has_room(name):
            break
        line.add(name)
    return list(line.desired)


@pytest.mark.parametrize("socket", ["spot", "linear", "option"])
def test_a_connection_takes_no_more_characters_than_the_exchange_allows(socket):
    carried = fill(upstream(socket), (f"orderbook.50.SYMBOL{n:04d}USDT" for n in range(2000)))
    used = control.args_characters(carried)
    assert used <= control.MAX_ARGS_CHARACTERS < used + len(carried[-1]) + 3


def test_an_option_connection_takes_no_more_topics_than_the_exchange_allows():
    carried = fill(upstream("option"), (f"t.{n}" for n in range(3000)))
    assert len(carried) == 2000


def test_what_is_not_carried_any_more_makes_room():
    line = upstream()
    carried = fill(line, (f"tickers.SYMBOL{n:04d}USDT" for n in range(2000)))
    assert not line.has_room("tickers.ONEMOREUSDT")
    line.remove(carried[0])
    assert line.has_room("tickers.ONEMOREUSDT")
    line.remove("tickers.NEVERWASUSDT")
    assert len(line.desired) == len(carried) - 1


def test_a_new_connection_asks_for_all_and_a_lost_one_gives_all_up():
    taker = FakeTaker()
    line = upstream(taker=taker)
    line.add("tickers.BTCUSDT")
    assert (line.live, line.reason) == (False, "not connected: not started")
    line.opened()
    assert taker.was_asked == [("tickers.BTCUSDT",)]
    # There is no socket below, so that nothing could be sent.
    line.lost("the line was cut")
    assert taker.was_lost == [(("tickers.BTCUSDT",), "connection lost: the line was cut")]
    assert line.lines == (line,)
