from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from bybitd.cli import journal as verbs
from bybitd.cli.exits import FAILED, OK
from bybitd.cli.main import main
from bybitd.errors import StartError
from bybitd.order_execution import actions as acts
from bybitd.order_execution import ledger
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.ledger import Basis
from tests.order_execution.records import record, sent
from tests.order_execution.test_journal import cancel

Capture = pytest.CaptureFixture[str]
HOUR_NS = 3600 * 10**9
START_NS = 1_700_000_000 * 10**9


@pytest.fixture
def state_dir(folder: Path) -> Iterator[Path]:
    """A journal that a daemon holds open, with a few orders of two strategies."""
    with Journal(folder / "s" / "main.journal.db", "main", "process") as journal:
        for number, (name, client) in enumerate((("a-1", "grid"), ("a-2", "grid"), ("b-1", "mm"))):
            order = msgspec.structs.replace(
                sent(name),
                client=client,
                received_ns=START_NS + number * HOUR_NS,
                req_id=f"r-{name}",
            )
            journal.insert([order])
            if name == "a-2":
                order = ledger.refused(order, 110007, "no money", Basis.REFUSED, 5)
            else:
                order = ledger.observe(order, record("New", orderId=f"ex-{name}"), 6)
            journal.update([ledger.answered(order, '{"result":{"orderId":"x"}}')])
        asked = msgspec.structs.replace(cancel(1), received_ns=START_NS + HOUR_NS // 2)
        journal.insert(actions=[asked])
        journal.update(actions=[acts.answered(asked, 0, "OK", done=True, now_ns=9)])
        yield folder / "s"


def found(capsys: Capture, state_dir: Path, *words: str) -> list[str]:
    """Return the ids of what a search finds, in its order."""
    code = main(["journal", "search", *words, "--json", "--state-dir", str(state_dir)])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == (OK if rows else FAILED)
    return [row["requestId"] or row["orderLinkId"] for row in rows]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ([], ["a-1", "x-1", "a-2", "b-1"]),
        (["-n", "2"], ["a-2", "b-1"]),
        (["a-1"], ["a-1", "x-1"]),
        (["ex-b-1"], ["b-1"]),
        (["r-a-2"], ["a-2"]),
        (["x-1"], ["x-1"]),
        (["--client", "mm"], ["b-1"]),
        (["--client", "grid", "--state", "rejected"], ["a-2"]),
        (["--state", "open", "--state", "done"], ["a-1", "x-1", "b-1"]),
        (["--symbol", "ETHUSDT"], []),
        (["--since", "2023-11-14T23:00"], ["a-2", "b-1"]),
        (["--until", "2023-11-14T22:40:00+00:00"], ["a-1"]),
        (["nothing"], []),
    ],
)
def test_what_is_asked_for_is_found_oldest_first_while_the_daemon_has_it_open(
    state_dir: Path, capsys: Capture, words: list[str], ids: list[str]
) -> None:
    assert found(capsys, state_dir, *words) == ids


def test_people_see_a_table_and_are_told_when_nothing_fits(
    state_dir: Path, capsys: Capture
) -> None:
    options = ["--state-dir", str(state_dir)]
    assert main(["journal", "search", "a-2", *options]) == OK
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].split()[:4] == ["received", "op", "client", "symbol"]
    assert "2023-11-14T23:13:20.000Z" in shown
    assert "no money" in shown
    assert main(["journal", "search", "nobody", *options]) == FAILED
    assert "nothing in the journal fits" in capsys.readouterr().err


def test_a_state_that_does_not_exist_is_refused_with_those_that_do(
    state_dir: Path, capsys: Capture
) -> None:
    words = ["journal", "search", "--state", "lost", "--state-dir", str(state_dir)]
    assert main(words) == FAILED
    assert "part-filled" in capsys.readouterr().err


def test_everything_is_exported_with_what_went_out_and_each_change(
    state_dir: Path, capsys: Capture
) -> None:
    assert main(["journal", "export", "--state-dir", str(state_dir)]) == OK
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["requestId"] or row["orderLinkId"] for row in documents] == [
        *("a-1", "a-2", "b-1", "x-1"),
    ]
    refused = documents[1]
    assert refused["args"]["symbol"] == "BTCUSDT"
    assert refused["answer"] == {"result": {"orderId": "x"}}
    assert [(row["state"], row["ret_code"]) for row in refused["audit"]] == [
        ("sent", None),
        ("rejected", 110007),
    ]
    assert refused["audit"][0]["req_id"] == "r-a-2"


def test_an_export_as_csv_has_a_line_for_each_or_for_each_change(
    state_dir: Path, capsys: Capture
) -> None:
    words = ["journal", "export", "--format", "csv", "--state-dir", str(state_dir)]
    assert main(words) == OK
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["orderLinkId"] for row in rows] == ["a-1", "a-2", "b-1", "a-1"]
    assert rows[1]["retCode"] == "110007"
    assert main([*words, "--audit", "a-1"]) == OK
    changes = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    told = [(row["kind"], row["subject"], row["state"]) for row in changes]
    assert told[:2] == [("order", "a-1", "sent"), ("order", "a-1", "open")]
    assert told[2:] == [("action", "x-1", "sent"), ("action", "x-1", "done")]


def test_an_export_goes_to_a_file_and_never_over_another(
    state_dir: Path, folder: Path, capsys: Capture
) -> None:
    words = ["journal", "export", "-o", str(folder / "out.jsonl"), "--state-dir", str(state_dir)]
    assert main([*words, "--json"]) == OK
    assert json.loads(capsys.readouterr().out)["written"] == 4
    assert len((folder / "out.jsonl").read_text().splitlines()) == 4
    assert main(words) == FAILED
    assert "exists" in capsys.readouterr().err


def test_looking_changes_nothing_and_works_without_the_daemon(
    folder: Path, capsys: Capture
) -> None:
    path = folder / "s" / "main.journal.db"
    with Journal(path, "main", "process") as journal:
        journal.insert([sent("a-1")])
    before = path.read_bytes()
    assert found(capsys, folder / "s") == ["a-1"]
    assert path.read_bytes() == before


def test_a_journal_that_is_not_there_or_of_another_version_is_an_error(
    folder: Path, capsys: Capture
) -> None:
    path = folder / "main.journal.db"
    words = ["journal", "search", "--state-dir", str(folder)]
    assert main(words) == FAILED
    assert "does not exist" in capsys.readouterr().err
    assert not path.exists()
    path.write_text("no database")
    assert main(words) == FAILED
    assert "can not be read" in capsys.readouterr().err
    path.unlink()
    db = sqlite3.connect(path)
    script = Path(__file__).parents[1] / "order_execution" / "journal_v1.sql"
    db.executescript(script.read_text())
    db.close()
    assert main(words) == FAILED
    assert "has schema 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-24", "2026-11-24T00:00:00+00:00"),
        ("2026-11-24T10:00", "2026-11-24T10:00:00+00:00"),
        ("2026-11-24T10:00+02:00", "2026-11-24T08:00:00+00:00"),
        ("90s", "2026-11-24T11:58:30+00:00"),
        ("2h", "2026-11-24T10:00:00+00:00"),
        ("7d", "2026-11-17T12:00:00+00:00"),
    ],
)
def test_a_moment_is_a_time_or_how_long_ago_it_was(text: str, at: str) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    wanted = int(datetime.fromisoformat(at).timestamp()) * 10**9
    assert verbs.moment_ns(text, now) == wanted


@pytest.mark.parametrize("text", ["yesterday", "5", "10x", ""])
def test_what_is_no_moment_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(StartError, match="30m"):
        verbs.moment_ns(text)
