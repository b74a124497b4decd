"""`sub` and `book`: what comes over the bus."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bybitbus import topics
from bybitbus.book import Book
from bybitbus.client import Client
from bybitbus.errors import TopicError
from bybitbus.events import Event
from bybitbus.subscriber import Subscriber
from bybitd.cli import display, exits, gateway, place
from bybitd.errors import BybitdError, StartError
from bybitd.settings import CATEGORIES

_OURS = ("seq", "epoch", "rx", "tx", "resend")
_REJECTED = "gateway.rejected."
_REDRAW_S = 0.2
_BEAT_MS = 200
_PATIENCE_S = 15.0


class TopicRejected(BybitdError):
    """Raised when the daemon says that a topic can not exist."""

    def __init__(self, body: dict[str, Any]) -> None:
        hint = f" ({body['hint']})" if body.get("hint") else ""
        super().__init__(f"topic {body.get('topic')}: {body.get('reason')}{hint}")


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    parser = verbs.add_parser("sub", help="print the events of topics", allow_abbrev=False)
    parser.add_argument(
        "topics",
        metavar="TOPIC",
        nargs="+",
        help="such as linear.publicTrade.BTCUSDT. (or a shorter prefix such as gateway.)",
    )
    parser.add_argument("--count", type=int, metavar="N", help="end after N events")
    parser.add_argument("--seconds", type=float, metavar="S", help="end after S seconds")
    place.add_options(parser)
    parser.set_defaults(verb=sub)
    parser = verbs.add_parser("book", help="show the order book of a symbol", allow_abbrev=False)
    parser.add_argument("symbol", metavar="SYMBOL")
    parser.add_argument("--category", choices=CATEGORIES, default="linear", help="(%(default)s)")
    parser.add_argument("--levels", type=int, default=10, help="of each side (%(default)s)")
    parser.add_argument("--count", type=int, metavar="N", help="end after N whole books")
    parser.add_argument("--seconds", type=float, metavar="S", help="end after S seconds")
    place.add_options(parser)
    parser.set_defaults(verb=book)


def sub(options: argparse.Namespace) -> int:
    """Print events as they come; 1 when a topic is rejected, or when none came in time."""
    run_dir = place.find(options).run_dir
    wanted = [whole(topic) for topic in options.topics]
    left = options.count
    seen = 0
    for event in receive(run_dir, wanted, options.seconds):
        seen += 1
        _print_event(event, options.json)
        if left is not None and seen >= left:
            return exits.OK
    return exits.OK if seen and left is None else exits.FAILED


def whole(topic: str) -> str:
    """Return a topic with its closing dot; what is a prefix only stays as it is."""
    try:
        return str(topics.split(topic))
    except TopicError:
        return topic


def receive(run_dir: Path, wanted: Sequence[str], seconds: float | None) -> Iterator[Event]:
    """Yield the events of topics until `seconds` have passed (None: for ever).

    Raises:
        Unreachable: no daemon answers.
        TopicRejected: one of them can not exist.
    """
    with Client(run_dir, client=gateway.CLIENT_NAME) as client:
        gateway.hello(client, run_dir)
    due_s = None if seconds is None else time.monotonic() + seconds
    # First, so that a refusal of what follows is seen.
    refusals = {_REJECTED + topic for topic in wanted}
    with Subscriber(run_dir, [*sorted(refusals), *wanted]) as subscriber:
        while due_s is None or time.monotonic() < due_s:
            event = subscriber.receive(_BEAT_MS)
            if event is None:
                continue
            if event.body.get("topic") in wanted and event.topic.startswith(_REJECTED):
                raise TopicRejected(event.body)
            yield event


def _print_event(event: Event, as_json: bool) -> None:
    if as_json:
        display.print_json(
            {
                "topic": event.topic,
                "verdict": event.verdict.value,
                "missing": event.missing,
                "body": event.body,
            }
        )
        return
    body = dict(event.body)
    at_ns = body.get("rx") or body.get("tx") or 0
    clock = time.strftime("%H:%M:%S", time.localtime(at_ns / 1e9)) + f".{at_ns // 10**6 % 1000:03}"
    marks = f"seq {body.get('seq')}" + (" resend" if body.get("resend") else "")
    if event.missing:
        marks += display.paint(f" {event.missing} LOST", "red")
    for key in _OURS:
        body.pop(key, None)
    print(f"{display.paint(clock, 'dim')} {display.paint(event.topic, 'bold')} {marks} ", end="")
    display.print_json(body)


def book(options: argparse.Namespace) -> int:
    """Show a live book; 1 when the symbol does not exist or no whole book came."""
    run_dir = place.find(options).run_dir
    depth = 25 if options.category in ("option", "spread") else 50
    held = Book(f"{options.category}.orderbook.{depth}.{options.symbol}.")
    seconds = options.seconds if options.seconds or options.count is None else _PATIENCE_S
    shown = 0
    problem = held.problem
    redraw_at_s = 0.0
    for event in receive(run_dir, [held.topic, held.feed_topic], seconds):
        valid = held.apply(event)
        now_s = time.monotonic()
        if valid and now_s >= redraw_at_s:
            redraw_at_s = now_s + _REDRAW_S
            _show_book(held, options)
            shown += 1
            if shown == options.count:
                return exits.OK
        elif shown and held.problem not in ("", problem):
            _show_problem(held, options)
        problem = held.problem
    if not shown or options.count is not None:
        raise StartError(f"{shown} whole books of {options.symbol} came; {held.problem or 'quiet'}")
    return exits.OK


def _show_problem(held: Book, options: argparse.Namespace) -> None:
    if options.json:
        display.print_json({"topic": held.topic, "problem": held.problem})
    else:
        print(display.paint(f"{held.topic} {held.problem}", "red"), flush=True)


def _show_book(held: Book, options: argparse.Namespace) -> None:
    bids, asks = held.bids(options.levels), held.asks(options.levels)
    if options.json:
        display.print_json({"topic": held.topic, "seq": held.seq, "b": bids, "a": asks})
        return
    if display.colourful() and options.count != 1:
        print("\x1b[H\x1b[2J", end="")
    elif options.count != 1:
        print(f"{held.topic} seq {held.seq} bid {_level(bids)} ask {_level(asks)}", flush=True)
        return
    print(f"{display.paint(held.topic, 'bold')} seq {held.seq}")
    rows = [(price, size, "ask") for price, size, *_ in reversed(asks)]
    rows += [(price, size, "bid") for price, size, *_ in bids]
    width = max((len(price) for price, _, _ in rows), default=0)
    for price, size, side in rows:
        print(side, display.paint(price.rjust(width), "red" if side == "ask" else "green"), size)


def _level(levels: Sequence[tuple[str, ...]]) -> str:
    return " x ".join(levels[0]) if levels else "none"
