"""Takes orders through faults, block by block, and compares everything after each block."""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from tests.chaos.scenario import ORDERS, Scenario, draw
from tests.chaos.verdict import Fault, Known, Told, judge
from tests.chaos.world import World, world

BLOCK: Final = 20
_QUIET_S: Final = 40.0
_REPLY_S: Final = 3.0
_REST_BLOCKS: Final = 4  # one block in so many goes over REST: the trade socket is kept away
_LAGGING_BLOCKS: Final = 0.3
_LAGS_MS: Final = (500, 1500, 2500)  # less than what the proof of absence waits for
_QTY: Final = {"linear": "0.010", "spot": "0.001000"}
_AMENDED: Final = {"linear": "0.020", "spot": "0.002000"}
_PRICE: Final = {"linear": "20000.00", "spot": "20000.0"}  # far below the market: it rests
SYMBOL: Final = "BTCUSDT"


@dataclass(slots=True)
class Result:
    """What came of a campaign. `missed` counts runs whose fault found nothing to strike."""

    seed: int
    runs: int = 0
    missed: int = 0
    orders: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """Take in another campaign's result."""
        self.runs += other.runs
        self.missed += other.missed
        self.orders += other.orders
        self.faults += other.faults
        self.steps += other.steps
        self.details += other.details

    def figures(self) -> dict[str, Any]:
        """Return what `build/chaos.json` holds."""
        return {
            "runs": self.runs,
            **{str(fault): self.faults[fault] for fault in Fault},
            "seed": self.seed,
            "orders": self.orders,
            "missed": self.missed,
            "steps": dict(sorted(self.steps.items())),
            "details": self.details,
        }


class Campaign:
    """Runs against one world. The same seed draws the same scenarios."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = random.Random(seed)
        self._number = 0
        self._seed = seed
        self.result = Result(seed)

    def block(self, runs: int, *, over_rest: bool) -> None:
        """Take orders through `runs` faults, then wait for quiet and compare."""
        self._choose_way(over_rest=over_rest)
        orders: list[tuple[Told, Scenario]] = []
        for _ in range(runs):
            scenario = draw(self._rng, over_rest=over_rest)
            orders.append((self._run(scenario), scenario))
        self._world.disarm()
        self._world.revive()
        due_s = time.monotonic() + _QUIET_S
        for told, scenario in orders:
            self._compare(told, scenario, due_s)
        self.result.orders += len(orders)

    def _choose_way(self, *, over_rest: bool) -> None:
        """Set what holds for a whole block: the way of the requests, and how far REST lags."""
        world = self._world
        world.conditions = [("refuse_connect", {"scope": "trade"})] if over_rest else []
        if self._rng.random() < _LAGGING_BLOCKS:
            world.conditions.append(("read_lag", {"ms": self._rng.choice(_LAGS_MS)}))
        world.way = "degraded" if over_rest else "ready"
        world.disarm()
        if over_rest:
            world.simulator.fault("cut", scope="trade")
        world.wait_state(ORDERS, world.way)

    def _run(self, scenario: Scenario) -> Told:
        world = self._world
        self._number += 1
        link_id = f"c{self._seed}-{self._number}"
        told = Told(
            link_id=link_id,
            category=scenario.category,
            symbol=SYMBOL,
            args=self._order(link_id, scenario),
        )
        creates = scenario.op.startswith("order.create")
        if not creates:
            told.creates.append(world.request("order.create", told.args, _REPLY_S))
        self._arm(scenario)
        outcome = self._ask(told, scenario)
        struck = self._struck(scenario)
        world.disarm()
        world.revive()
        if scenario.again and outcome != "rejected":
            self._ask(told, scenario)
        self.result.steps[scenario.step] += struck
        self.result.runs += struck
        self.result.missed += not struck
        return told

    def _ask(self, told: Told, scenario: Scenario) -> str:
        """Send the request of a run once, and note what it is told."""
        op, args = scenario.op, self._request(told, scenario)
        outcome = self._world.request(op, args, _REPLY_S)
        name = op.removeprefix("order.").removesuffix("-batch")
        (told.creates if name == "create" else told.changes.setdefault(name, [])).append(outcome)
        return outcome

    def _order(self, link_id: str, scenario: Scenario) -> dict[str, Any]:
        category = scenario.category
        order = {"category": category, "symbol": SYMBOL, "side": "Buy", "orderType": "Limit"}
        order |= {"qty": _QTY[category], "price": _PRICE[category], "orderLinkId": link_id}
        if scenario.fills:
            ask = Decimal(self._world.exchange.best_ask(category, SYMBOL))
            order |= {"price": str(ask), "timeInForce": "IOC"}
        return order

    def _request(self, told: Told, scenario: Scenario) -> dict[str, Any]:
        op = scenario.op
        if op.startswith("order.create"):
            item = dict(told.args)
        else:
            item = {"category": told.category, "symbol": SYMBOL, "orderLinkId": told.link_id}
            if op.startswith("order.amend"):
                item["qty"] = _AMENDED[told.category]
        if not op.endswith("-batch"):
            return item
        del item["category"]
        return {"category": told.category, "request": [item]}

    def _arm(self, scenario: Scenario) -> None:
        world = self._world
        if scenario.weather:
            name, fields = scenario.weather
            world.simulator.fault(name, **dict(fields))
        if scenario.kind == "point":
            world.arm(scenario.program, scenario.where)
        elif scenario.kind == "moment":
            setattr(world.exchange, scenario.where, lambda: world.strike(*scenario.victims))
        elif scenario.kind in ("cut", "held"):
            sim = world.simulator.simulator
            world.exchange.hold_ms = scenario.hold_ms
            if scenario.scope:
                cut = functools.partial(sim.fault, "cut", scope=scenario.scope)
                setattr(world.exchange, scenario.where, cut)
        elif scenario.kind == "restart":
            sim, seconds = world.simulator.simulator, dict(scenario.fields)["seconds"]
            # Not in the middle of what it is doing, but before anything else can happen.
            restart = functools.partial(sim.fault, "restart_exchange", seconds=seconds)
            later = lambda: asyncio.get_running_loop().call_soon(restart)  # noqa: E731
            setattr(world.exchange, scenario.where, later)
        elif scenario.kind == "node":
            world.simulator.fault(scenario.where, **dict(scenario.fields))
        else:
            world.simulator.fault(scenario.where, op=scenario.op, **dict(scenario.fields))

    def _struck(self, scenario: Scenario) -> bool:
        """Tell whether what was armed has happened; a death may take a moment to show."""
        world = self._world
        if scenario.kind == "answer":
            return not world.simulator.state()["faults"]["orders"]
        if scenario.kind == "node":
            return True
        if scenario.kind in ("cut", "held", "restart"):
            return getattr(world.exchange, scenario.where) is None and not world.exchange.hold_ms
        expected = {scenario.program} if scenario.kind == "point" else set(scenario.victims)
        due_s = time.monotonic() + 0.5
        while not expected <= set(world.dead()):
            if time.monotonic() > due_s:
                return False
            time.sleep(0.01)
        return True

    def _compare(self, told: Told, scenario: Scenario, due_s: float) -> None:
        """Judge one order; what is wrong only until quiet returns is not wrong."""
        while True:
            found = self._judge(told)
            if not found or time.monotonic() > due_s:
                break
            time.sleep(0.05)
        for fault, what in found:
            self.result.faults[fault] += 1
            self.result.details.append(
                f"{fault}: {told.link_id} ({scenario.op}, {told.category}; {scenario.step}): {what}"
            )

    def _judge(self, told: Told) -> list[tuple[Fault, str]]:
        world = self._world
        world.listen_on()
        answer = world.known(told.link_id)
        if answer is None:
            return [(Fault.UNSETTLED, "the gateway does not say what it knows of it")]
        rows = world.exchange.orders(told.link_id)
        received: Counter[str] = Counter()
        for row in rows:
            received.update(row["received"])
        return judge(
            told,
            Known(
                journal=answer[1],
                events=tuple(world.told[told.link_id]),
                records=[row for row in rows if row["orderId"]],
                arrived=received["order.create"],
                arrived_changes={op: received[f"order.{op}"] for op in ("amend", "cancel")},
            ),
        )


def run(seed: int, runs: int) -> Result:
    """Run a campaign in a world of its own until `runs` faults have struck."""
    with world(seed) as made:
        campaign = Campaign(made, seed)
        number = 0
        while campaign.result.runs < runs:
            left = runs - campaign.result.runs
            campaign.block(min(BLOCK, left), over_rest=number % _REST_BLOCKS == _REST_BLOCKS - 1)
            number += 1
        return campaign.result
