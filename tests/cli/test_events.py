"""`sub` and `book` against a bus played by the test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from bybitbus.codes import PROTOCOL_VERSION
from bybitbus.endpoints import events_address, requests_address
from bybitbus.publisher import Publisher
from bybitbus.server import Server
from bybitd.cli.events import whole
from bybitd.cli.exits import FAILED, OK
from bybitd.cli.main import main

Capture = pytest.CaptureFixture[str]
BOOK = "linear.orderbook.50.BTCUSDT."
SNAPSHOT: dict[str, Any] = {
    "type": "snapshot",
    "data": {"b": [["100.5", "1"]], "a": [["100.6", "2"], ["100.7", "3"]]},
}


class Bus:
    """Publishes once per subscription what `bodies` hold, under the rejected topic or its own."""

    def __init__(self, run_dir: Path) -> None:
        self.bodies: dict[str, list[dict[str, Any]]] = {}
        self._run_dir = run_dir
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with zmq.Context[zmq.Socket[bytes]]() as context:
            server = Server(context, requests_address(self._run_dir))
            publisher = Publisher(context, events_address(self._run_dir), epoch=1)
            while not self._stopping.is_set():
                server.socket.poll(5)
                for call in server.calls():
                    call.succeed({"protocol": PROTOCOL_VERSION, "environment": "sim"})
                for prefix, joined in publisher.subscriptions():
                    for body in self.bodies.get(prefix, []) if joined else []:
                        publisher.publish(prefix, dict(body))
            server.close()
            publisher.close()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()


@pytest.fixture
def bus(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    monkeypatch.setenv("BYBITD_RUN_DIR", str(folder))
    played = Bus(folder)
    yield played
    played.close()


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("linear.tickers.BTCUSDT", "linear.tickers.BTCUSDT."),
        ("linear.tickers.BTCUSDT.", "linear.tickers.BTCUSDT."),
        ("linear.", "linear."),
        ("", ""),
        ("private.main.", "private.main."),
    ],
)
def test_a_topic_gets_its_closing_dot_and_a_prefix_stays_one(typed: str, asked: str) -> None:
    assert whole(typed) == asked


def test_events_are_documents_with_topic_and_verdict(bus: Bus, capsys: Capture) -> None:
    bus.bodies["spot.x."] = [{"data": 1}, {"data": 2}]
    assert main(["sub", "spot.x", "--count", "2", "--json"]) == OK
    first, second = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (first["topic"], first["body"]["data"], first["verdict"]) == ("spot.x.", 1, "first")
    assert (second["body"]["seq"], second["verdict"], second["missing"]) == (2, "next", 0)


def test_without_json_each_event_is_a_line_without_colours(bus: Bus, capsys: Capture) -> None:
    bus.bodies["spot.x."] = [{"data": "é"}]
    assert main(["sub", "spot.x.", "--count", "1"]) == OK
    (line,) = capsys.readouterr().out.splitlines()
    assert "spot.x. seq 1" in line
    assert "\x1b" not in line


def test_a_rejected_topic_ends_with_the_reason(bus: Bus, capsys: Capture) -> None:
    bus.bodies["gateway.rejected.spott.x."] = [
        {"topic": "spott.x.", "reason": "there is no stream 'spott'", "hint": "spot?"}
    ]
    assert main(["sub", "spott.x."]) == FAILED
    assert "there is no stream 'spott' (spot?)" in capsys.readouterr().err


def test_fewer_events_than_asked_for_is_a_failure(bus: Bus) -> None:
    bus.bodies["spot.x."] = [{"data": 1}]
    assert main(["sub", "spot.x.", "--count", "2", "--seconds", "0.5"]) == FAILED


def test_a_book_is_shown_once_it_is_whole(bus: Bus, capsys: Capture) -> None:
    bus.bodies[BOOK] = [{"type": "delta", "data": {"b": [], "a": []}}, SNAPSHOT]
    assert main(["book", "BTCUSDT", "--count", "1", "--levels", "1"]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:]] == [["ask", "100.6", "2"], ["bid", "100.5", "1"]]


def test_a_book_as_json_keeps_the_exchange_s_decimals(bus: Bus, capsys: Capture) -> None:
    bus.bodies[BOOK] = [SNAPSHOT]
    assert main(["book", "BTCUSDT", "--count", "1", "--json"]) == OK
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert shown["b"] == [["100.5", "1"]]
    assert shown["a"] == [["100.6", "2"], ["100.7", "3"]]


def test_a_book_that_never_comes_is_a_failure(bus: Bus, capsys: Capture) -> None:
    assert main(["book", "BTCUSDT", "--count", "1", "--seconds", "0.5"]) == FAILED
    assert "no snapshot yet" in capsys.readouterr().err


def test_a_book_that_is_no_longer_right_is_not_shown_as_one(bus: Bus, capsys: Capture) -> None:
    bus.bodies[BOOK] = [SNAPSHOT]
    bus.bodies[f"gateway.feed.{BOOK}"] = [{"topic": BOOK, "state": "stale", "reason": "silent"}]
    main(["book", "BTCUSDT", "--seconds", "0.7", "--json"])
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [("b" in document, document.get("problem")) for document in shown] == [
        (True, None),
        (False, "stale: silent"),
    ]
