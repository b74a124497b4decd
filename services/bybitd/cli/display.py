"""What verbs print: tables for people, one JSON document per line for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_COLOURS = {"green": "32", "yellow": "33", "red": "31", "bold": "1", "dim": "2"}
STATE_COLOURS = {"ready": "green", "degraded": "yellow", "starting": "yellow"}  # others: red


def colourful() -> bool:
    """Return whether a person looks at standard output on something that shows colours."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str) -> str:
    """Return `text` in a colour, where colours show."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if colourful() else text


def paint_state(state: str, width: int = 0) -> str:
    """Return the name of a state in its colour, padded to `width`."""
    return paint(state.ljust(width), STATE_COLOURS.get(state, "red"))


def print_json(document: Any) -> None:
    """Print one document on one line, at once."""
    print(json.dumps(document, separators=(",", ":"), default=str), flush=True)


def print_table(rows: Iterable[Sequence[object]], header: Sequence[str]) -> None:
    """Print rows in columns. The last column is not padded."""
    for line in table(rows, header):
        print(line)


def table(rows: Iterable[Sequence[object]], header: Sequence[str]) -> list[str]:
    """Return rows as lines in columns, the header first; a column named `STATE` is painted."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *texts, strict=True)]
    lines = [paint(_line(header, widths), "bold")]
    for row in texts:
        line = _line(row, widths)
        if "STATE" in header:
            at = header.index("STATE")
            start = sum(widths[:at]) + 2 * at
            state = line[start : start + widths[at]]
            rest = line[start + widths[at] :]
            line = line[:start] + paint_state(state.strip(), len(state)) + rest
        lines.append(line)
    return lines


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def pick(record: Mapping[str, Any], *keys: str) -> list[str]:
    """Return the values of `keys` as text, "" for what is absent."""
    return [str(record.get(key, "")) for key in keys]
