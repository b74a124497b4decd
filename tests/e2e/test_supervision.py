"""Bring up, take down, kill, restart: the daemon under its supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from bybitbus.client import Client
from bybitbus.errors import RequestError
from bybitd.cli.exits import CONFIG, FAILED, OK, UNREACHABLE
from bybitd.settings import Settings
from tests.e2e.conftest import Daemon, bybitd, processes_naming, status_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

BACK_WITHIN_S = 20.0  # the promise is 3 s; a busy machine must not fail the suite for its speed
OFF = ", ".join(f"{name}: {{enabled: false}}" for name in ("spot", "inverse", "option", "spread"))
SMALL = f"feeds: {{{OFF}}}\n"


def wait_for(condition: Callable[[], object], what: str, within_s: float = BACK_WITHIN_S) -> None:
    due_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < due_s, f"{what} did not come within {within_s:g} s"
        time.sleep(0.05)


def pid_of(daemon: Daemon, program: str) -> int:
    return int(daemon.programs()[program]["pid"])


def is_back(daemon: Daemon, program: str, old_pid: int) -> bool:
    try:
        status = daemon.programs()[program]
    except RequestError:
        return False
    return bool(status.get("pid") != old_pid and status["state"] == "ready")


def test_every_configured_program_runs_and_is_ready(daemon: Daemon) -> None:
    shown = status_of(daemon)
    assert shown["ready"] is True
    assert tuple(shown["programs"]) == Settings().programs()
    assert {entry["supervisor"] for entry in shown["programs"].values()} == {"RUNNING"}
    assert daemon.cli("status").returncode == OK


def test_no_process_needs_more_than_80_mb(daemon: Daemon) -> None:
    sizes = {name: status["rss_bytes"] / 1e6 for name, status in daemon.programs().items()}
    assert max(sizes.values()) < 80, sizes


def test_folders_and_control_socket_are_closed_to_others(daemon: Daemon) -> None:
    assert daemon.run_dir.stat().st_mode & 0o777 == 0o750
    assert daemon.state_dir.stat().st_mode & 0o777 == 0o700
    assert (daemon.run_dir / "supervisor.sock").stat().st_mode & 0o777 == 0o700
    for socket in daemon.run_dir.glob("*.requests"):
        assert socket.stat().st_mode & 0o007 == 0


def listening(pids: list[int]) -> list[tuple[int, str]]:
    """Return process and address (hexadecimal, as the kernel writes it) of each TCP listener."""
    owners = {}
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # it was closed meanwhile
                owners[os.readlink(entry)] = pid
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in owners:
                found.append((owners[f"socket:[{inode}]"], local.split(":")[0]))
    return found


def test_no_network_server_but_the_simulator_listens_and_that_only_here(daemon: Daemon) -> None:
    configuration = (daemon.run_dir / "supervisord.conf").read_text()
    assert "inet_http_server" not in configuration
    assert set(listening(daemon.processes())) == {(pid_of(daemon, "simulator"), "0100007F")}


def test_a_second_up_in_the_same_run_folder_is_refused(daemon: Daemon) -> None:
    refused = daemon.cli("up", "--state-dir", str(daemon.folder / "other"))
    assert refused.returncode == FAILED
    assert "is running" in refused.stderr
    assert "--run-dir" in refused.stderr


def test_a_second_up_on_the_same_state_folder_is_refused(daemon: Daemon) -> None:
    run_dir = str(daemon.folder / "other-run")
    refused = bybitd("up", "--run-dir", run_dir, "--state-dir", str(daemon.state_dir))
    assert refused.returncode == FAILED
    assert "--state-dir" in refused.stderr


@pytest.mark.parametrize("program", Settings().programs())
def test_a_killed_program_is_restarted_and_the_others_run_on(daemon: Daemon, program: str) -> None:
    before = {name: status["pid"] for name, status in daemon.programs().items()}
    os.kill(before[program], signal.SIGKILL)
    wait_for(lambda: is_back(daemon, program, before[program]), f"{program}'s return")
    # Whoever depends on it may have to find it again, but nobody else was restarted.
    wait_for(lambda: daemon.cli("status").returncode == OK, "readiness of all")
    after = {name: status["pid"] for name, status in daemon.programs().items()}
    assert {name for name in before if after[name] != before[name]} == {program}


def test_a_program_that_has_gone_shows_as_down_within_a_second(daemon: Daemon) -> None:
    os.kill(pid_of(daemon, "public-feed-spot"), signal.SIGKILL)
    with Client(daemon.run_dir) as client:
        wait_for(
            lambda: client.request("gateway.hello")["programs"]["public-feed-spot"] != "ready",
            "the news",
            within_s=1.0,
        )
    wait_for(lambda: daemon.cli("status").returncode == OK, "its return")


def test_restart_gives_a_program_a_new_process(daemon: Daemon) -> None:
    old_pid = pid_of(daemon, "public-feed-option")
    restarted = daemon.cli("restart", "public-feed-option")
    assert restarted.returncode == OK, restarted.stderr
    assert is_back(daemon, "public-feed-option", old_pid)


def test_restart_of_a_program_that_is_not_there_names_those_that_are(daemon: Daemon) -> None:
    refused = daemon.cli("restart", "public-feed-moon")
    assert refused.returncode == FAILED
    assert "public-feed-linear" in refused.stderr


def test_logs_show_what_each_program_wrote(daemon: Daemon) -> None:
    shown = daemon.cli("logs", "bus")
    assert shown.returncode == OK
    assert " bus = ready" in shown.stdout
    refused = daemon.cli("logs", "nobody")
    assert refused.returncode == FAILED
    assert "bus" in refused.stderr


def test_two_instances_live_side_by_side_and_one_goes_without_the_other(
    bring_up: Callable[..., Daemon],
) -> None:
    first, second = bring_up(SMALL), bring_up(SMALL)
    assert first.cli("down").returncode == OK
    assert first.processes() == []
    assert first.cli("status").returncode == UNREACHABLE
    assert second.cli("status").returncode == OK


def test_down_leaves_nothing_and_up_starts_in_the_same_folders_again(
    bring_up: Callable[..., Daemon],
) -> None:
    daemon = bring_up(SMALL)
    assert daemon.cli("down").returncode == OK
    assert daemon.processes() == []
    assert daemon.cli("down").returncode == OK  # nothing to do is no error
    again = daemon.up()
    assert again.returncode == OK, again.stderr


def test_a_killed_supervisor_leaves_no_orphans_and_up_works_again(
    bring_up: Callable[..., Daemon],
) -> None:
    daemon = bring_up(SMALL)
    os.kill(int((daemon.run_dir / "supervisord.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: daemon.processes() == [], "the end of all programs")
    again = daemon.up()
    assert again.returncode == OK, again.stderr


def test_a_wrong_configuration_is_not_restarted_until_a_person_has_mended_it(
    bring_up: Callable[..., Daemon],
) -> None:
    daemon = bring_up(SMALL)
    daemon.config.write_text(SMALL + "colour: green\n")
    refused = daemon.cli("restart", "public-feed-linear")
    assert refused.returncode == CONFIG  # and it costs nothing
    assert daemon.cli("status").returncode == OK

    os.kill(pid_of(daemon, "public-feed-linear"), signal.SIGKILL)

    def stopped() -> bool:
        return status_of(daemon)["programs"]["public-feed-linear"]["state"] == "stopped"

    wait_for(stopped, "the end of restarting")
    assert daemon.cli("status").returncode == FAILED
    assert "colour" in daemon.cli("logs", "public-feed-linear", "-n", "1").stdout
    assert "public-feed-linear ready" not in daemon.cli("status").stdout

    daemon.config.write_text(SMALL)
    mended = daemon.cli("restart", "public-feed-linear")
    assert mended.returncode == OK, mended.stderr


def test_up_in_the_foreground_ends_in_order_on_ctrl_c(bring_up: Callable[..., Daemon]) -> None:
    daemon = bring_up(SMALL)
    assert daemon.cli("down").returncode == OK
    words = ["up", "--run-dir", str(daemon.run_dir), "--state-dir", str(daemon.state_dir)]
    process = subprocess.Popen(
        [sys.executable, "-m", "bybitd.cli.main", *words, "--config", str(daemon.config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: daemon.cli("status").returncode == OK, "readiness", within_s=60)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert daemon.processes() == []


def test_the_demo_sees_every_part_and_cleans_up() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bybitd.cli.main", "demo", "--seconds", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, errors = process.communicate(timeout=150)
    assert process.returncode == OK, out + errors
    for word in ("orderStatus=New", "orderStatus=Cancelled", "orderStatus=Filled", "execution"):
        assert word in out
    assert "\x1b" not in out
    folder = out.partition(" in /tmp/")[2].partition("/")[0]
    assert folder.startswith("bybitd-demo-")
    assert not Path("/tmp", folder).exists()


def test_ctrl_c_ends_the_demo_and_its_daemon() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bybitd.cli.main", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    folder = ""
    for line in process.stdout:
        if " in /tmp/" in line:
            folder = line.partition(" in ")[2].strip().removesuffix("/run")
            process.send_signal(signal.SIGINT)
            break
    rest, _ = process.communicate(timeout=60)
    assert folder
    assert process.returncode == FAILED, rest  # not everything was seen, and it says so
    assert "did not show" in rest
    assert not Path(folder).exists()
    assert processes_naming(Path(folder)) == []
