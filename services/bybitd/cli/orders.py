"""`order create|amend|cancel|cancel-all|validate|pre-check|list|status`.

The arguments are the exchange's own, by its own names: each as an option (`--orderType Limit` or
`--order-type Limit`) or as `orderType=Limit`. The gateway checks them, not this command.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from bybitd.cli import arguments, display, exits, gateway, writes
from bybitd.errors import StartError

_ROW = (
    *("orderLinkId", "category", "symbol", "side", "orderType"),
    *("price", "qty", "cumExecQty", "orderStatus"),
)


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
        action = writes.add_action(actions, name, text)
        writes.add_fields(action, fields)
        action.set_defaults(verb=write, op=f"order.{name}", fields=fields)
    for name, text in (
        ("validate", "check an order by all rules and limits, and send nothing"),
        ("pre-check", "ask what an order would do to the account's margin; nothing is placed"),
    ):
        action = writes.add_action(actions, name, text)
        writes.add_fields(action, order_fields.CREATE)
        action.set_defaults(verb=check, op=f"order.{name}", fields=order_fields.CREATE, yes=True)
    action = writes.add_action(actions, "list", "show open orders, or those that ended")
    arguments.add_fields(action, arguments.ORDER_QUERY)
    action.add_argument(
        "--history", action="store_true", help="those that ended, as the exchange lists them"
    )
    action.set_defaults(verb=show_open, fields=arguments.ORDER_QUERY)
    action = writes.add_action(actions, "status", "show what the journal knows of an order")
    action.add_argument("id", metavar="ORDER_LINK_ID", nargs="?")
    action.add_argument("--orderId", "--order-id", metavar="ID", dest="order_id")
    action.set_defaults(verb=status)


def write(options: argparse.Namespace) -> int:
    """Send one write and print its result. Exit code 4: the outcome is not known."""
    args = arguments.collect(options, options.fields)
    if options.op == "order.create":
        # Known here before anything is sent, so that the order can be found whatever happens.
        args.setdefault("orderLinkId", f"cli-{os.urandom(10).hex()}")
    named = args.get("orderLinkId") or args.get("orderId") or "the symbol's orders"
    look_up = f"look up {named} (`bybitd order status`, `bybitd order list`)"
    result = writes.send(options, options.op, args, look_up)
    if options.json:
        display.print_json(result)
    elif options.op == "order.cancel-all":
        for row in result.get("list", []):
            print(f"cancelled {row.get('orderLinkId')} {row.get('orderId')}")
        print(f"{len(result.get('list', []))} orders cancelled")
    else:
        print(f"accepted orderLinkId {result.get('orderLinkId')} orderId {result.get('orderId')}")
    return exits.OK


def check(options: argparse.Namespace) -> int:
    """Show what would become of an order. Nothing is placed."""
    args = arguments.collect(options, options.fields)
    result = writes.send(options, options.op, args, "it changes nothing: ask again")
    if options.json:
        display.print_json(result)
    else:
        display.print_table([(key, result[key]) for key in result], ("FIELD", "VALUE"))
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
    rows = result["list"]
    if not options.json:
        # Rows that the exchange was asked for do not say it: they are of the one that was named.
        rows = [{"category": args.get("category", ""), **row} for row in rows]
    show_rows(rows, _ROW, options.json, none=none)
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
