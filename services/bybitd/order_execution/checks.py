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
    """Checks requests; `gates` are asked in their order, after the rules of the instrument."""

    def __init__(self, rules: InstrumentGate, gates: Sequence[Gate]) -> None:
        self._rules = rules
        self._gates = tuple(gates)

    def passed(
        self, call: Call, op: str, args: Mapping[str, Any], resume: Callable[[], None] | None
    ) -> dict[str, Any] | None:
        """Return the arguments of a request that passes; None if it was answered, or is held.

        A request that the rules would refuse is held while they are fetched, if they are not fresh:
        then `resume` is called, once. Without `resume` it is never held.
        """
        try:
            checked = operations.check(op, args)
        except FieldError as error:
            call.fail(answers.bad_field(error))
            return None
        ask = Ask(op=op, client=call.request.client, args=checked)
        refusal = self._rules.refusal(ask)
        if refusal is not None and resume is not None and self._rules.hold(ask, call, resume):
            return None
        refusal = refusal or self._gated(ask)
        if refusal is not None:
            call.fail(refusal)
            return None
        return checked

    def still(self, op: str, client: str, args: Mapping[str, Any]) -> ErrorBody | None:
        """Return why a request that passed and has waited since may not leave any more."""
        return self._gated(Ask(op=op, client=client, args=args))

    def _gated(self, ask: Ask) -> ErrorBody | None:
        for gate in self._gates:
            if (refusal := gate.refusal(ask)) is not None:
                return refusal
        return None
