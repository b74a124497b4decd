"""How many requests may leave now: one budget for all clients of an account, over both ways.

The exchange counts each operation in a rolling second: linear and inverse together, option and spot
apart, batches apart from single operations (Bybit V5, "Rate Limit"). It counts a request when it
arrives, which is some time between its sending and its answer. So a unit stays taken until a second
after the answer was read: however the network stretches the times, no second of the exchange's can
then hold more than the limit. That costs one round trip per second and limit.

The limit and what others use of it (another program with the same account, a person at a browser)
are learned from the limit headers of every reply; the tables here count before the first one.

Pure: times are ms of a clock that is never set back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SPAN_MS: Final = 1005.0  # the exchange's second, and the ms that its clock rounds away
SOCKET_PER_S: Final = 3000  # of one IP address, over all trade sockets
_RESERVED: Final = 10  # percent of that for cancels alone
_FUTURES, _OPTION, _SPOT = range(3)
_GROUPS: Final = {"linear": _FUTURES, "inverse": _FUTURES, "option": _OPTION, "spot": _SPOT}
_GROUP_NAMES: Final = ("linear and inverse", "option", "spot")
# Bybit V5, "Rate Limit": requests per second of linear and inverse, option, spot.
_DEFAULTS: Final[dict[str, tuple[int, int, int]]] = {
    "order.create": (10, 10, 20),
    "order.amend": (10, 10, 10),
    "order.cancel": (10, 10, 20),
    "order.cancel-all": (10, 1, 20),
    "order.create-batch": (10, 10, 20),
    "order.amend-batch": (10, 10, 20),
    "order.cancel-batch": (10, 10, 20),
    "order.pre-check": (10, 10, 20),
}
_OTHERS: Final = (10, 10, 10)
_PAUSE_MS: Final = 1000.0
_LONGEST_PAUSE_MS: Final = 8000.0
_OVERLOAD_MS: Final = (50.0, 1000.0)  # the first pause, and the longest
_TOO_MANY_VISITS: Final = 10006
_SOCKET_TOO_FAST: Final = (10018, 10403, 20003)
_MATCHING_TOO_FAST: Final = (170005, 170222)
_OVERLOADED: Final = (429, 10429)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the limit headers of a reply show. `reset_in_ms` is 0 unless the limit was exceeded."""

    limit: int
    left: int
    reset_in_ms: float


class Bucket:
    """The units of one operation in one group of categories."""

    __slots__ = ("_counted", "_flying", "_refusals", "_spent", "blocked_ms", "limit", "name")

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.blocked_ms = 0.0
        self._flying = 0  # sent, not answered yet
        self._spent: deque[tuple[float, int]] = deque()  # (when they are free again, units)
        self._counted = 0
        self._refusals = 0

    def fits(self, units: int, now_ms: float, reserved: int = 0) -> bool:
        """Tell whether so many units may leave now. More than the limit fit when all is free."""
        if now_ms < self.blocked_ms:
            return False
        limit = self.limit - reserved
        return min(units, limit) <= limit - self.used(now_ms)

    def used(self, now_ms: float) -> int:
        """Return how many units are taken."""
        spent = self._spent
        while spent and spent[0][0] <= now_ms:
            self._counted -= spent.popleft()[1]
        return self._flying + self._counted

    def when(self, units: int, now_ms: float) -> float:
        """Return about when so many units may have left, more than the limit in several seconds.

        What is not answered yet is taken to be answered now.
        """
        rounds, last = divmod(units - 1, self.limit)
        lacking = last + 1 - (self.limit - self.used(now_ms))
        at_ms = now_ms
        for free_ms, freed in self._spent:
            if lacking <= 0:
                break
            at_ms, lacking = free_ms, lacking - freed
        if lacking > 0:
            at_ms = now_ms + SPAN_MS
        return max(at_ms, self.blocked_ms) + rounds * SPAN_MS

    def take(self, units: int) -> None:
        """Take units for a request that leaves."""
        self._flying += units

    def give_back(self, units: int) -> None:
        """Take back what did not leave after all."""
        self._flying -= units

    def answered(self, units: int, now_ms: float) -> None:
        """Note that the exchange has counted units by now, or never will."""
        self._flying -= units
        self._spend(units, now_ms)

    def learn(self, shown: Shown, now_ms: float) -> None:
        """Believe a reply's headers; what is used beyond our own units was used by others."""
        self.limit = max(1, shown.limit)
        hidden = self.limit - shown.left - self.used(now_ms)
        if hidden > 0:
            self._spend(hidden, now_ms)
        if shown.reset_in_ms > 0 and shown.left <= 0:
            self.block(min(shown.reset_in_ms, _LONGEST_PAUSE_MS), now_ms)

    def refused(self, now_ms: float, wait_ms: float = 0.0) -> None:
        """Stop after a refusal, at least until its reset; longer with each one that follows."""
        longer_ms = min(100.0 * 2**self._refusals - 100.0, _LONGEST_PAUSE_MS)
        self._refusals = min(self._refusals + 1, 10)
        self.block(max(wait_ms, 10.0) + longer_ms, now_ms)

    def passed(self) -> None:
        """Note that a request was taken: the next refusal is a first one again."""
        self._refusals = 0

    def block(self, wait_ms: float, now_ms: float) -> None:
        """Let nothing leave for so long."""
        self.blocked_ms = max(self.blocked_ms, now_ms + wait_ms)

    def describe(self, now_ms: float) -> dict[str, int]:
        """Return what the status shows of it."""
        return {"limit": self.limit, "used": self.used(now_ms)}

    def _spend(self, units: int, now_ms: float) -> None:
        self._spent.append((now_ms + SPAN_MS, units))
        self._counted += units


class RateBudget:
    """Every bucket of an account, and what stops them all.

    `socket_per_s` is this account's share of what one IP address may send on trade sockets.
    """

    def __init__(self, socket_per_s: int = SOCKET_PER_S) -> None:
        self.socket = Bucket("the trade sockets of this machine", socket_per_s)
        self._reserved = socket_per_s * _RESERVED // 100
        self._buckets: dict[tuple[str, int], Bucket] = {}
        self._overload_pause_ms = 0.0
        self._overloaded_ms = 0.0

    def bucket(self, op: str, category: str) -> Bucket:
        """Return the bucket that an operation takes from."""
        group = _GROUPS.get(category, _FUTURES)
        bucket = self._buckets.get((op, group))
        if bucket is None:
            name = f"{op} on {_GROUP_NAMES[group]}"
            bucket = Bucket(name, _DEFAULTS.get(op, _OTHERS)[group])
            self._buckets[op, group] = bucket
        return bucket

    def fits(self, bucket: Bucket, units: int, now_ms: float, *, rest: bool, urgent: bool) -> bool:
        """Tell whether a request may leave now, `rest` or over the trade socket.

        `urgent` ones, which only take risk away, may use what is reserved for them.
        """
        if now_ms < self._overloaded_ms or not bucket.fits(units, now_ms):
            return False
        # REST has a budget of its own, that of the IP address (`net.ip_gate`).
        return rest or self.socket.fits(1, now_ms, 0 if urgent else self._reserved)

    def when(self, bucket: Bucket, units: int, now_ms: float, *, rest: bool) -> float:
        """Return about when a request may leave that has so many units before it and its own."""
        line_ms = now_ms if rest else self.socket.when(1, now_ms)
        return max(bucket.when(units, now_ms), self._overloaded_ms, line_ms)

    def judge(
        self, bucket: Bucket, code: int, reset_in_ms: float, now_ms: float, *, rest: bool
    ) -> None:
        """Take a retCode as a word about the pace (Bybit V5, "Rate Limit", "Error Codes")."""
        if code == _TOO_MANY_VISITS:
            bucket.refused(now_ms, reset_in_ms)
        elif code in _MATCHING_TOO_FAST:
            bucket.refused(now_ms, _PAUSE_MS)
        elif code in _SOCKET_TOO_FAST:
            if not rest:
                self.socket.refused(now_ms, _PAUSE_MS)
        elif code in _OVERLOADED:
            first, longest = _OVERLOAD_MS
            self._overload_pause_ms = min(max(first, self._overload_pause_ms * 2), longest)
            self._overloaded_ms = now_ms + self._overload_pause_ms
        else:
            bucket.passed()
            self.socket.passed()
            self._overload_pause_ms = 0.0

    def describe(self, now_ms: float) -> dict[str, dict[str, int]]:
        """Return what the status shows: each bucket that was used."""
        return {bucket.name: bucket.describe(now_ms) for bucket in self._buckets.values()}


def units(op: str, args: Mapping[str, Any]) -> int:
    """Return how much of its bucket a request takes: a batch one for each order, but on options
    one altogether.
    """
    if op.endswith("-batch") and args["category"] != "option":
        return len(args["request"])
    return 1


_HEADERS: Final = ("X-Bapi-Limit", "X-Bapi-Limit-Status", "X-Bapi-Limit-Reset-Timestamp")


def shown(message: Mapping[str, Any], exchange_ms: int) -> Shown | None:
    """Return what the limit headers of a reply say, None where they are not there.

    `exchange_ms` is what the exchange's clock shows now. The case of the names has been seen to
    vary.
    """
    header = message.get("header")
    if not isinstance(header, dict):
        return None
    found = [header.get(name) for name in _HEADERS]
    if found[0] is None:
        lower = {name.lower(): value for name, value in header.items() if isinstance(name, str)}
        found = [lower.get(name.lower()) for name in _HEADERS]
    limit, left, reset_ms = (_whole(text) for text in found)
    if not limit or left is None:
        return None
    return Shown(limit, left, max(0.0, float((reset_ms or 0) - exchange_ms)))


def _whole(text: object) -> int | None:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else None
