from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bybitd.order_execution import actions, ledger
from bybitd.order_execution.actions import Action
from bybitd.order_execution.errors import JournalError, LinkIdUsed, NotJournaled
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.ledger import Basis, State
from bybitd.order_execution.order_store import ActionStore
from tests.order_execution.records import received, record, sent

NOW = 5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path, "main", "process") as opened:
        yield opened


def cancel(number: int) -> Action:
    return Action(
        id=f"x-{number}",
        op="order.cancel",
        client="grid",
        category="linear",
        symbol="BTCUSDT",
        order_id="",
        link_id="a-1",
        args="{}",
        received_ns=number,
    )


def test_an_order_comes_back_as_it_was_written(journal: Journal) -> None:
    order = ledger.refused(sent(), 110007, "no money", Basis.REFUSED, NOW)
    order = ledger.answered(order, '{"error":{}}')
    journal.insert([order])
    assert journal.order("a-1") == order


def test_an_action_comes_back_as_it_was_written(journal: Journal) -> None:
    asked = cancel(1)
    journal.insert(actions=[asked])
    assert journal.unfinished_actions() == [asked]
    assert journal.actions_on("a-1", "") == [asked]
    done = actions.answered(asked, 0, "OK", done=True, now_ns=NOW)
    journal.update(actions=[done])
    assert journal.unfinished_actions() == []
    assert journal.actions_on("a-1", "") == [done]


def test_an_order_is_found_by_the_exchange_s_id_once_it_is_known(journal: Journal) -> None:
    journal.insert([sent()])
    assert journal.order_by_id("ex-1") is None
    order = ledger.acknowledged(sent(), "ex-1", NOW)
    journal.update([order])
    assert journal.order_by_id("ex-1") == order
    assert journal.order_by_id("") is None


def test_a_link_id_is_taken_once(journal: Journal) -> None:
    journal.insert([sent()])
    with pytest.raises(LinkIdUsed, match="a-1"):
        journal.insert([sent()])


def test_a_batch_with_one_used_id_is_not_written_at_all(journal: Journal) -> None:
    journal.insert([sent("a-2")])
    with pytest.raises(LinkIdUsed, match="a-2"):
        journal.insert([sent("a-1"), sent("a-2")])
    assert journal.order("a-1") is None
    journal.insert([sent("a-1"), sent("a-3")])
    assert journal.count() == 3


def test_only_what_is_not_over_is_unfinished(journal: Journal) -> None:
    filled = ledger.observe(sent("a-2"), record("Filled", "1"), NOW)
    unknown = ledger.unanswered(sent("a-3"), "cut", NOW)
    journal.insert([received("a-1"), filled, unknown])
    assert {order.link_id for order in journal.unfinished_orders()} == {"a-1", "a-3"}


def test_an_epoch_is_new_in_every_run_even_when_the_clock_goes_back(path: Path) -> None:
    with Journal(path, "main", "process") as first:
        assert first.next_epoch(1000) == 1000
    with Journal(path, "main", "process") as second:
        assert second.next_epoch(10) == 1001


def test_the_journal_is_for_its_owner_s_eyes_only(journal: Journal, path: Path) -> None:
    journal.insert([sent()])
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


@pytest.mark.usefixtures("journal")
def test_a_second_daemon_is_refused_the_same_journal(path: Path) -> None:
    with pytest.raises(JournalError, match="in use by another process"):
        Journal(path, "main", "process")


def test_the_journal_of_another_account_is_refused(path: Path) -> None:
    Journal(path, "main", "process").close()
    with pytest.raises(JournalError, match="belongs to the account 'main', not to 'hedge'"):
        Journal(path, "hedge", "process")
    Journal(path, "main", "process").close()


def test_a_journal_of_another_schema_is_refused(path: Path) -> None:
    Journal(path, "main", "process").close()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
    db.close()
    with pytest.raises(JournalError, match="has schema 99"):
        Journal(path, "main", "process")


def test_a_damaged_journal_is_refused_with_what_to_do(path: Path) -> None:
    with Journal(path, "main", "process") as journal:
        for number in range(200):
            journal.insert([sent(f"a-{number}")])
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 6] = os.urandom(4096 * 3)
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"(?s)is damaged.*move it"):
        Journal(path, "main", "process")


def test_no_database_at_all_is_refused(path: Path) -> None:
    path.write_bytes(b"no database, just text that is long enough to be read as a header" * 20)
    with pytest.raises(JournalError, match="is damaged"):
        Journal(path, "main", "process")


@pytest.mark.parametrize(("mode", "synchronous"), [("process", 1), ("disk", 2)])
def test_the_sync_mode_is_what_was_configured(path: Path, mode: str, synchronous: int) -> None:
    with Journal(path, "main", mode) as journal:  # type: ignore[arg-type]
        assert journal._db.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        assert journal._db.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)


CHILD = """
    import os, signal, sys
    from pathlib import Path
    from bybitd.order_execution import ledger
    from bybitd.order_execution.journal import Journal
    from tests.order_execution.records import received, sent

    step, path = sys.argv[1], Path(sys.argv[2])
    journal = Journal(path, "main", "process")

    def die_at(name):
        if step == name:
            os.kill(os.getpid(), signal.SIGKILL)

    order = received()
    die_at("before")
    journal.insert([order])
    die_at("received")
    order = ledger.sent(order, timestamp_ms=1, recv_window_ms=5000, now_ns=2)
    journal.update([order])
    die_at("sent")
    order = ledger.acknowledged(order, "ex-1", 3)
    journal.update([ledger.answered(order, '{"result":{}}')])
    die_at("acknowledged")
    journal._db.execute("BEGIN IMMEDIATE")
    journal._insert_order(sent("b-1"))
    die_at("half a batch")
"""


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("before", None),
        ("received", State.RECEIVED),
        ("sent", State.SENT),
        ("acknowledged", State.ACKNOWLEDGED),
        ("half a batch", State.ACKNOWLEDGED),
    ],
)
def test_what_was_written_survives_the_death_of_the_process(
    path: Path, step: str, state: State | None
) -> None:
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), step, str(path)],
        cwd=Path(__file__).parents[2],
        timeout=30,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL
    with Journal(path, "main", "process") as journal:
        order = journal.order("a-1")
        assert (order.state if order else None) is state
        assert journal.order("b-1") is None
        if state is State.ACKNOWLEDGED:
            assert order is not None
            assert msgspec.json.decode(order.answer) == {"result": {}}


WRITER = """
    import sys, threading
    from pathlib import Path
    from bybitd.order_execution.housekeeping import Housekeeper
    from bybitd.order_execution.journal import Journal
    from tests.order_execution.records import sent

    journal = Journal(Path(sys.argv[1]), "main", sys.argv[2])
    posted = []
    housekeeper = Housekeeper(journal, posted.append, keep_days=30)
    for number in range(10**6):
        journal.insert([sent(f"w-{number}")])
        sys.stdout.write(f"{number}\\n")  # only what is journaled is told
        sys.stdout.flush()
        if number % 20 == 0:
            housekeeper.turn()
        while posted:
            posted.pop()()
"""


@pytest.mark.parametrize("mode", ["process", "disk"])
@pytest.mark.parametrize("killed_after", [1, 37, 150])
def test_nothing_that_was_journaled_is_lost_with_a_killed_process(
    path: Path, mode: str, killed_after: int
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path), mode],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(killed_after)]
    child.kill()
    told += [int(line) for line in child.stdout.read().splitlines() if line.isdigit()]
    child.wait(30)
    child.stdout.close()
    with Journal(path, "main", "process") as journal:
        # A line cut in half by the kill names an order of before: the last whole one counts.
        kept = journal.count()
        assert kept >= killed_after
        assert all(journal.order(f"w-{number}") is not None for number in told[:-1])


def full(journal: Journal) -> None:
    """Let the journal's disk have no room any more."""
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")


def room(journal: Journal) -> None:
    journal._db.execute("PRAGMA max_page_count = 1000000")


def fill_up(journal: Journal) -> int:
    """Write orders until the disk takes no more; return how many it took."""
    full(journal)
    for number in range(10_000):
        try:
            journal.insert([sent(f"f-{number}")])
        except NotJournaled:
            return number
    raise AssertionError("the disk was never full")


def test_an_order_that_finds_the_disk_full_is_refused_and_not_kept(journal: Journal) -> None:
    taken = fill_up(journal)
    assert "full" in journal.problem
    with pytest.raises(NotJournaled, match="make room"):
        journal.insert([sent("g-1"), sent("g-2")])
    room(journal)
    assert journal.count() == taken
    journal.insert([sent("g-1")])
    assert journal.problem == ""


def test_a_change_that_finds_the_disk_full_is_kept_and_written_when_there_is_room(
    journal: Journal, path: Path
) -> None:
    fill_up(journal)
    order = ledger.acknowledged(sent("f-0"), "ex-" + "9" * 5000, NOW)
    journal.update([order])
    assert journal.problem
    assert journal.order("f-0") == order
    journal.catch_up()
    assert journal.problem
    room(journal)
    journal.catch_up()
    assert journal.problem == ""
    journal.close()
    with Journal(path, "main", "process") as again:
        assert again.order("f-0") == order
    journal._lock = os.open(os.devnull, os.O_RDONLY)  # the fixture closes it once more


def test_of_several_changes_that_had_to_wait_the_last_is_written(journal: Journal) -> None:
    fill_up(journal)
    first = ledger.acknowledged(sent("f-0"), "ex-" + "9" * 5000, NOW)
    journal.update([first])
    last = ledger.observe(first, record("Filled", "1", orderId=first.order_id), NOW)
    journal.update([last])
    room(journal)
    journal.catch_up()
    assert journal._db.execute("SELECT state FROM orders WHERE link_id = 'f-0'").fetchone() == (
        "filled",
    )


def test_a_cancel_passes_a_full_disk_and_is_written_later(journal: Journal) -> None:
    fill_up(journal)
    actions = ActionStore(journal, lambda action: None)
    big = msgspec.structs.replace(cancel(1), args="x" * 5000)
    actions.add([big])
    assert actions.get("x-1") == big
    with pytest.raises(NotJournaled):
        actions.add([msgspec.structs.replace(big, id="x-2", op="order.amend")])
    room(journal)
    journal.catch_up()
    assert journal.unfinished_actions() == [big]


def test_a_full_disk_that_nobody_writes_to_is_noticed_to_have_room_again(journal: Journal) -> None:
    fill_up(journal)
    room(journal)
    journal.catch_up()
    assert journal.problem == ""


def test_a_later_change_of_the_same_setting_is_found(tmp_path: Path) -> None:
    def setting(number: int, op: str = "position.set-leverage", symbol: str = "X") -> Action:
        return Action(
            id=f"s-{number}",
            op=op,
            client="",
            category="linear",
            symbol=symbol,
            order_id="",
            link_id="",
            args="{}",
            received_ns=number,
        )

    with Journal(tmp_path / "main.journal.db", "main", "process") as journal:
        first = setting(1)
        others = [setting(2, symbol="Y"), setting(3, op="position.switch-mode")]
        journal.insert(actions=[first, *others])
        assert not journal.has_later_setting(first)
        refused = actions.not_sent(setting(4), "no way", 9)
        journal.insert(actions=[refused])
        assert not journal.has_later_setting(first)
        journal.insert(actions=[setting(5)])
        assert journal.has_later_setting(first)
