from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bybitd.errors import StartError
from bybitd.private_stream.fills import OVERLAP_MS, Fills, in_order


def fill(name: str, at: int) -> dict[str, Any]:
    return {"execId": name, "execTime": str(at)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.private.db"


@pytest.fixture
def fills(path: Path) -> Iterator[Fills]:
    opened = Fills(path)
    yield opened
    opened.close()


def test_a_fill_is_new_until_it_was_noted(fills: Fills) -> None:
    rows = [fill("a", 1), fill("b", 2)]
    assert fills.new(rows) == rows
    fills.note(rows)
    assert fills.new([*rows, fill("c", 3)]) == [fill("c", 3)]


def test_a_fill_that_stands_twice_in_one_listing_is_new_once(fills: Fills) -> None:
    assert fills.new([fill("a", 1), fill("a", 1)]) == [fill("a", 1)]


def test_what_was_noted_is_known_to_the_next_run(path: Path) -> None:
    first = Fills(path)
    assert first.complete_ms is None
    first.note([fill("a", 7), fill("b", 5)], complete=True)
    first.close()
    second = Fills(path)
    assert second.complete_ms == 7
    assert second.new([fill("b", 5)]) == []
    second.close()


def test_a_run_without_any_fill_still_knows_until_when_it_looked(path: Path) -> None:
    first = Fills(path)
    first.complete(50)
    first.complete(40)
    first.close()
    second = Fills(path)
    assert second.complete_ms == 50
    second.close()


def test_a_fill_that_came_before_the_comparison_proves_nothing_of_those_before_it(
    path: Path,
) -> None:
    first = Fills(path)
    first.complete(50)
    first.note([fill("after the cut", 900_000)])
    first.close()
    second = Fills(path)
    assert second.complete_ms == 50
    assert "after the cut" in second
    second.close()


def test_a_fill_that_was_told_fast_is_still_told_in_full_once(path: Path) -> None:
    first = Fills(path)
    assert first.new_fast([fill("a", 1), fill("a", 1)]) == [fill("a", 1)]
    first.note_fast([fill("a", 1)])
    assert first.new_fast([fill("a", 1)]) == []
    first.close()
    second = Fills(path)
    assert second.was_fast(fill("a", 1))
    assert second.new([fill("a", 1)]) == [fill("a", 1)]
    second.note([fill("a", 1)])
    assert not second.was_fast(fill("a", 1))
    assert second.new([fill("a", 1)]) == []
    second.close()


def test_a_fill_that_was_told_in_full_is_no_news_on_the_fast_topic(fills: Fills) -> None:
    fills.note([fill("a", 1)])
    assert fills.new_fast([fill("a", 1), fill("b", 2)]) == [fill("b", 2)]


def test_a_list_of_before_the_fast_topic_is_read_on(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE fills (exec_id TEXT PRIMARY KEY, exec_ms INTEGER)")
    db.execute("CREATE TABLE complete (one INTEGER PRIMARY KEY, until_ms INTEGER)")
    db.execute("INSERT INTO fills VALUES ('a', 7)")
    db.execute("INSERT INTO complete VALUES (1, 9)")
    db.commit()
    db.close()
    fills = Fills(path)
    assert "a" in fills
    assert fills.complete_ms == 9
    fills.close()


def test_fills_of_more_than_a_day_before_the_last_comparison_are_forgotten(fills: Fills) -> None:
    now = 10 * 24 * 3600 * 1000
    fills.note([fill("old", 1)])
    fills.note([fill("younger", now - 1000)])
    fills.complete(now)
    fills.note([fill(str(number), now) for number in range(1000)])
    assert "old" not in fills
    assert len(fills) == 1001


def test_nothing_is_forgotten_that_the_next_comparison_lists_again(fills: Fills) -> None:
    day_ms = 24 * 3600 * 1000
    fills.complete(5 * day_ms)
    fills.note([fill("since", 5 * day_ms - OVERLAP_MS)])
    # Cut off for three days, then the stream is back and tells a lot before it was compared.
    fills.note([fill(str(number), 8 * day_ms) for number in range(1000)])
    assert "since" in fills


def test_the_file_is_for_its_owner_s_eyes_only(fills: Fills, path: Path) -> None:
    fills.note([fill("a", 1)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_no_database_is_refused_with_what_to_do(path: Path) -> None:
    path.write_bytes(b"not a database at all, but long enough to look at" * 100)
    with pytest.raises(StartError, match="move it away"):
        Fills(path)


def test_fills_are_put_in_the_order_in_which_they_happened() -> None:
    rows = [fill("c", 9), fill("b", 4), fill("a", 4)]
    assert [row["execId"] for row in in_order(rows)] == ["a", "b", "c"]
