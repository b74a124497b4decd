"""What can go wrong round an order, step by step. Pure: time is an argument.

| fault | fields (default) | effect |
|---|---|---|
| `lose_ack` | `when` (after), `cut` (false), `cut_scope` (none) + *which* | the order's \
acknowledgement never comes: lost `before` or `after` the order was acted on. With `cut` the \
connection ends there as well, with `cut_scope` those of a scope, before any event of the order \
is sent; over REST the connection always ends |
| `hold_ack` | `ms` + *which* | the order is acted on and its events are sent, the acknowledgement \
follows that much later |
| `answer` | `code`, `msg`, `act` (false), `cut` (false), `req_id` (true) + *which* | the order is \
answered with that retCode, acted on only with `act`; without `req_id` the answer lacks its \
reqId; over REST 403 and 429 are HTTP statuses |
| `omit_req_id` | *which* | the order is acted on, its answer lacks the reqId |
| `hold_events` | `topic`, `ms`, `count` (1) | the next messages of a private topic leave that \
much later, overtaken by everything else |
| `swap_events` | `topic`, `count` (1), `ms` (1000) | the next message of a private topic goes \
out behind the one that follows it, or after that time alone |
| `double_filled` | `count` (1) | after the next `Filled` comes another: the trace of a cancel \
that was too late |
| `read_lag` | `ms` | REST shows orders and executions only that long after they were made; 0 \
ends it |
| `restart_trade_node` | `seconds` (1) | the trade sockets that are open refuse what is new with \
10019, still send answers that are under way, and end after that time; new ones work |
| `restart_exchange` | `seconds` (0) | every connection is cut and the exchange starts again from \
its accounts; nothing can connect meanwhile (HTTP 503) |
| `execution` | `execType`, `category` (linear), `symbol` (BTCUSDT), `uid` (the first), `qty` \
(all) | a position gets an execution that no order made: Funding, AdlTrade, BustTrade (with the \
cancels of a liquidation), Settle |

*which*: `count` (1), `op` (any order; an operation such as `order.create`, also a signed GET such \
as `order.realtime` or the `auth` of a socket when it is named), `orderLinkId` (any). For `auth` \
only `answer` makes sense.

`drop` and `repeat` (see `faults`) lose or double private messages when their `category` is \
`private` and their `topic` the all-in-one name (`order`, `execution`, `position`, `wallet`).
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from bybitd.simulator.refusal import Refusal
from bybitd.simulator.wire.fault import Fault, Milliseconds, PositiveCount, Scope, Seconds

PrivateTopic = Literal["order", "execution", "execution.fast", "position", "wallet", "greeks"]


class OnOrder(Fault, frozen=True, kw_only=True):
    """A fault that happens to the next requests of a kind."""

    count: PositiveCount = 1
    op: str = ""
    orderLinkId: str = ""


class LoseAck(OnOrder, frozen=True, kw_only=True):
    when: Literal["before", "after"] = "after"
    cut: bool = False
    cut_scope: Scope | None = None


class HoldAck(OnOrder, frozen=True, kw_only=True):
    ms: Milliseconds


class Answer(OnOrder, frozen=True, kw_only=True):
    code: int
    msg: str = ""
    act: bool = False
    cut: bool = False
    req_id: bool = True


class OmitReqId(OnOrder, frozen=True, kw_only=True):
    pass


class HoldEvents(Fault, frozen=True, kw_only=True):
    topic: PrivateTopic
    ms: Milliseconds
    count: PositiveCount = 1


class SwapEvents(Fault, frozen=True, kw_only=True):
    topic: PrivateTopic
    count: PositiveCount = 1
    ms: Milliseconds = 1_000


class DoubleFilled(Fault, frozen=True, kw_only=True):
    count: PositiveCount = 1


class ReadLag(Fault, frozen=True, kw_only=True):
    ms: Milliseconds


class RestartTradeNode(Fault, frozen=True, kw_only=True):
    seconds: Seconds = 1.0


class RestartExchange(Fault, frozen=True, kw_only=True):
    seconds: Seconds = 0.0


class Execution(Fault, frozen=True, kw_only=True):
    execType: Literal["Funding", "AdlTrade", "BustTrade", "Settle"]
    category: Literal["linear", "inverse", "option"] = "linear"
    symbol: str = "BTCUSDT"
    uid: int | None = None
    qty: str = ""


OrderFault = LoseAck | HoldAck | Answer | OmitReqId
EventFault = HoldEvents | SwapEvents

KNOWN: dict[str, type[Fault]] = {
    "lose_ack": LoseAck,
    "hold_ack": HoldAck,
    "answer": Answer,
    "omit_req_id": OmitReqId,
    "hold_events": HoldEvents,
    "swap_events": SwapEvents,
    "double_filled": DoubleFilled,
    "read_lag": ReadLag,
    "restart_trade_node": RestartTradeNode,
    "restart_exchange": RestartExchange,
    "execution": Execution,
}


class OrderFaults:
    """The faults that wait for a request or an event. Those that happen at once are not here."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget them all."""
        self.read_lag_ms = 0
        self._requests: list[tuple[OrderFault, int]] = []
        self._events: list[tuple[EventFault, int]] = []
        self._double_filled = 0

    def arm(self, fault: Fault) -> None:
        """Let a fault wait for its occasion; other faults change nothing here."""
        match fault:
            case OnOrder(count=count):
                self._requests.append((fault, count))  # type: ignore[arg-type]  # its subclasses
            case HoldEvents(count=count) | SwapEvents(count=count):
                self._events.append((fault, count))
            case DoubleFilled(count=count):
                self._double_filled += count
            case ReadLag(ms=ms):
                self.read_lag_ms = ms

    def for_request(
        self, op: str, body: Mapping[str, Any], *, reading: bool = False
    ) -> OrderFault | None:
        """Take the fault for the request that is about to be handled.

        One that names no operation means orders and no reading.
        """
        for index, (fault, _) in enumerate(self._requests):
            fits = fault.op == op or (not fault.op and op.startswith("order.") and not reading)
            if fits and fault.orderLinkId in ("", *link_ids(body)):
                _use(self._requests, index)
                return fault
        return None

    def refusal_of_auth(self) -> Refusal | None:
        """Take the refusal that the next authentication on a socket is to get."""
        fault = self.for_request("auth", {}, reading=True)
        return Refusal(fault.code, fault.msg) if isinstance(fault, Answer) else None

    def for_event(self, topic: str) -> EventFault | None:
        """Take the fault for the message of a private topic that is about to be sent."""
        for index, (fault, _) in enumerate(self._events):
            if fault.topic == topic:
                _use(self._events, index)
                return fault
        return None

    def doubles_filled(self) -> bool:
        """Tell whether this `Filled` is followed by another, and count it."""
        if not self._double_filled:
            return False
        self._double_filled -= 1
        return True

    def describe(self) -> dict[str, Any]:
        """List what lasts or waits, for `GET /sim/state`."""
        return {
            "orders": [remaining(fault, count) for fault, count in self._requests],
            "events": [remaining(fault, count) for fault, count in self._events],
            "double_filled": self._double_filled,
            "read_lag_ms": self.read_lag_ms,
        }


def link_ids(body: Mapping[str, Any]) -> list[str]:
    """List the orderLinkIds that a request names, those of its batch items as well."""
    items = body.get("request")
    bodies = [body, *items] if isinstance(items, list) else [body]
    found = (one.get("orderLinkId") for one in bodies if isinstance(one, Mapping))
    return [link_id for link_id in found if isinstance(link_id, str) and link_id]


def remaining(fault: Fault, count: int) -> dict[str, Any]:
    """Describe a fault that is used up by counting: its fields and how often it still happens."""
    name = next(name for name, kind in KNOWN.items() if kind is type(fault))
    fields: dict[str, Any] = msgspec.to_builtins(fault)
    return {"fault": name} | fields | {"count": count}


def _use(waiting: list[Any], index: int) -> None:
    fault, count = waiting[index]
    if count > 1:
        waiting[index] = fault, count - 1
    else:
        del waiting[index]
