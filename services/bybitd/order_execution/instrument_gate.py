"""The rules of the instruments as a gate, and the fetching of them.

A category is fetched when it is first traded and kept fresh from then on; the last known rows, of
an earlier run too, stand while a fetch fails. A request is never refused by rows that may be
outdated, and never let through without any: it is held for a moment while they are fetched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.server import Call
from bybitd.nearest import nearest
from bybitd.net.clock import now_ms
from bybitd.net.ip_gate import Gate
from bybitd.net.rest import RestWorker
from bybitd.order_execution import answers
from bybitd.order_execution.gates import Ask
from bybitd.order_execution.order_store import OrderStore
from bybitd.runtime.exchange import Endpoints
from bybitd.runtime.instruments import Instruments, keep, recall
from bybitd.runtime.loop import Loop
from bybitd.venue import instrument_rules
from bybitd.venue.errors import BadField, InstrumentError
from bybitd.venue.instruments import Instrument, parse

FRESH_NS: Final = 60 * 10**9  # a refusal that rests on older rows waits for new ones
_HOLD_MS: Final = 3000


class InstrumentGate:
    """Keeps the instruments of every category that is traded, and refuses what breaks their rules.

    `find` tells where the exchange is, `exchange_ms` what its clock shows; fetches pass `ip_gate`.
    `folder` is where the rows are kept for a later run of the same `environment`.
    """

    def __init__(
        self,
        loop: Loop,
        worker: RestWorker,
        find: Callable[[], Endpoints | None],
        ip_gate: Gate,
        exchange_ms: Callable[[], int],
        orders: OrderStore,
        folder: Path,
        environment: str,
    ) -> None:
        self._loop = loop
        self._worker = worker
        self._find = find
        self._ip_gate = ip_gate
        self._exchange_ms = exchange_ms
        self._orders = orders
        self._folder = folder
        self._environment = environment
        self._rows: dict[str, Instruments] = {}
        self._parsed: dict[tuple[str, str], Instrument] = {}
        self._held: dict[str, list[Callable[[], None]]] = {}

    def refusal(self, ask: Ask) -> ErrorBody | None:
        """Return why the rules forbid a request, as far as they are known."""
        if ask.op not in instrument_rules.CHECKED:
            return None
        category = ask.category
        for path, args in ask.items:
            it = self._parsed.get((category, args["symbol"])) or self._find_instrument(
                category, args["symbol"]
            )
            if it is None:
                return self._unknown(ask.op, path, category, args["symbol"])
            resting = self._resting(args) if ask.op.startswith("order.amend") else None
            try:
                instrument_rules.check(ask.op, path, it, args, self._exchange_ms(), resting)
            except BadField as error:
                return answers.bad_field(error)
        return None

    def hold(self, ask: Ask, call: Call, resume: Callable[[], None]) -> bool:
        """Fetch the rules that refuse a request if they are not fresh, and call `resume` then, or
        when it takes too long. Returns False, doing nothing, if they are.
        """
        category = ask.category
        rows = self._of(category)
        if time.time_ns() - rows.fetched_ns < FRESH_NS:
            return False
        wait_ms = _HOLD_MS
        deadline_ms = call.request.deadline_at_ms(call.received_ns // 1_000_000)
        if deadline_ms is not None:
            # Leave it some of its time: an answer that comes too late is none.
            wait_ms = min(wait_ms, max(0, (deadline_ms - now_ms()) // 2))
        held = self._held.setdefault(category, [])
        held.append(resume)
        if len(held) == 1:
            rows.refresh()
        self._loop.call_later(wait_ms / 1000, lambda: self._too_long(category, resume))
        return True

    def describe(self) -> dict[str, Any]:
        """Return what the status shows: each category that is traded."""
        return {category: rows.describe() for category, rows in self._rows.items()}

    def instrument(self, category: str, symbol: str) -> Instrument | None:
        """Return what is known of an instrument."""
        return self._parsed.get((category, symbol)) or self._find_instrument(category, symbol)

    def _of(self, category: str) -> Instruments:
        rows = self._rows.get(category)
        if rows is None:
            rows = self._rows[category] = Instruments(
                *(category, self._loop, self._worker, self._find, self._ip_gate),
                lambda: self._fetched(category),
            )
            if (kept := recall(self._path(category))) is not None:
                rows.adopt(kept)
            rows.refresh()
        return rows

    def _path(self, category: str) -> Path:
        return self._folder / f"instruments.{self._environment}.{category}.json"

    def _find_instrument(self, category: str, symbol: str) -> Instrument | None:
        for row in self._of(category).rows(symbol):
            try:
                it = self._parsed[category, symbol] = parse(category, row)
            except InstrumentError:
                return None
            return it
        return None

    def _unknown(self, op: str, path: str, category: str, symbol: str) -> ErrorBody:
        rows = self._of(category)
        if not rows.fetched_ns:
            why = f": {rows.problem}" if rows.problem else ""
            return gateway_error(
                Code.NOT_READY,
                f"{op}: the rules of the {category} instruments are not known yet{why}; nothing "
                "was sent",
                hint="they are being fetched; try again",
                retry_safe=True,
            )
        if row := rows.rows(symbol):
            try:
                parse(category, row[0])
            except InstrumentError as error:
                problem = f"{op}: {path}symbol can not be checked: {error}"
                return gateway_error(Code.BAD_FIELD, problem)
        near = nearest(symbol, [row["symbol"] for row in rows.rows()])
        rule = f"is no symbol of {category} that trades now: {symbol!r}"
        return answers.bad_field(
            BadField(op, f"{path}symbol", rule + (f"; did you mean {near!r}?" if near else ""))
        )

    def _resting(self, args: Mapping[str, Any]) -> Mapping[str, Any] | None:
        order = self._orders.find_live(args.get("orderId", ""), args.get("orderLinkId", ""))
        if order is None:
            return None
        asked = answers.arguments(order)
        shown = {"price": order.price, "qty": order.qty}
        return {**asked, **{name: value for name, value in shown.items() if value}}

    def _fetched(self, category: str) -> None:
        self._parsed = {key: it for key, it in self._parsed.items() if key[0] != category}
        kept, path = self._rows[category].kept(), self._path(category)
        self._worker.submit(lambda: keep(path, kept), lambda _done, _error: None)
        for resume in self._held.pop(category, ()):
            resume()

    def _too_long(self, category: str, resume: Callable[[], None]) -> None:
        held = self._held.get(category, [])
        if resume in held:
            held.remove(resume)
            if not held:
                del self._held[category]
            resume()
