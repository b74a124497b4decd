"""`position set-leverage|switch-mode|trading-stop|set-auto-add-margin`: settings of positions.

The arguments are the exchange's own, as for `order`.
"""

from __future__ import annotations

import argparse

from bybitd.cli import arguments, display, exits, writes

_ACTIONS = {
    "set-leverage": "set the leverage of a symbol",
    "switch-mode": "hold one position of a symbol (mode=0), or a long and a short one (mode=3)",
    "trading-stop": "set take profit, stop loss and trailing stop of a position",
    "set-auto-add-margin": "add margin to a position by itself, or no longer",
}
_LOOK_UP = "look the position up (`bybitd positions`)"


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    from bybitd.venue.operations import OPERATIONS

    parser = verbs.add_parser("position", help="change settings of positions")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, text in _ACTIONS.items():
        action = writes.add_action(actions, name, text)
        fields = OPERATIONS[f"position.{name}"].fields
        assert fields is not None, "the fields of settings stand with their operation"
        writes.add_fields(action, fields)
        action.set_defaults(verb=change, op=f"position.{name}", fields=fields)


def change(options: argparse.Namespace) -> int:
    """Change one setting. Exit code 4: the outcome is not known."""
    args = arguments.collect(options, options.fields)
    result = writes.send(options, options.op, args, _LOOK_UP)
    if options.json:
        display.print_json(result)
    elif result.get("retCode"):
        print(f"done: it was so already ({result['retCode']} {result.get('retMsg', '')})")
    else:
        print("done")
    return exits.OK
