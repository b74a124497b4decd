"""What a request must be before it may leave: of the exchange's shape, by the rules of its
instrument, and let through by every gate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bybitbus.messages import ErrorBody
from bybitbus.server import Call
from bybitd.order_execution import answers
from bybitd.order_execution.gates import Ask, Gate
from bybitd.order_execution.instrument_gate import InstrumentGate
from bybitd.venue import operations
from bybitd.venue.errors import FieldError


class Checks:
    """Checks requests. `gates` are asked in their order, and again when one leaves that has waited.
    `pace` counts what passes it: it is asked once, last, for what is to be sent.
    """

    def __init__(self, rules: InstrumentGate, gates: Sequence[Gate], pace: Gate) -> None:
        self._rules = rules
        self._gates = tuple(gates)
        self._pace = pace

    @staticmethod
    def shape(call: Call, op: str, args: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the arguments of a request that have the exchange's shape; None if they had not,
        and it was answered so.
        """
        try:
            return operations.check(op, args)
        except FieldError as error:
            call.fail(answers.bad_field(error))
            return None

    def by_rules(self, ask: Ask) -> ErrorBody | None:
        """Return why the rules of its instruments forbid a request."""
        return self._rules.refusal(ask)

    def by_pace(self, ask: Ask) -> ErrorBody | None:
        """Count a request, or return why it comes too soon after others."""
        return self._pace.refusal(ask)

    def by_gates(self, ask: Ask) -> ErrorBody | None:
        """Return why a gate does not let a request through."""
        for gate in self._gates:
            if (refusal := gate.refusal(ask)) is not None:
                return refusal
        return None

    def hold(self, ask: Ask, call: Call, resume: Callable[[], None]) -> bool:
        """Hold a request that the rules refuse while they are fetched, if they are not fresh: then
        `resume` is called, once. False, having done nothing, if they are.
        """
        return self._rules.hold(ask, call, resume)
