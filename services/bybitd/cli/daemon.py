"""`up`, `down`, `restart`: start and stop the daemon."""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from bybitd import settings_file
from bybitd.cli import display, exits, place, preflight, readiness, restarts, supervisord_conf
from bybitd.cli.place import Place
from bybitd.cli.unreachable import Unreachable
from bybitd.errors import StartError
from bybitd.runtime.process import die_with_parent

_LOCK_NAME = "up.lock"
_READY_S = 60.0
_DOWN_S = 60.0
_BEAT_S = 0.05
_LOCK_PATIENCE_S = 0.2  # `is_running` holds the lock for a moment, which is not a daemon


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    parser = verbs.add_parser("up", help="start the daemon")
    parser.add_argument("-d", "--detach", action="store_true", help="return when it is ready")
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    _add_timeout(parser, _READY_S)
    place.add_options(parser)
    parser.set_defaults(verb=up)
    parser = verbs.add_parser("down", help="stop the daemon and wait until all of it is gone")
    _add_timeout(parser, _DOWN_S)
    place.add_options(parser)
    parser.set_defaults(verb=down)
    parser = verbs.add_parser("restart", help="restart one program and wait until it is ready")
    parser.add_argument("program", metavar="PROGRAM")
    _add_timeout(parser, _READY_S)
    place.add_options(parser)
    parser.set_defaults(verb=restart)


def _add_timeout(parser: argparse.ArgumentParser, default_s: float) -> None:
    parser.add_argument(
        "--timeout", type=float, default=default_s, metavar="S", help="wait so long (%(default)s)"
    )


def up(options: argparse.Namespace) -> int:
    """Check everything, then become the supervisor; with -d start it apart and wait."""
    here = place.find(options)
    if options.parent:
        die_with_parent(options.parent)
    preflight.check_configuration(here)
    preflight.prepare_folders(here)
    locks = [_lock(here.run_dir, "--run-dir"), _lock(here.state_dir, "--state-dir")]
    preflight.check_addresses(here)
    if options.detach:
        for lock in locks:
            os.close(lock)  # the one that stays takes them
        return _detach(here, options)
    for program in here.settings.programs():
        restarts.path(here.run_dir, program).unlink(missing_ok=True)
    for lock in locks:
        os.set_inheritable(lock, True)  # held until the supervisor ends; it closes them for others
    instance = place.Instance(pid=os.getpid(), state_dir=here.state_dir, config=here.config)
    place.leave_instance(here.run_dir, instance)
    file = here.run_dir / supervisord_conf.FILE_NAME
    file.write_text(supervisord_conf.render(here, os.getpid()), encoding="utf-8")
    sys.stdout.flush()
    return _become(supervisord_conf.supervisor_command(file))


def _become(words: list[str]) -> NoReturn:
    os.execv(words[0], words)  # noqa: S606  no shell is wanted


def _lock(folder: Path, option: str) -> int:
    file = os.open(folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    due_s = time.monotonic() + _LOCK_PATIENCE_S
    while not _try_lock(file):
        if time.monotonic() < due_s:
            time.sleep(_BEAT_S)
            continue
        holder = os.pread(file, 32, 0).decode("ascii", "replace").strip()
        os.close(file)
        raise StartError(
            f"a daemon is running in {folder} already (process {holder or '?'}); stop it with "
            f"`bybitd down`, or choose another folder ({option})"
        )
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return file


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_running(run_dir: Path) -> bool:
    """Return whether a supervisor of ours is alive in `run_dir`: it holds the lock."""
    try:
        file = os.open(run_dir / _LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def command(here: Place, *more: str) -> list[str]:
    """Return the command line that brings `here` up in the foreground."""
    words = [sys.executable, "-P", "-m", "bybitd.cli.main", "up", *more]
    words += ["--run-dir", str(here.run_dir), "--state-dir", str(here.state_dir)]
    return words + (["--config", str(here.config)] if here.config else [])


def _detach(here: Place, options: argparse.Namespace) -> int:
    log = here.state_dir / "log" / "up.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and verb
            command(here),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def hopeless() -> bool:
        return process.poll() is not None or bool(given_up(here.run_dir))

    missing = readiness.wait(here.run_dir, options.timeout, hopeless)
    if (code := process.poll()) is not None:
        said = log.read_text(encoding="utf-8", errors="replace").strip()
        raise StartError(f"the supervisor ended with code {code}: {said}")
    return _report(here, options, missing, "up")


def _report(here: Place, options: argparse.Namespace, missing: dict[str, str], what: str) -> int:
    if options.json:
        ready = not missing
        display.print_json({"ready": ready, "not_ready": missing, "run_dir": str(here.run_dir)})
    elif not missing:
        print(f"bybitd: {what} and ready in {here.run_dir}")
    if not missing:
        return exits.OK
    stopped = given_up(here.run_dir)
    for program, reason in missing.items():
        print(f"bybitd: not ready: {program}: {stopped.get(program, reason)}", file=sys.stderr)
    print("bybitd: see `bybitd status` and `bybitd logs PROGRAM`", file=sys.stderr)
    return exits.CONFIG if stopped else exits.FAILED


def given_up(run_dir: Path) -> dict[str, str]:
    """Return the programs that the supervisor does not start again, and why."""
    from bybitd.cli.supervisor_client import SupervisorClient

    try:
        processes = SupervisorClient(run_dir).processes()
    except Unreachable:
        return {}
    return {
        process.program: "its configuration is wrong; its log says how"
        for process in processes
        if process.state == "EXITED" and process.exit_code == exits.CONFIG
    }


def down(options: argparse.Namespace) -> int:
    """Have the supervisor stop everything; return when it has gone. Not running is no error."""
    here = place.find(options)
    was_running = stop(here.run_dir, options.timeout)
    text = "down" if was_running else f"no daemon is running in {here.run_dir}"
    if options.json:
        display.print_json({"was_running": was_running, "run_dir": str(here.run_dir)})
    else:
        print(f"bybitd: {text}")
    return exits.OK


def stop(run_dir: Path, timeout_s: float) -> bool:
    """Have the supervisor of `run_dir` stop everything and wait until it has gone. Return whether
    there was one.

    Raises:
        StartError: it is still there after `timeout_s`.
    """
    from bybitd.cli.supervisor_client import SupervisorClient

    if not is_running(run_dir):
        return False
    due_s = time.monotonic() + timeout_s
    asked = False
    while is_running(run_dir):
        if not asked:
            try:
                SupervisorClient(run_dir).shutdown()
                asked = True
            except Unreachable:
                pass  # still starting: its socket is not there yet
        if time.monotonic() >= due_s:
            raise StartError(f"still running in {run_dir} after {timeout_s:g} s")
        time.sleep(_BEAT_S)
    return True


def restart(options: argparse.Namespace) -> int:
    """Restart one program and wait until everything is ready."""
    from bybitd.cli.supervisor_client import SupervisorClient

    here = place.find(options)
    if not is_running(here.run_dir):
        raise Unreachable(here.run_dir)
    client = SupervisorClient(here.run_dir)
    known = [process.program for process in client.processes()]
    if options.program not in known:
        raise StartError(
            f"there is no program {options.program!r} here; it runs {', '.join(known)}"
        )
    instance = place.read_instance(here.run_dir)
    if instance and instance.config:  # a mistake in it must not cost a program that runs
        settings = settings_file.load(instance.config)
        preflight.check_configuration(replace(here, settings=settings, config=instance.config))
    client.restart(options.program)
    missing = readiness.wait(here.run_dir, options.timeout, lambda: bool(given_up(here.run_dir)))
    missing = {name: reason for name, reason in missing.items() if name in (options.program, "bus")}
    return _report(here, options, missing, f"{options.program} is up")
