from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bybitd.order_execution import actions as acts
from bybitd.order_execution import housekeeping, ledger
from bybitd.order_execution.errors import LinkIdUsed
from bybitd.order_execution.housekeeping import DAY_NS, Housekeeper
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.ledger import Order
from tests.order_execution.records import record, sent
from tests.order_execution.test_journal import cancel


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path, "main", "process") as opened:
        yield opened


def finished(name: str, days_ago: float, status: str = "Filled") -> Order:
    """Return an order that came and ended so many days ago."""
    at_ns = time.time_ns() - int(days_ago * DAY_NS)
    order = msgspec.structs.replace(sent(name), received_ns=at_ns)
    return ledger.observe(order, record(status, "1", orderLinkId=name), at_ns)


def forget(journal: Journal, keep_days: int) -> Housekeeper:
    housekeeper = Housekeeper(journal, lambda callback: callback(), keep_days)
    housekeeper.turn()
    assert housekeeper._thread is not None
    housekeeper._thread.join(10)
    return housekeeper


def test_housekeeping_copies_the_log_and_lets_it_start_anew(journal: Journal, path: Path) -> None:
    posted = []
    housekeeper = Housekeeper(journal, posted.append)
    for number in range(100):
        journal.insert([sent(f"a-{number}")])
    grown = path.with_name(path.name + "-wal").stat().st_size
    housekeeper.turn()
    housekeeper.close()
    posted.pop()()
    for number in range(100, 150):
        journal.insert([sent(f"a-{number}")])
    # The log was begun again at its start: the second round fitted into the first one's space.
    assert path.with_name(path.name + "-wal").stat().st_size == grown
    housekeeper.turn()
    housekeeper.close()
    assert journal.count() == 150


def test_housekeeping_does_nothing_when_nothing_was_written(journal: Journal) -> None:
    posted = []
    housekeeper = Housekeeper(journal, posted.append)
    journal.insert([sent()])
    housekeeper.turn()
    housekeeper.close()
    housekeeper.turn()
    housekeeper.close()
    assert len(posted) == 1


def test_what_has_been_over_for_too_long_is_forgotten_with_its_audit(journal: Journal) -> None:
    for number in range(120):
        journal.insert([finished(f"old-{number}", 31)])
    journal.insert([finished("young", 29)])
    done = acts.answered(cancel(1), 0, "OK", done=True, now_ns=5)
    journal.insert(actions=[done])
    housekeeper = forget(journal, keep_days=30)
    assert housekeeper.forgotten == 121
    assert journal.count() == 1
    assert journal.actions_on("a-1", "") == []
    entries = journal._db.execute("SELECT kind, subject FROM entries").fetchall()
    assert entries == [("order", "young")]


def test_what_is_not_over_is_kept_however_old_it_is(journal: Journal) -> None:
    old_ns = time.time_ns() - 400 * DAY_NS
    orders = [
        msgspec.structs.replace(sent("sent"), received_ns=old_ns),
        msgspec.structs.replace(ledger.unanswered(sent("unknown"), "cut", 1), received_ns=old_ns),
        ledger.observe(sent("open"), record("New", orderLinkId="open"), 1),
        ledger.observe(sent("part"), record("PartiallyFilled", "0.1", orderLinkId="part"), 1),
    ]
    for order in orders:
        journal.insert([order])
    journal.insert(actions=[cancel(1), acts.unanswered(cancel(2), "cut", 3)])
    assert forget(journal, keep_days=1).forgotten == 0
    assert journal.count() == len(orders)
    assert len(journal.unfinished_actions()) == 2


def test_a_long_lived_order_does_not_hide_the_old_ones_behind_it(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_PAGE", 10)
    for number in range(25):
        lives = ledger.observe(sent(f"lives-{number}"), record("New"), 1)
        journal.insert([msgspec.structs.replace(lives, received_ns=1)])
    journal.insert([finished("old", 31)])
    assert forget(journal, keep_days=30).forgotten == 1
    assert journal.count() == 25


def test_an_order_that_ended_late_is_kept_from_its_end_on(journal: Journal) -> None:
    order = msgspec.structs.replace(sent(), received_ns=time.time_ns() - 90 * DAY_NS)
    journal.insert([ledger.observe(order, record("Filled", "1"), time.time_ns())])
    assert forget(journal, keep_days=30).forgotten == 0


def test_a_link_id_gives_its_first_answer_until_it_is_forgotten(journal: Journal) -> None:
    journal.insert([finished("a-1", 31)])
    with pytest.raises(LinkIdUsed):
        journal.insert([sent("a-1")])
    forget(journal, keep_days=30)
    journal.insert([sent("a-1")])


def test_everything_is_kept_where_the_days_are_not_limited(journal: Journal) -> None:
    journal.insert([finished("a-1", 10_000)])
    assert forget(journal, keep_days=0).forgotten == 0
    assert journal.count() == 1


def test_forgetting_never_holds_the_writer_up_for_long(journal: Journal, path: Path) -> None:
    journal._db.execute("BEGIN")
    for number in range(3000):
        journal._insert_order(finished(f"old-{number}", 31))
    journal._db.execute("COMMIT")
    portions: list[int] = []
    other = sqlite3.connect(path, isolation_level=None)
    housekeeper = Housekeeper(journal, lambda callback: None, 30)
    housekeeper.turn()
    number = 0
    while housekeeper._thread is not None and housekeeper._thread.is_alive():
        # Each write gets between two portions: nothing waits for the whole of it.
        journal.insert([sent(f"new-{number}")])
        number += 1
        portions.append(other.execute("SELECT count(*) FROM orders").fetchone()[0] - number)
    other.close()
    assert journal.count() == number
    assert len({left for left in portions if 0 < left < 3000}) > 5


def test_a_housekeeper_that_is_closed_stops_within_a_portion(journal: Journal) -> None:
    for number in range(300):
        journal.insert([finished(f"old-{number}", 31)])
    housekeeper = Housekeeper(journal, lambda callback: None, 30)
    housekeeper.turn()
    housekeeper.close()
    assert journal.count() > 0
