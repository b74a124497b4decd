"""`gateway.reload` through the bus, with programs that the test plays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bybitbus.client import Client
from bybitbus.codes import Code
from bybitbus.errors import Refused
from bybitbus.messages import gateway_error
from tests.bus.conftest import CONFIGURATION, Bus, FakeProgram

FEED = "public-feed-linear"
PRIVATE = "private-stream-main"
CHANGED = CONFIGURATION + "  linger_s: 5\n"


@contextmanager
def asked(bus: Bus) -> Iterator[dict[str, Any]]:
    """Ask for a reload apart; once the block is over, `result` or `error` is there."""
    got: dict[str, Any] = {}

    def ask() -> None:
        with Client(bus.run_dir) as client:
            try:
                got["result"] = client.request("gateway.reload", timeout_ms=15_000)
            except Refused as error:
                got["error"] = error

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield got
    finally:
        thread.join(30)
    assert got


def answer(program: FakeProgram, result: Any) -> dict[str, Any]:
    """Answer the next request; return its arguments."""
    call = program.next_call()
    assert call.request.op == "gateway.reload"
    if isinstance(result, Code):
        call.fail(gateway_error(result, "because"))
    else:
        call.succeed(result)
    return call.request.args


def test_every_program_checks_before_any_of_them_takes_the_same_bytes(bus: Bus) -> None:
    feed, private = bus.play(FEED), bus.play(PRIVATE)
    bus.config.write_text(CHANGED)
    with asked(bus) as got:
        first = answer(feed, {})
        assert first["check"] is True
        assert answer(private, {}) == first
        taken = {"sha256": first["sha256"]}
        assert answer(feed, {"applied": ["feeds.linger_s"], "restart": ["journal.sync"]}) == taken
        assert answer(private, {"applied": [], "restart": ["journal.sync"]}) == taken
    result = got["result"]
    assert result["file"] == str(bus.config)
    assert result["sha256"] == taken["sha256"]
    assert result["applied"] == {"feeds.linger_s": [FEED]}
    assert result["restart"] == {"journal.sync": [FEED, PRIVATE]}
    assert set(result["missing"]) == {"simulator", "order-execution-main"}
    assert {row["code"] for row in result["missing"].values()} == {"unavailable"}


def test_one_program_that_could_not_start_with_it_keeps_all_from_taking_it(bus: Bus) -> None:
    feed, private = bus.play(FEED), bus.play(PRIVATE)
    bus.config.write_text(CHANGED)
    with asked(bus) as got:
        answer(private, {})
        answer(feed, Code.BAD_CONFIG)
    assert got["error"].code == "bad_config"
    assert got["error"].message == f"{FEED}: because"
    for program in (feed, private):
        assert not program.server.socket.poll(200)
    with bus.client() as client:
        status = client.request("gateway.status", {"program": "bus"})
    assert status["config"]["needs_restart"] == []


def test_one_that_reads_other_bytes_later_is_named_and_the_others_have_the_file(bus: Bus) -> None:
    feed, private = bus.play(FEED), bus.play(PRIVATE)
    with asked(bus) as got:
        answer(feed, {})
        answer(private, {})
        answer(feed, {"applied": [], "restart": []})
        answer(private, Code.BAD_CONFIG)
    missing = got["result"]["missing"]
    assert missing[PRIVATE] == {"code": "bad_config", "message": "because"}


def test_one_that_hangs_is_named_and_keeps_nobody_else_from_the_file(bus: Bus) -> None:
    feed, private = bus.play(FEED), bus.play(PRIVATE)
    with asked(bus) as got:
        answer(feed, {})
        assert private.next_call().request.args["check"] is True
        assert "check" not in answer(feed, {"applied": ["log.level"], "restart": []})
    assert got["result"]["missing"][PRIVATE]["code"] == "no_answer"
    assert FEED in got["result"]["applied"]["log.level"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("log:\n  levle: info\n", ":2: unknown key 'levle' in log"),
        ("log: [\n", "is no YAML"),
        ("environment: mainnet\nregion: mars\n", ":2: region: "),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_no_program_is_asked(
    bus: Bus, text: str, words: str
) -> None:
    feed = bus.play(FEED)
    bus.config.write_text(text)
    with asked(bus) as got:
        pass
    assert got["error"].code == "bad_config"
    assert got["error"].message.startswith(str(bus.config))
    assert words in got["error"].message
    assert not feed.server.socket.poll(200)


def test_arguments_and_a_missing_file_are_refused(bus: Bus) -> None:
    with bus.client() as client:
        with pytest.raises(Refused, match="no such field"):
            client.request("gateway.reload", {"sha256": "0" * 64})
        bus.config.unlink()
        with pytest.raises(Refused, match="can not be read") as caught:
            client.request("gateway.reload")
    assert caught.value.code == "bad_config"
