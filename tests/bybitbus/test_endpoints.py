from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bybitbus.endpoints import (
    BinderLock,
    default_run_dir,
    events_address,
    events_path,
    requests_address,
    requests_path,
)
from bybitbus.errors import AddressInUse, EndpointError, PathTooLong

HOLDER = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from bybitbus.endpoints import BinderLock\n"
    "lock = BinderLock(Path(sys.argv[1]), 'bus')\n"
    "print('held', flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"BYBITD_RUN_DIR": "/a", "RUNTIME_DIRECTORY": "/b", "XDG_RUNTIME_DIR": "/c"}, "/a"),
        ({"BYBITD_RUN_DIR": "/a:b"}, "/a:b"),
        ({"RUNTIME_DIRECTORY": "/b:/d", "XDG_RUNTIME_DIR": "/c"}, "/b"),
        ({"XDG_RUNTIME_DIR": "/c"}, "/c/bybitd"),
        ({"BYBITD_RUN_DIR": "", "XDG_RUNTIME_DIR": ""}, f"/tmp/bybitd-{os.getuid()}"),
    ],
)
def test_the_run_folder_is_the_first_that_the_environment_names(
    environ: dict[str, str], folder: str
) -> None:
    assert default_run_dir(environ) == Path(folder)


def test_a_relative_run_folder_means_the_same_from_everywhere() -> None:
    assert default_run_dir({"BYBITD_RUN_DIR": "here"}) == Path.cwd() / "here"


def test_the_addresses_are_those_of_the_protocol() -> None:
    run_dir = Path("/run/bybitd")
    assert events_address(run_dir) == "ipc:///run/bybitd/bus.events"
    assert requests_address(run_dir) == "ipc:///run/bybitd/bus.requests"
    assert events_address(run_dir, "monitor") == "ipc:///run/bybitd/monitor.events"


def test_a_path_may_have_107_bytes_and_not_one_more() -> None:
    room = 107 - len("/bus.requests")
    requests_path(Path("/" + "x" * (room - 1)))
    with pytest.raises(PathTooLong, match="choose a shorter run folder") as raised:
        requests_path(Path("/" + "x" * room))
    assert raised.value.limit == 107
    with pytest.raises(PathTooLong):
        requests_path(Path("/" + "ü" * (room // 2 + 1)))


def test_a_path_that_is_no_text_is_measured_too() -> None:
    folder = Path(os.fsdecode(b"/" + b"\xff" * 120))
    with pytest.raises(PathTooLong, match="at most 107 fit"):
        events_path(folder)


def test_a_lock_removes_the_sockets_that_a_killed_holder_left_and_nothing_else(
    run_dir: Path,
) -> None:
    kept = run_dir / "monitor.events"
    for path in (events_path(run_dir), requests_path(run_dir), kept):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
    with BinderLock(run_dir, "bus") as lock:
        assert not events_path(run_dir).exists()
        assert not requests_path(run_dir).exists()
        assert kept.exists()
        assert lock.path.read_text() == f"{os.getpid()}\n"
    assert lock.path.exists()


def test_a_second_holder_is_refused_and_told_who_holds_it(run_dir: Path) -> None:
    with BinderLock(run_dir, "bus"):
        events_path(run_dir).touch()
        with pytest.raises(AddressInUse, match=f"in use by process {os.getpid()}; stop it"):
            BinderLock(run_dir, "bus")
        assert events_path(run_dir).exists()  # a refused one removes nothing
        BinderLock(run_dir, "monitor").close()
    BinderLock(run_dir, "bus").close()


def test_a_lock_may_be_closed_twice(run_dir: Path) -> None:
    lock = BinderLock(run_dir, "bus")
    lock.close()
    with BinderLock(run_dir, "bus"):
        lock.close()
        with pytest.raises(AddressInUse):
            BinderLock(run_dir, "bus")


def test_a_killed_holder_frees_the_lock(run_dir: Path) -> None:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", HOLDER, str(run_dir)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"held\n"
            with pytest.raises(AddressInUse, match=f"process {child.pid}"):
                BinderLock(run_dir, "bus")
        finally:
            child.kill()
    with BinderLock(run_dir, "bus") as lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_a_lock_with_too_long_a_path_leaves_no_file(run_dir: Path) -> None:
    folder = run_dir / ("x" * 100)
    folder.mkdir()
    with pytest.raises(PathTooLong):
        BinderLock(folder, "bus")
    assert list(folder.iterdir()) == []


def test_a_folder_that_can_not_be_written_is_named_with_what_to_do(run_dir: Path) -> None:
    with pytest.raises(EndpointError, match=r"can not write .*bus\.lock: No such file.*--run-dir"):
        BinderLock(run_dir / "absent", "bus")
