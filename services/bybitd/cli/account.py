"""`positions` and `wallet`: what an account holds."""

from __future__ import annotations

import argparse

from bybitd.cli import display, exits, gateway, orders, place
from bybitd.venue.enums import CATEGORIES

_POSITION = ("category", "symbol", "side", "size", "avgPrice", "markPrice", "unrealisedPnl")
_COIN = ("coin", "equity", "walletBalance", "locked", "unrealisedPnl", "usdValue")


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    parser = verbs.add_parser("positions", help="show open positions", allow_abbrev=False)
    parser.add_argument("--category", choices=CATEGORIES[1:], help="only of this category")
    parser.add_argument("--symbol", help="only of this symbol")
    gateway.add_account(parser)
    place.add_options(parser)
    parser.set_defaults(verb=positions)
    parser = verbs.add_parser("wallet", help="show balances", allow_abbrev=False)
    parser.add_argument("--coin", help="only of this coin")
    gateway.add_account(parser)
    place.add_options(parser)
    parser.set_defaults(verb=wallet)


def positions(options: argparse.Namespace) -> int:
    """Show the positions that are not empty, of all categories that have positions."""
    rows = []
    with gateway.connected(options) as (client, hello):
        served = [name for name in CATEGORIES[1:] if name in hello["categories"]]
        for category in [options.category] if options.category else served:
            args = {"category": category} | ({"symbol": options.symbol} if options.symbol else {})
            result = client.request("account.positions", args, account=options.account)
            rows += [
                {"category": category, **row}
                for row in result["list"]
                if row.get("size") not in ("", "0")
            ]
    orders.show_rows(rows, _POSITION, options.json, none="no open positions")
    return exits.OK


def wallet(options: argparse.Namespace) -> int:
    """Show the balance of each coin, and what the account is worth."""
    with gateway.connected(options) as (client, _):
        args = {"coin": options.coin} if options.coin else {}
        result = client.request("account.wallet", args, account=options.account)
    for row in result["list"]:
        if options.json:
            display.print_json(row)
            continue
        worth = ", ".join(
            f"{key} {row[key]}" for key in ("totalEquity", "totalAvailableBalance") if row.get(key)
        )
        print(display.paint(f"{row.get('accountType', 'account')}: {worth} (USD)", "bold"))
        display.print_table([display.pick(coin, *_COIN) for coin in row.get("coin", [])], _COIN)
    return exits.OK
