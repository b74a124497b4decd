"""`rest`: ask the exchange by one of its public GETs, through the daemon and within its budget."""

from __future__ import annotations

import argparse
import json

from bybitbus.errors import NoAnswer
from bybitd.cli import arguments, display, exits, gateway, place
from bybitd.errors import StartError

_TIMEOUT_S = 10.0


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    parser = verbs.add_parser("rest", help="ask the exchange by a public GET", allow_abbrev=False)
    parser.add_argument("path", metavar="PATH", help="such as /v5/market/time, or market/time")
    parser.add_argument("pairs", metavar="NAME=VALUE", nargs="*", help="a parameter, by its name")
    parser.add_argument(
        "--timeout", type=float, default=_TIMEOUT_S, metavar="S", help="wait so long (%(default)s)"
    )
    place.add_options(parser)
    parser.set_defaults(verb=rest)


def rest(options: argparse.Namespace) -> int:
    """Print the exchange's `result`; 1 when it says no."""
    params = arguments.collect(options, {})
    path = f"/v5/{options.path.removeprefix('/').removeprefix('v5/')}"
    with gateway.connected(options) as (client, hello):
        served = hello["categories"]
        if not served:
            raise StartError("no category is enabled (feeds.<category>.enabled), so nobody can ask")
        wanted = params.get("category")
        args = {
            "category": wanted if wanted in served else served[0],
            "path": path,
            "params": params,
        }
        timeout_ms = int(options.timeout * 1000)
        try:
            result = client.request(
                "market.rest", args, timeout_ms=timeout_ms + 500, deadline_ms=timeout_ms
            )
        except NoAnswer:
            # It only reads: that nothing came leaves nothing unknown.
            raise StartError(f"the daemon gave no answer within {options.timeout} s") from None
    if options.json:
        display.print_json(result)
    else:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    return exits.OK
