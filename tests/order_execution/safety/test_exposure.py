"""What an account may come to own is never said to be less than it can be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bybitd.order_execution.safety.account_state import LANDING_MS, SILENT_MS, AccountState
from bybitd.order_execution.safety.exposure import (
    Open,
    Positions,
    amended,
    from_args,
    from_record,
    worst,
)

D = Decimal


def order(side: str = "Buy", qty: str = "1", **more: Any) -> Open:
    args = {"symbol": "BTCUSDT", "side": side, "orderType": "Limit", "qty": qty, "price": "100"}
    return from_args(more.pop("category", "linear"), args | more, "maker")


def held(side: str, size: str, index: int = 0) -> Positions:
    positions = Positions()
    positions.take(
        {
            "category": "linear",
            "symbol": "BTCUSDT",
            "side": side,
            "size": size,
            "positionIdx": index,
        }
    )
    return positions


def test_a_position_counts_with_every_open_order_of_its_side() -> None:
    positions = held("Buy", "3")
    others = [order(qty="2"), order("Sell", "50"), order(qty="4", symbol="ETHUSDT")]
    assert worst(others, positions, order(qty="1")) == D(6)
    assert worst(others, positions, order("Sell", "1")) == D(48)  # 50 + 1 - 3


def test_a_reduce_only_order_adds_nothing_and_is_not_counted() -> None:
    closing = order("Sell", "3", reduceOnly=True)
    assert worst([], held("Buy", "3"), closing) == 0
    assert worst([closing], Positions(), order("Sell", "1")) == D(1)


def test_the_legs_of_a_hedge_count_apart() -> None:
    long_leg, short_leg = held("Buy", "3", 1), held("Sell", "5", 2)
    assert worst([], long_leg, order(positionIdx=1)) == D(4)
    assert worst([], long_leg, order("Sell", positionIdx=1)) == 0  # it can only close
    assert worst([], short_leg, order("Sell", positionIdx=2)) == D(6)
    assert worst([], short_leg, order(positionIdx=2)) == 0


def test_what_an_order_comes_to_is_in_the_quote_coin() -> None:
    assert order(qty="2").value(None) == D(200)
    assert order(category="inverse", qty="50").value(None) == D(50)
    market = order(orderType="Market")
    assert market.value(None) is None
    assert market.value(D(110)) == D(110)
    spot = order(category="spot", orderType="Market", qty="500")
    assert spot.value(None) == D(500)
    assert order(category="spot", orderType="Market", marketUnit="baseCoin").value(D(7)) == D(7)


def test_an_amend_on_its_way_counts_by_the_larger_of_before_and_after() -> None:
    assert amended(order(qty="5"), {"qty": "3", "price": "90"}, D(0)) == order(qty="5")
    larger = amended(order(qty="5"), {"qty": "9", "price": "120"}, D(2))
    assert (larger.qty, larger.price) == (D(7), D(120))


def test_a_record_that_is_over_is_no_open_order() -> None:
    record = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "qty": "5", "price": "9"}
    live = from_record({**record, "orderStatus": "PartiallyFilled", "cumExecQty": "2"})
    assert live is not None
    assert live.qty == D(3)
    assert from_record({**record, "orderStatus": "Cancelled"}) is None


def test_what_was_told_counts_until_all_of_it_is_told_anew() -> None:
    state = AccountState()
    state.begin("order")
    state.begin("position")
    assert not state.sees(0)
    state.status(True, 0)
    assert state.sees(SILENT_MS - 1)
    assert not state.sees(SILENT_MS)  # nobody has spoken since
    state.status(True, 5000)
    row = {"orderId": "1", "category": "linear", "symbol": "X", "qty": "1", "orderStatus": "New"}
    state.foreign(row)
    state.doubt("order")
    assert not state.sees(5000)
    assert len(list(state.foreign_orders())) == 1
    state.begin("order")
    assert state.sees(5000)
    assert list(state.foreign_orders()) == []


SIDES = st.sampled_from(["Buy", "Sell"])
RESTING = st.lists(st.tuples(SIDES, st.integers(1, 5), st.booleans()), max_size=8)


@given(st.integers(-10, 10), RESTING, SIDES, st.integers(1, 5), st.data())
def test_no_way_of_filling_the_open_orders_leads_to_a_larger_position(
    start: int, others: list[tuple[str, int, bool]], side: str, qty: int, data: st.DataObject
) -> None:
    positions = held("Buy" if start > 0 else "Sell", str(abs(start)))
    resting = [order(name, str(size), reduceOnly=only) for name, size, only in others]
    said = worst(resting, positions, order(side, str(qty)))
    sign = 1 if side == "Buy" else -1
    size, highest = start, sign * start if sign * start > 0 else 0
    for name, most, only_reduces in data.draw(st.permutations([*others, (side, qty, False)])):
        part = data.draw(st.integers(0, most))
        if only_reduces:  # at most down to nothing
            part = min(part, max(0, -size if name == "Buy" else size))
        size += part if name == "Buy" else -part
        highest = max(highest, sign * size)
    assert highest <= said or highest <= sign * start


def fill(order_id: str, total: str, at_ms: int, side: str = "Buy", **more: Any) -> dict[str, Any]:
    row = {"orderId": order_id, "category": "linear", "symbol": "BTCUSDT", "side": side}
    return row | {"qty": "9", "cumExecQty": total, "updatedTime": str(at_ms)} | more


def position(size: str, at_ms: int) -> dict[str, Any]:
    row = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "positionIdx": 0}
    return row | {"size": size, "updatedTime": str(at_ms)}


def test_what_was_filled_counts_until_the_position_shows_it() -> None:
    state = AccountState()

    def said(now_ms: int = 0) -> Decimal:
        return worst(state.landing(now_ms), state.positions, order("Buy", "1"))

    state.filled(fill("1", "2", 100), 0, repeated=False)
    state.filled(fill("1", "2", 100), 0, repeated=False)  # told twice, filled once
    assert said() == 3
    state.filled(fill("1", "5", 110), 0, repeated=False)
    state.positions.take(position("2", 100))
    assert said() == 2 + 3 + 1
    state.positions.take(position("5", 110))
    assert said() == 6
    state.filled(fill("2", "1", 110), 0, repeated=False)  # the position was faster
    assert said() == 6
    state.filled(fill("3", "1", 900), 0, repeated=False)
    assert said(LANDING_MS - 1) == 7
    assert said(LANDING_MS) == 6  # told by now, whatever its clock says


def test_fills_of_before_and_those_of_spot_are_in_no_position_to_come() -> None:
    state = AccountState()
    state.filled(fill("1", "2", 100), 0, repeated=True)
    state.filled(fill("2", "2", 100, category="spot"), 0, repeated=False)
    assert state.landing(0) == []


def test_what_closes_the_other_side_may_be_filled_before_what_opens_this_one() -> None:
    short = held("Sell", "5")
    closing = order("Buy", "3", reduceOnly=True)
    everything = order("Buy", "0", reduceOnly=True, closeOnTrigger=True)
    assert worst([], short, order("Buy", "7")) == 2
    assert worst([closing], short, order("Buy", "7")) == 5
    assert worst([closing, closing], short, order("Buy", "7")) == 7
    assert worst([everything], short, order("Buy", "7")) == 7
