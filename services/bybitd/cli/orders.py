"""`order create|amend|cancel|cancel-all|list|status`.

The arguments are the exchange's own, by its own names: each as an option (`--orderType Limit` or
`--order-type Limit`) or as `orderType=Limit`. The gateway checks them, not this command.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from bybitbus.errors import NoAnswer
from bybitd.cli import arguments, confirmation, display, exits, gateway, place
from bybitd.errors import StartError

_TIMEOUT_S = 10.0
_ROW = ("orderLinkId", "symbol", "side", "orderType", "price", "qty", "cumExecQty", "orderStatus")


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    from bybitd.venue import order_fields

    parser = verbs.add_parser("order", help="place, change, cancel and look up orders")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, fields, text in (
        ("create", order_fields.CREATE, "place an order"),
        ("amend", order_fields.AMEND, "change an order"),
        ("cancel", order_fields.CANCEL, "cancel an order"),
        ("cancel-all", order_fields.CANCEL_ALL, "cancel all orders of a category"),
    ):
        action = _add(actions, name, text)
        arguments.add_fields(action, fields)
        action.add_argument("--yes", action="store_true", help="do not ask, on mainnet")
        action.set_defaults(verb=write, op=f"order.{name}", fields=fields)
    action = _add(actions, "list", "show open orders, or those that ended")
    arguments.add_fields(action, arguments.ORDER_QUERY)
    action.add_argument(
        "--history", action="store_true", help="those that ended, as the exchange lists them"
    )
    action.set_defaults(verb=show_open, fields=arguments.ORDER_QUERY)
    action = _add(actions, "status", "show what the journal knows of an order")
    action.add_argument("id", metavar="ORDER_LINK_ID", nargs="?")
    action.add_argument("--orderId", "--order-id", metavar="ID", dest="order_id")
    action.set_defaults(verb=status)


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=text, allow_abbrev=False)
    gateway.add_account(action)
    action.add_argument(
        "--timeout", type=float, default=_TIMEOUT_S, metavar="S", help="wait so long (%(default)s)"
    )
    place.add_options(action)
    return action


def write(options: argparse.Namespace) -> int:
    """Send one write and print its result. Exit code 4: the outcome is not known."""
    args = arguments.collect(options, options.fields)
    if options.op == "order.create":
        # Known here before anything is sent, so that the order can be found whatever happens.
        args.setdefault("orderLinkId", f"cli-{os.urandom(10).hex()}")
    with gateway.connected(options) as (client, hello):
        told = " ".join(f"{name}={value}" for name, value in args.items())
        told = f"account {options.account}: {options.op} {told}"
        confirmation.confirm(hello["environment"], told, yes=options.yes)
        try:
            result = client.request(
                options.op, args, account=options.account, timeout_ms=int(options.timeout * 1000)
            )
        except NoAnswer as error:
            look_up = args.get("orderLinkId") or args.get("orderId") or "the symbol's orders"
            print(
                f"bybitd: {error}; it may have been done. Do not send it again: look up {look_up} "
                "(`bybitd order status`, `bybitd order list`)",
                file=sys.stderr,
            )
            raise
    if options.json:
        display.print_json(result)
    elif options.op == "order.cancel-all":
        for row in result.get("list", []):
            print(f"cancelled {row.get('orderLinkId')} {row.get('orderId')}")
        print(f"{len(result.get('list', []))} orders cancelled")
    else:
        print(f"accepted orderLinkId {result.get('orderLinkId')} orderId {result.get('orderId')}")
    return exits.OK


def show_open(options: argparse.Namespace) -> int:
    """Show the open orders of the account; with --history those that ended."""
    args = arguments.collect(options, options.fields)
    op = "account.order-history" if options.history else "account.orders"
    with gateway.connected(options) as (client, _):
        result = client.request(
            op,
            args,
            account=options.account,
            timeout_ms=int(options.timeout * 1000),
        )
    none = "no orders that ended" if options.history else "no open orders"
    show_rows(result["list"], _ROW, options.json, none=none)
    return exits.OK


def status(options: argparse.Namespace) -> int:
    """Show what the gateway knows of one order."""
    args = {"orderId": options.order_id} if options.order_id else {"orderLinkId": options.id}
    if not any(args.values()):
        raise StartError("name the order: its orderLinkId, or --orderId")
    with gateway.connected(options) as (client, _):
        result = client.request(
            "order.status", args, account=options.account, timeout_ms=int(options.timeout * 1000)
        )
    if options.json:
        display.print_json(result)
    else:
        display.print_table([(key, result[key]) for key in result], ("FIELD", "VALUE"))
    return exits.OK


def show_rows(
    rows: list[dict[str, Any]], keys: tuple[str, ...], as_json: bool, *, none: str
) -> None:
    """Print rows of the exchange: some keys in a table, or each whole as JSON.

    Where there are no rows people are told so in the words of `none`; JSON then has no lines.
    """
    if as_json:
        for row in rows:
            display.print_json(row)
    elif not rows:
        print(none)
    else:
        display.print_table([display.pick(row, *keys) for row in rows], keys)
