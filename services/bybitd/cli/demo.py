"""`demo`: the whole daemon at work against its own simulated exchange, and gone afterwards."""

from __future__ import annotations

import argparse
import queue
import signal
import sys
import threading
import time
from types import FrameType

from bybitbus.client import Client
from bybitbus.errors import RequestError
from bybitd.cli import display, exits, place, readiness
from bybitd.cli.demo_market import MarketView, Watched, choose
from bybitd.cli.demo_orders import OrderLife
from bybitd.cli.temporary import temporary_daemon
from bybitd.errors import StartError
from bybitd.venue.enums import CATEGORIES

_CONFIGURATION = "environment: sim\n"
_READY_S = 90.0
_GRACE_S = 30.0  # beyond --seconds, for what has not been seen yet
_TABLE_S = 1.0
_PLAIN_TABLE_S = 5.0
_KEPT_LINES = 18
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    parser = verbs.add_parser(
        "demo", help="show the daemon at work on a simulated exchange", allow_abbrev=False
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="end after S seconds")
    place.add_options(parser)
    parser.set_defaults(verb=demo)


def demo(options: argparse.Namespace) -> int:
    """Bring a daemon up, watch markets, walk an order through its life, take the daemon down.

    0 only if all of it was seen.
    """
    for number in _ENDING:
        signal.signal(number, _interrupt)
    screen = _Screen(options.json)
    screen.say("starting a daemon of its own with a simulated exchange ...")
    with temporary_daemon(_CONFIGURATION, "bybitd-demo-") as daemon:
        try:
            began_s = time.monotonic()
            daemon.wait_ready(_READY_S)
            screen.say(f"ready after {time.monotonic() - began_s:.1f} s in {daemon.place.run_dir}")
            with Client(daemon.place.run_dir, client="demo") as client:
                missing = _show(client, daemon.place, options.seconds, screen)
        except KeyboardInterrupt:
            missing = ["markets and orders (interrupted before they began)"]
        finally:
            # A second Ctrl-C must not cut the cleaning up short, which takes seconds at most.
            for number in _ENDING:
                signal.signal(number, signal.SIG_IGN)
    if missing:
        raise StartError(f"the demo did not show: {'; '.join(missing)}")
    screen.say("all seen; the daemon is down and its folders are removed")
    return exits.OK


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _show(client: Client, here: place.Place, seconds: float | None, screen: _Screen) -> list[str]:
    """Show everything until the time is over or Ctrl-C; return what was not seen."""
    symbols = {category: choose(client, category) for category in CATEGORIES}
    watched = [
        Watched(category, row["symbol"]) for category in symbols for row in symbols[category]
    ]
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    life = OrderLife(here.run_dir, symbols["linear"][0], lines.put)
    thread = threading.Thread(target=life.run, name="orders", daemon=True)
    with MarketView(here.run_dir, watched) as market:
        thread.start()
        try:
            _loop(client, market, life, lines, seconds, screen)
        except KeyboardInterrupt:
            screen.say("interrupted: ending")
        finally:
            life.stop()
            thread.join()
    return market.missing() + life.missing()


def _loop(
    client: Client,
    market: MarketView,
    life: OrderLife,
    lines: queue.SimpleQueue[str],
    seconds: float | None,
    screen: _Screen,
) -> None:
    began_s = time.monotonic()
    table_at_s = began_s + _TABLE_S
    while True:
        market.receive()
        while not lines.empty():
            screen.add_line(lines.get())
        now_s = time.monotonic()
        if now_s >= table_at_s:
            table_at_s = now_s + screen.period_s
            statuses = _statuses(client)
            market.programs(statuses)
            screen.show(market, statuses)
        if seconds is None or now_s - began_s < seconds:
            continue
        complete = not market.missing() and not life.missing()
        if complete or life.failed or now_s - began_s > seconds + _GRACE_S:
            return


def _statuses(client: Client) -> dict[str, dict[str, object]]:
    try:
        return readiness.statuses(client) or {}
    except RequestError:
        return {}


class _Screen:
    """A live picture on a terminal, plain lines anywhere else."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._live = sys.stdout.isatty() and not as_json
        self._lines: list[str] = []
        self.period_s = _TABLE_S if self._live else _PLAIN_TABLE_S

    def say(self, text: str) -> None:
        """Print one line about the demo itself."""
        if self._as_json:
            display.print_json({"demo": text})
        else:
            print(f"demo: {text}", flush=True)

    def add_line(self, line: str) -> None:
        """Take one line of the order's life."""
        if self._as_json:
            display.print_json({"order": line})
        elif self._live:
            self._lines = [*self._lines, line][-_KEPT_LINES:]
        else:
            print(line, flush=True)

    def show(self, market: MarketView, statuses: dict[str, dict[str, object]]) -> None:
        """Show the tables."""
        if self._as_json:
            display.print_json({"market": market.record(), "programs": statuses})
            return
        parts = [*market.table(), "", *market.program_table(statuses)]
        if self._live:
            parts = ["\x1b[H\x1b[2J" + parts[0], *parts[1:], "", *self._lines]
            parts.append(display.paint("Ctrl-C ends it.", "dim"))
        print("\n".join(parts), flush=True)
