"""What can be made to go wrong, and what is going wrong now. Pure: time is an argument.

A fault is armed by name with its own fields (`POST /sim/faults`, or `Simulator.fault` in tests):

| fault | fields (default) | effect |
|---|---|---|
| `cut` | `scope` (all), `count` (0: each) | ends the connections at once, without a close frame; \
with `count` so many of them, the oldest first |
| `stall` | `scope` (all), `seconds` (0) | sends nothing, sockets stay open; what was held back \
is sent at the end; 0 lasts until `clear` |
| `delay` | `scope` (all), `ms` | everything sent leaves that much later; 0 ends it |
| `refuse_connect` | `scope` (all), `seconds` (0) | WebSocket handshakes get HTTP 503 |
| `garbage` | `scope` (all), `kind` (text) | sends rubbish: `text` that is not JSON, invalid \
`utf8`, a `truncated` frame and then the end of the connection |
| `http` | `status` (403), `count` (1), `path` (any) | the next REST calls get that HTTP status |
| `ip_ban` | `seconds` (600) | every REST call gets HTTP 403 "access too frequent" |
| `truncate` | `count` (1), `path` (any) | the next REST replies end in the middle, and so does \
their connection |
| `clock_skew` | `ms` | the exchange's clock is that much ahead (or behind: negative) |
| `clear` | | ends everything that lasts or waits, here, in `topic_faults` and `order_faults` |

Faults of topics are described in `topic_faults`, those round orders and private messages in
`order_faults`.

`scope` is `all`, `public` (every public socket), one of spot, linear, inverse, option, spread,
status, or `private`, `trade`, `rest`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from bybitd.simulator.wire import order_faults, topic_faults
from bybitd.simulator.wire.fault import Fault, FaultError, PositiveCount, Scope, Seconds, end_ms

__all__ = ["Fault", "FaultError", "Faults", "Scope", "covers", "parse"]


class Cut(Fault, frozen=True, kw_only=True):
    scope: Scope = "all"
    count: Annotated[int, msgspec.Meta(ge=0)] = 0


class Stall(Fault, frozen=True, kw_only=True):
    scope: Scope = "all"
    seconds: float = 0.0


class Delay(Fault, frozen=True, kw_only=True):
    ms: int
    scope: Scope = "all"


class RefuseConnect(Fault, frozen=True, kw_only=True):
    scope: Scope = "all"
    seconds: float = 0.0


class Garbage(Fault, frozen=True, kw_only=True):
    scope: Scope = "all"
    kind: Literal["text", "utf8", "truncated"] = "text"


class Http(Fault, frozen=True, kw_only=True):
    status: int = 403
    count: PositiveCount = 1
    path: str = ""


class IpBan(Fault, frozen=True, kw_only=True):
    seconds: Seconds = 600.0


class Truncate(Fault, frozen=True, kw_only=True):
    count: PositiveCount = 1
    path: str = ""


class ClockSkew(Fault, frozen=True, kw_only=True):
    ms: int


class Clear(Fault, frozen=True, kw_only=True):
    pass


OnPath = TypeVar("OnPath", Http, Truncate)

KNOWN: dict[str, type[Fault]] = {
    "cut": Cut,
    "stall": Stall,
    "delay": Delay,
    "refuse_connect": RefuseConnect,
    "garbage": Garbage,
    "http": Http,
    "ip_ban": IpBan,
    "truncate": Truncate,
    "clock_skew": ClockSkew,
    "clear": Clear,
    **topic_faults.KNOWN,
    **order_faults.KNOWN,
}


def parse(name: str, fields: Mapping[str, Any]) -> Fault:
    """Make the fault `name` with its fields. Raises FaultError."""
    kind = KNOWN.get(name)
    if kind is None:
        raise FaultError(f"no fault is called {name!r}; known: {', '.join(sorted(KNOWN))}")
    try:
        return msgspec.convert(dict(fields), kind)
    except msgspec.ValidationError as error:
        wanted = ", ".join(kind.__struct_fields__) or "none"
        raise FaultError(f"fault {name!r}: {error}; its fields: {wanted}") from error


def describe() -> str:
    """Give the description of every fault, as text for people."""
    parts = (__doc__ or "", topic_faults.__doc__ or "", order_faults.__doc__ or "")
    return "\n".join(part.strip() + "\n" for part in parts)


def covers(scope: Scope, kind: str) -> bool:
    """Tell whether a scope means connections of this kind."""
    return scope in ("all", kind) or (scope == "public" and kind not in _NOT_PUBLIC)


_NOT_PUBLIC = ("private", "trade", "rest")


class Faults:
    """The lasting faults. Those that happen at once (cut, garbage, books) are not kept here."""

    def __init__(self) -> None:
        self.topics = topic_faults.TopicFaults()
        self.orders = order_faults.OrderFaults()
        self._clear()

    def _clear(self) -> None:
        self.skew_ms = 0
        self._delays: dict[Scope, int] = {}
        self._stalls: dict[Scope, int] = {}
        self._refusals: dict[Scope, int] = {}
        self._down_until_ms = 0
        self._banned_until_ms = 0
        self._http: list[tuple[Http, int]] = []
        self._truncated: list[tuple[Truncate, int]] = []

    def arm(self, fault: Fault, now_ms: int) -> None:
        """Let a fault begin; faults that happen at once change nothing here."""
        match fault:
            case Clear():
                self._clear()
                self.topics.clear()
                self.orders.clear()
            case Stall(scope=scope, seconds=seconds):
                self._stalls[scope] = end_ms(seconds, now_ms)
            case RefuseConnect(scope=scope, seconds=seconds):
                self._refusals[scope] = end_ms(seconds, now_ms)
            case Delay(scope=scope, ms=ms):
                self._delays[scope] = max(0, ms)
            case topic_faults.OnTopic():
                self.topics.arm(fault, now_ms)
            case Http(count=count):
                self._http.append((fault, count))
            case Truncate(count=count):
                self._truncated.append((fault, count))
            case IpBan(seconds=seconds):
                self._banned_until_ms = now_ms + int(seconds * 1_000)
            case ClockSkew(ms=ms):
                self.skew_ms = ms
            case order_faults.RestartExchange(seconds=seconds):
                self._down_until_ms = now_ms + int(seconds * 1_000)
            case _:
                self.orders.arm(fault)

    def delay_ms(self, kind: str) -> int:
        """Tell how much later connections of this kind send."""
        return max((ms for scope, ms in self._delays.items() if covers(scope, kind)), default=0)

    def stalled_until_ms(self, kind: str, now_ms: int) -> int | None:
        """Tell until when connections of this kind send nothing; None when they do send."""
        return _latest(self._stalls, kind, now_ms)

    def refuses_connect(self, kind: str, now_ms: int) -> bool:
        """Tell whether handshakes for this kind of connection are refused."""
        return _latest(self._refusals, kind, now_ms) is not None or self.is_down(now_ms)

    def is_down(self, now_ms: int) -> bool:
        """Tell whether the exchange is being restarted and answers nobody."""
        return now_ms < self._down_until_ms

    def next_http(self, path: str) -> int | None:
        """Take the HTTP status for the REST call that is about to be handled."""
        fault = _take(self._http, path)
        return None if fault is None else fault.status

    def truncates(self, path: str) -> bool:
        """Take whether the reply to a REST call ends in the middle."""
        return _take(self._truncated, path) is not None

    def bans(self, now_ms: int) -> bool:
        """Tell whether every REST call is refused as too frequent."""
        return now_ms < self._banned_until_ms

    def describe(self, now_ms: int) -> dict[str, Any]:
        """List what lasts, for `GET /sim/state`."""
        return {
            "clock_skew_ms": self.skew_ms,
            "delay_ms": {scope: ms for scope, ms in self._delays.items() if ms},
            "stalled": [scope for scope, end in self._stalls.items() if end > now_ms],
            "refusing": [scope for scope, end in self._refusals.items() if end > now_ms],
            "topics": self.topics.describe(now_ms),
            "http": [
                {"status": fault.status, "path": fault.path, "count": count}
                for fault, count in self._http
            ],
            "truncated": [{"path": fault.path, "count": count} for fault, count in self._truncated],
            "ip_banned": self.bans(now_ms),
        } | self.orders.describe()


def _take(waiting: list[tuple[OnPath, int]], path: str) -> OnPath | None:
    """Use up one of the first fault for a path."""
    for index, (fault, count) in enumerate(waiting):
        if path.startswith(fault.path):
            if count > 1:
                waiting[index] = (fault, count - 1)
            else:
                del waiting[index]
            return fault
    return None


def _latest(ends: dict[Scope, int], kind: str, now_ms: int) -> int | None:
    end = max((end for scope, end in ends.items() if covers(scope, kind)), default=0)
    return end if end > now_ms else None
