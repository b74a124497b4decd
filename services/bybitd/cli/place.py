"""Where a verb works: configuration, run folder, state folder."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from bybitd import settings as settings_module
from bybitd import settings_file
from bybitd.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One instance of the daemon, running or not. `config` is None for the built-in defaults."""

    settings: Settings
    config: Path | None
    run_dir: Path
    state_dir: Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every verb takes."""
    group = parser.add_argument_group("common options")
    group.add_argument("--config", metavar="FILE", help="configuration file")
    group.add_argument("--run-dir", metavar="DIR", help="folder of the sockets")
    group.add_argument("--state-dir", metavar="DIR", help="folder of journal and logs")
    group.add_argument("--json", action="store_true", help="one JSON document per line")


def find(options: argparse.Namespace) -> Place:
    """Return the place that the options, the environment and the configuration name.

    Raises:
        ConfigError: the configuration is wrong.
    """
    path = Path(options.config).expanduser() if options.config else settings_file.find()
    config = path.absolute() if path else None
    settings = settings_file.load(config) if config else Settings()
    run_dir = settings_module.run_dir(settings, options.run_dir)
    state_dir = settings_module.state_dir(settings, options.state_dir)
    return Place(settings=settings, config=config, run_dir=run_dir, state_dir=state_dir)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What a running daemon says of itself, so that verbs need only its run folder."""

    pid: int
    state_dir: Path
    config: Path | None


def leave_instance(run_dir: Path, instance: Instance) -> None:
    """Write down what `read_instance` returns."""
    known = {
        "pid": instance.pid,
        "state_dir": str(instance.state_dir),
        "config": str(instance.config) if instance.config else None,
    }
    _instance_path(run_dir).write_text(json.dumps(known) + "\n", encoding="utf-8")


def read_instance(run_dir: Path) -> Instance | None:
    """Return what the last daemon in this run folder said of itself, None without one."""
    try:
        known = json.loads(_instance_path(run_dir).read_text(encoding="utf-8"))
        config = Path(known["config"]) if known["config"] else None
        return Instance(pid=known["pid"], state_dir=Path(known["state_dir"]), config=config)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _instance_path(run_dir: Path) -> Path:
    return run_dir / "instance.json"
