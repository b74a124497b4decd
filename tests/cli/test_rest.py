"""`rest` against a gateway played by the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bybitbus.codes import Code
from bybitbus.messages import gateway_error
from bybitd.cli.exits import FAILED, OK
from bybitd.cli.main import main
from tests.cli.test_orders import Gateway

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def gateway(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setenv("BYBITD_RUN_DIR", str(folder))
    played = Gateway(folder)
    played.answer = lambda call: call.succeed({"list": [["1", "0.10"]], "nextPageCursor": "a%3D1"})
    yield played
    played.close()


@pytest.mark.parametrize("path", ["/v5/market/kline", "v5/market/kline", "market/kline"])
def test_it_asks_with_what_was_typed_and_prints_the_result(
    gateway: Gateway, capsys: Capture, path: str
) -> None:
    typed = ["category=option", "symbol=A/B_C", "cursor=x%3D1=2", "limit=2"]
    assert main(["rest", path, *typed, "--json"]) == OK
    (call,) = gateway.calls
    assert call.request.op == "market.rest"
    assert call.request.args == {
        "category": "option",
        "path": "/v5/market/kline",
        "params": {
            "category": "option",
            "symbol": "A/B_C",
            "cursor": "x%3D1=2",
            "limit": "2",
        },
    }
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"list": [["1", "0.10"]], "nextPageCursor": "a%3D1"}
    assert printed.count("\n") == 1


def test_a_category_that_no_feed_serves_is_asked_through_another(gateway: Gateway) -> None:
    for typed in ([], ["category=spot"]):
        assert main(["rest", "/v5/market/tickers", *typed]) == OK
    assert [call.request.args["category"] for call in gateway.calls] == ["linear", "linear"]
    assert gateway.calls[1].request.args["params"] == {"category": "spot"}


def test_a_refusal_is_told_with_its_code(gateway: Gateway, capsys: Capture) -> None:
    refusal = gateway_error(Code.RATE_LIMITED, "no budget", hint="try again after 17 (Unix ms)")
    gateway.answer = lambda call: call.fail(refusal)
    assert main(["rest", "/v5/market/time", "--json"]) == FAILED
    told = capsys.readouterr()
    assert json.loads(told.out)["error"]["code"] == "rate_limited"
    assert "no budget" in told.err


def test_what_is_no_name_and_value_is_said_before_anything_is_asked(
    gateway: Gateway, capsys: Capture
) -> None:
    assert main(["rest", "/v5/market/time", "BTCUSDT"]) == FAILED
    assert "no NAME=VALUE" in capsys.readouterr().err
    assert gateway.calls == []
