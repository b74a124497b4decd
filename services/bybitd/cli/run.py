"""`bybitd run PROGRAM`: be one process of the daemon. The supervisor's children are started so."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import time
from pathlib import Path

from bybitbus.errors import BusError
from bybitd import log as log_module
from bybitd.cli import exits, restarts
from bybitd.errors import BybitdError, ConfigError
from bybitd.runtime import config_file
from bybitd.runtime.config_file import ConfigFile
from bybitd.runtime.process import die_with_parent, keep_secrets
from bybitd.runtime.program import Program
from bybitd.settings import Settings

_MODULES = {
    "simulator": "bybitd.simulator.main",
    "bus": "bybitd.bus.main",
    "public-feed-": "bybitd.public_feed.main",
    "private-stream-": "bybitd.private_stream.main",
    "order-execution-": "bybitd.order_execution.main",
}
# The group may connect to the sockets, others not; the folder decides who is in it.
_UMASK = 0o007
log = logging.getLogger(__name__)


def add_verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `run`. Unlike the other verbs it looks for no configuration: it is told all."""
    parser = verbs.add_parser("run")
    parser.add_argument("program")
    parser.add_argument("--run-dir", required=True)
    parser.add_argument("--state-dir", required=True)
    parser.add_argument("--config")
    parser.add_argument("--parent", type=int, help="end when this process ends")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Run one program until told to stop; return 0, 1, or 78 for a wrong configuration."""
    os.umask(_UMASK)
    log_module.setup(options.program, "info")
    try:
        if options.parent:
            die_with_parent(options.parent)
        file = config_file.read(Path(options.config)) if options.config else None
        settings = file.settings if file else Settings()
        log_module.setup(options.program, settings.log.level)
        _start(options.program, settings, file, Path(options.run_dir), Path(options.state_dir))
    except ConfigError as error:
        log.error("= configuration: %s", error)
        return exits.CONFIG
    except (BybitdError, BusError) as error:
        log.error("= can not go on: %s", error)
        return exits.FAILED
    except Exception:
        # Through the log, which takes secrets out; a bare traceback on standard error would not.
        log.exception("= a defect ended this program")
        return exits.FAILED
    return exits.OK


def _start(
    name: str, settings: Settings, file: ConfigFile | None, run_dir: Path, state_dir: Path
) -> None:
    if name not in settings.programs():
        raise ConfigError(
            f"the configuration has no program {name!r}",
            hint=f"it has {', '.join(settings.programs())}",
        )
    _keep_secrets(name, settings)
    _pause(run_dir, name)
    module = importlib.import_module(module_of(name))
    # Only the bus says where it publishes: its public address belongs to its forwarder.
    events = getattr(module, "OWN_EVENTS", None)
    module.main(Program(name, settings, run_dir, state_dir, events=events, config=file))


def module_of(program: str) -> str:
    """Return the module whose `main` is `program`."""
    return next(module for prefix, module in _MODULES.items() if program.startswith(prefix))


def _pause(run_dir: Path, name: str) -> None:
    file = restarts.path(run_dir, name)
    now_s = restarts.boot_clock_s()
    start = restarts.next_start(restarts.read(file), now_s)
    restarts.write(file, start)
    if start.at_s > now_s:
        pause_s = start.at_s - now_s
        log.warning("= ended %d times in a row; waiting %.1f s", start.short_lives, pause_s)
        time.sleep(pause_s)


def _keep_secrets(name: str, settings: Settings) -> None:
    """Leave a process the secrets that are its own, and those to nobody else.

    A variable with a key of another's is gone only when the process starts anew without it: what
    it was started with stays readable in /proc.
    """
    own: set[str] = set()
    foreign: set[str] = set()
    trades = False
    for account, entry in settings.accounts.items():
        is_mine = name in (f"private-stream-{account}", f"order-execution-{account}")
        trades = trades or is_mine
        (own if is_mine else foreign).update((entry.api_key_env, entry.api_secret_env))
    if trades or name == "simulator":
        keep_secrets()
    if (foreign - own) & os.environ.keys():
        environ = {key: value for key, value in os.environ.items() if key not in foreign - own}
        words = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, words, environ)  # noqa: S606  no shell is wanted
