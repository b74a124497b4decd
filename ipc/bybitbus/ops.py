"""The ops of the request sockets and where the bus sends them (`ipc/PROTOCOL.md`, "Ops").

`writes` tells whether an op may change something at the exchange: an unanswered one is then
`unknown`, never `rejected`.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Route(Enum):
    """Which program serves an op."""

    ORDER_EXECUTION = "order-execution-<account>"
    PRIVATE_STREAM = "private-stream-<account>"
    PUBLIC_FEED = "public-feed-<args.category>"
    BUS = "bus"
    ACCOUNTS = "order-execution-<args.account>, all of them without it"
    EVERY = "every program, through the bus"
    ANY = "args.program, the bus without it"


class Op(NamedTuple):
    """One op."""

    route: Route
    writes: bool


OPS: dict[str, Op] = {
    "order.create": Op(Route.ORDER_EXECUTION, True),
    "order.amend": Op(Route.ORDER_EXECUTION, True),
    "order.cancel": Op(Route.ORDER_EXECUTION, True),
    "order.cancel-all": Op(Route.ORDER_EXECUTION, True),
    "order.create-batch": Op(Route.ORDER_EXECUTION, True),
    "order.amend-batch": Op(Route.ORDER_EXECUTION, True),
    "order.cancel-batch": Op(Route.ORDER_EXECUTION, True),
    "order.pre-check": Op(Route.ORDER_EXECUTION, False),
    "order.validate": Op(Route.ORDER_EXECUTION, False),
    "order.status": Op(Route.ORDER_EXECUTION, False),
    "position.set-leverage": Op(Route.ORDER_EXECUTION, True),
    "position.switch-mode": Op(Route.ORDER_EXECUTION, True),
    "position.trading-stop": Op(Route.ORDER_EXECUTION, True),
    "position.set-auto-add-margin": Op(Route.ORDER_EXECUTION, True),
    "account.orders": Op(Route.PRIVATE_STREAM, False),
    "account.order-history": Op(Route.PRIVATE_STREAM, False),
    "account.executions": Op(Route.PRIVATE_STREAM, False),
    "account.positions": Op(Route.PRIVATE_STREAM, False),
    "account.wallet": Op(Route.PRIVATE_STREAM, False),
    "account.greeks": Op(Route.PRIVATE_STREAM, False),
    "account.fee-rate": Op(Route.PRIVATE_STREAM, False),
    "account.info": Op(Route.PRIVATE_STREAM, False),
    "market.snapshot": Op(Route.PUBLIC_FEED, False),
    "market.replay": Op(Route.PUBLIC_FEED, False),
    "market.instruments": Op(Route.PUBLIC_FEED, False),
    "market.rest": Op(Route.PUBLIC_FEED, False),
    "gateway.hello": Op(Route.BUS, False),
    "gateway.ping": Op(Route.ANY, False),
    "gateway.status": Op(Route.ANY, False),
    "gateway.subscriptions": Op(Route.ANY, False),
    "gateway.reload": Op(Route.EVERY, False),
    "gateway.kill": Op(Route.ACCOUNTS, True),
    "gateway.unkill": Op(Route.ACCOUNTS, True),
    "gateway.lease": Op(Route.ORDER_EXECUTION, True),
}
