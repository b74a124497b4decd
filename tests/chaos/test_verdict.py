"""The verdicts: each sort of lie is found, and the truth is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.verdict import Fault, Known, Told, judge

RECORD = {"orderStatus": "New", "cumExecQty": "0", "cancelType": "UNKNOWN", "qty": "1"}
OPEN = {"state": "open", "actions": []}


def told(creates: list[str], **changes: list[str]) -> Told:
    return Told(
        link_id="a",
        category="linear",
        symbol="BTCUSDT",
        args={"qty": "1"},
        creates=creates,
        changes=changes,
    )


def known(**fields: Any) -> Known:
    good: dict[str, Any] = {
        "journal": OPEN,
        "events": ("sent", "open"),
        "records": [RECORD],
        "arrived": 1,
        "arrived_changes": {},
    }
    return Known(**{**good, **fields})


def action(op: str, outcome: str, *, settled: bool = True) -> dict[str, Any]:
    return {"op": op, "outcome": outcome, "settled": settled}


REJECTED = {"state": "rejected", "actions": []}
CANCELLED = {"state": "cancelled", "actions": [action("order.cancel", "accepted")]}
GONE = {**RECORD, "orderStatus": "Cancelled", "cancelType": "CancelByUser"}


@pytest.mark.parametrize(
    ("client", "gateway"),
    [
        (told(["accepted"]), known()),
        (told(["unknown", "accepted"]), known()),
        (told([""]), known(journal=None, events=(), records=[], arrived=0)),
        (told(["unknown", "rejected"]), known(journal=REJECTED, events=("rejected",), records=[])),
        (told(["accepted"], cancel=["accepted"]), known(journal=CANCELLED, records=[GONE])),
        (told(["accepted"]), known(events=())),
    ],
)
def test_what_is_so_is_not_called_wrong(client: Told, gateway: Known) -> None:
    assert judge(client, gateway) == []


@pytest.mark.parametrize(
    ("client", "gateway", "fault"),
    [
        (told(["accepted"]), known(arrived=2), Fault.DOUBLED),
        (told(["accepted"]), known(records=[RECORD, RECORD]), Fault.DOUBLED),
        (told([], cancel=[""]), known(arrived_changes={"cancel": 2}), Fault.DOUBLED),
        (told(["unknown"]), known(journal=None), Fault.LOST),
        (told(["accepted"]), known(journal=REJECTED, events=(), records=[]), Fault.MISREPORTED),
        (told(["rejected"]), known(), Fault.MISREPORTED),
        (told(["unknown"]), known(journal=REJECTED), Fault.MISREPORTED),
        (told(["unknown"]), known(events=("rejected",)), Fault.MISREPORTED),
        (told(["accepted"]), known(events=("filled",)), Fault.MISREPORTED),
        (told(["accepted"]), known(records=[{**RECORD, "cumExecQty": "1"}]), Fault.MISREPORTED),
        (told(["accepted"]), known(journal={"state": "unknown", "actions": []}), Fault.UNSETTLED),
        (
            told(["accepted"], cancel=["accepted"]),
            known(journal={**OPEN, "actions": [action("order.cancel", "accepted")]}),
            Fault.MISREPORTED,
        ),
        (
            told(["accepted"], cancel=["rejected"]),
            known(
                journal={"state": "cancelled", "actions": [action("order.cancel", "rejected")]},
                records=[GONE],
                events=(),
            ),
            Fault.MISREPORTED,
        ),
        (
            told(["accepted"], amend=["accepted"]),
            known(journal={**OPEN, "actions": [action("order.amend", "accepted")]}),
            Fault.MISREPORTED,
        ),
        (
            told(["accepted"], amend=[""]),
            known(
                journal={**OPEN, "actions": [action("order.amend", "unknown", settled=False)]},
            ),
            Fault.UNSETTLED,
        ),
    ],
)
def test_what_is_not_so_is_found(client: Told, gateway: Known, fault: Fault) -> None:
    assert fault in {found for found, _ in judge(client, gateway)}
