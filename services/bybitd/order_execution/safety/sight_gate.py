"""No trading before the account was compared with the exchange."""

from __future__ import annotations

from typing import Final

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitd.order_execution.gates import ADDS_RISK, Ask
from bybitd.order_execution.safety.account_state import AccountState

_AGAIN_MS: Final = 250


class SightGate:
    """Refuses what adds risk until the private stream has said once that its state is the
    exchange's. Cancelling is possible before.
    """

    def __init__(self, state: AccountState, account: str) -> None:
        self._state = state
        self._account = account

    def refusal(self, ask: Ask) -> ErrorBody | None:
        """Return why a request may not pass yet."""
        if self._state.reconciled or ask.op not in ADDS_RISK:
            return None
        return gateway_error(
            Code.NOT_READY,
            f"{ask.op}: the account was not compared with the exchange yet; nothing was sent",
            hint=f"gateway.status of private-stream-{self._account} tells how far it is; try again",
            retry_safe=True,
            retry_after_ms=_AGAIN_MS,
        )
