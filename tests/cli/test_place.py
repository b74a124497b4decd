"""Where a verb works."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from bybitd.cli import place
from bybitd.cli.place import Instance


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    place.add_options(parser)
    return parser.parse_args(words)


def test_options_win_over_the_environment_and_that_over_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "bybitd.yaml").write_text("run_dir: /tmp/of-the-file\n")
    assert place.find(options()).run_dir == Path("/tmp/of-the-file")
    monkeypatch.setenv("BYBITD_RUN_DIR", "/tmp/of-the-environment")
    assert place.find(options()).run_dir == Path("/tmp/of-the-environment")
    assert place.find(options("--run-dir", "/tmp/chosen")).run_dir == Path("/tmp/chosen")


def test_the_configuration_is_known_by_its_whole_path(folder: Path) -> None:
    (folder / "bybitd.yaml").write_text("environment: sim\n")
    assert place.find(options()).config == folder / "bybitd.yaml"
    assert place.find(options("--config", "bybitd.yaml")).config == folder / "bybitd.yaml"


def test_an_instance_says_where_it_keeps_things(folder: Path) -> None:
    assert place.read_instance(folder) is None
    instance = Instance(pid=7, state_dir=Path("/var/lib/x"), config=None)
    place.leave_instance(folder, instance)
    assert place.read_instance(folder) == instance
    (folder / "instance.json").write_text('{"pid": 7')
    assert place.read_instance(folder) is None
