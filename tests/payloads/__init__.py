"""Whole envelopes as the exchange sends them: `ws_<topic>.json` and `http_<endpoint>.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).parent


def raw(name: str) -> bytes:
    """Return one envelope as it goes over the wire."""
    return (FOLDER / f"{name}.json").read_bytes()


def envelope(name: str) -> dict[str, Any]:
    """Return one envelope, decoded anew for each caller."""
    return msgspec.json.decode(raw(name), type=dict[str, Any])
