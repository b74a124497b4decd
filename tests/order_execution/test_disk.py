"""Order execution on a disk that is full, and with a journal that was damaged."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Iterator

import pytest

from bybitbus.codes import Code, Outcome
from tests.order_execution.gateway import ORDERS, PRIVATE, TIMEOUT_S, Gateway, running

BTC = {"category": "linear", "symbol": "BTCUSDT"}
_NO_ROOM = 4096  # less than one page of the journal's log behind its header


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with running(PRIVATE, ORDERS) as started:
        yield started


def fill_the_disk(gateway: Gateway) -> None:
    """Let no file of the process grow; the kernel answers as a full disk does."""
    pid = gateway.processes[ORDERS].pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (_NO_ROOM, hard))


def make_room(gateway: Gateway) -> None:
    pid = gateway.processes[ORDERS].pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


def test_what_can_not_be_journaled_is_not_sent_and_cancels_still_are(gateway: Gateway) -> None:
    assert gateway.create("before").ok
    gateway.wait_order("before", "open")
    pid = gateway.processes[ORDERS].pid
    fill_the_disk(gateway)
    arrived = gateway.trade_requests()
    for link_id in ("full-1", "full-2"):
        reply = gateway.create(link_id)
        assert reply.error is not None
        assert (reply.error.code, reply.error.outcome) == (Code.UNAVAILABLE, Outcome.REJECTED)
        assert reply.error.retry_safe
        assert "journal" in reply.error.message
    amend = {**BTC, "orderLinkId": "before", "price": "1002.00"}
    assert not gateway.order("order.amend", amend).ok
    assert gateway.trade_requests() == arrived
    assert "journal can not be written" in gateway.wait_state(ORDERS, "degraded")["reason"]
    # Who wants out gets out.
    assert gateway.order("order.cancel", {**BTC, "orderLinkId": "before"}).ok
    assert gateway.wait_order("before", "cancelled")["orderStatus"] == "Cancelled"
    assert gateway.processes[ORDERS].poll() is None
    make_room(gateway)
    gateway.wait_state(ORDERS, "ready")
    assert gateway.create("full-1").ok
    # All of it is in the journal now: the next process knows the same.
    gateway.kill(ORDERS)
    gateway.start(ORDERS)
    assert gateway.processes[ORDERS].pid != pid
    found = gateway.status("before")
    assert found["state"] == "cancelled"
    assert [action["outcome"] for action in found["actions"]] == ["accepted"]
    assert gateway.status("full-1")["state"] == "open"
    assert len(gateway.at_exchange("full-1")) == 1
    assert gateway.at_exchange("full-2") == []


def test_a_process_that_dies_with_unwritten_changes_is_followed_by_one_that_finds_out(
    gateway: Gateway,
) -> None:
    assert gateway.create("dies").ok
    gateway.wait_order("dies", "open")
    fill_the_disk(gateway)
    assert gateway.order("order.cancel", {**BTC, "orderLinkId": "dies"}).ok
    gateway.wait_order("dies", "cancelled")
    gateway.kill(ORDERS)
    gateway.start(ORDERS)
    assert gateway.wait_order("dies", "cancelled")["orderStatus"] == "Cancelled"


def test_a_damaged_journal_is_refused_with_what_to_do_until_somebody_has_done_it(
    gateway: Gateway,
) -> None:
    for number in range(30):
        assert gateway.create(f"many-{number}").ok
    assert (gateway.stop(ORDERS), gateway.stop(PRIVATE)) == (0, 0)
    path = gateway.state_dir / "main.journal.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # the log would mend the damage
    db.close()
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 6] = os.urandom(4096 * 4)
    path.write_bytes(content)
    gateway.start(ORDERS, ready=False)
    assert gateway.processes.pop(ORDERS).wait(TIMEOUT_S) == 1
    said = gateway.log.read_text()
    assert "main.journal.db is damaged" in said
    assert "move it" in said
    assert "defect" not in said
    for file in gateway.state_dir.glob("main.journal.db*"):
        file.rename(file.with_name("away." + file.name))
    gateway.start(PRIVATE, ORDERS)
    assert gateway.create("after-1").ok
