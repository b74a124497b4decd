"""The configuration file that a program was started with, and which bytes it was."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from bybitd import settings_file
from bybitd.errors import ConfigError
from bybitd.settings import Settings


class ConfigFile(NamedTuple):
    """What was read: where, the SHA-256 of its bytes in hex, and what they say."""

    path: Path
    sha256: str
    text: str
    settings: Settings

    def locate(self, key: str) -> str:
        """Return file and line of a dotted key (`feeds.linear.topics[0]`), for a person."""
        line = settings_file.line_of(self.text, key)
        return f"{self.path}:{line}" if line else str(self.path)


def read(path: Path) -> ConfigFile:
    """Read a configuration file once.

    Raises:
        ConfigError: as `settings_file.load`.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can not be read: {error}", where=str(path)) from None
    settings = settings_file.parse(text, str(path))
    return ConfigFile(path.absolute(), hashlib.sha256(content).hexdigest(), text, settings)
