"""Render supervisor's configuration from `etc/supervisord.conf`."""

from __future__ import annotations

import os
import resource
import shlex
import string
import sys
from pathlib import Path

from bybitd.cli import shipped
from bybitd.cli.place import Place

FILE_NAME = "supervisord.conf"
_EACH_PROGRAM = "[program:$program]"
_MOST_DESCRIPTORS = 4096


def render(place: Place, supervisor_pid: int) -> str:
    """Return the configuration for the programs of `place`, run by process `supervisor_pid`.

    Raises:
        StartError: the template is missing from this installation.
    """
    template = shipped.find("etc/supervisord.conf").read_text(encoding="utf-8")
    head, marker, section = template.partition(_EACH_PROGRAM)
    # What supervisor would read as something else is refused before, see `preflight.check_paths`.
    folders = {"run_dir": str(place.run_dir), "state_dir": str(place.state_dir)}
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = most == resource.RLIM_INFINITY
    parts = [
        string.Template(head).substitute(
            folders,
            minfds=_MOST_DESCRIPTORS if unlimited else min(most, _MOST_DESCRIPTORS),
            # supervisor complains at length of running as root unless told that it is meant.
            user_line="user=root" if os.geteuid() == 0 else "",
        )
    ]
    for number, program in enumerate(place.settings.programs(), start=1):
        command = program_command(place, program, supervisor_pid)
        parts.append(
            string.Template(marker + section).substitute(
                folders, program=program, command=command, priority=number * 10
            )
        )
    return "".join(parts)


def program_command(place: Place, program: str, supervisor_pid: int) -> str:
    """Return the command line of one program."""
    # -P: a file of the user's in the current folder must not stand in for a module of Python.
    words = [sys.executable, "-P", "-m", "bybitd.cli.main", "run", program]
    words += ["--run-dir", str(place.run_dir), "--state-dir", str(place.state_dir)]
    if place.config:
        words += ["--config", str(place.config)]
    words += ["--parent", str(supervisor_pid)]
    return shlex.join(words)


def supervisor_command(file: Path) -> list[str]:
    """Return the command line of supervisor itself, in the foreground."""
    return [sys.executable, "-P", "-m", "bybitd.cli.supervise", "-n", "-c", str(file)]
