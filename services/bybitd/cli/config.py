"""`config check|show|init`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import msgspec

from bybitd import settings_file
from bybitd.cli import display, exits, place, preflight, shipped
from bybitd.errors import StartError


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    parser = verbs.add_parser("config", help="check, show or begin a configuration")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser("check", help="check the configuration and its secrets' files")
    place.add_options(action)
    action.set_defaults(verb=check)
    action = actions.add_parser("show", help="show the configuration with all defaults")
    place.add_options(action)
    action.set_defaults(verb=show)
    action = actions.add_parser("init", help="write a commented example")
    action.add_argument("file", metavar="FILE", nargs="?", default="bybitd.yaml")
    action.add_argument("--force", action="store_true", help="overwrite it")
    place.add_options(action)
    action.set_defaults(verb=init)


def check(options: argparse.Namespace) -> int:
    """Say whether the configuration is good; 78 and the reason when it is not."""
    here = place.find(options)
    preflight.check_configuration(here)
    name = str(here.config) if here.config else None
    environment = here.settings.environment
    if options.json:
        display.print_json({"ok": True, "config": name, "environment": environment})
    else:
        print(f"{name or 'built-in defaults'}: good (environment: {environment})")
    return exits.OK


def show(options: argparse.Namespace) -> int:
    """Print the configuration in effect, and where it comes from; of a key's id only its start."""
    here = place.find(options)
    shown = settings_file.without_keys(here.settings)
    name = str(here.config) if here.config else None
    if options.json:
        document = {"config": name, "run_dir": str(here.run_dir), "state_dir": str(here.state_dir)}
        display.print_json({**document, "settings": msgspec.to_builtins(shown)})
    else:
        print(f"# from {name or 'built-in defaults'}")
        print(f"# run folder {here.run_dir}, state folder {here.state_dir}")
        print(settings_file.dump(shown), end="")
    return exits.OK


def init(options: argparse.Namespace) -> int:
    """Write the commented example, which states the defaults."""
    file = Path(options.file)
    if file.exists() and not options.force:
        raise StartError(f"{file} exists; name another file, or overwrite it with --force")
    try:
        shutil.copyfile(shipped.find("etc/bybitd.yaml"), file)
    except OSError as error:
        raise StartError(f"can not write {file}: {error.strerror}") from None
    if options.json:
        display.print_json({"config": str(file.absolute())})
    else:
        print(f"wrote {file}; check it with `bybitd config check --config {file}`")
    return exits.OK
