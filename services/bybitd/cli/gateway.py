"""Talk to the running daemon: one client for the verbs that ask it something."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bybitbus.client import Client
from bybitbus.codes import PROTOCOL_VERSION
from bybitbus.errors import NoAnswer, Refused
from bybitd.cli import place
from bybitd.cli.unreachable import Unreachable
from bybitd.errors import StartError

CLIENT_NAME = "bybitd-cli"
_HELLO_MS = 2000


@contextmanager
def connected(
    options: argparse.Namespace, name: str = CLIENT_NAME
) -> Iterator[tuple[Client, dict[str, Any]]]:
    """Yield a client of the daemon, which goes by `name`, and its `gateway.hello`.

    Raises:
        Unreachable: nobody answers.
        StartError: it speaks another version of the protocol.
    """
    run_dir = place.find(options).run_dir
    with Client(run_dir, client=name) as client:
        yield client, hello(client, run_dir)


def hello(client: Client, run_dir: Path) -> dict[str, Any]:
    """Return who answers, before anything is asked of it; errors as `connected`."""
    try:
        answer: dict[str, Any] = client.request("gateway.hello", timeout_ms=_HELLO_MS)
    except (NoAnswer, Refused):
        raise Unreachable(run_dir, "no bus answers") from None
    if answer.get("protocol") != PROTOCOL_VERSION:
        raise StartError(
            f"the daemon speaks version {answer.get('protocol')} of the protocol, this command "
            f"{PROTOCOL_VERSION}; use the command that came with the daemon"
        )
    return answer


def add_account(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the account."""
    parser.add_argument("--account", default="main", help="(%(default)s)")
