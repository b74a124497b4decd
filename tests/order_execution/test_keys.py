"""Keys with rights that are too many or too few, at a simulator that pretends to be mainnet."""

from __future__ import annotations

import sys
import textwrap

import pytest

from bybitbus.codes import Code
from tests.order_execution.gateway import ORDERS, PRIVATE, TIMEOUT_S, Gateway, running

# Whatever the configuration says, these processes know no other hosts and keys than those of the
# simulator: nothing of them can reach the exchange.
PRETENDING = textwrap.dedent(
    """
    from bybitd.runtime import credentials, exchange
    from bybitd.settings import Settings

    endpoints, key = exchange.endpoints, credentials.key
    exchange.endpoints = lambda settings, run_dir: endpoints(Settings(), run_dir)
    credentials.key = lambda settings, account, run_dir: key(Settings(), account, run_dir)
    """
)
MAINNET = "environment: mainnet\naccounts:\n  main: {api_key: pretended, api_secret_env: NONE%s}\n"


def pretend(gateway: Gateway, more: str = "") -> None:
    run = "import sys; from bybitd.cli.main import main; sys.exit(main(sys.argv[1:]))"
    gateway.command = (sys.executable, "-c", PRETENDING + run)
    gateway.config.write_text(MAINNET % more)


def exit_code(gateway: Gateway, program: str) -> int:
    gateway.start(program, ready=False)
    return gateway.processes.pop(program).wait(TIMEOUT_S)


def reconciled(gateway: Gateway) -> bool:
    reply = gateway.ask(ORDERS, "gateway.status")
    return reply is not None and bool(reply.result["reconciled"])


@pytest.mark.parametrize("program", [PRIVATE, ORDERS])
def test_a_key_that_may_withdraw_is_refused_on_mainnet_with_what_to_do(program: str) -> None:
    with running(withdraws=True) as gateway:
        pretend(gateway)
        assert exit_code(gateway, program) == 78
        said = gateway.log.read_text()
        assert "accounts.main: the key may withdraw" in said
        assert "allow_withdrawal_keys" in said
        assert "logged in" not in said


def test_it_is_used_where_it_was_allowed_by_name() -> None:
    with running(withdraws=True) as gateway:
        pretend(gateway, ", allow_withdrawal_keys: true")
        gateway.start(PRIVATE, ORDERS)
        status = gateway.wait_state(ORDERS, "ready")
        assert (status["environment"], status["key"]["withdraws"]) == ("mainnet", True)
        assert gateway.create("withdraw-1").ok


def test_nothing_is_sent_on_mainnet_while_the_rights_are_not_known() -> None:
    with running() as gateway:
        pretend(gateway)
        gateway.simulator.fault("http", status=503, count=10_000, path="/v5/user/query-api")
        gateway.start(PRIVATE, ORDERS, ready=False)
        gateway.wait(lambda: "could not be read" in gateway.log.read_text(), "the question")
        reply = gateway.create("early-1")
        assert reply.error is not None
        assert reply.error.code is Code.NOT_READY
        assert gateway.at_exchange("early-1") == []
        gateway.simulator.fault("clear")
        gateway.wait_state(ORDERS, "ready")
        assert gateway.create("early-1").ok


def test_a_key_that_is_read_only_is_said_so() -> None:
    with running(readonly=True) as gateway:
        gateway.start(PRIVATE)
        gateway.start(ORDERS, ready=False)
        gateway.wait(lambda: reconciled(gateway), "the account to be compared")
        status = gateway.wait_state(ORDERS, "degraded")
        assert "read-only" in status["reason"]
        assert status["key"]["readOnly"] is True
        reply = gateway.create("read-1")
        assert reply.error is not None
        assert reply.error.code is Code.EXCHANGE_REFUSED


def test_a_key_that_is_read_only_still_reads() -> None:
    with running(readonly=True) as gateway:
        gateway.start(PRIVATE)
        reply = gateway.ask(PRIVATE, "account.wallet")
        assert reply is not None
        assert reply.ok
