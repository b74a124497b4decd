"""Rate limits of the exchange as rolling windows; time is an argument (Bybit V5 "Rate Limit")."""

from collections import deque
from dataclasses import dataclass

FUTURES, OPTION, SPOT = 0, 1, 2
_GROUPS = {"linear": FUTURES, "inverse": FUTURES, "option": OPTION, "spot": SPOT}

# Requests per second and UID: (linear and inverse together, option, spot).
_PER_SECOND: dict[str, tuple[int, int, int]] = {
    "/v5/order/create": (10, 10, 20),
    "/v5/order/amend": (10, 10, 10),
    "/v5/order/cancel": (10, 10, 20),
    "/v5/order/cancel-all": (10, 1, 20),
    "/v5/order/create-batch": (10, 10, 20),
    "/v5/order/amend-batch": (10, 10, 20),
    "/v5/order/cancel-batch": (10, 10, 20),
    "/v5/order/pre-check": (10, 10, 20),
    "/v5/order/disconnected-cancel-all": (5, 5, 5),
    "/v5/position/set-leverage": (10, 10, 10),
    "/v5/position/switch-mode": (10, 10, 10),
    "/v5/position/trading-stop": (10, 10, 10),
    "/v5/position/set-auto-add-margin": (10, 10, 10),
    "/v5/account/fee-rate": (5, 5, 5),
    "/v5/account/query-dcp-info": (5, 5, 5),
    "/v5/account/smp-group": (5, 5, 5),
    "/v5/account/set-margin-mode": (5, 5, 5),
    "/v5/account/set-limit-px-action": (10, 10, 10),
    "/v5/account/transaction-log": (25, 25, 25),
}
_OTHERS = (50, 50, 50)
_UNLIMITED = 1_000_000  # what the headers show of a bucket that is never empty


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """How strict the exchange is. `scale` multiplies the per-account limits.

    `enabled=False` counts nothing and shows buckets that are never empty, for benchmarks. An
    address that sends more than `http_per_5s` is banned for `http_ban_s`; the exchange: for ten
    minutes or more.
    """

    enabled: bool = True
    scale: float = 1.0
    http_per_5s: int = 600
    http_ban_s: float = 600.0
    trade_per_s: int = 3_000


@dataclass(frozen=True, slots=True)
class Grant:
    """What a window gave: `granted` of the units wanted, and what the limit headers say."""

    granted: int
    limit: int
    left: int
    reset_ms: int


class RollingWindow:
    """At most `limit` units in any `span_ms`."""

    __slots__ = ("_taken", "_used", "limit", "span_ms")

    def __init__(self, limit: int, span_ms: int = 1_000) -> None:
        self.limit = limit
        self.span_ms = span_ms
        self._taken: deque[tuple[int, int]] = deque()
        self._used = 0

    def take(self, wanted: int, now_ms: int) -> Grant:
        """Take up to `wanted` units; the reset time is `now_ms` unless some were refused."""
        taken = self._taken
        while taken and taken[0][0] <= now_ms - self.span_ms:
            self._used -= taken.popleft()[1]
        granted = min(wanted, self.limit - self._used)
        if granted > 0:
            taken.append((now_ms, granted))
            self._used += granted
        reset_ms = now_ms
        if granted < wanted and taken:
            reset_ms = taken[0][0] + self.span_ms
        return Grant(granted, self.limit, self.limit - self._used, reset_ms)


class RateBook:
    """The windows of every account and operation, and those of the one IP address.

    `refused` counts the units that an account's windows had no room for.
    """

    def __init__(self, limits: RateLimits) -> None:
        self.refused = 0
        self._limits = limits
        self._windows: dict[tuple[int, str, int], RollingWindow] = {}
        self._http = RollingWindow(limits.http_per_5s, 5_000)
        self._banned_until_ms = 0
        self._trade = RollingWindow(limits.trade_per_s)

    def take(self, uid: int, path: str, category: str, wanted: int, now_ms: int) -> Grant:
        """Take units of an account's bucket; WebSocket and REST share it."""
        window = self._window(uid, path, category)
        if not self._limits.enabled:
            return Grant(wanted, _UNLIMITED, _UNLIMITED, now_ms)
        grant = window.take(wanted, now_ms)
        self.refused += wanted - grant.granted
        return grant

    def exhausted(self, uid: int, path: str, category: str, now_ms: int) -> Grant:
        """Describe a bucket as if nothing were left in it, for a refusal that is made up."""
        window = self._window(uid, path, category)
        return Grant(0, window.limit, 0, now_ms + window.span_ms)

    def _window(self, uid: int, path: str, category: str) -> RollingWindow:
        group = _GROUPS.get(category, FUTURES)
        key = (uid, path, group)
        window = self._windows.get(key)
        if window is None:
            per_second = _PER_SECOND.get(path, _OTHERS)[group]
            limit = max(1, int(per_second * self._limits.scale))
            window = self._windows[key] = RollingWindow(limit)
        return window

    def take_http(self, now_ms: int) -> bool:
        """Count one HTTP request of the IP address; False while it is banned (HTTP 403)."""
        if not self._limits.enabled:
            return True
        if now_ms < self._banned_until_ms:
            return False
        if self._http.take(1, now_ms).granted:
            return True
        self._banned_until_ms = now_ms + int(self._limits.http_ban_s * 1_000)
        return False

    def take_trade(self, now_ms: int) -> bool:
        """Count one request on the trade sockets; False above the limit (retCode 10403)."""
        return not self._limits.enabled or self._trade.take(1, now_ms).granted == 1
