"""What an account may come to own is never said to be less than it can be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bybitd.order_execution.safety.account_state import SILENT_MS, AccountState
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
FILLS = st.lists(st.tuples(SIDES, st.integers(1, 5), st.integers(0, 5)), max_size=8)


@given(st.integers(-10, 10), FILLS, SIDES, st.integers(1, 5), st.data())
def test_no_way_of_filling_the_open_orders_leads_to_a_larger_position(
    start: int, others: list[tuple[str, int, int]], side: str, qty: int, data: st.DataObject
) -> None:
    positions = held("Buy" if start > 0 else "Sell", str(abs(start)))
    resting = [order(name, str(size)) for name, size, _ in others]
    said = worst(resting, positions, order(side, str(qty)))
    sign = 1 if side == "Buy" else -1
    reached = start + sign * qty
    for name, size, filled in others:
        part = min(size, data.draw(st.integers(0, filled))) if filled else 0
        reached += part if name == "Buy" else -part
    assert sign * reached <= said
