"""What the network package raises; what is known of the outcome is a property of the type.

NetError
+-- ConnectFailed       no connection was made: nothing was sent
+-- RestError           a REST call without a valid answer
    +-- NotSent         certainly nothing left this machine
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
