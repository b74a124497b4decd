"""The rendered configuration, read by supervisor's own parser."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from bybitd.cli import preflight, supervisord_conf
from bybitd.cli.place import Place


def parsed(here: Place, tmp_path: Path) -> ServerOptions:
    preflight.prepare_folders(here)
    file = tmp_path / "supervisord.conf"
    file.write_text(supervisord_conf.render(here, 4711))
    options = ServerOptions()
    options.realize(["-n", "-c", str(file)])
    return options


def test_every_program_is_there_in_starting_order(here: Place, tmp_path: Path) -> None:
    groups = parsed(here, tmp_path).process_group_configs
    assert tuple(group.name for group in sorted(groups)) == here.settings.programs()


def test_78_ends_a_program_for_good_and_everything_else_is_restarted(
    here: Place, tmp_path: Path
) -> None:
    for group in parsed(here, tmp_path).process_group_configs:
        (process,) = group.process_configs
        assert process.exitcodes == [78]
        assert process.startsecs == 0
        assert process.autorestart.__name__ == "RestartWhenExitUnexpected"
        assert process.killasgroup


def test_a_program_is_told_where_it_lives_and_whom_not_to_outlive(
    here: Place, tmp_path: Path
) -> None:
    here = replace(here, config=Path("/etc/bybitd/my settings.yaml"))
    group = parsed(here, tmp_path).process_group_configs[0]
    words = shlex.split(group.process_configs[0].command)
    assert words[1:6] == ["-P", "-m", "bybitd.cli.main", "run", group.name]
    told = dict(zip(words[6::2], words[7::2], strict=True))
    assert told == {
        "--run-dir": str(here.run_dir),
        "--state-dir": str(here.state_dir),
        "--config": "/etc/bybitd/my settings.yaml",
        "--parent": "4711",
    }


def test_the_control_socket_is_for_the_owner_alone_and_nothing_listens_on_the_network(
    here: Place, tmp_path: Path
) -> None:
    (server,) = parsed(here, tmp_path).server_configs
    assert server["section"] == "unix_http_server"
    assert server["file"] == str(here.run_dir / "supervisor.sock")
    assert server["chmod"] == 0o700


@pytest.mark.parametrize("name", ["with blank", "$HOME", "ünïcode"])
def test_strange_folder_names_survive(here: Place, folder: Path, tmp_path: Path, name: str) -> None:
    here = replace(here, run_dir=folder / name, state_dir=folder / f"{name}-state")
    options = parsed(here, tmp_path)
    assert options.server_configs[0]["file"] == str(folder / name / "supervisor.sock")
    process = options.process_group_configs[0].process_configs[0]
    assert process.stdout_logfile.startswith(str(folder / f"{name}-state" / "log"))
    assert str(folder / name) in shlex.split(process.command)
