"""The question before anything that moves real money."""

from __future__ import annotations

import sys

from bybitd.errors import StartError


def confirm(environment: str, told: str, *, yes: bool) -> None:
    """Ask whether to go on where it is mainnet, unless `yes` says so already.

    Raises:
        StartError: the answer was no, or nobody can be asked.
    """
    if environment != "mainnet" or yes:
        return
    if not sys.stdin.isatty():
        raise StartError("this is mainnet: real money; say --yes to send it without being asked")
    print(f"MAINNET: {told}", file=sys.stderr)
    print("Send it? Type yes: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != "yes":
        raise StartError("not sent")
