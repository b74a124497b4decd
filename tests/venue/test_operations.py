from __future__ import annotations

from typing import Any

import pytest

from bybitbus.ops import OPS as BUS_OPS
from bybitd.venue import orders
from bybitd.venue.errors import BadField, FieldError, MissingField, UnknownField
from bybitd.venue.operations import OPERATIONS, check

STOP = {"category": "linear", "symbol": "SOLUSDT", "tpslMode": "Full", "positionIdx": 0}
LEVERAGE = {"category": "linear", "symbol": "SOLUSDT", "buyLeverage": "5", "sellLeverage": "5"}


def test_every_order_operation_has_a_path_and_a_check() -> None:
    for op in orders.OPS:
        operation = OPERATIONS[op]
        assert operation.method == "POST"
        assert operation.path == f"/v5/order/{op.removeprefix('order.')}"


def test_the_trade_socket_lacks_cancel_all_and_the_pre_check() -> None:
    lacking = [op for op in orders.OPS if not OPERATIONS[op].on_trade_socket]
    assert lacking == ["order.cancel-all", "order.pre-check"]


def test_positions_and_reads_go_over_rest_only() -> None:
    others = [OPERATIONS[op] for op in OPERATIONS if not op.startswith("order.")]
    assert len(others) == 12
    assert not any(operation.on_trade_socket for operation in others)


def test_every_operation_of_the_bus_that_reaches_the_exchange_is_known_here() -> None:
    ours = {"order.validate", "order.status"}
    for op in BUS_OPS:
        if op.startswith(("order.", "position.", "account.")) and op not in ours:
            assert op in OPERATIONS


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("position.set-leverage", LEVERAGE),
        ("position.switch-mode", {"category": "linear", "coin": "USDT", "mode": 3}),
        ("position.trading-stop", STOP | {"takeProfit": "0", "tpTriggerBy": "MarkPrice"}),
        ("position.trading-stop", STOP | {"trailingStop": "1", "activePrice": "150"}),
        ("position.trading-stop", STOP | {"category": "option", "stopLoss": "5"}),
        (
            "position.trading-stop",
            STOP
            | {
                "tpslMode": "Partial",
                "takeProfit": "150",
                "stopLoss": "120",
                "tpSize": "1.0",
                "slSize": "1",
                "tpOrderType": "Limit",
                "tpLimitPrice": "149",
            },
        ),
        (
            "position.set-auto-add-margin",
            {"category": "linear", "symbol": "SOLUSDT", "autoAddMargin": 1},
        ),
        ("account.orders", {"category": "linear", "settleCoin": "USDT", "limit": 50}),
        ("account.order-history", {"category": "spot", "startTime": 1790000000000}),
        ("account.executions", {"category": "option", "execType": "Trade", "cursor": "a%3D1"}),
        ("account.positions", {"category": "linear", "settleCoin": "USDC"}),
        ("account.wallet", {"accountType": "UNIFIED", "coin": "BTC,USDT"}),
        ("account.greeks", {}),
        ("account.fee-rate", {"category": "option", "baseCoin": "BTC"}),
        ("account.info", {}),
        ("order.cancel-all", {"category": "spot"}),
    ],
)
def test_arguments_that_the_exchange_takes_pass_unchanged(op: str, args: dict[str, Any]) -> None:
    assert check(op, args) == args


@pytest.mark.parametrize(
    ("op", "args", "kind", "field"),
    [
        ("position.set-leverage", LEVERAGE | {"buyLeverage": 5}, BadField, "buyLeverage"),
        ("position.set-leverage", LEVERAGE | {"sellLeverage": "0.0"}, BadField, "sellLeverage"),
        ("position.set-leverage", LEVERAGE | {"category": "spot"}, BadField, "category"),
        ("position.switch-mode", {"category": "linear", "mode": 3}, MissingField, "symbol"),
        (
            "position.switch-mode",
            {"category": "linear", "coin": "USDT", "mode": 1},
            BadField,
            "mode",
        ),
        ("position.trading-stop", STOP | {"trailingstop": "1"}, UnknownField, "trailingstop"),
        ("position.trading-stop", STOP, MissingField, "takeProfit"),
        (
            "position.trading-stop",
            STOP | {"category": "option", "tpslMode": "Partial", "stopLoss": "5"},
            BadField,
            "tpslMode",
        ),
        (
            "position.trading-stop",
            STOP | {"takeProfit": "5", "tpOrderType": "Limit", "tpLimitPrice": "5"},
            BadField,
            "tpOrderType",
        ),
        (
            "position.trading-stop",
            STOP | {"tpslMode": "Partial", "takeProfit": "5", "tpOrderType": "Limit"},
            MissingField,
            "tpLimitPrice",
        ),
        ("position.trading-stop", STOP | {"takeProfit": "5", "tpSize": "1"}, BadField, "tpSize"),
        (
            "position.trading-stop",
            STOP | {"tpslMode": "Partial", "takeProfit": "5", "slSize": "1"},
            MissingField,
            "stopLoss",
        ),
        (
            "position.trading-stop",
            STOP
            | {
                "tpslMode": "Partial",
                "takeProfit": "9",
                "stopLoss": "5",
                "tpSize": "1",
                "slSize": "2",
            },
            BadField,
            "slSize",
        ),
        (
            "position.trading-stop",
            STOP | {"takeProfit": "5", "activePrice": "6"},
            MissingField,
            "trailingStop",
        ),
        (
            "position.set-auto-add-margin",
            {"category": "inverse", "symbol": "BTCUSD", "autoAddMargin": 1},
            BadField,
            "category",
        ),
        ("account.orders", {"category": "linear"}, MissingField, "symbol"),
        ("account.orders", {"category": "spot", "limit": 51}, BadField, "limit"),
        ("account.orders", {"category": "spot", "limit": "50"}, BadField, "limit"),
        ("account.positions", {"category": "spot"}, BadField, "category"),
        ("account.positions", {"category": "linear"}, MissingField, "symbol"),
        ("account.wallet", {}, MissingField, "accountType"),
        ("account.fee-rate", {"category": "linear", "baseCoin": "BTC"}, BadField, "baseCoin"),
        ("account.info", {"category": "linear"}, UnknownField, "category"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(
    op: str, args: dict[str, Any], kind: type[FieldError], field: str
) -> None:
    with pytest.raises(FieldError) as caught:
        check(op, args)
    assert type(caught.value) is kind
    assert caught.value.field == field
