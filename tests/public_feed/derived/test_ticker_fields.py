from hypothesis import given
from hypothesis import strategies as st

from tests.public_feed.messages import Desk, ticker

FUNDING = "linear.funding.BTCUSDT."


def joined(*topics):
    desk = Desk()
    desk.line.connect()
    for topic in topics:
        desk.join(topic)
    return desk


def test_only_changes_of_its_own_fields_are_published_and_all_of_them_each_time():
    desk = joined(FUNDING)
    desk.line.say(
        ticker(1, "snapshot", lastPrice="1", fundingRate="0.0001", nextFundingTime="9"),
        ticker(2, lastPrice="2"),
        ticker(3, fundingRate="0.0001"),
        ticker(4, fundingRate="0.0002", lastPrice="3"),
    )
    first, second = desk.outlet.of(FUNDING)
    assert first["data"]["fundingRate"] == "0.0001"
    assert second == {
        "topic": "funding.BTCUSDT",
        "type": "snapshot",
        "ts": 1_700_000_000_004,
        "data": {
            "symbol": "BTCUSDT",
            "fundingRate": "0.0002",
            "nextFundingTime": "9",
            "fundingIntervalHour": "",
            "fundingCap": "",
        },
        "seq": 2,
    }


def test_several_share_one_source():
    topics = [f"linear.{kind}.BTCUSDT." for kind in ("funding", "delivery", "openInterest")]
    desk = joined(*topics)
    assert list(desk.line.desired) == ["tickers.BTCUSDT"]
    desk.line.say(
        ticker(1, "snapshot", openInterest="5", deliveryTime="2026-12-26T08:00:00Z"),
        ticker(2, openInterest="6"),
    )
    assert [len(desk.outlet.of(topic)) for topic in topics] == [1, 1, 2]
    assert desk.outlet.of(topics[1])[0]["data"]["deliveryTime"] == "2026-12-26T08:00:00Z"


def test_on_options_every_ticker_is_whole():
    symbol = "BTC-26DEC26-100000-C"
    desk = Desk(category="option")
    desk.line.connect()
    desk.join(f"option.openInterest.{symbol}.")
    for interest in ("5", "5", "6"):
        data = {"symbol": symbol, "openInterest": interest}
        desk.line.say({"topic": f"tickers.{symbol}", "type": "snapshot", "ts": 1, "data": data})
    told = desk.outlet.of(f"option.openInterest.{symbol}.")
    assert [body["data"]["openInterest"] for body in told] == ["5", "6"]
    assert told[0]["data"]["openInterestValue"] == ""


def test_a_ticker_that_makes_no_sense_is_no_value_and_ends_nothing():
    symbol = "BTC-26DEC26-100000-C"
    desk = Desk(category="option")
    desk.line.connect()
    topic = f"option.openInterest.{symbol}."
    desk.join(topic)
    source = {"topic": f"tickers.{symbol}", "type": "snapshot", "ts": 1}
    desk.line.say({**source, "data": [5]})
    assert desk.outlet.of(topic) == []
    assert desk.outlet.states(f"gateway.feed.{topic}") == ["stale"]
    desk.feed.resend(topic)
    desk.line.say({**source, "data": {"openInterest": "6"}})
    assert [body["data"]["openInterest"] for body in desk.outlet.of(topic)] == ["6"]
    assert desk.outlet.states(f"gateway.feed.{topic}") == ["stale", "live"]


FIELDS = st.dictionaries(
    st.sampled_from(["fundingRate", "fundingCap", "lastPrice"]), st.sampled_from(["", "1", "2"])
)


@given(st.lists(st.tuples(st.sampled_from(["snapshot", "delta", "delta"]), FIELDS), max_size=20))
def test_after_every_message_the_last_event_is_what_the_record_holds(messages):
    desk = joined(FUNDING)
    record, told = None, []
    for cs, (kind, fields) in enumerate(messages):
        desk.line.say(ticker(cs, kind, **fields))
        if kind == "snapshot":
            record = dict(fields)
        elif record is not None:
            record.update(fields)
        if record is None:
            continue
        names = ("fundingRate", "nextFundingTime", "fundingIntervalHour", "fundingCap")
        data = {"symbol": "BTCUSDT", **{name: record.get(name, "") for name in names}}
        if not told or told[-1] != data:
            told.append(data)
    assert [body["data"] for body in desk.outlet.of(FUNDING)] == told
