"""The short form of the campaign, and what its reader notices."""

from tests.redundancy.campaign import Reader, run

BOOK = "linear.orderbook.50.BTCUSDT."
TRADES = "linear.publicTrade.BTCUSDT."


def test_no_message_is_lost_when_one_of_two_connections_is_cut_again_and_again():
    tally = run(4, every_s=0.8, rate_per_s=50, symbols=3)
    assert tally.cuts == 4
    assert tally.messages > 100
    assert tally.is_clean(), tally


def test_the_reader_notices_what_is_lost_or_comes_twice():
    reader = Reader()
    for seq, u in ((1, 10), (2, 11), (4, 13)):
        reader.take(BOOK, {"seq": seq, "data": {"u": u}})
    assert (reader.tally.holes, reader.tally.missing) == (1, 1)
    for seq in (1, 2):
        reader.take(TRADES, {"seq": seq, "data": [{"s": "BTCUSDT", "i": "7"}]})
    assert reader.tally.doubled == 1
    for state in ("stale", "live", "stale"):
        reader.take(f"gateway.feed.{BOOK}", {"state": state})
    assert reader.tally.turns == {"stale": 1}
    assert not reader.tally.is_clean()
