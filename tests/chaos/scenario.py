"""What can be made to go wrong, and how one run is drawn from a seed. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from tests.chaos import points

BUS, PRIVATE, ORDERS = "bus", "private-stream-main", "order-execution-main"
Fields = tuple[tuple[str, object], ...]
OPS: Final = (
    "order.create",
    "order.create",
    "order.create",
    "order.create-batch",
    "order.amend",
    "order.cancel",
    "order.amend-batch",
    "order.cancel-batch",
)
# At the exchange: the request has arrived, or it was acted on and nobody was told.
_MOMENTS: Final = ("acting", "acted")
# How long a request lies about before the exchange acts on it: longer than a client waits, and less
# than its recv_window.
_HOLDS_MS: Final = (100, 400, 700, 950)
_BAD_WEATHER: Final = 0.3
_VICTIMS: Final = ((ORDERS,), (PRIVATE,), (BUS,), (ORDERS, PRIVATE), (BUS, ORDERS, PRIVATE))
# What the exchange's side of the wire does to the answer; names of the simulator's faults.
_ANSWERS: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("lose_ack", {"when": "before"}),
    ("lose_ack", {"when": "after"}),
    ("lose_ack", {"when": "before", "cut": True}),
    ("lose_ack", {"when": "after", "cut": True}),
    ("answer", {"code": 10016}),
    ("answer", {"code": 10016, "act": True}),
    ("answer", {"code": 10000, "act": True, "cut": True}),
    ("answer", {"code": 10016, "req_id": False}),
    ("answer", {"code": 10019}),
    ("hold_ack", {"ms": 200}),
    ("hold_ack", {"ms": 1200}),
    ("omit_req_id", {}),
    ("answer", {"code": 10006}),
    ("answer", {"code": 110007}),
)
# What may happen beside: the exchange promises no order between its events and its answers.
_WEATHER: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("hold_events", {"topic": "order", "ms": 300}),
    ("hold_events", {"topic": "order", "ms": 1500, "count": 2}),
    ("hold_events", {"topic": "execution", "ms": 700}),
    ("swap_events", {"topic": "order"}),
    ("repeat", {"category": "private", "topic": "order", "count": 2}),
    ("repeat", {"category": "private", "topic": "execution"}),
    ("double_filled", {}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run: an op, and one thing that goes wrong on its way.

    `kind` is `point` (`program` dies at `where`), `moment` (`victims` die when the exchange is at
    `where`), `cut` (`scope` is cut then), `held` (acted on `hold_ms` late, `scope` cut meanwhile),
    `restart` (of the exchange), `node` (of its trade node) or `answer` (the simulator's fault
    `where` with `fields`). `weather` is a fault of the private stream that goes with it.
    `fills` has the order meet the market, `again` has the client ask a second time.
    """

    op: str
    category: str
    fills: bool
    again: bool
    kind: str
    where: str
    program: str = ""
    victims: tuple[str, ...] = ()
    scope: str = ""
    hold_ms: int = 0
    fields: Fields = ()
    weather: tuple[str, Fields] | None = None

    @property
    def step(self) -> str:
        """Where on the order's way it strikes, for the report."""
        if self.kind == "point":
            return f"kill {self.program} at {self.where}"
        if self.kind == "moment":
            return f"kill {'+'.join(self.victims)} at {self.where}"
        if self.kind == "cut":
            return f"cut {self.scope} at {self.where}"
        if self.kind == "restart":
            return f"restart the exchange at {self.where}"
        if self.kind == "held":
            return f"held for {self.hold_ms} ms{f', cut {self.scope}' if self.scope else ''}"
        return f"{self.where} {' '.join(f'{name}={value}' for name, value in self.fields)}"


def draw(rng: random.Random, *, over_rest: bool) -> Scenario:
    """Draw one run; every step of the way is as likely as any other."""
    op = rng.choice(OPS)
    category = rng.choice(("linear", "linear", "spot"))
    fills = op.startswith("order.create") and rng.random() < 0.3
    again = rng.random() < 0.5
    kind = rng.choice(("point", "point", "point", "moment", "cut", "held", "answer", "restart"))
    if kind == "restart" and not over_rest and rng.random() < 0.5:
        kind = "node"
    weather = None
    if rng.random() < _BAD_WEATHER:
        name, what = rng.choice(_WEATHER)
        weather = name, tuple(what.items())
    base = {"op": op, "category": category, "fills": fills, "again": again, "kind": kind}
    base["weather"] = weather
    if kind == "point":
        program, where = rng.choice(_way(over_rest=over_rest))
        return Scenario(**base, where=where, program=program)  # type: ignore[arg-type]
    if kind == "moment":
        where, victims = rng.choice(_MOMENTS), rng.choice(_VICTIMS)
        return Scenario(**base, where=where, victims=victims)  # type: ignore[arg-type]
    if kind == "cut":
        scope = rng.choice(("rest" if over_rest else "trade", "private", "all"))
        return Scenario(**base, where=rng.choice(_MOMENTS), scope=scope)  # type: ignore[arg-type]
    if kind == "held":
        scope, hold_ms = rng.choice(("", "private", "all")), rng.choice(_HOLDS_MS)
        return Scenario(**base, where="acting", scope=scope, hold_ms=hold_ms)  # type: ignore[arg-type]
    if kind == "restart":
        seconds: Fields = (("seconds", rng.choice((0.0, 0.3))),)
        return Scenario(**base, where=rng.choice(_MOMENTS), fields=seconds)  # type: ignore[arg-type]
    if kind == "node":
        down: Fields = (("seconds", rng.choice((0.2, 1.0))),)
        return Scenario(**base, where="restart_trade_node", fields=down)  # type: ignore[arg-type]
    name, fields = rng.choice(_ANSWERS)
    return Scenario(**base, where=name, fields=tuple(fields.items()))  # type: ignore[arg-type]


def _way(*, over_rest: bool) -> list[tuple[str, str]]:
    """Return every step that an order passes, as (program, point)."""
    not_passed = ("sending", "sent") if over_rest else ("posting", "posted")
    way = [(ORDERS, point) for point in points.ORDER_EXECUTION if point not in not_passed]
    way += [(PRIVATE, point) for point in points.PRIVATE_STREAM]
    return way + [(BUS, point) for point in points.BUS]
