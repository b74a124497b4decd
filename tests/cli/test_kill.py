"""`bybitd kill` and `unkill`, with a daemon and without one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bybitd.cli import exits
from bybitd.cli.main import main
from bybitd.runtime import kill_file
from tests.order_execution.gateway import ORDERS, PRIVATE, Gateway, running

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with running() as gateway:
        gateway.start("bus", ready=False)
        gateway.start(PRIVATE, ORDERS)
        gateway.wait_reached(ORDERS)
        yield gateway


def bybitd(gateway: Gateway, *words: str) -> int:
    places = ["--run-dir", str(gateway.run_dir), "--state-dir", str(gateway.state_dir)]
    return main([*words, *places, "--config", str(gateway.config)])


def test_kill_stops_everything_and_unkill_lets_it_go(gateway: Gateway, capsys: Capture) -> None:
    assert gateway.create("rests-1").ok
    assert bybitd(gateway, "kill", "--reason", "enough", "--json") == exits.OK
    report = json.loads(capsys.readouterr().out)["accounts"]["main"]
    assert (report["reason"], report["by"], report["open"]) == ("enough", "bybitd-cli", 0)
    assert [row["orderLinkId"] for row in report["cancelled"]] == ["rests-1"]
    assert not gateway.create("after-1").ok
    assert bybitd(gateway, "kill") == exits.OK
    assert "main: stopped; nothing is open" in capsys.readouterr().out
    assert bybitd(gateway, "unkill", "--account", "main") == exits.OK
    assert gateway.create("after-2").ok


def test_kill_works_without_a_daemon_and_says_that_nothing_was_cancelled_yet(
    gateway: Gateway, capsys: Capture
) -> None:
    for program in ("bus", PRIVATE, ORDERS):
        gateway.kill(program)
    assert bybitd(gateway, "kill", "--timeout", "0.3") == exits.UNKNOWN
    assert "it cancels as soon as it is back" in capsys.readouterr().err
    killed = kill_file.read(gateway.state_dir, "main")
    assert killed is not None
    assert killed.by == "bybitd-cli"


def test_an_account_that_is_not_configured_is_refused_with_those_that_are(
    gateway: Gateway, capsys: Capture
) -> None:
    assert bybitd(gateway, "kill", "--account", "mian") == exits.FAILED
    assert "configured: main" in capsys.readouterr().err
    gateway.kill("bus")
    assert bybitd(gateway, "kill", "--account", "mian", "--timeout", "0.3") == exits.FAILED
    assert "configured: main" in capsys.readouterr().err


def test_mainnet_is_asked_about_and_without_a_terminal_refused(
    gateway: Gateway, capsys: Capture
) -> None:
    gateway.config.write_text("environment: mainnet\n")
    assert bybitd(gateway, "kill") == exits.FAILED
    assert "--yes" in capsys.readouterr().err
    assert kill_file.read(gateway.state_dir, "main") is None
