from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bybitd.order_execution.journal import Journal
from bybitd.runtime.placed_here import PlacedHere, journal_path
from tests.order_execution.records import sent

BEGAN_MS = 1_700_000_000_000
LATER = str(BEGAN_MS + 120_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return journal_path(tmp_path, "main")


@pytest.fixture
def placed(path: Path) -> Iterator[PlacedHere]:
    opened = PlacedHere(path)
    yield opened
    opened.close()


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path, "main", "process") as opened:
        opened._db.execute("UPDATE meta SET value = ? WHERE key = 'began_ms'", (str(BEGAN_MS),))
        yield opened


def shown(link_id: str = "a-1", order_id: str = "ex-1", **more: Any) -> dict[str, Any]:
    """Return what matters of the exchange's record of an order."""
    return {"orderId": order_id, "orderLinkId": link_id, "createdTime": LATER, **more}


def test_an_order_of_the_journal_is_not_external(placed: PlacedHere, journal: Journal) -> None:
    journal.insert([sent("a-1")])
    assert placed.is_external(shown("a-1")) is False


def test_an_order_is_known_from_the_moment_it_is_journaled(
    placed: PlacedHere, journal: Journal
) -> None:
    assert placed.is_external(shown("other", "ex-0")) is True
    journal.insert([sent("a-1")])
    assert placed.is_external(shown("a-1")) is False


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("link_id", ["from-elsewhere", ""])
def test_an_order_that_is_not_in_the_journal_is_external(placed: PlacedHere, link_id: str) -> None:
    assert placed.is_external(shown(link_id)) is True


def test_an_order_that_follows_from_one_of_ours_goes_by_that(
    placed: PlacedHere, journal: Journal
) -> None:
    journal.insert([sent("a-1")])
    child = shown("", "ex-2", parentOrderLinkId="a-1", createType="CreateByStopLoss")
    assert placed.is_external(child) is False


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("made", ["CreateByStopLoss", "CreateByLiq", "CreateByAdl_PassThrough"])
def test_of_an_order_that_the_exchange_made_itself_nothing_is_said(
    placed: PlacedHere, made: str
) -> None:
    assert placed.is_external(shown("", createType=made)) is None


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("created", [str(BEGAN_MS), str(BEGAN_MS + 1000), "", "soon"])
def test_of_an_order_older_than_the_journal_nothing_is_said(
    placed: PlacedHere, created: str
) -> None:
    assert placed.is_external(shown("x", createdTime=created)) is None


def test_without_a_journal_nothing_is_said(placed: PlacedHere, path: Path) -> None:
    assert placed.is_external(shown()) is None
    assert not path.exists()


def test_of_a_journal_that_can_not_be_read_nothing_is_said(placed: PlacedHere, path: Path) -> None:
    path.write_bytes(b"no database, but long enough to be read as the header of one" * 20)
    assert placed.is_external(shown()) is None


def test_a_journal_of_before_the_beginning_was_noted_says_only_what_is_ours(
    placed: PlacedHere, path: Path
) -> None:
    db = sqlite3.connect(path)
    script = Path(__file__).parents[1] / "order_execution" / "journal_v1.sql"
    db.executescript(script.read_text())
    db.close()
    assert placed.is_external(shown("v-open", "ex-1")) is False
    assert placed.is_external(shown("other", "ex-2")) is None


def test_a_journal_that_was_replaced_is_noticed(placed: PlacedHere, path: Path) -> None:
    with Journal(path, "main", "process") as journal:
        journal._db.execute("UPDATE meta SET value = ? WHERE key = 'began_ms'", (str(BEGAN_MS),))
        assert placed.is_external(shown("other", "ex-0")) is True
    for name in (path.name, path.name + "-wal", path.name + "-shm"):
        if (file := path.with_name(name)).exists():
            file.rename(file.with_name(name + ".away"))
    with Journal(path, "main", "process") as journal:
        journal.insert([sent("b-1")])
        assert placed.is_external(shown("b-1", "ex-5")) is False
        # The new one began a moment ago: it does not know what the old one may have known.
        assert placed.is_external(shown("a-9", "ex-6")) is None


def test_what_was_once_said_of_an_order_is_not_taken_back(
    placed: PlacedHere, journal: Journal
) -> None:
    journal.insert([sent("a-1")])
    assert placed.is_external(shown("a-1")) is False
    journal._db.execute("DELETE FROM orders")
    assert placed.is_external(shown("a-1")) is False


def test_the_answer_does_not_wait_for_a_journal_that_is_being_written(
    placed: PlacedHere, journal: Journal
) -> None:
    journal.insert([sent("a-1")])
    journal._db.execute("BEGIN IMMEDIATE")
    journal._insert_order(msgspec.structs.replace(sent("a-2")))
    assert placed.is_external(shown("a-1")) is False
    assert placed.is_external(shown("z", "ex-7")) is True
    journal._db.execute("ROLLBACK")
