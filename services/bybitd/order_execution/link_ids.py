"""Ids that are never used twice, over restarts too: a run's epoch and a counter, in base 36.

Bybit V5, "Place Order": an orderLinkId has at most 36 characters of A-Z a-z 0-9 - _.
"""

from __future__ import annotations

from itertools import count

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MAX_LENGTH = 36


def base36(number: int) -> str:
    """Return a non-negative number in base 36."""
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if not number:
            return text


class LinkIds:
    """Makes ids for one run. `epoch` must differ from that of every other run of the account."""

    def __init__(self, prefix: str, epoch: int) -> None:
        self._stem = f"{prefix}{base36(epoch)}-"
        self._numbers = count(1)

    def next(self) -> str:
        """Return an id that no other call, in this run or another, ever returned."""
        return self._stem + base36(next(self._numbers))
