"""`sim`: the simulated exchange alone, to point any client at."""

from __future__ import annotations

import argparse
import logging
import secrets
import signal
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from bybitd.cli import display, exits
from bybitd.errors import StartError

_UID = 100_001
_BEAT_S = 0.5


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    parser = verbs.add_parser("sim", help="run the simulated exchange alone", allow_abbrev=False)
    parser.add_argument("--port", type=int, default=0, help="0 for any free one (%(default)s)")
    parser.add_argument("--tls", action="store_true", help="with a certificate made now")
    parser.add_argument("--seed", type=int, default=1, help="of the markets (%(default)s)")
    parser.add_argument(
        "--rate", type=float, default=20.0, help="order events per second and symbol (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document when it is ready")
    parser.set_defaults(verb=sim)


def sim(options: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM."""
    from bybitd.simulator.exchange import ApiKey, ExchangeConfig
    from bybitd.simulator.wire.running import RunningSimulator
    from bybitd.simulator.wire.server import WireConfig

    logging.basicConfig(level=logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    key = ApiKey(key="sim" + secrets.token_hex(8), secret=secrets.token_hex(18), uid=_UID)
    config = ExchangeConfig(api_keys=(key,), seed=options.seed, rate_per_s=options.rate)
    with ExitStack() as resources:
        folder = None
        if options.tls:
            folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="bybitd-")))
        try:
            running = RunningSimulator(config, WireConfig(port=options.port, tls_dir=folder))
        except OSError as error:
            raise StartError(
                f"can not listen on 127.0.0.1:{options.port}: {error.strerror or error}; "
                "name a free port (--port), or 0 for any"
            ) from None
        resources.callback(running.close)
        _introduce(
            {
                "rest": running.rest_url,
                "websocket": running.ws_url,
                "api_key": key.key,
                "api_secret": key.secret,
                "authority": str(running.authority) if running.authority else None,
            },
            options.json,
        )
        while not stop.wait(_BEAT_S):
            if running.broken is not None:
                raise StartError(f"the markets broke: {running.broken!r}")
    return exits.OK


def _introduce(known: dict[str, str | None], as_json: bool) -> None:
    if as_json:
        display.print_json(known)
        return
    print(f"REST        {known['rest']}")
    print(f"WebSocket   {known['websocket']}/v5/public/linear (spot, inverse, option), "
          "/v5/private, /v5/trade")  # fmt: skip
    print(f"API key     {known['api_key']}")
    print(f"API secret  {known['api_secret']} (a test key, good only here)")
    if known["authority"]:
        print(f"trust       {known['authority']} (REQUESTS_CA_BUNDLE, SSL_CERT_FILE)")
    print("Ctrl-C ends it.", flush=True)
