"""The whole daemon takes a changed configuration over, or leaves it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from bybitbus.client import Client
from bybitbus.errors import RequestError
from tests.e2e.conftest import Daemon

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
REACHED_WITHIN_S = 30.0


@pytest.fixture
def reloadable(daemon: Daemon) -> Iterator[Daemon]:
    before = daemon.config.read_text()
    wait_reached(daemon)  # another test may have killed one just before
    yield daemon
    daemon.config.write_text(before)
    assert daemon.cli("reload").returncode == 0


def wait_reached(daemon: Daemon) -> None:
    """Wait until the bus has every program's answer."""
    due_s = time.monotonic() + REACHED_WITHIN_S
    with Client(daemon.run_dir) as client:
        for program in daemon.programs():
            while not answers(client, program):
                assert time.monotonic() < due_s, program
                time.sleep(0.1)


def answers(client: Client, program: str) -> bool:
    try:
        client.request("gateway.ping", {"program": program})
    except RequestError:
        return False
    return True


def test_all_programs_take_over_what_they_can_and_the_rest_is_named(reloadable: Daemon) -> None:
    daemon = reloadable
    before = daemon.config.read_text()
    daemon.config.write_text(f"{before}log: {{level: debug}}\nfeeds: {{book_interval_ms: 50}}\n")
    done = daemon.cli("reload", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    programs = daemon.programs()
    feeds = {name for name in programs if name.startswith("public-feed-")}
    assert set(result["applied"]["log.level"]) == set(programs)
    assert set(result["applied"]["feeds.book_interval_ms"]) == feeds
    assert result["restart"] == {}
    with Client(daemon.run_dir) as client:
        for name in programs:
            status = client.request("gateway.status", {"program": name})
            assert status["config"] == {"sha256": result["sha256"], "needs_restart": []}


def test_a_topic_that_only_the_feed_can_judge_is_refused_with_its_line(reloadable: Daemon) -> None:
    daemon = reloadable
    before = daemon.config.read_text()
    lines = len(before.splitlines())
    daemon.config.write_text(
        f"{before}log: {{level: debug}}\nfeeds:\n  linear:\n    topics: [tickrs.BTCUSDT]\n"
    )
    done = daemon.cli("reload")
    assert done.returncode == 78
    assert f"public-feed-linear: {daemon.config}:{lines + 4}: feeds.linear.topics[0]" in done.stderr
    daemon.config.write_text(before)
    assert "nothing has changed" in daemon.cli("reload").stdout


def test_a_person_is_told_what_to_restart(reloadable: Daemon) -> None:
    daemon = reloadable
    before = daemon.config.read_text()
    more = "log: {level: warning}\nbus: {high_water_mark: 60000}\njournal: {sync: disk}\n"
    daemon.config.write_text(before + more)
    assert daemon.cli("reload").stdout.splitlines() == [
        "applied: log.level (all programs)",
        "needs a restart: bus.high_water_mark (bybitd down, then bybitd up)",
        "needs a restart: journal.sync (bybitd restart order-execution-main)",
    ]
