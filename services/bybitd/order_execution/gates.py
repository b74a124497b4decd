"""What a request passes before it may be journaled and sent: each gate may refuse it.

`order.validate` passes the same gates and sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from bybitbus.messages import ErrorBody

BATCH: Final = "-batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request whose arguments have the shape that the exchange documents.

    `op` is that of the bus, `client` the strategy that asks, `args` the checked arguments.
    """

    op: str
    client: str
    args: Mapping[str, Any]

    @property
    def category(self) -> str:
        """The category that it is about."""
        return str(self.args["category"])

    @property
    def items(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What it asks for one by one, each with the path that names it in an error: the items of
        a batch (`request[0].`), or the arguments themselves (``).
        """
        if not self.op.endswith(BATCH):
            return [("", self.args)]
        return [(f"request[{index}].", item) for index, item in enumerate(self.args["request"])]


# What adds risk, or may: the rest takes it away, or only asks.
ADDS_RISK: Final = frozenset(
    {"order.create", "order.create-batch", "order.amend", "order.amend-batch"}
    | {"position.set-leverage", "position.switch-mode", "position.trading-stop"}
    | {"position.set-auto-add-margin"}
)


class Gate(Protocol):
    """Refuses what must not go out. Answers from what it knows already: it never waits.

    It may be asked several times about one request, and about one that never leaves: by
    `order.validate`, and again when a request has waited for the rate budget.
    """

    def refusal(self, ask: Ask) -> ErrorBody | None:
        """Return why the request may not pass, None if it may."""
