"""`bybitd reload` with real processes: limits at once, wrong files never, nothing secret told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bybitd.cli import exits
from bybitd.cli.main import main
from tests.order_execution.gateway import ORDERS, PRIVATE, Gateway, running

Capture = pytest.CaptureFixture[str]
SECRET_NAMES = ("the-key-id", "SECRET_VARIABLE")
CONFIGURATION = """\
environment: sim
feeds:
  spot: {enabled: false}
  linear: {enabled: false}
  inverse: {enabled: false}
  option: {enabled: false}
  spread: {enabled: false}
accounts:
  main:
    limits: {max_open_orders: 10, when_blind: go-on}
"""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with running() as gateway:
        gateway.config.write_text(CONFIGURATION)
        gateway.start("bus", ready=False)
        gateway.start(PRIVATE, ORDERS)
        gateway.wait_reached(PRIVATE, ORDERS)
        yield gateway


def bybitd(gateway: Gateway, *words: str) -> int:
    """Run a verb; what it says of the file must not come from its own look at it."""
    return main([*words, "--run-dir", str(gateway.run_dir), "--config", "/dev/null"])


def reloaded(gateway: Gateway, capsys: Capture) -> dict[str, dict[str, list[str]]]:
    """Reload and return the answer. The simulator is none of these processes, and is missing."""
    capsys.readouterr()
    assert bybitd(gateway, "reload", "--json") == exits.UNKNOWN
    result: dict[str, dict[str, list[str]]] = json.loads(capsys.readouterr().out)
    assert set(result["missing"]) == {"simulator"}
    return result


def rewrite(gateway: Gateway, old: str, new: str) -> None:
    text = gateway.config.read_text()
    assert old in text
    gateway.config.write_text(text.replace(old, new))


def test_a_lowered_limit_refuses_the_next_order_and_a_raised_one_lets_it_pass(
    gateway: Gateway, capsys: Capture
) -> None:
    assert gateway.create("first").ok
    rewrite(gateway, "max_open_orders: 10", "max_open_orders: 1")
    key = "accounts.main.limits.max_open_orders"
    result = reloaded(gateway, capsys)
    assert (result["applied"], result["restart"]) == ({key: [ORDERS]}, {})
    refused = gateway.create("second").error
    assert refused is not None
    assert (refused.code, refused.outcome) == ("risk_refused", "rejected")
    rewrite(gateway, "max_open_orders: 1", "max_open_orders: 2")
    assert key in reloaded(gateway, capsys)["applied"]
    assert gateway.create("third").ok
    rewrite(gateway, "    limits:", "    clients: {maker: {orders_per_s: 1}}\n    limits:")
    assert reloaded(gateway, capsys)["applied"] == {"accounts.main.clients.maker": [ORDERS]}
    rewrite(gateway, "max_open_orders: 2", "max_open_orders: 9")
    reloaded(gateway, capsys)
    assert gateway.create("fourth", client="maker").ok
    paced = gateway.create("fifth", client="maker").error
    assert paced is not None
    assert "orders_per_s" in paced.message


def test_a_wrong_file_changes_nothing_and_the_line_is_named(
    gateway: Gateway, capsys: Capture
) -> None:
    rewrite(gateway, "max_open_orders: 10", "max_open_orders: 1, max_open_value: -5")
    assert bybitd(gateway, "reload") == exits.CONFIG
    told = capsys.readouterr().err
    assert f"{gateway.config}:10: " in told
    assert "max_open_value must be above zero" in told
    assert "nothing was changed" in told
    assert gateway.create("first").ok
    assert gateway.create("second").ok


def test_what_needs_a_restart_is_not_half_applied_and_named_until_it_is_restarted(
    gateway: Gateway, capsys: Capture
) -> None:
    rewrite(gateway, "    limits:", "    order_timeout_ms: 9000\n    limits:")
    gateway.config.write_text(gateway.config.read_text() + "journal: {sync: disk}\n")
    keys = ["accounts.main.order_timeout_ms", "journal.sync"]
    assert reloaded(gateway, capsys)["restart"] == {key: [ORDERS] for key in keys}
    status = gateway.wait_state(ORDERS, "ready")
    assert status["journal"]["sync"] == "process"
    assert status["config"]["needs_restart"] == keys
    assert bybitd(gateway, "reload") == exits.UNKNOWN
    said = capsys.readouterr()
    assert f"needs a restart: journal.sync (bybitd restart {ORDERS})" in said.out
    assert "not applied by simulator" in said.err
    gateway.stop(ORDERS)
    gateway.start(ORDERS)
    gateway.wait_reached(PRIVATE, ORDERS)
    status = gateway.wait_state(ORDERS, "ready")
    assert status["journal"]["sync"] == "disk"
    assert status["config"]["needs_restart"] == []
    assert reloaded(gateway, capsys)["restart"] == {}


def test_no_value_is_told_neither_a_key_nor_what_names_a_secret(
    gateway: Gateway, capsys: Capture
) -> None:
    rewrite(
        gateway,
        "    limits:",
        "    api_key: the-key-id\n    api_secret_env: SECRET_VARIABLE\n    limits:",
    )
    result = reloaded(gateway, capsys)
    assert set(result["restart"]) == {"accounts.main.api_key", "accounts.main.api_secret_env"}
    told = json.dumps(result)
    # A secret in the file is a mistake that must not end in a terminal or a log.
    rewrite(gateway, "    api_key: the-key-id\n", "    api_secret: the-key-id\n")
    assert bybitd(gateway, "reload", "--json") == exits.CONFIG
    said = capsys.readouterr()
    assert "unknown key 'api_secret'" in said.err
    told += said.out + said.err + gateway.log.read_text()
    assert not [name for name in SECRET_NAMES if name in told]


def test_a_program_s_own_address_serves_it_to_the_bus_only(gateway: Gateway) -> None:
    for args, code in (({}, "missing_field"), ({"sha256": "0" * 64}, "bad_config")):
        reply = gateway.ask(ORDERS, "gateway.reload", args)
        assert reply is not None
        assert reply.error is not None
        assert reply.error.code == code


def test_without_a_daemon_it_says_so(gateway: Gateway, capsys: Capture) -> None:
    gateway.kill("bus")
    assert bybitd(gateway, "reload") == exits.UNREACHABLE
