"""What the network package raises; what is known of the outcome is a property of the type.

NetError
+-- ConnectFailed       no connection was made: nothing was sent
+-- RestError           a REST call without a valid answer
    +-- NotSent         certainly nothing left this machine
    |   +-- OverBudget  the IP address has used its budget up (see `until_ms`)
    |       +-- IpBanned    the exchange has banned the IP address
    +-- OutcomeUnknown  it was sent, and no valid answer came
    +-- HttpRefused     an HTTP status other than 200 (see `status`)
"""

from __future__ import annotations

from bybitd.errors import BybitdError


class NetError(BybitdError):
    """Root of this package's errors."""


class ConnectFailed(NetError):
    """Raised when a connection could not be made."""


class RestError(NetError):
    """Raised for a REST call without a valid answer. `sent` tells whether it may have acted."""

    sent = True


class NotSent(RestError):
    """Raised when the request certainly did not reach the exchange."""

    sent = False


class OverBudget(NotSent):
    """Raised when too many calls of this IP address have left already. `until_ms` (Unix ms) is when
    the next may be tried.
    """

    why = "this IP address has used up its budget of REST calls"

    def __init__(self, path: str, until_ms: int) -> None:
        self.path = path
        self.until_ms = until_ms
        super().__init__(f"{path}: not sent: {self.why}; try again after {until_ms} (Unix ms)")


class IpBanned(OverBudget):
    """Raised while the exchange refuses all REST calls of this IP address: none may leave."""

    why = "the exchange has banned this IP address for calling too often"


class OutcomeUnknown(RestError):
    """Raised when the request was sent and no valid answer came."""


class HttpRefused(RestError):
    """Raised for an HTTP status other than 200; the body is not the exchange's envelope.

    A 4xx is answered before the request is looked at; a 5xx may come after it acted.
    """

    def __init__(self, status: int, path: str, text: str) -> None:
        self.status = status
        self.path = path
        self.text = text
        self.sent = status >= 500 or status in (408, 429)
        super().__init__(f"HTTP {status} for {path}: {text[:120]!r}")
