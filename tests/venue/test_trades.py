from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bybitd.venue.outcome import APPLIED, DUPLICATE, Result
from bybitd.venue.trades import Mended, TradeTape, rest_trade

HOUR = 1_752_998_400_000


def row(number: int, symbol: str = "X") -> dict[str, Any]:
    """One trade; several share a ms."""
    return {"T": HOUR + number // 3, "s": symbol, "S": "Buy", "v": "1", "p": "9", "i": str(number)}


def message(*numbers: int) -> dict[str, Any]:
    return {"topic": "publicTrade.X", "data": [row(number) for number in numbers]}


def newest_first(*numbers: int) -> list[dict[str, Any]]:
    return [row(number) for number in reversed(numbers)]


def cut(*before: int, most: int = 1_000) -> TradeTape:
    tape = TradeTape(many=False, most=most)
    if before:
        assert tape.apply(message(*before)) is APPLIED
    tape.interrupt()
    return tape


def ids(mended: Mended) -> list[int]:
    return [int(trade["i"]) for trade in mended.rows]


def test_what_is_after_the_last_trade_before_the_cut_and_did_not_come_live_was_missed() -> None:
    tape = cut(1, 2, 3)
    assert tape.hole_ms == row(3)["T"]
    tape.apply(message(7, 8))
    mended = tape.mend(newest_first(*range(9)))
    assert (ids(mended), mended.whole) == ([4, 5, 6], True)
    assert tape.hole_ms is None


def test_nothing_missed_is_proven_as_well() -> None:
    mended = cut(1, 2, 3).mend(newest_first(1, 2, 3))
    assert (mended.rows, mended.whole) == ([], True)


def test_rest_that_does_not_reach_back_to_the_cut_is_told_apart_and_gives_what_it_has() -> None:
    tape = cut(1, 2, 3)
    tape.apply(message(60))
    mended = tape.mend(newest_first(*range(30, 61)))
    assert (mended.whole, mended.first_ms) == (False, row(30)["T"])
    assert ids(mended) == list(range(30, 60))


def test_a_hole_is_out_of_reach_when_more_came_live_than_rest_has() -> None:
    tape = cut(1, 2, 3, most=5)
    tape.apply(message(10, 11, 12))
    assert not tape.out_of_reach
    tape.apply(message(13, 14, 15))
    tape.apply(message(16))
    assert tape.out_of_reach
    mended = tape.give_up()
    assert (mended.rows, mended.whole, mended.first_ms) == ([], False, row(10)["T"])
    tape.interrupt()
    assert ids(tape.mend(newest_first(*range(10, 19)))) == [17, 18]


def test_without_a_trade_before_the_cut_there_is_nothing_to_join_to() -> None:
    assert cut().hole_ms is None


def test_a_trade_that_was_filled_is_not_passed_on_once_more() -> None:
    tape = cut(1)
    assert ids(tape.mend(newest_first(1, 2, 3))) == [2, 3]
    assert tape.apply(message(2)) is DUPLICATE
    late = message(3, 4)
    assert tape.apply(late) is APPLIED
    assert late["data"] == [row(4)]
    tape.apply(message(9_000))
    assert tape.apply(message(9_001)) is APPLIED


def test_two_cuts_before_the_first_is_filled_are_one_hole() -> None:
    tape = cut(1, 2)
    tape.apply(message(5, 6))
    tape.interrupt()
    tape.apply(message(9))
    assert ids(tape.mend(newest_first(*range(10)))) == [3, 4, 7, 8]
    tape.interrupt()
    assert ids(tape.mend(newest_first(*range(12)))) == [10, 11]


def test_symbols_of_one_topic_may_use_the_same_ids() -> None:
    tape = TradeTape(many=True, most=1_000)
    tape.apply({"topic": "publicTrade.BTC", "data": [row(1, "A"), row(1, "B")]})
    tape.interrupt()
    mended = tape.mend([row(2, "B"), row(2, "A"), row(1, "B"), row(1, "A")])
    assert [(trade["s"], trade["i"]) for trade in mended.rows] == [("A", "2"), ("B", "2")]


@pytest.mark.parametrize("data", [None, {}, [None], [{"i": "1"}], [[]]])
def test_a_message_without_trades_in_it_leaves_a_hole(data: Any) -> None:
    tape = TradeTape(many=False, most=1_000)
    tape.apply(message(1))
    assert tape.apply({"topic": "publicTrade.X", "data": data}).result is Result.MALFORMED
    tape.interrupt()
    assert tape.hole_ms is not None


def test_ids_of_the_wrong_type_end_nothing() -> None:
    tape = TradeTape(many=False, most=1_000)
    tape.apply({"data": [{"i": ["x"], "T": 1, "s": "X"}]})
    tape.interrupt()
    assert tape.mend(newest_first(1)).whole is False


def test_a_row_of_rest_has_the_shape_of_the_stream() -> None:
    told = {
        "execId": "2100000000007764263",
        "symbol": "BTCUSDT",
        "price": "16618.49",
        "size": "0.00012",
        "side": "Buy",
        "time": "1672052955758",
        "isBlockTrade": False,
        "isRPITrade": True,
        "mP": "",
        "seq": "123456",
    }
    assert rest_trade(told) == {
        "T": 1672052955758,
        "s": "BTCUSDT",
        "S": "Buy",
        "v": "0.00012",
        "p": "16618.49",
        "i": "2100000000007764263",
        "BT": False,
        "RPI": True,
        "seq": 123456,
    }
    assert rest_trade({**told, "mP": "5", "iv": "0.4"})["mP"] == "5"
    for wrong in ({}, {**told, "execId": 5}, {**told, "time": "x"}):
        with pytest.raises((LookupError, TypeError, ValueError)):
            rest_trade(wrong)


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(["live", "live", "cut", "back", "ask", "fill", "late", "late", "burst"]),
        min_size=8,
        max_size=40,
    ),
    st.sampled_from([30, 1_000]),
)
def test_every_trade_is_told_once_however_cuts_and_fills_fall_together(
    steps: list[str], most: int
) -> None:
    tape, made, told = TradeTape(many=False, most=most), 0, list[int]()
    up, unread = True, list[int]()
    answer, asked = list[dict[str, Any]](), -1
    holes = list[tuple[int, int]]()  # in which trades are said to be missing

    def read() -> None:
        if unread:
            heard = message(*unread)
            unread.clear()
            if tape.apply(heard).publish:
                told.extend(int(trade["i"]) for trade in heard["data"])

    for step in ["live", *steps, "back", "late", "ask", "live", "fill", "late"]:
        if step in ("live", "late", "burst"):
            count = {"live": 1, "late": 2, "burst": 230}[step]
            if up:
                unread.extend(range(made, made + count))
            made += count
            if step != "late":  # a trade that is made, and read after the next step
                read()
        elif step == "cut" and up:
            up = False
            unread.clear()
            tape.interrupt()
        elif step == "back":
            up = True
        elif step == "ask" and up:
            answer = newest_first(*range(max(0, made - most), made))
            asked = tape.breaks
        elif step == "fill" and up and (hole_ms := tape.hole_ms) is not None:
            if tape.out_of_reach:
                mended = tape.give_up()
            elif asked == tape.breaks:
                mended = tape.mend(answer)
            else:
                continue
            if not mended.whole:
                holes.append((hole_ms, mended.first_ms or row(made)["T"]))
            told.extend(ids(mended))
            assert ids(mended) == sorted(ids(mended))
    read()
    assert len(told) == len(set(told))
    for missing in set(range(min(told), made)).difference(told):
        assert any(first <= row(missing)["T"] <= last for first, last in holes)


def test_what_came_live_after_rest_answered_is_not_filled_the_next_time() -> None:
    tape = cut(1)
    tape.apply(message(5))
    answer = newest_first(1, 2, 3, 4, 5)
    tape.apply(message(6, 7))
    assert ids(tape.mend(answer)) == [2, 3, 4]
    tape.interrupt()
    tape.apply(message(9))
    assert ids(tape.mend(newest_first(*range(10)))) == [8]


def test_what_is_missing_may_lie_in_any_cut_of_the_hole() -> None:
    tape = cut(1)
    tape.apply(message(300))
    tape.interrupt()
    tape.apply(message(900))
    mended = tape.mend(newest_first(*range(600, 901)))
    assert (mended.whole, mended.first_ms) == (False, row(600)["T"])
    tape.interrupt()
    tape.apply(message(2_000))
    tape.interrupt()
    tape.apply(message(3_000))
    assert tape.mend([]).first_ms == row(3_000)["T"]
