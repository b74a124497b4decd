"""`journal search|export`: what was asked, what went out and what came back, from the file itself.

Both work whether the daemon runs or not, and change nothing.
"""

from __future__ import annotations

import argparse
import csv
import heapq
import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TextIO

from bybitd.cli import display, exits, gateway, place
from bybitd.errors import StartError

if TYPE_CHECKING:
    from bybitd.order_execution.actions import Action
    from bybitd.order_execution.journal_reader import Filter, JournalReader
    from bybitd.order_execution.ledger import Order

_SHOWN: Final = (
    *("received", "op", "client", "symbol", "orderLinkId", "orderId", "state", "cumExecQty"),
    *("retCode", "reason"),
)
_COLUMNS: Final = {
    "client": "client",
    "category": "category",
    "symbol": "symbol",
    "orderLinkId": "link_id",
    "orderId": "order_id",
    "state": "state",
    "outcome": "outcome",
    "basis": "basis",
    "reason": "reason",
    "retCode": "ret_code",
    "retMsg": "ret_msg",
    "cumExecQty": "cum_exec_qty",
    "avgPrice": "avg_price",
    "price": "price",
    "qty": "qty",
    "requestId": "id",
    "reqId": "req_id",
    "transport": "transport",
    "args": "args",
    "received_ns": "received_ns",
    "sent_ns": "sent_ns",
    "acknowledged_ns": "acknowledged_ns",
    "changed_ns": "changed_ns",
}
_AGO: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    parser = verbs.add_parser("journal", help="look into the order journal")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser("search", help="show orders and requests", allow_abbrev=False)
    _add_filters(action)
    action.add_argument(
        "-n", "--lines", type=int, default=50, metavar="N", help="the newest (%(default)s)"
    )
    place.add_options(action)
    action.set_defaults(verb=search)
    action = actions.add_parser(
        "export", help="write orders and requests with their audit", allow_abbrev=False
    )
    _add_filters(action)
    action.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
    action.add_argument(
        "--audit", action="store_true", help="with csv: a line for each change, not for each order"
    )
    action.add_argument("-o", "--output", metavar="FILE", help="instead of standard output")
    place.add_options(action)
    action.set_defaults(verb=export)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", default="", help="orderLinkId, orderId, ...")
    parser.add_argument("--client", default="", help="only of this strategy")
    parser.add_argument("--symbol", default="")
    parser.add_argument("--state", action="append", default=[], help="only in it; may be repeated")
    times = "2026-11-24T10:00 (UTC), or so long ago: 90s, 30m, 2h, 7d"
    parser.add_argument("--since", metavar="TIME", help=times)
    parser.add_argument("--until", metavar="TIME", help="likewise")
    gateway.add_account(parser)


def search(options: argparse.Namespace) -> int:
    """Show what fits, oldest first; 1 if there is nothing."""
    with _opened(options) as journal:
        newest = list(islice(_newest_first(journal, _filter(options)), max(0, options.lines)))
        rows = [_flat(thing) for thing in reversed(newest)]
    if options.json:
        for row in rows:
            display.print_json(row)
    elif rows:
        display.print_table([display.pick(row, *_SHOWN) for row in rows], _SHOWN)
    if not rows:
        print("bybitd: nothing in the journal fits", file=sys.stderr)
    return exits.OK if rows else exits.FAILED


def export(options: argparse.Namespace) -> int:
    """Write all that fits, oldest orders first, then the requests about orders."""
    with _opened(options) as journal, _output(options.output) as output:
        things = _Counted(_oldest_first(journal, _filter(options)))
        if options.format == "jsonl":
            for thing in things:
                document = {**_whole(thing), "audit": journal.entries(thing)}
                output.write(json.dumps(document, separators=(",", ":")) + "\n")
        elif options.audit:
            _write_csv(output, (row for thing in things for row in journal.entries(thing)))
        else:
            _write_csv(output, (_flat(thing) for thing in things))
    if options.output and not options.json:
        print(f"wrote {things.count} orders and requests to {options.output}")
    elif options.output:
        display.print_json({"written": things.count, "file": options.output})
    return exits.OK


class _Counted:
    """An iterator that knows how many it has given."""

    def __init__(self, things: Iterable[Order | Action]) -> None:
        self.count = 0
        self._things = things

    def __iter__(self) -> Iterator[Order | Action]:
        for thing in self._things:
            self.count += 1
            yield thing


def _opened(options: argparse.Namespace) -> JournalReader:
    from bybitd.order_execution.journal_reader import JournalReader
    from bybitd.runtime.placed_here import journal_path

    here = place.find(options)
    instance = None if options.state_dir else place.read_instance(here.run_dir)
    state_dir = instance.state_dir if instance else here.state_dir
    return JournalReader(journal_path(state_dir, options.account))


def _output(file: str | None) -> Any:
    if file is None:
        return nullcontext(sys.stdout)
    try:
        return open(file, "x", encoding="utf-8", newline="")
    except FileExistsError:
        raise StartError(f"{file} exists; name another file") from None
    except OSError as error:
        raise StartError(f"can not write {file}: {error.strerror}") from None


def _filter(options: argparse.Namespace) -> Filter:
    from bybitd.order_execution.actions import ActionState
    from bybitd.order_execution.journal_reader import Filter
    from bybitd.order_execution.ledger import State

    known = dict.fromkeys([*map(str, State), *map(str, ActionState)])
    for state in options.state:
        if state not in known:
            raise StartError(f"there is no state {state!r}; there are {', '.join(known)}")
    return Filter(
        id=options.id,
        client=options.client,
        symbol=options.symbol,
        states=tuple(options.state),
        since_ns=moment_ns(options.since) if options.since else None,
        until_ns=moment_ns(options.until) if options.until else None,
    )


def moment_ns(text: str, now: datetime | None = None) -> int:
    """Return the Unix ns of a moment that a person wrote: an ISO time, or how long ago it was.

    Raises:
        StartError: it is neither.
    """
    now = now or datetime.now(UTC)
    if ago := re.fullmatch(r"(\d{1,6})([smhd])", text, re.ASCII):
        at = now - timedelta(**{_AGO[ago[2]]: int(ago[1])})
    else:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise StartError(
                f"{text!r} is no time; write 2026-11-24T10:00, or 30m for half an hour ago"
            ) from None
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _newest_first(journal: JournalReader, wanted: Filter) -> Iterator[Order | Action]:
    return heapq.merge(
        journal.orders(wanted),
        journal.actions(wanted),
        key=lambda thing: thing.received_ns,
        reverse=True,
    )


def _oldest_first(journal: JournalReader, wanted: Filter) -> Iterator[Order | Action]:
    yield from journal.orders(wanted, oldest_first=True)
    yield from journal.actions(wanted, oldest_first=True)


def _flat(thing: Order | Action) -> dict[str, Any]:
    """Return an order or request as one row: what `order.status` tells, and how it left."""
    row: dict[str, Any] = {
        "received": _iso(thing.received_ns),
        "op": getattr(thing, "op", "order.create"),
    }
    for key, name in _COLUMNS.items():
        value = getattr(thing, name, "")  # an order has more of them than a request
        row[key] = "" if value is None else value
    return row


def _whole(thing: Order | Action) -> dict[str, Any]:
    row = _flat(thing)
    row["args"] = json.loads(thing.args)
    answer = getattr(thing, "answer", "")
    return row | ({"answer": json.loads(answer)} if answer else {})


def _iso(at_ns: int) -> str:
    at = datetime.fromtimestamp(at_ns // 10**9, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ns % 10**9 // 10**6:03d}Z"


def _write_csv(output: TextIO, rows: Iterable[dict[str, Any]]) -> None:
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(output, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
