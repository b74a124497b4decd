from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bybitd.order_execution import actions as acts
from bybitd.order_execution import answers, ledger
from bybitd.order_execution.errors import JournalError, LinkIdUsed
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.ledger import Basis, State
from tests.order_execution.records import T_MS, WINDOW_MS, received, record, sent
from tests.order_execution.test_journal import cancel

# Written by the program that knew version 1, with orders and requests in every state.
VERSION_1 = Path(__file__).with_name("journal_v1.sql")
NOW = T_MS * 1_000_000 + 9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path, "main", "process") as opened:
        yield opened


def execute(path: Path, *statements: str) -> list[Any]:
    """Do to the file what no working gateway does."""
    db = sqlite3.connect(path)
    rows = [db.execute(statement).fetchall() for statement in statements]
    db.commit()
    db.close()
    return rows[-1]


def entries(journal: Journal, subject: str) -> list[tuple[Any, ...]]:
    query = "SELECT number, state, basis, ret_code FROM entries WHERE subject = ? ORDER BY number"
    return journal._db.execute(query, (subject,)).fetchall()


def test_a_journal_of_version_1_is_brought_up_to_date_and_loses_nothing(path: Path) -> None:
    db = sqlite3.connect(path)
    db.executescript(VERSION_1.read_text())
    before = db.execute("SELECT * FROM orders ORDER BY link_id").fetchall()
    columns = [row[1] for row in db.execute("PRAGMA table_info(orders)")]
    db.close()
    with Journal(path, "main", "process") as journal:
        after = journal._db.execute(f"SELECT {', '.join(columns)} FROM orders ORDER BY link_id")
        assert after.fetchall() == before
        unfinished = {order.link_id: order.state for order in journal.unfinished_orders()}
        assert unfinished == {
            "v-received": State.RECEIVED,
            "v-sent": State.SENT,
            "v-unknown": State.UNKNOWN,
            "v-acknowledged": State.ACKNOWLEDGED,
            "v-open": State.OPEN,
            "v-part": State.PART_FILLED,
        }
        refused = journal.order("v-refused")
        assert refused is not None
        assert (refused.basis, refused.ret_code, refused.req_id) == (Basis.REFUSED, 110007, "")
        assert [action.id for action in journal.unfinished_actions()] == ["bd1-0", "bd1-1"]
        assert journal.next_epoch(1) == 1_700_000_000_000_001
        # From now on it is audited as any other.
        order = journal.order("v-open")
        assert order is not None
        change = record("Filled", "1", at=9, orderLinkId="v-open", orderId="ex-v-open")
        journal.update([ledger.observe(order, change, NOW)])
        assert [row[:2] for row in entries(journal, "v-open")] == [(1, "filled")]
    with Journal(path, "main", "process") as journal:
        assert journal.count() == 10
    assert execute(path, "SELECT value FROM meta WHERE key = 'version'") == [("2",)]


def test_an_upgrade_that_fails_half_way_leaves_the_old_version(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = sqlite3.connect(path)
    db.executescript(VERSION_1.read_text())
    db.close()
    with monkeypatch.context() as broken:
        broken.setattr(
            "bybitd.order_execution.journal_schema._make",
            lambda db: db.execute("CREATE TABLE orders (x)"),
        )
        with pytest.raises(JournalError):
            Journal(path, "main", "process")
    assert execute(path, "SELECT value FROM meta WHERE key = 'version'") == [("1",)]
    with Journal(path, "main", "process") as journal:
        assert journal.count() == 10


def test_every_change_of_an_order_leaves_an_entry_and_nothing_else_does(journal: Journal) -> None:
    order = ledger.sent(
        received(),
        timestamp_ms=T_MS,
        recv_window_ms=WINDOW_MS,
        now_ns=NOW,
        req_id="r-1",
        transport="ws",
    )
    journal.insert([order])
    order = ledger.unanswered(order, "no answer in time", NOW)
    journal.update([order])
    order = ledger.answered(order, answers.kept(answers.no_answer("order.create", "cut")))
    journal.update([order])  # what the client was told is no change of the order
    order = ledger.refused(order, 110007, "no money", Basis.REFUSED, NOW)
    journal.update([order])
    assert entries(journal, "a-1") == [
        (1, "sent", "", None),
        (2, "unknown", "", None),
        (3, "rejected", "refused", 110007),
    ]
    way = "SELECT req_id, transport, at_ns FROM entries WHERE number = 1"
    assert journal._db.execute(way).fetchone() == ("r-1", "ws", NOW)


def test_every_change_of_a_request_leaves_an_entry(journal: Journal) -> None:
    journal.insert(actions=[cancel(1)])
    journal.update(actions=[acts.answered(cancel(1), 0, "OK", done=True, now_ns=NOW)])
    assert entries(journal, "x-1") == [(1, "sent", None, None), (2, "done", None, 0)]


def test_an_order_and_a_request_of_the_same_id_have_entries_of_their_own(journal: Journal) -> None:
    journal.insert([sent("x-1")], [cancel(1)])
    assert len(entries(journal, "x-1")) == 2


def test_an_order_that_was_not_journaled_leaves_no_entry(journal: Journal) -> None:
    journal.insert([sent("a-2")])
    with pytest.raises(LinkIdUsed):
        journal.insert([sent("a-1"), sent("a-2")])
    assert entries(journal, "a-1") == []


def test_an_entry_is_never_altered(journal: Journal) -> None:
    journal.insert([sent()])
    with pytest.raises(sqlite3.IntegrityError, match="never altered"):
        journal._db.execute("UPDATE entries SET state = 'filled'")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE orders SET state = 'open', basis = ''", r"a-1 is 'open' \(\) after 'filled'"),
        ("UPDATE orders SET state = 'lost'", "a-1 is 'lost'"),
        ("UPDATE orders SET basis = 'guess', state = 'rejected'", "a-1 is 'rejected'"),
        ("UPDATE actions SET state = 'done', settled = 0", "x-2 is 'done' after 'rejected'"),
    ],
)
def test_states_that_the_table_forbids_are_noticed_at_the_start(
    path: Path, damage: str, named: str
) -> None:
    with Journal(path, "main", "process") as journal:
        journal.insert([ledger.observe(sent(), record("Filled", "1"), NOW)])
        refused = acts.answered(cancel(2), 110001, "no", done=False, now_ns=NOW)
        journal.insert(actions=[refused])
    execute(path, damage)
    with pytest.raises(JournalError, match=rf"is damaged.*{named}.*move it"):
        Journal(path, "main", "process")


def test_every_way_that_the_table_allows_passes_the_check(path: Path) -> None:
    with Journal(path, "main", "process") as journal:
        order = sent()
        journal.insert([order])
        for change in (
            lambda o: ledger.unanswered(o, "cut", NOW),
            lambda o: ledger.absent(o, NOW),
            lambda o: ledger.observe(o, record("New", at=2), NOW),  # a conclusion, refuted
            lambda o: ledger.observe(o, record("PartiallyFilled", "0.2", at=3), NOW),
            lambda o: ledger.observe(o, record("Cancelled", "0.2", at=4), NOW),
        ):
            order = change(order)
            journal.update([order])
    with Journal(path, "main", "process") as journal:
        assert len(entries(journal, "a-1")) == 6


def test_it_is_known_since_when_every_order_is_in_the_journal(path: Path) -> None:
    query = "SELECT value FROM meta WHERE key = 'began_ms'"
    Journal(path, "main", "process").close()
    first = execute(path, query)
    Journal(path, "main", "process").close()
    assert execute(path, query) == first
