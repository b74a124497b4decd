"""Log lines: one per event, with a direction and a name, and never a secret.

`<` came in, `>` went out, `=` changed state. Lines go to standard error, where the supervisor
collects them.
"""

from __future__ import annotations

import logging
import sys
import time

_HIDDEN = "[hidden]"
_MIN_SECRET_LENGTH = 6
_secrets: set[str] = set()


def hide(secret: str) -> None:
    """Never let `secret` appear in a log line from now on, whoever logs it."""
    if len(secret) >= _MIN_SECRET_LENGTH:
        _secrets.add(secret)


def redact(text: str) -> str:
    """Return `text` with every known secret replaced."""
    for secret in _secrets:
        text = text.replace(secret, _HIDDEN)
    return text


class RedactingFormatter(logging.Formatter):
    """Formats a record, traceback included, and takes the secrets out of the whole."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, program: str) -> None:
        self.converter = time.gmtime
        super().__init__(f"%(asctime)s %(levelname)-7s {program} %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return redact(super().format(record))


def set_level(level: str) -> None:
    """Log from this level on: `debug`, `info`, `warning` or `error`."""
    logging.getLogger().setLevel(level.upper())


def setup(program: str, level: str) -> None:
    """Send the log of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(program))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level)
    # The HTTP library logs whole URLs at debug level, and those carry account data.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
