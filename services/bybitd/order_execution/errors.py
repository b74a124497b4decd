"""What order execution raises.

OrderError (BybitdError)
+-- IllegalTransition   an order was told to go where the table does not let it: a defect
+-- LinkIdUsed          an orderLinkId is in the journal already
+-- JournalError        the journal can not be used
    +-- NotJournaled    it can not be written to now; what it should hold must not be sent
"""

from __future__ import annotations

from bybitd.errors import BybitdError


class OrderError(BybitdError):
    """Root of this package's errors."""


class IllegalTransition(OrderError):
    """Raised when an order is told to go from one state to another that can not follow it."""

    def __init__(self, link_id: str, state: str, to: str) -> None:
        self.link_id = link_id
        self.state = state
        self.to = to
        super().__init__(f"order {link_id}: {to} can not follow {state}")


class JournalError(OrderError):
    """Raised for a journal that can not be used; says what to do."""

    def __init__(self, path: str, problem: str, hint: str = "") -> None:
        self.path = path
        self.problem = problem
        self.hint = hint
        sentence = f"the order journal {path} {problem}"
        super().__init__(f"{sentence}; {hint}" if hint else sentence)


class LinkIdUsed(OrderError):
    """Raised when an order is written under an orderLinkId that the journal holds already."""

    def __init__(self, link_id: str) -> None:
        self.link_id = link_id
        super().__init__(f"orderLinkId {link_id} is in the journal already")


class NotJournaled(JournalError):
    """Raised when the journal does not take a new order: its disk is full, for instance."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, f"can not be written: {problem}", "make room on its disk")
