"""Requests that change something at the exchange: sent once, and asked about on mainnet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from bybitbus.errors import NoAnswer
from bybitd.cli import arguments, confirmation, gateway, place
from bybitd.venue.fields import Field

TIMEOUT_S = 10.0


def add_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    """Add an action that asks something of an account, and its common options."""
    action = actions.add_parser(name, help=text, description=text, allow_abbrev=False)
    gateway.add_account(action)
    action.add_argument(
        "--timeout", type=float, default=TIMEOUT_S, metavar="S", help="wait so long (%(default)s)"
    )
    place.add_options(action)
    return action


def add_fields(action: argparse.ArgumentParser, fields: Mapping[str, Field]) -> None:
    """Add the exchange's parameters of a request, and what goes with every write."""
    arguments.add_fields(action, fields)
    action.add_argument(
        "--client",
        default=gateway.CLIENT_NAME,
        metavar="NAME",
        help="in which strategy's name: its limits and lease count (%(default)s)",
    )
    action.add_argument("--yes", action="store_true", help="do not ask, on mainnet")


def send(options: argparse.Namespace, op: str, args: Mapping[str, Any], look_up: str) -> Any:
    """Send one request and return its result. `look_up` says how to find out what became of it.

    Raises:
        StartError: it was not to be sent after all.
        NoAnswer: it may have been done; that was said on standard error.
        Refused: it was refused.
    """
    with gateway.connected(options, options.client) as (client, hello):
        told = " ".join(f"{name}={value}" for name, value in args.items())
        told = f"account {options.account}: {op} {told}"
        confirmation.confirm(hello["environment"], told, yes=options.yes)
        try:
            return client.request(
                op, args, account=options.account, timeout_ms=int(options.timeout * 1000)
            )
        except NoAnswer as error:
            print(
                f"bybitd: {error}; it may have been done. Do not send it again: {look_up}",
                file=sys.stderr,
            )
            raise
