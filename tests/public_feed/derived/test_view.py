"""How derived topics are opened, shared, repeated, marked and given up."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bybitd.public_feed.derived.catalogue import derived
from tests.public_feed.derived.reader import Reader
from tests.public_feed.messages import SECOND, Desk, book, frame, ticker

ONE = "orderbook.1.BTCUSDT"
SOURCE = f"linear.{ONE}."
BBO = "linear.bbo.BTCUSDT."
DEEP = "orderbook.50.BTCUSDT"
TICKER = "linear.ticker.BTCUSDT."


def one(u, bid="100.0", size="1"):
    return book(u, [(bid, size)], [("200", "3")], "snapshot", ONE)


def live_bbo(**desk_args):
    desk = Desk(**desk_args)
    desk.line.connect()
    desk.join(BBO)
    desk.line.requests()
    desk.line.say(one(1))
    return desk


def test_its_source_is_asked_for_and_both_are_announced_live_after_their_messages():
    desk = Desk()
    desk.line.connect()
    desk.join(BBO)
    assert desk.line.requests() == [("subscribe", [ONE])]
    desk.line.say(one(1))
    feeds = [f"gateway.feed.{SOURCE}", f"gateway.feed.{BBO}"]
    assert desk.outlet.topics() == [SOURCE, BBO, *feeds]


def test_one_source_serves_several_and_stays_until_the_last_has_gone():
    desk = live_bbo(linger_ms=100)
    desk.join(SOURCE)
    desk.leave(BBO, now_ms=0)
    desk.beat(200)
    assert desk.feed.views == {}
    assert list(desk.feed.channels) == [ONE]
    told = desk.outlet.of(f"gateway.feed.{BBO}")[-1]
    assert (told["state"], told["reason"]) == ("stale", "dropped: nobody subscribes to it any more")
    sent = len(desk.outlet.of(BBO))
    desk.line.say(one(2, "101"))
    assert len(desk.outlet.of(BBO)) == sent
    desk.leave(SOURCE, now_ms=300)
    desk.beat(400)
    assert desk.feed.channels == {}
    assert desk.line.desired == {}


def test_a_source_that_only_a_derived_topic_wanted_goes_with_it():
    desk = live_bbo(linger_ms=100)
    desk.leave(BBO, now_ms=0)
    desk.beat(99)
    assert list(desk.feed.channels) == [ONE]
    desk.beat(100)
    assert (desk.feed.channels, desk.feed.views) == ({}, {})
    assert desk.outlet.states(f"gateway.feed.{BBO}") == ["live", "stale"]


def test_one_that_follows_a_topic_that_is_live_begins_at_once():
    desk = Desk()
    desk.line.connect()
    desk.join(SOURCE)
    desk.line.say(one(1), now_ms=3)
    desk.join(BBO)
    (body,) = desk.outlet.of(BBO)
    assert (body["data"]["bid1Price"], body["seq"]) == ("100.0", 1)
    assert desk.outlet.topics()[-2:] == [BBO, f"gateway.feed.{BBO}"]
    assert desk.feed.find(BBO).rx_ns == 3_000_000


def test_a_late_joiner_is_told_what_is_and_how_it_is():
    desk = live_bbo()
    desk.join(BBO)
    desk.join(f"gateway.feed.{BBO}")
    assert desk.again == [BBO, f"gateway.feed.{BBO}"]
    for topic in desk.again:
        desk.feed.resend(topic)
    body, state = desk.outlet.sent[-2:]
    assert (body[1]["resend"], body[1]["seq"], body[1]["data"]["u"]) == (True, 1, 1)
    assert (state[1]["resend"], state[1]["state"]) == (True, "live")


def test_it_is_stale_with_its_source_and_says_everything_again_afterwards():
    desk = live_bbo()
    desk.beat(10 * SECOND)
    told = desk.outlet.of(f"gateway.feed.{BBO}")[-1]
    assert (told["state"], told["reason"]) == ("stale", "nothing came for 10 s")
    desk.line.say(one(1), now_ms=11 * SECOND)
    assert [body["seq"] for body in desk.outlet.of(BBO)] == [1, 2]
    assert desk.outlet.states(f"gateway.feed.{BBO}")[-1] == "live"


def test_it_resyncs_with_its_source_and_is_not_repeated_meanwhile():
    desk = live_bbo()
    desk.line.say(one(2, bid="300"))
    assert desk.outlet.states(f"gateway.feed.{BBO}") == ["live", "resyncing"]
    desk.feed.resend(BBO)
    assert len(desk.outlet.of(BBO)) == 1


def test_one_that_is_opened_without_a_connection_is_stale_at_once():
    desk = Desk()
    desk.join(BBO)
    assert desk.outlet.states(f"gateway.feed.{BBO}") == ["stale"]


def test_a_refused_source_refuses_what_is_made_of_it_and_both_come_back():
    desk = live_bbo()
    desk.feed.rejected(ONE, "handler not found", 1_000, 5)
    assert [topic for topic, _, _ in desk.rejected] == [SOURCE, BBO]
    assert "the exchange refuses orderbook.1.BTCUSDT" in desk.rejected[1][1]
    assert desk.outlet.states(f"gateway.feed.{BBO}")[-1] == "stale"
    desk.beat(61 * SECOND)
    desk.line.say(one(1))
    assert [body["seq"] for body in desk.outlet.of(BBO)] == [1, 2]
    assert desk.outlet.states(f"gateway.feed.{BBO}")[-1] == "live"


def test_a_configured_one_is_always_on_and_so_is_its_source():
    desk = Desk(always=("bbo.BTCUSDT",), linger_ms=100)
    desk.line.connect()
    desk.line.say(one(1))
    desk.join(BBO)
    desk.leave(BBO, now_ms=0)
    desk.beat(200)
    desk.line.say(one(2, "101"))
    assert [body["data"]["u"] for body in desk.outlet.of(BBO)] == [1, 2]


def test_one_that_can_not_exist_is_rejected():
    desk = Desk()
    desk.join("linear.bbo.btcusdt.")
    assert desk.rejected == [
        ("linear.bbo.btcusdt.", "symbols are upper case", "use bbo.BTCUSDT"),
    ]


PRICES = st.sampled_from(["99", "99.5", "100", "100.50", "101"])
BOOKS = st.builds(
    lambda u, bid, ask, size: book(u, [(bid, size)], [(ask, "1")] if ask else [], "snapshot", ONE),
    st.integers(1, 9),
    PRICES,
    st.one_of(st.none(), PRICES),
    st.sampled_from(["1", "2"]),
)
TICKERS = st.builds(
    lambda cs, kind, fields: ticker(cs, kind, **fields),
    st.integers(1, 9),
    st.sampled_from(["snapshot", "delta", "delta"]),
    st.dictionaries(st.sampled_from(["lastPrice", "fundingRate"]), st.sampled_from(["", "1", "2"])),
)
LEVELS = st.dictionaries(PRICES, st.sampled_from(["0", "1", "2"]), max_size=3)
DEEP_BOOKS = st.builds(
    lambda u, bids, asks: (
        book(u, bids.items(), asks.items(), topic=DEEP)
        if u
        else book(1, [("100", "1"), ("99", "1")], [("100.5", "3")], "snapshot", DEEP)
    ),
    st.integers(0, 6),
    LEVELS,
    LEVELS,
)
STEPS = st.lists(
    st.one_of(
        BOOKS,
        TICKERS,
        DEEP_BOOKS,
        st.sampled_from(
            ["cut", "silence", "wait", frame({"topic": ONE, "type": "snapshot", "data": 5})]
        ),
    ),
    max_size=40,
)


@given(steps=STEPS, late=st.integers(0, 40))
@settings(max_examples=300, deadline=None)
def test_at_every_moment_what_a_reader_holds_is_what_the_source_says(steps, late):
    desk = Desk()
    desk.line.connect()
    desk.join(SOURCE)
    desk.join("linear.tickers.BTCUSDT.")
    desk.join(f"linear.{DEEP}.")
    names = ("bbo.BTCUSDT", "ticker.BTCUSDT", "book.50.BTCUSDT")
    readers = {name: Reader(desk.outlet, f"linear.{name}.") for name in names}
    now_ms = 0
    for number, step in enumerate(steps):
        if number == late:
            for reader in readers.values():
                desk.join(reader.topic)
        if step == "cut":
            desk.line.cut()
            desk.line.connect(now_ms)
        elif step == "wait":
            now_ms += 100
            desk.settle(now_ms)
        elif step == "silence":
            now_ms += 61 * SECOND
            desk.beat(now_ms)
        else:
            desk.line.say(step, now_ms=now_ms)
        for name, reader in readers.items():
            assert_follows(desk, name, reader, joined=number >= late)
    desk.settle(now_ms + 100)
    for name, reader in readers.items():
        assert_follows(desk, name, reader, joined=late < len(steps))


def assert_follows(desk, name, reader, joined):
    topic = derived("linear", name)
    source = desk.feed.channels[topic.source]
    body = reader.catch_up()
    if not joined:
        assert (body, reader.state) == (None, "pending")
        return
    assert reader.state == str(source.health)
    if reader.state != "live":
        assert body is None
        return
    if desk.feed.views[name].owed:
        return  # its time has not come
    assert {**body["data"], **NO_MATTER} == {**expected(topic, source.state), **NO_MATTER}


# These move without a change of what is said.
NO_MATTER = {"u": 0, "seq": 0}


def expected(topic, state):
    """Compute a derived topic's data from the snapshot of its source, another way."""
    data = state.message()["data"]
    if topic.kind in ("ticker", "book"):
        return data
    (bid,), ask = data["b"], data["a"][0] if data["a"] else ["", ""]
    keys = ("bid1Price", "bid1Size", "ask1Price", "ask1Size")
    return {"symbol": data["s"], **dict(zip(keys, bid + ask, strict=True))}
