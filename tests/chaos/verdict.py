"""Compares what the gateway says of an order with what the exchange knows. Pure.

| verdict | means |
|---|---|
| doubled | the exchange got the order more than once, or a change oftener than was asked for |
| lost | the exchange has the order and the journal has never heard of it |
| misreported | a reply, an event or the journal says something that is not so |
| unsettled | after quiet returned, something is still said to be on its way or unknown |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

_STATES: Final = {
    "New": "open",
    "Untriggered": "open",
    "PartiallyFilled": "part-filled",
    "Filled": "filled",
    "Cancelled": "cancelled",
    "PartiallyFilledCanceled": "cancelled",
    "Deactivated": "cancelled",
    "Rejected": "rejected",
}
_FINAL: Final = ("filled", "cancelled", "rejected")
_ON_THE_WAY: Final = ("received", "sent", "acknowledged", "unknown")


class Fault(StrEnum):
    """What can be wrong."""

    DOUBLED = "doubled"
    LOST = "lost"
    MISREPORTED = "misreported"
    UNSETTLED = "unsettled"


@dataclass(slots=True, kw_only=True)
class Told:
    """What a client asked of one order, and what it was told.

    `creates` and `changes` are the replies to each sending: the outcome (`accepted`, `rejected`,
    `unknown`), or "" where none came. `changes` are keyed by op.
    """

    link_id: str
    category: str
    symbol: str
    args: Mapping[str, Any]
    creates: list[str] = field(default_factory=list)
    changes: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one order when everything is quiet.

    `journal` is the result of `order.status`, None where the journal does not know it; `events` are
    the states that `gateway.order.` told of it, in order (some are missed while programs restart);
    `records` are the exchange's, `arrived` how often its creation arrived there, `arrived_changes`
    the changes by op.
    """

    journal: Mapping[str, Any] | None
    events: Sequence[str]
    records: Sequence[Mapping[str, Any]]
    arrived: int
    arrived_changes: Mapping[str, int]


def judge(told: Told, known: Known) -> list[tuple[Fault, str]]:
    """Return everything that is wrong with one order."""
    found: list[tuple[Fault, str]] = []
    exists = bool(known.records)
    if known.arrived > 1 or len(known.records) > 1:
        found.append((Fault.DOUBLED, f"arrived {known.arrived} times"))
    for op, arrived in known.arrived_changes.items():
        asked = len(told.changes.get(op, ()))
        if arrived > asked:
            found.append((Fault.DOUBLED, f"{op} arrived {arrived} times, asked {asked} times"))
    if "accepted" in told.creates and not exists:
        found.append((Fault.MISREPORTED, "a reply says accepted and there is no order"))
    if "rejected" in told.creates and exists:
        found.append((Fault.MISREPORTED, "a reply says rejected and there is an order"))
    if known.journal is None:
        if exists:
            found.append((Fault.LOST, "the exchange has it, the journal does not"))
        return found
    found += _journal(known.journal, known.records)
    state = str(known.journal.get("state"))
    if known.events and known.events[-1] in _FINAL and known.events[-1] != state:
        what = f"the last event says {known.events[-1]}, the journal {state}"
        found.append((Fault.MISREPORTED, what))
    if "rejected" in known.events and exists:
        found.append((Fault.MISREPORTED, "an event says rejected and there is an order"))
    found += _changes(told, known)
    return found


def _journal(
    journal: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> list[tuple[Fault, str]]:
    state = str(journal.get("state"))
    if state in _ON_THE_WAY:
        return [(Fault.UNSETTLED, f"the journal says {state}")]
    if not records:
        if state != "rejected":
            return [(Fault.MISREPORTED, f"the journal says {state} and there is no order")]
        return []
    status = str(records[0]["orderStatus"])
    if _STATES[status] != state:
        return [(Fault.MISREPORTED, f"the journal says {state}, the exchange {status}")]
    filled = Decimal(str(journal.get("cumExecQty") or 0))
    if filled != Decimal(str(records[0]["cumExecQty"])):
        return [(Fault.MISREPORTED, f"filled {filled} here, {records[0]['cumExecQty']} there")]
    return []


def _changes(told: Told, known: Known) -> list[tuple[Fault, str]]:
    assert known.journal is not None
    found: list[tuple[Fault, str]] = []
    actions = known.journal.get("actions", ())
    found += [
        (Fault.UNSETTLED, f"{action['op']} is {action['outcome']}")
        for action in actions
        if not action["settled"]
    ]
    if not known.records:
        return found
    record = known.records[0]
    outcomes: dict[str, list[str]] = {"amend": [], "cancel": []}
    for action in actions:
        outcomes[str(action["op"]).removeprefix("order.")].append(str(action["outcome"]))
    for op, said in told.changes.items():
        outcomes[op] += [outcome for outcome in said if outcome in ("accepted", "rejected")]
    if outcomes["cancel"]:
        cancelled = record["cancelType"] == "CancelByUser"
        if "accepted" in outcomes["cancel"] and not cancelled:
            found.append(
                (Fault.MISREPORTED, "a cancel is called done, the order was not cancelled")
            )
        if cancelled and "accepted" not in outcomes["cancel"]:
            found.append((Fault.MISREPORTED, "no cancel is called done, the order was cancelled"))
    if outcomes["amend"]:
        amended = Decimal(str(record["qty"])) != Decimal(str(told.args["qty"]))
        if amended != ("accepted" in outcomes["amend"]):
            found.append((Fault.MISREPORTED, f"amended: {amended}, said: {outcomes['amend']}"))
    return found
