"""Order verbs against a gateway played by the test."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from bybitbus.codes import PROTOCOL_VERSION, Code, Origin, Outcome
from bybitbus.endpoints import requests_address
from bybitbus.messages import ErrorBody
from bybitbus.server import Call, Server
from bybitd.cli.exits import FAILED, OK, UNKNOWN
from bybitd.cli.main import main

Capture = pytest.CaptureFixture[str]
CREATE = ["order", "create", "category=linear", "symbol=BTCUSDT", "side=Buy", "qty=0.1"]


class Gateway:
    """Answers hello, and everything else as `answer` says."""

    def __init__(self, run_dir: Path) -> None:
        self.environment = "sim"
        self.protocol = PROTOCOL_VERSION
        self.calls: list[Call] = []
        self.answer: Callable[[Call], None] = lambda call: call.succeed(
            {"orderId": "7", "orderLinkId": call.request.args.get("orderLinkId", "")}
        )
        self._stopping = threading.Event()
        self._address = requests_address(run_dir)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with zmq.Context[zmq.Socket[bytes]]() as context:
            server = Server(context, self._address)
            while not self._stopping.is_set():
                server.socket.poll(20)
                for call in server.calls():
                    if call.request.op == "gateway.hello":
                        call.succeed(
                            {"protocol": self.protocol, "environment": self.environment}
                            | {"categories": ["linear", "option"]}
                        )
                    else:
                        self.calls.append(call)
                        self.answer(call)
            server.close()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()


@pytest.fixture
def gateway(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setenv("BYBITD_RUN_DIR", str(folder))
    played = Gateway(folder)
    yield played
    played.close()


def test_an_order_is_sent_as_typed_with_an_id_of_its_own(gateway: Gateway, capsys: Capture) -> None:
    assert main([*CREATE, "--orderType", "Market", "--account", "hedge"]) == OK
    request = gateway.calls[0].request
    link_id = request.args.pop("orderLinkId")
    assert link_id.startswith("cli-")
    assert len(link_id) <= 36
    assert request.op == "order.create"
    assert request.account == "hedge"
    assert request.args == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "qty": "0.1",
        "orderType": "Market",
    }
    assert link_id in capsys.readouterr().out


def test_the_result_is_one_json_document(gateway: Gateway, capsys: Capture) -> None:
    assert main([*CREATE, "orderLinkId=mine", "--json"]) == OK
    assert json.loads(capsys.readouterr().out) == {"orderId": "7", "orderLinkId": "mine"}


@pytest.mark.parametrize(
    ("outcome", "code", "word"),
    [(Outcome.REJECTED, FAILED, "refused"), (Outcome.UNKNOWN, UNKNOWN, "unknown")],
)
def test_a_refusal_and_an_unknown_outcome_are_told_apart(
    gateway: Gateway, capsys: Capture, outcome: Outcome, code: int, word: str
) -> None:
    error = ErrorBody(
        code=Code.NO_ANSWER,
        message="the sky fell",
        origin=Origin.NETWORK,
        outcome=outcome,
        retry_safe=False,
    )
    gateway.answer = lambda call: call.fail(error)
    assert main([*CREATE, "--json"]) == code
    captured = capsys.readouterr()
    assert "the sky fell" in captured.err
    assert json.loads(captured.out)["error"] == {
        "kind": word,
        "code": "no_answer",
        "message": "order.create: the sky fell",
    }


def test_no_reply_to_a_write_is_unknown_and_names_the_order_to_look_up(
    gateway: Gateway, capsys: Capture
) -> None:
    gateway.answer = lambda call: None
    assert main([*CREATE, "orderLinkId=mine", "--timeout", "0.3"]) == UNKNOWN
    said = capsys.readouterr().err
    assert "mine" in said
    assert "Do not send it again" in said


def test_mainnet_without_a_terminal_needs_yes(gateway: Gateway, capsys: Capture) -> None:
    gateway.environment = "mainnet"
    assert main(CREATE) == FAILED
    assert "--yes" in capsys.readouterr().err
    assert gateway.calls == []
    assert main([*CREATE, "--yes"]) == OK


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "code", "sent"), [("yes", OK, 1), ("y", FAILED, 0), ("", 1, 0)])
def test_mainnet_on_a_terminal_asks(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, sent: int
) -> None:
    gateway.environment = "mainnet"
    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    assert main(["order", "cancel-all", "category=linear"]) == code
    assert len(gateway.calls) == sent


def test_reading_on_mainnet_asks_nothing(gateway: Gateway, capsys: Capture) -> None:
    gateway.environment = "mainnet"
    gateway.answer = lambda call: call.succeed({"orderLinkId": "x", "state": "open"})
    assert main(["order", "status", "x"]) == OK
    assert gateway.calls[0].request.args == {"orderLinkId": "x"}
    assert "open" in capsys.readouterr().out


def test_a_gateway_of_another_protocol_gets_no_order(gateway: Gateway, capsys: Capture) -> None:
    gateway.protocol = PROTOCOL_VERSION + 1
    assert main(CREATE) == FAILED
    assert "protocol" in capsys.readouterr().err
    assert gateway.calls == []


def test_open_orders_are_a_table_or_a_document_each(gateway: Gateway, capsys: Capture) -> None:
    rows = [{"orderLinkId": "a", "price": "1.50"}, {"orderLinkId": "b", "extra": 1}]
    gateway.answer = lambda call: call.succeed({"list": rows})
    assert main(["order", "list", "--category", "linear", "--json"]) == OK
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == rows
    assert main(["order", "list"]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("orderLinkId")
    assert "1.50" in lines[1]
    assert "\x1b" not in "".join(lines)


def test_positions_of_every_category_with_positions_and_only_those_with_a_size(
    gateway: Gateway, capsys: Capture
) -> None:
    def answer(call: Call) -> None:
        size = "0.5" if call.request.args["category"] == "option" else "0"
        row: dict[str, Any] = {"symbol": "S", "size": size}
        call.succeed({"list": [row]})

    gateway.answer = answer
    assert main(["positions", "--json"]) == OK
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"category": "option", "symbol": "S", "size": "0.5"}
    assert [call.request.args["category"] for call in gateway.calls] == ["linear", "option"]


def test_the_wallet_shows_each_coin(gateway: Gateway, capsys: Capture) -> None:
    row = {"accountType": "UNIFIED", "totalEquity": "10", "coin": [{"coin": "BTC", "equity": "1"}]}
    gateway.answer = lambda call: call.succeed({"list": [row]})
    assert main(["wallet", "--coin", "BTC"]) == OK
    shown = capsys.readouterr().out
    assert "totalEquity 10" in shown
    assert "BTC" in shown
    assert gateway.calls[0].request.args == {"coin": "BTC"}


@pytest.mark.parametrize(
    ("words", "op"), [([], "account.orders"), (["--history"], "account.order-history")]
)
def test_open_orders_are_listed_or_those_that_ended(
    gateway: Gateway, capsys: Capture, words: list[str], op: str
) -> None:
    row = {"orderLinkId": "a-1", "orderStatus": "Filled"}
    gateway.answer = lambda call: call.succeed({"list": [row], "nextPageCursor": ""})
    assert main(["order", "list", "category=linear", *words, "--json"]) == OK
    assert gateway.calls[0].request.op == op
    assert gateway.calls[0].request.args == {"category": "linear"}
    assert json.loads(capsys.readouterr().out) == row


def test_settings_of_positions_go_out_by_the_exchanges_names(
    gateway: Gateway, capsys: Capture
) -> None:
    gateway.answer = lambda call: call.succeed({"retCode": 0, "retMsg": "OK"})
    words = ["position", "set-leverage", "category=linear", "symbol=BTCUSDT"]
    assert main([*words, "--buyLeverage", "5", "--sell-leverage", "5", "--client", "maker"]) == OK
    (call,) = gateway.calls
    assert (call.request.op, call.request.client) == ("position.set-leverage", "maker")
    assert call.request.args == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "buyLeverage": "5",
        "sellLeverage": "5",
    }
    assert capsys.readouterr().out == "done\n"
    gateway.answer = lambda call: call.succeed({"retCode": 110043, "retMsg": "not modified"})
    assert main([*words, "buyLeverage=5", "sellLeverage=5"]) == OK
    assert "so already (110043 not modified)" in capsys.readouterr().out


def test_a_setting_without_an_answer_is_unknown_and_says_where_to_look(
    gateway: Gateway, capsys: Capture
) -> None:
    gateway.answer = lambda call: None
    words = ["position", "switch-mode", "category=linear", "symbol=BTCUSDT", "mode=3"]
    assert main([*words, "--timeout", "0.3"]) == UNKNOWN
    assert "look the position up" in capsys.readouterr().err


def test_mainnet_is_asked_about_settings_of_positions_too(
    gateway: Gateway, capsys: Capture
) -> None:
    gateway.environment = "mainnet"
    words = ["position", "trading-stop", "category=linear", "symbol=BTCUSDT", "stopLoss=1"]
    assert main(words) == FAILED
    assert "--yes" in capsys.readouterr().err
    assert gateway.calls == []


def test_a_check_shows_what_would_be_sent_and_asks_nobody(
    gateway: Gateway, capsys: Capture
) -> None:
    gateway.environment = "mainnet"
    gateway.answer = lambda call: call.succeed(call.request.args)
    assert main(["order", "validate", *CREATE[2:], "price=5"]) == OK
    assert "BTCUSDT" in capsys.readouterr().out
    assert [call.request.op for call in gateway.calls] == ["order.validate"]
