"""An order storm: many clients of one account against a limit of ten orders a second.

`python -m tests.order_execution.storm [--seconds N] [--clients N] [--seed N]` runs the account's
processes against a simulator with rate limits and prints what came of it. Each client keeps some
creates in flight, greedy ones more than others, and cancels half of what it placed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
import zmq

from bybitbus.client import Client
from bybitbus.endpoints import requests_address
from bybitbus.messages import Reply
from tests.bench.figures import percentile
from tests.order_execution.gateway import FAR, ORDERS, PRIVATE, Gateway, running

_DEADLINE_MS = 5000
_IN_FLIGHT = (1, 2, 4, 8)  # creates of a client at a time, by turns
_BTC = {"category": "linear", "symbol": "BTCUSDT"}


@dataclass
class _Asked:
    op: str
    at_ns: int
    deadline_ms: int
    link_id: str


@dataclass
class _Trader:
    """One client: what it waits for, and when it may ask again."""

    name: str
    most: int
    client: Client
    asked: dict[str, _Asked] = field(default_factory=dict)
    placed: int = 0
    numbers: int = 0
    not_before_s: float = 0.0

    def ask(self, op: str, args: dict[str, Any]) -> None:
        at_ns = time.time_ns()
        deadline_ms = at_ns // 1_000_000 + _DEADLINE_MS
        key = self.client.send(op, args, deadline_ms=deadline_ms)
        self.asked[key] = _Asked(op, at_ns, deadline_ms, args["orderLinkId"])

    def create(self) -> None:
        self.numbers += 1
        link_id = f"{self.name}-{self.numbers}"
        self.ask("order.create", {**_BTC, **FAR, "orderLinkId": link_id})

    def creating(self) -> int:
        return sum(asked.op == "order.create" for asked in self.asked.values())


@dataclass
class Result:
    """What came of a storm. Times are ms; `late` counts answers after their deadline."""

    seconds: float = 0.0
    asked: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    over_limit: int = 0
    unanswered: int = 0
    latest_ms: float = 0.0
    created_per_s: float = 0.0
    placed: list[int] = field(default_factory=list)
    create_ms: list[float] = field(default_factory=list)
    cancel_ms: list[float] = field(default_factory=list)

    @property
    def jain(self) -> float:
        """Return Jain's fairness of the orders placed: 1 is an equal share for everybody."""
        squares = sum(number**2 for number in self.placed)
        return sum(self.placed) ** 2 / (len(self.placed) * squares) if squares else 0.0

    def figures(self) -> dict[str, Any]:
        """Return what is printed."""
        return {
            "seconds": round(self.seconds, 1),
            "clients": len(self.placed),
            "asked": self.asked,
            "outcomes": dict(self.outcomes),
            "over_limit_at_exchange": self.over_limit,
            "unanswered": self.unanswered,
            "latest_answer_after_deadline_ms": round(self.latest_ms, 1),
            "created_per_s": round(self.created_per_s, 2),
            "jain": round(self.jain, 3),
            "least_share": round(min(self.placed) / max(self.placed), 3),
            "create_p50_ms": round(percentile(self.create_ms, 50), 1),
            "cancel_p50_ms": round(percentile(self.cancel_ms, 50), 1),
            "cancel_p99_ms": round(percentile(self.cancel_ms, 99), 1),
        }


def storm(gateway: Gateway, clients: int, seconds: float, seed: int = 1) -> Result:
    """Let so many clients loose for so long, and wait for every answer."""
    dice, result = random.Random(seed), Result()
    address = requests_address(gateway.run_dir, ORDERS)
    assert gateway.create("storm-warm-up").ok  # the instruments are known from here on
    traders = [
        _Trader(
            f"trader-{number}",
            _IN_FLIGHT[number % len(_IN_FLIGHT)],
            Client(address, client=f"trader-{number}", context=gateway.context),
        )
        for number in range(clients)
    ]
    poller = zmq.Poller()
    by_socket = {}
    for trader in traders:
        poller.register(trader.client.socket, zmq.POLLIN)
        by_socket[trader.client.socket] = trader
    began_s = time.monotonic()
    ends_s = began_s + seconds
    patience_s = ends_s + _DEADLINE_MS / 1000 + 10
    try:
        while any(trader.asked for trader in traders) or time.monotonic() < ends_s:
            now_s = time.monotonic()
            if now_s > patience_s:
                break
            for trader in traders:
                while trader.not_before_s <= now_s < ends_s and trader.creating() < trader.most:
                    trader.create()
                    result.asked += 1
            for socket, _ in poller.poll(20):
                trader = by_socket[socket]
                while (reply := trader.client.receive(0)) is not None:
                    _take(trader, reply, result, dice, cancels=now_s < ends_s)
    finally:
        for trader in traders:
            trader.client.close()
    result.seconds = time.monotonic() - began_s
    result.unanswered = sum(len(trader.asked) for trader in traders)
    result.placed = [trader.placed for trader in traders]
    result.created_per_s = sum(result.placed) / result.seconds
    result.over_limit = gateway.simulator.state()["limited"]
    return result


def _take(
    trader: _Trader, reply: Reply, result: Result, dice: random.Random, *, cancels: bool
) -> None:
    asked = trader.asked.pop(reply.id)
    replied_ns = reply.t["replied"]
    result.latest_ms = max(result.latest_ms, replied_ns / 1e6 - asked.deadline_ms)
    result.outcomes[f"{asked.op} {reply.error.code if reply.error else 'ok'}"] += 1
    if reply.error is not None:
        after_ms = reply.error.retry_after_ms or 100
        # It would be refused until there is room before its deadline: asking sooner is noise.
        trader.not_before_s = time.monotonic() + min(after_ms, 500) / 1000
        return
    waited_ms = (replied_ns - asked.at_ns) / 1e6
    if asked.op == "order.create":
        trader.placed += 1
        result.create_ms.append(waited_ms)
        if cancels and dice.random() < 0.5:
            trader.ask("order.cancel", {**_BTC, "orderLinkId": asked.link_id})
            result.asked += 1
    else:
        result.cancel_ms.append(waited_ms)


def main() -> int:
    """Run a storm and print what came of it; 1 if a rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.order_execution.storm")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with running(PRIVATE, ORDERS, limits=True) as gateway:
        result = storm(gateway, options.clients, options.seconds, options.seed)
    print(msgspec.json.format(msgspec.json.encode(result.figures())).decode())
    return int(bool(result.over_limit or result.unanswered))


if __name__ == "__main__":
    sys.exit(main())
