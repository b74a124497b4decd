from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitd.venue.errors import BadField, FieldError, MissingField, UnknownField
from bybitd.venue.orders import OPS, check

LIMIT: dict[str, Any] = {
    "category": "linear",
    "symbol": "SOLUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "1.5",
    "price": "141.20",
}
SPOT = LIMIT | {"category": "spot"}
MARKET = {name: LIMIT[name] for name in LIMIT if name != "price"} | {"orderType": "Market"}
OPTION = LIMIT | {"category": "option", "symbol": "SOL-25DEC26-150-C-USDT"}

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("order.create", LIMIT),
    ("order.create", MARKET),
    ("order.create", LIMIT | {"timeInForce": "PostOnly", "orderLinkId": "a-B_9", "positionIdx": 1}),
    ("order.create", MARKET | {"qty": "0", "reduceOnly": True, "closeOnTrigger": True}),
    (
        "order.create",
        LIMIT | {"triggerPrice": "150", "triggerDirection": 1, "triggerBy": "MarkPrice"},
    ),
    ("order.create", LIMIT | {"takeProfit": "150", "stopLoss": "0", "tpslMode": "Full"}),
    (
        "order.create",
        LIMIT
        | {
            "takeProfit": "150",
            "tpslMode": "Partial",
            "tpOrderType": "Limit",
            "tpLimitPrice": "149",
        },
    ),
    ("order.create", MARKET | {"slippageToleranceType": "Percent", "slippageTolerance": "0.25"}),
    ("order.create", MARKET | {"slippageToleranceType": "TickSize", "slippageTolerance": "10000"}),
    (
        "order.create",
        {name: LIMIT[name] for name in LIMIT if name != "price"}
        | {"bboSideType": "Queue", "bboLevel": "1"},
    ),
    ("order.create", MARKET | {"category": "spot", "marketUnit": "quoteCoin", "isLeverage": 0}),
    ("order.create", SPOT | {"orderFilter": "tpslOrder", "triggerPrice": "150"}),
    ("order.create", OPTION | {"orderIv": "0.8", "mmp": False}),
    ("order.create", OPTION | {"orderType": "Market"}),
    ("order.pre-check", LIMIT),
    ("order.pre-check", OPTION | {"orderType": "Market"}),
    ("order.amend", {"category": "linear", "symbol": "X", "orderId": "7", "qty": "3"}),
    ("order.amend", {"category": "linear", "symbol": "X", "orderLinkId": "a", "takeProfit": "0"}),
    (
        "order.cancel",
        {"category": "spot", "symbol": "X", "orderId": "7", "orderFilter": "StopOrder"},
    ),
    ("order.cancel-all", {"category": "linear", "settleCoin": "USDT"}),
    ("order.cancel-all", {"category": "spot"}),
    (
        "order.cancel-all",
        {
            "category": "inverse",
            "symbol": "BTCUSD",
            "orderFilter": "StopOrder",
            "stopOrderType": "Stop",
        },
    ),
]


@pytest.mark.parametrize(("op", "args"), GOOD)
def test_arguments_that_the_exchange_takes_pass_unchanged(op: str, args: dict[str, Any]) -> None:
    checked = check(op, args)
    assert checked == args
    assert checked is not args


def without(args: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in args.items() if key != name}


BAD: list[tuple[str, dict[str, Any], type[FieldError], str, str]] = [
    ("order.create", LIMIT | {"reduceonly": True}, UnknownField, "reduceonly", "mean 'reduceOnly'"),
    ("order.create", LIMIT | {"xyzzy": 1}, UnknownField, "xyzzy", "one of category"),
    ("order.create", without(LIMIT, "side"), MissingField, "side", "one of Buy, Sell"),
    ("order.create", without(LIMIT, "category"), MissingField, "category", "one of spot, linear"),
    ("order.create", without(LIMIT, "price"), MissingField, "price", "a Limit order has one"),
    ("order.create", LIMIT | {"category": "futures"}, BadField, "category", "one of spot"),
    ("order.create", LIMIT | {"category": 1}, BadField, "category", "the number 1"),
    ("order.create", LIMIT | {"side": "buy"}, BadField, "side", "did you mean 'Buy'"),
    ("order.create", LIMIT | {"timeInForce": "GTX"}, BadField, "timeInForce", "one of GTC"),
    ("order.create", LIMIT | {"qty": 1.5}, BadField, "qty", "decimal string .* the number 1.5"),
    ("order.create", LIMIT | {"qty": 1}, BadField, "qty", "decimal string .* the number 1"),
    ("order.create", LIMIT | {"price": None}, BadField, "price", "null; leave it out"),
    ("order.create", LIMIT | {"qty": "0"}, BadField, "qty", "above zero"),
    ("order.create", LIMIT | {"qty": "0.000"}, BadField, "qty", "above zero"),
    ("order.create", LIMIT | {"price": "0"}, BadField, "price", "above zero"),
    ("order.create", LIMIT | {"positionIdx": "1"}, BadField, "positionIdx", "the string '1'"),
    ("order.create", LIMIT | {"positionIdx": True}, BadField, "positionIdx", "boolean true"),
    ("order.create", LIMIT | {"positionIdx": 3}, BadField, "positionIdx", "one of 0, 1, 2"),
    ("order.create", LIMIT | {"reduceOnly": "true"}, BadField, "reduceOnly", "true or false"),
    ("order.create", LIMIT | {"reduceOnly": 1}, BadField, "reduceOnly", "true or false"),
    ("order.create", LIMIT | {"marketUnit": "baseCoin"}, BadField, "marketUnit", "apply to linear"),
    ("order.create", SPOT | {"reduceOnly": True}, BadField, "reduceOnly", "not apply to spot"),
    ("order.create", LIMIT | {"orderLinkId": "a b"}, BadField, "orderLinkId", "1 to 36 characters"),
    ("order.create", LIMIT | {"orderLinkId": "x" * 37}, BadField, "orderLinkId", "1 to 36"),
    ("order.create", LIMIT | {"orderLinkId": ""}, BadField, "orderLinkId", "1 to 36"),
    ("order.create", LIMIT | {"orderLinkId": "a\n"}, BadField, "orderLinkId", "1 to 36"),
    ("order.create", LIMIT | {"symbol": "solusdt"}, BadField, "symbol", "upper case"),
    ("order.create", LIMIT | {"symbol": ["X"]}, BadField, "symbol", "not a list"),
    (
        "order.create",
        LIMIT | {"reduceOnly": True, "takeProfit": "150"},
        BadField,
        "takeProfit",
        "together with reduceOnly",
    ),
    (
        "order.create",
        LIMIT
        | {"takeProfit": "150", "tpslMode": "Full", "tpOrderType": "Limit", "tpLimitPrice": "1"},
        BadField,
        "tpOrderType",
        "'Partial' only",
    ),
    (
        "order.create",
        LIMIT | {"takeProfit": "150", "tpslMode": "Partial", "tpOrderType": "Limit"},
        MissingField,
        "tpLimitPrice",
        "tpOrderType 'Limit' needs it",
    ),
    (
        "order.create",
        LIMIT | {"stopLoss": "150", "slLimitPrice": "1"},
        BadField,
        "slLimitPrice",
        "needs slOrderType",
    ),
    ("order.create", LIMIT | {"bboSideType": "Queue"}, MissingField, "bboLevel", "bboSideType"),
    (
        "order.create",
        MARKET | {"bboSideType": "Queue", "bboLevel": "1"},
        BadField,
        "bboSideType",
        "Limit orders only",
    ),
    ("order.create", MARKET | {"timeInForce": "RPI"}, BadField, "timeInForce", "on a Market"),
    (
        "order.create",
        LIMIT | {"triggerDirection": 1},
        MissingField,
        "triggerPrice",
        "triggerDirection needs it",
    ),
    (
        "order.create",
        LIMIT | {"triggerBy": "MarkPrice"},
        MissingField,
        "triggerPrice",
        "triggerBy needs it",
    ),
    ("order.create", LIMIT | {"triggerPrice": "0"}, BadField, "triggerPrice", "above zero"),
    ("order.create", OPTION | {"orderIv": "0"}, BadField, "orderIv", "above zero"),
    ("order.pre-check", SPOT, BadField, "category", "one of linear, inverse, option"),
    (
        "order.pre-check",
        LIMIT | {"triggerPrice": "150"},
        BadField,
        "triggerPrice",
        "conditional order",
    ),
    (
        "order.create",
        MARKET | {"slippageToleranceType": "Percent", "slippageTolerance": "0.001"},
        BadField,
        "slippageTolerance",
        "0.01 to 10 percent",
    ),
    (
        "order.create",
        MARKET | {"slippageToleranceType": "TickSize", "slippageTolerance": "1.5"},
        BadField,
        "slippageTolerance",
        "whole number of ticks",
    ),
    (
        "order.create",
        LIMIT | {"slippageToleranceType": "TickSize", "slippageTolerance": "1"},
        BadField,
        "slippageTolerance",
        "Market orders only",
    ),
    (
        "order.create",
        MARKET | {"slippageTolerance": "1"},
        MissingField,
        "slippageToleranceType",
        "slippageTolerance needs it",
    ),
    ("order.create", MARKET | {"timeInForce": "PostOnly"}, BadField, "timeInForce", "on a Market"),
    ("order.create", SPOT | {"triggerPrice": "150"}, BadField, "triggerPrice", "needs orderFilter"),
    (
        "order.create",
        SPOT | {"orderFilter": "StopOrder"},
        MissingField,
        "triggerPrice",
        "'StopOrder' needs it",
    ),
    ("order.create", SPOT | {"marketUnit": "baseCoin"}, BadField, "marketUnit", "Market orders"),
    (
        "order.create",
        MARKET | {"category": "spot", "takeProfit": "1"},
        BadField,
        "takeProfit",
        "Limit orders only on spot",
    ),
    ("order.amend", {"category": "spot", "symbol": "X", "qty": "1"}, MissingField, "orderId", "or"),
    (
        "order.amend",
        {"category": "spot", "symbol": "X", "orderId": "1"},
        MissingField,
        "qty",
        "nothing else changes",
    ),
    (
        "order.amend",
        {"category": "spot", "symbol": "X", "orderId": "1", "side": "Buy"},
        UnknownField,
        "side",
        "not known",
    ),
    ("order.cancel", {"category": "spot", "symbol": "X"}, MissingField, "orderId", "orderLinkId"),
    (
        "order.cancel",
        {"category": "linear", "symbol": "X", "orderId": "1", "orderFilter": "Order"},
        BadField,
        "orderFilter",
        "apply to linear",
    ),
    ("order.cancel-all", {"category": "linear"}, MissingField, "symbol", "one of symbol, baseCoin"),
    (
        "order.cancel-all",
        {"category": "option", "orderFilter": "OcoOrder"},
        BadField,
        "orderFilter",
        "one of Order, StopOrder",
    ),
    (
        "order.cancel-all",
        {"category": "spot", "settleCoin": "USDT"},
        BadField,
        "settleCoin",
        "not apply to spot",
    ),
    (
        "order.cancel-all",
        {"category": "linear", "symbol": "X", "stopOrderType": "Stop"},
        BadField,
        "stopOrderType",
        "needs orderFilter",
    ),
]


@pytest.mark.parametrize(("op", "args", "kind", "field", "says"), BAD)
def test_an_argument_that_the_exchange_would_not_take_is_refused_by_name(
    op: str, args: dict[str, Any], kind: type[FieldError], field: str, says: str
) -> None:
    with pytest.raises(FieldError, match=says) as caught:
        check(op, args)
    assert type(caught.value) is kind
    assert (caught.value.op, caught.value.field) == (op, field)
    assert str(caught.value).startswith(f"{op}: {field} ")


@pytest.mark.parametrize(
    "text",
    [
        "1e5",
        "1E-05",
        "nan",
        "Infinity",
        "-1",
        "+1",
        "",
        " 1",
        "1 ",
        "1,5",
        ".5",
        "5.",
        "٣",
        "1_0",
        "1\n",
    ],
)
def test_a_decimal_is_digits_and_at_most_one_point(text: str) -> None:
    with pytest.raises(BadField, match="decimal string"):
        check("order.create", LIMIT | {"qty": text})


def item(number: int, **more: Any) -> dict[str, Any]:
    return without(LIMIT, "category") | {"orderLinkId": f"n{number}"} | more


def test_a_batch_of_the_greatest_size_passes_and_keeps_its_order() -> None:
    args = {"category": "linear", "request": [item(number) for number in range(20)]}
    checked = check("order.create-batch", args)
    assert checked == args
    assert checked["request"][0] is not args["request"][0]


@pytest.mark.parametrize(
    ("args", "kind", "field", "says"),
    [
        ({"category": "linear"}, MissingField, "request", "the list of orders"),
        ({"category": "linear", "request": {}}, BadField, "request", "a list of maps"),
        ({"category": "linear", "request": []}, BadField, "request", "1 to 20"),
        ({"category": "linear", "request": [1]}, BadField, "request[0]", "must be a map"),
        (
            {"category": "spot", "request": [item(number) for number in range(11)]},
            BadField,
            "request",
            "1 to 10 orders of spot",
        ),
        (
            {"category": "linear", "request": [item(0), item(1, qty=2)]},
            BadField,
            "request[1].qty",
            "decimal string",
        ),
        (
            {"category": "linear", "request": [item(0), item(0)]},
            BadField,
            "request[1].orderLinkId",
            "the same as in request\\[0\\]",
        ),
        (
            {"category": "linear", "request": [item(0, category="linear")]},
            UnknownField,
            "request[0].category",
            "not known",
        ),
        (
            {"category": "linear", "request": [item(0, bboLevel="1")]},
            UnknownField,
            "request[0].bboLevel",
            "not known",
        ),
        ({"category": "linear", "reqest": []}, UnknownField, "reqest", "mean 'request'"),
    ],
)
def test_a_wrong_batch_is_refused_with_the_place_of_the_fault(
    args: dict[str, Any], kind: type[FieldError], field: str, says: str
) -> None:
    with pytest.raises(kind, match=says) as caught:
        check("order.create-batch", args)
    assert caught.value.field == field


def test_batches_of_amendments_and_cancels_obey_the_rules_of_their_single_forms() -> None:
    amend = {"category": "option", "request": [{"symbol": "X-1", "orderId": "1", "qty": "2"}]}
    assert check("order.amend-batch", amend) == amend
    with pytest.raises(MissingField, match=r"request\[0\].qty"):
        check(
            "order.amend-batch",
            {"category": "linear", "request": [{"symbol": "X", "orderId": "1"}]},
        )
    with pytest.raises(MissingField, match=r"request\[0\].orderId"):
        check("order.cancel-batch", {"category": "linear", "request": [{"symbol": "X"}]})


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
names = st.sampled_from([*OPS["order.create"][0], "request", "?"]) | st.text(max_size=6)
garbage = st.dictionaries(names, values | st.lists(st.dictionaries(names, values), max_size=3))


@given(st.sampled_from(sorted(OPS)), garbage, st.sampled_from(["spot", "linear", "option"]))
def test_no_arguments_make_the_check_fail_otherwise_than_by_a_field_error(
    op: str, args: dict[str, Any], category: str
) -> None:
    for tried in (args, {"category": category} | args, {**LIMIT, "category": category} | args):
        try:
            checked = check(op, tried)
        except FieldError:
            continue
        assert checked == tried


@pytest.mark.parametrize("name", ["", "a b", "x" * 100_000, 7, b"qty", "qty\n"])
def test_a_name_that_can_be_no_field_is_refused_in_a_short_sentence(name: Any) -> None:
    with pytest.raises(UnknownField) as caught:
        check("order.create", LIMIT | {name: "1"})
    assert 0 < len(caught.value.field) <= 40
    assert "\n" not in caught.value.field
