"""`kill` and `unkill`: stop accounts, and let them trade again.

A person in a hurry types `kill`: it asks nothing but on mainnet, needs no name, and works when
parts of the daemon are down.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from bybitbus.client import Client
from bybitbus.codes import Code
from bybitbus.errors import NoAnswer, Refused
from bybitd.cli import confirmation, display, exits, gateway, place
from bybitd.cli.place import Place
from bybitd.errors import StartError
from bybitd.runtime import kill_file
from bybitd.runtime.kill_file import Killed

_TIMEOUT_S = 15.0


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    parser = verbs.add_parser(
        "kill", help="stop trading and cancel all orders, of all accounts", allow_abbrev=False
    )
    parser.add_argument("--account", help="only of this account")
    parser.add_argument("--reason", default="stopped by hand", help="(%(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=_TIMEOUT_S, metavar="S", help="wait so long (%(default)s)"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask, on mainnet")
    place.add_options(parser)
    parser.set_defaults(verb=kill)
    parser = verbs.add_parser("unkill", help="let an account trade again", allow_abbrev=False)
    parser.add_argument("--account", required=True)
    parser.add_argument("--yes", action="store_true", help="do not ask, on mainnet")
    place.add_options(parser)
    parser.set_defaults(verb=unkill)


def kill(options: argparse.Namespace) -> int:
    """Stop accounts. Exit code 0: stopped, nothing is open; 4: stopped, something may be open."""
    here = place.find(options)
    told = f"stop {options.account or 'every account'} and cancel all orders"
    confirmation.confirm(here.settings.environment, told, yes=options.yes)
    args = {"reason": options.reason}
    if options.account:
        args["account"] = options.account
    try:
        with Client(here.run_dir, client=gateway.CLIENT_NAME) as client:
            wait_ms = int(options.timeout * 1000)
            reports = client.request("gateway.kill", args, timeout_ms=wait_ms)["accounts"]
    except (NoAnswer, Refused) as error:
        if isinstance(error, Refused) and error.code == Code.UNKNOWN_ACCOUNT:
            raise
        reports = _write_down(here, options, str(error))
    if options.json:
        display.print_json({"accounts": reports})
    else:
        _show(reports)
    return exits.OK if all(map(_is_done, reports.values())) else exits.UNKNOWN


def _write_down(here: Place, options: argparse.Namespace, why: str) -> dict[str, Any]:
    """Stop accounts without the daemon's help: it finds what is written here, now or at its start.

    Raises:
        StartError: there is no such account, or that is not possible either.
    """
    known = list(here.settings.accounts)
    if options.account and options.account not in known:
        raise StartError(
            f"account {options.account!r} is not configured; configured: {', '.join(known)}"
        )
    instance = None if options.state_dir else place.read_instance(here.run_dir)
    state_dir = instance.state_dir if instance else here.state_dir
    killed = Killed(reason=options.reason, by=gateway.CLIENT_NAME, at_ns=time.time_ns())
    reports: dict[str, Any] = {}
    for account in [options.account] if options.account else known:
        try:
            kill_file.write(state_dir, account, killed)
        except OSError as error:
            raise StartError(
                f"account {account} is NOT stopped: {why}; and its kill file can not be written: "
                f"{error}; stop the daemon (bybitd down) and cancel at the exchange"
            ) from None
        reports[account] = {
            "account": account,
            "killed": True,
            "complete": False,
            "open": None,
            "problem": f"{why}; it cancels as soon as it is back",
            "cancelled": [],
        }
    return reports


def _is_done(report: dict[str, Any]) -> bool:
    """Tell whether nothing is open, and nothing else is wrong."""
    return bool(report["complete"]) and not report["problem"]


def _show(reports: dict[str, Any]) -> None:
    for account, report in reports.items():
        count = len(report["cancelled"])
        if _is_done(report):
            print(f"{account}: stopped; nothing is open, {count} orders were cancelled")
            continue
        left = "" if report["open"] is None else f"{report['open']} orders are still open; "
        problem = report["problem"] or "the cancelling goes on"
        print(
            display.paint(f"{account}: stopped; {left}{count} were cancelled; {problem}", "red"),
            file=sys.stderr,
        )


def unkill(options: argparse.Namespace) -> int:
    """Let an account trade again."""
    with gateway.connected(options) as (client, hello):
        told = f"let account {options.account} trade again"
        confirmation.confirm(hello["environment"], told, yes=options.yes)
        result = client.request("gateway.unkill", {"account": options.account})
    if options.json:
        display.print_json(result)
    else:
        print(f"{options.account} may trade again")
    return exits.OK
