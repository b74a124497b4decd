from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.private_stream.state import (
    Orders,
    Positions,
    State,
    Wallet,
    position_from_rest,
    position_to_rest,
)


def order(status: str, at: int, filled: str = "0", **more: Any) -> dict[str, Any]:
    return {
        "category": "linear",
        "symbol": "BTCUSDT",
        "orderId": "o-1",
        "orderStatus": status,
        "cumExecQty": filled,
        "updatedTime": str(at),
        **more,
    }


def position(size: str, at: int, **more: Any) -> dict[str, Any]:
    return {
        "category": "linear",
        "symbol": "BTCUSDT",
        "positionIdx": 0,
        "side": "Buy" if size != "0" else "",
        "size": size,
        "updatedTime": str(at),
        "seq": at,
        **more,
    }


def test_the_newer_record_of_an_order_wins_from_whichever_side_it_comes() -> None:
    orders = Orders()
    assert orders.merge(order("New", 5, price="101"))
    assert not orders.merge(order("New", 3, price="100"))
    assert [row["price"] for row in orders] == ["101"]


def test_a_record_that_says_the_same_is_no_news() -> None:
    orders = Orders()
    orders.merge(order("New", 5, orderLinkId="a"))
    assert not orders.merge({**order("New", 5, orderLinkId="a"), "onlyInRest": "1"})


def test_an_order_that_is_over_is_not_revived_by_late_news() -> None:
    orders = Orders()
    orders.merge(order("Filled", 9, "1"))
    assert not orders.merge(order("PartiallyFilled", 8, "0.5"))
    assert not orders.merge(order("New", 10))
    assert not orders.merge(order("Filled", 12, "1", cancelType="CancelByUser"))
    assert list(orders) == []


def test_a_record_with_less_filled_is_older_whatever_it_says() -> None:
    orders = Orders()
    orders.merge(order("PartiallyFilled", 5, "0.5"))
    assert not orders.merge(order("New", 7, "0"))


@given(st.permutations([("New", 1, "0"), ("PartiallyFilled", 2, "0.5"), ("Cancelled", 3, "0.5")]))
def test_the_order_in_which_records_come_does_not_matter(
    history: list[tuple[str, int, str]],
) -> None:
    orders = Orders()
    for status, at, filled in history:
        orders.merge(order(status, at, filled))
    assert list(orders) == []
    known = orders.get("o-1")
    assert known is not None
    assert (known["orderStatus"], known["cumExecQty"]) == ("Cancelled", "0.5")


def test_an_open_order_that_a_whole_listing_lacks_is_missing_unless_it_changed_since() -> None:
    orders = Orders()
    orders.merge(order("New", 5))
    assert orders.missing(["o-1"], asked_ms=9) == []
    assert [row["orderId"] for row in orders.missing([], asked_ms=9)] == ["o-1"]
    assert orders.missing([], asked_ms=5) == []


def test_the_newer_position_wins_and_repetitions_are_no_news() -> None:
    positions = Positions()
    assert positions.merge(position("1", 5))
    assert not positions.merge(position("2", 4))
    assert not positions.merge(position("1", 5))
    assert positions.merge(position("1", 5, seq=6, leverage="5"))


def test_the_two_sides_of_hedge_mode_are_two_positions() -> None:
    positions = Positions()
    positions.merge(position("1", 5, positionIdx=1))
    positions.merge(position("2", 4, positionIdx=2))
    assert sorted(row["size"] for row in positions) == ["1", "2"]


def test_a_position_that_a_whole_listing_lacks_was_closed() -> None:
    positions = Positions()
    positions.merge(position("1", 5))
    (closed,) = positions.closed([], ["linear"], asked_ms=9)
    assert (closed["size"], closed["side"]) == ("0", "")
    assert positions.merge(closed)
    assert positions.open() == []


@pytest.mark.parametrize(("categories", "asked_ms"), [(["inverse"], 9), (["linear"], 5)])
def test_a_position_is_not_closed_by_a_listing_that_could_not_have_it(
    categories: list[str], asked_ms: int
) -> None:
    positions = Positions()
    positions.merge(position("1", 5))
    assert positions.closed([], categories, asked_ms) == []


@given(st.dictionaries(st.sampled_from(["size", "side", "avgPrice", "seq"]), st.text(max_size=5)))
def test_a_rest_row_comes_back_from_the_stream_s_shape_as_it_was(row: dict[str, str]) -> None:
    record = position_from_rest(row, "linear")
    assert "avgPrice" not in record
    assert position_to_rest(record) == {**row, "category": "linear"}


def coins(wallet: Wallet) -> dict[str, str]:
    return {coin["coin"]: coin["equity"] for coin in wallet.record()["coin"]}


def balance(**equity: str) -> dict[str, Any]:
    rows = [{"coin": name, "equity": value} for name, value in equity.items()]
    return {"accountType": "UNIFIED", "totalEquity": "1", "coin": rows}


def test_a_wallet_event_names_only_the_coins_that_it_changes() -> None:
    wallet = Wallet()
    wallet.merge(balance(USDT="5", BTC="1"), 10, whole=True)
    assert wallet.merge(balance(USDT="4"), 11, whole=False)
    assert coins(wallet) == {"USDT": "4", "BTC": "1"}


def test_a_whole_wallet_drops_the_coins_that_it_lacks_unless_they_are_newer() -> None:
    wallet = Wallet()
    wallet.merge(balance(USDT="5", BTC="1"), 10, whole=True)
    wallet.merge(balance(ETH="2"), 13, whole=False)
    assert wallet.merge(balance(USDT="5"), 12, whole=True)
    assert coins(wallet) == {"USDT": "5", "ETH": "2"}


def test_an_older_wallet_changes_nothing() -> None:
    wallet = Wallet()
    wallet.merge(balance(USDT="5"), 10, whole=True)
    assert not wallet.merge(balance(USDT="9"), 9, whole=False)
    assert coins(wallet) == {"USDT": "5"}


def test_a_wallet_of_which_nothing_was_said_is_not_known() -> None:
    wallet = Wallet()
    assert not wallet.known
    wallet.merge(balance(), 0, whole=True)
    assert wallet.known


@given(
    st.dictionaries(
        st.sampled_from(["topic", "data", "creationTime"]),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["orderId", "orderStatus", "cumExecQty", "updatedTime", "coin"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=8,
        ),
    )
)
def test_no_message_of_the_stream_can_break_the_state(message: dict[str, Any]) -> None:
    for topic in ("order", "position", "wallet", "greeks", "order.linear"):
        State().take({**message, "topic": topic})
