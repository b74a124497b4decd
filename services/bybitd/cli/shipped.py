"""Find the files that ship beside the code: `etc/` and `systemd/`."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from bybitd.errors import StartError


def find(name: str) -> Path:
    """Return the path of a shipped file, for instance `etc/bybitd.yaml`.

    Raises:
        StartError: it is nowhere that an installation puts it.
    """
    looked = list(_candidates(name))
    for path in looked:
        if path.is_file():
            return path
    raise StartError(
        f"{name} is missing from this installation (looked at {', '.join(map(str, looked))}); "
        "install bybitd again"
    )


def _candidates(name: str) -> Iterator[Path]:
    # The source tree (also behind an editable install): services/bybitd/cli/shipped.py.
    yield Path(__file__).resolve().parents[3] / name
    # A wheel puts them under <prefix>/share/bybitd, whatever the prefix; its record knows.
    try:
        recorded = files("bybitd") or []
    except PackageNotFoundError:
        recorded = []
    yield from (Path(str(file.locate())) for file in recorded if str(file).endswith(f"/{name}"))
    yield Path(sysconfig.get_path("data")) / "share" / "bybitd" / name
