from __future__ import annotations

import json
from pathlib import Path

import pytest

from bybitd.errors import ConfigError
from bybitd.settings import CATEGORIES, Settings, feed_of, run_dir, state_dir
from bybitd.settings_file import dump, find, load, parse


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("enviroment: sim", "x.yaml:1", ["unknown key 'enviroment'", "did you mean 'environment'"]),
        ("feeds:\n  linear:\n    topicz: [a]", "x.yaml:3", ["feeds.linear", "'topics'"]),
        ("accounts:\n  main:\n    api_secrt_file: x", "x.yaml:3", ["'api_secret_file'"]),
        ("log:\n  zzz: 1", "x.yaml:2", ["unknown key 'zzz' in log", "known here: level"]),
        ("feeds:\n  linger_s: no", "x.yaml:2", ["feeds.linger_s", "`float`", "`bool`"]),
        ("feeds:\n  linear:\n    topics: [1]", "x.yaml:3", ["feeds.linear.topics.0", "`str`"]),
        ("bus: 3", "x.yaml:1", ["bus", "`object`"]),
        ("- a", "x.yaml:1", ["`object`"]),
        ("environment: main", "x.yaml:1", ["environment", "invalid enum value 'main'"]),
        (
            "accounts:\n  sub: {}\n  main:\n    recv_window_ms: 5",
            "x.yaml:4",
            ["accounts.main.recv_window_ms", ">= 500"],
        ),
        ("accounts:\n  MAIN: {}", "x.yaml:2", ["accounts"]),
        ("simulator:\n  symbols: {moon: 3}", "x.yaml:2", ["simulator.symbols"]),
        ("a: [", "x.yaml:1", ["is no YAML"]),
        ("log:\n  level: info\n  level: debug", "x.yaml:3", ["'level' stands twice"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_would_be_right(
    text: str, where: str, words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "x.yaml")
    assert caught.value.where == where
    for word in words:
        assert word in str(caught.value)


def test_an_empty_file_means_the_defaults_and_those_point_at_the_simulator() -> None:
    assert parse("") == Settings()
    assert Settings().environment == "sim"
    assert Settings().programs()[0] == "simulator"


def test_what_is_dumped_reads_back_the_same() -> None:
    settings = parse("feeds: {linger_s: 2.5, option: {enabled: false}}\naccounts: {a: {}, b: {}}")
    assert parse(dump(settings)) == settings
    assert "public-feed-option" not in settings.programs()
    assert "order-execution-b" in settings.programs()


def test_only_the_simulated_environment_runs_a_simulator() -> None:
    assert "simulator" not in parse("environment: testnet").programs()


def test_a_split_category_runs_one_program_for_each_share() -> None:
    feeds = parse("feeds: {linear: {shards: 3}, option: {enabled: false, shards: 2}}")
    programs = [name for name in feeds.programs() if name.startswith("public-feed-")]
    numbered = ["public-feed-linear", "public-feed-linear-2", "public-feed-linear-3"]
    others = ["public-feed-inverse", "public-feed-spread"]
    assert programs == ["public-feed-spot", *numbered, *others]
    linear = [("linear", number) for number in (1, 2, 3)]
    shares = [("spot", 1), *linear, ("inverse", 1), ("spread", 1)]
    assert [feed_of(name) for name in programs] == shares


def test_the_first_program_of_the_first_enabled_category_carries_the_announcements() -> None:
    assert Settings().system_program() == "public-feed-spot"
    some = parse("feeds: {spot: {enabled: false}, linear: {shards: 2}}")
    assert some.system_program() == "public-feed-linear"
    off = {name: {"enabled": False} for name in CATEGORIES}
    assert parse(f"feeds: {json.dumps(off)}").system_program() is None


@pytest.mark.parametrize(
    "name", ["bus", "public-feed-", "public-feed-linear-1", "public-feed-linear-x", "linear"]
)
def test_a_name_of_no_feed_is_not_taken_for_one(name: str) -> None:
    assert feed_of(name) is None


def test_a_file_that_can_not_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: can not be read"):
        load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"region: \xe9")
    with pytest.raises(ConfigError, match="can not be read"):
        load(tmp_path / "latin.yaml")


def test_a_named_file_that_is_missing_is_an_error_and_never_the_defaults(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        find({"BYBITD_CONFIG": str(tmp_path / "none.yaml")})


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(run_dir="/file/run", state_dir="/file/state")
    for name in ("BYBITD_RUN_DIR", "RUNTIME_DIRECTORY", "BYBITD_STATE_DIR", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    assert run_dir(settings) == Path("/file/run")
    assert state_dir(settings) == Path("/file/state")
    monkeypatch.setenv("BYBITD_RUN_DIR", "/env/run")
    monkeypatch.setenv("BYBITD_STATE_DIR", "/env/state")
    assert run_dir(settings) == Path("/env/run")
    assert state_dir(settings) == Path("/env/state")
    assert run_dir(settings, "/line/run") == Path("/line/run")
    assert state_dir(settings, "/line/state") == Path("/line/state")
