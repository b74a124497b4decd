"""One program reads its configuration file again."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import pytest

from bybitd.errors import ConfigError
from bybitd.runtime import config_file
from bybitd.runtime.reload import Reload
from bybitd.settings import Settings

ORDERS = "order-execution-main"
LIMIT = "accounts: {{main: {{recv_window_ms: {}, limits: {{max_open_orders: {}}}}}}}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "c.yaml"
    file.write_text(LIMIT.format(5000, 10))
    return file


def started(path: Path, program: str = ORDERS) -> Reload:
    file = config_file.read(path)
    return Reload(program, file.settings, file)


def test_what_changed_is_applied_or_named_until_a_restart(path: Path) -> None:
    reload = started(path)
    seen: list[Settings] = []
    reload.on_change(seen.append)
    path.write_text(LIMIT.format(6000, 5))
    for applied in (["accounts.main.limits.max_open_orders"], []):
        told = reload.take(reload.read())
        assert told == {"applied": applied, "restart": ["accounts.main.recv_window_ms"]}
    assert [used.accounts["main"].limits.max_open_orders for used in seen] == [5]
    assert reload.settings.accounts["main"].recv_window_ms == 5000
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert reload.describe() == {
        "config": {"sha256": digest, "needs_restart": ["accounts.main.recv_window_ms"]}
    }
    path.write_text(LIMIT.format(5000, 5))
    assert reload.take(reload.read())["restart"] == []


def test_a_program_is_not_told_of_what_does_not_concern_it(path: Path) -> None:
    reload = started(path, "public-feed-linear")
    path.write_text(LIMIT.format(6000, 5))
    assert reload.take(reload.read()) == {"applied": [], "restart": []}


def test_other_bytes_than_those_that_were_checked_are_refused(path: Path) -> None:
    reload = started(path)
    checked = reload.read()
    path.write_text(LIMIT.format(5000, 5))
    with pytest.raises(ConfigError, match="was changed while it was being reloaded"):
        reload.read(checked.sha256)


def test_what_a_program_could_not_be_started_with_names_file_and_line(path: Path) -> None:
    reload = started(path)

    def check(settings: Settings) -> None:
        if settings.feeds.linear.topics:
            raise ConfigError("is no topic", where="feeds.linear.topics[1]", hint="another")

    reload.on_change(lambda _settings: None, check)
    path.write_text("feeds:\n  linear:\n    topics:\n      - tickers.BTCUSDT\n      - nonsense\n")
    with pytest.raises(ConfigError) as caught:
        reload.check(reload.read())
    assert str(caught.value) == f"{path}:5: feeds.linear.topics[1]: is no topic; another"


def test_without_a_file_there_is_nothing_to_reload() -> None:
    reload = Reload(ORDERS, Settings(), None)
    with pytest.raises(ConfigError, match="without a configuration file"):
        reload.read()
    assert reload.describe() == {}


def test_the_log_level_changes_at_once(path: Path) -> None:
    root = logging.getLogger()
    before = root.level
    try:
        reload = started(path)
        path.write_text("log: {level: error}\n")
        assert "log.level" in reload.take(reload.read())["applied"]
        assert root.level == logging.ERROR
    finally:
        root.setLevel(before)
