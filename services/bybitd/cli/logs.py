"""`logs`: what the programs wrote."""

from __future__ import annotations

import argparse
import os
import time
from collections import deque
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TextIO

from bybitd.cli import display, exits, place
from bybitd.errors import StartError

_BEAT_S = 0.2


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    parser = verbs.add_parser("logs", help="show the log of one program, or of all")
    parser.add_argument("program", metavar="PROGRAM", nargs="?")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("-n", "--lines", type=int, default=50, help="of each (%(default)s)")
    place.add_options(parser)
    parser.set_defaults(verb=logs)


def logs(options: argparse.Namespace) -> int:
    """Print the last lines of each log, and with -f what is added."""
    here = place.find(options)
    instance = None if options.state_dir else place.read_instance(here.run_dir)
    folder = (instance.state_dir if instance else here.state_dir) / "log"
    files = _files(folder, options.program)
    with ExitStack() as open_files:
        tails = [open_files.enter_context(closing(Tail(file))) for file in files]
        lines = [line for tail in tails for line in tail.last(options.lines)]
        if len(files) > 1:
            lines.sort(key=lambda line: line[1])  # each begins with its time
        _print(lines, options.json)
        while options.follow:
            _print([line for tail in tails for line in tail.new()], options.json)
            time.sleep(_BEAT_S)
    return exits.OK


def _files(folder: Path, program: str | None) -> list[Path]:
    known = sorted(folder.glob("*.log"))
    if program is None:
        if not known:
            raise StartError(f"there are no logs in {folder}; has the daemon run yet?")
        return known
    file = folder / f"{program}.log"
    if file not in known:
        names = ", ".join(path.stem for path in known) or "none"
        raise StartError(f"there is no log of {program!r} in {folder}; there are: {names}")
    return [file]


def _print(lines: list[tuple[str, str]], as_json: bool) -> None:
    for program, line in lines:
        if as_json:
            display.print_json({"program": program, "line": line})
        else:
            print(line, flush=True)


class Tail:
    """One log file that grows, and is renamed away when it is full."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._partial = ""

    def last(self, count: int) -> list[tuple[str, str]]:
        """Return (program, line) of the last `count` lines; `new` goes on behind them."""
        return list(deque(self.new(), maxlen=max(0, count)))

    def new(self) -> list[tuple[str, str]]:
        """Return (program, line) of each line since the last call."""
        lines = self._read()
        if self._renamed():
            self.close()
            lines += self._read()
        return [(self._path.stem, line) for line in lines]

    def close(self) -> None:
        """Close the file; `new` would open it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> list[str]:
        try:
            if self._file is None:
                self._file = open(self._path, encoding="utf-8", errors="replace")  # noqa: SIM115
        except FileNotFoundError:
            return []
        *lines, self._partial = (self._partial + self._file.read()).split("\n")
        return lines

    def _renamed(self) -> bool:
        if self._file is None:
            return True
        try:
            return not os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False  # between the renaming and the new one
