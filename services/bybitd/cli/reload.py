"""`reload`: have the running daemon read its configuration file again."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from bybitbus.codes import Code
from bybitbus.errors import Refused
from bybitd.cli import display, exits, gateway, place
from bybitd.errors import ConfigError

_WAIT_MS = 10_000
# Nobody answered for them: the other reasons are refusals.
_SILENT = frozenset({Code.UNAVAILABLE.value, Code.NO_ANSWER.value})


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb of this family."""
    parser = verbs.add_parser(
        "reload", help="apply changes of the configuration file, limits for instance"
    )
    place.add_options(parser)
    parser.set_defaults(verb=reload)


def reload(options: argparse.Namespace) -> int:
    """Reload the file that the daemon was started with. Exit code 0: every program has it; 1: one
    refused it; 4: one did not answer, and reads it when it is started; 78: wrong, nothing changed.
    """
    with gateway.connected(options) as (client, hello):
        try:
            result = client.request("gateway.reload", timeout_ms=_WAIT_MS)
        except Refused as error:
            if error.code == Code.BAD_CONFIG:
                raise ConfigError(
                    f"{error.message}; nothing was changed", hint=error.hint
                ) from None
            raise
    if options.json:
        display.print_json(result)
    else:
        _show(result, list(hello["programs"]))
    codes = {problem["code"] for problem in result["missing"].values()}
    if not codes:
        return exits.OK
    return exits.UNKNOWN if codes <= _SILENT else exits.FAILED


def _show(result: dict[str, Any], running: list[str]) -> None:
    applied, restart, missing = result["applied"], result["restart"], result["missing"]
    answered = len(running) - len(missing)
    for key, programs in applied.items():
        told = "all programs" if len(programs) == answered else ", ".join(programs)
        print(f"applied: {key} ({told})")
    for key, programs in restart.items():
        each = "; ".join(f"bybitd restart {program}" for program in programs)
        told = "bybitd down, then bybitd up" if len(programs) == answered else each
        print(display.paint(f"needs a restart: {key} ({told})", "yellow"))
    if not (applied or restart):
        print(f"{result['file']}: nothing has changed")
    for program, problem in missing.items():
        told = f"not applied by {program}: {problem['message']}"
        print(display.paint(told, "red"), file=sys.stderr)
