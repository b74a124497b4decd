"""A request that is refused, on its way to where it is answered."""

from __future__ import annotations

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error


class Refusal(Exception):
    """Carries the error of a request to where it is answered."""

    def __init__(self, body: ErrorBody) -> None:
        super().__init__(body.message)
        self.body = body


def refuse(code: Code, message: str, hint: str, *, retry_safe: bool = False) -> Refusal:
    """Return what is to be raised for something that was certainly not done."""
    return Refusal(gateway_error(code, message, hint=hint, retry_safe=retry_safe))
