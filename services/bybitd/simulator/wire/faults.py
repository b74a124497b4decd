"""What can be made to go wrong, and what is going wrong now. Pure: time is an argument.

A fault is armed by name with its own fields (`POST /sim/faults`, or `Simulator.fault` in tests):

| fault | fields (default) | effect |
|---|---|---|
| `cut` | `scope` (all) | ends the connections at once, without a close frame |
| `stall` | `scope` (all), `seconds` (0) | sends nothing, sockets stay open; what was held back \
is sent at the end; 0 lasts until `clear` |
| `delay` | `scope` (all), `ms` | everything sent leaves that much later; 0 ends it |
| `refuse_connect` | `scope` (all), `seconds` (0) | WebSocket handshakes get HTTP 503 |
| `drop` | `category`, `topic`, `count` (1) | loses the next messages of a topic; `category` \
`private` means private topics |
| `repeat` | `category`, `topic`, `count` (1) | sends the next messages of a topic twice |
| `garbage` | `scope` (all), `kind` (text) | sends rubbish: `text` that is not JSON, invalid \
`utf8`, a `truncated` frame and then the end of the connection |
| `skip_update_id` | `category`, `topic` | the next delta of a book is lost: its `u` jumps by 2 |
| `restart_books` | `category`, `symbol` | every book of the symbol starts again with `u` = 1 |
| `http` | `status` (403), `count` (1), `path` (any) | the next REST calls get that HTTP status |
| `clock_skew` | `ms` | the exchange's clock is that much ahead (or behind: negative) |
| `clear` | | ends everything that lasts or waits, here and in `order_faults` |

Faults round orders and private messages are described in `order_faults`.

`scope` is `all`, `public` (every public socket), one of spot, linear, inverse, option, spread,
status, or `private`, `trade`, `rest`.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from bybitd.simulator.wire import order_faults
from bybitd.simulator.wire.fault import Fault, FaultError, PositiveCount, Scope

__all__ = ["Fault", "FaultError", "Faults", "Scope", "covers", "parse"]


class Cut(Fault, frozen=True, kw_only=True):
    scope: Scope = "all"


class Stall(Fault, frozen=True, kw_only=True):
    scope: Scope = "all"
    seconds: float = 0.0


class Delay(Fault, frozen=True, kw_only=True):
    ms: int
    scope: Scope = "all"


class RefuseConnect(Fault, frozen=True, kw_only=True):
    scope: Scope = "all"
    seconds: float = 0.0


class Drop(Fault, frozen=True, kw_only=True):
    category: str
    topic: str
    count: PositiveCount = 1


class Repeat(Fault, frozen=True, kw_only=True):
    category: str
    topic: str
    count: PositiveCount = 1


class Garbage(Fault, frozen=True, kw_only=True):
    scope: Scope = "all"
    kind: Literal["text", "utf8", "truncated"] = "text"


class SkipUpdateId(Fault, frozen=True, kw_only=True):
    category: str
    topic: str


class RestartBooks(Fault, frozen=True, kw_only=True):
    category: str
    symbol: str


class Http(Fault, frozen=True, kw_only=True):
    status: int = 403
    count: PositiveCount = 1
    path: str = ""


class ClockSkew(Fault, frozen=True, kw_only=True):
    ms: int


class Clear(Fault, frozen=True, kw_only=True):
    pass


KNOWN: dict[str, type[Fault]] = {
    "cut": Cut,
    "stall": Stall,
    "delay": Delay,
    "refuse_connect": RefuseConnect,
    "drop": Drop,
    "repeat": Repeat,
    "garbage": Garbage,
    "skip_update_id": SkipUpdateId,
    "restart_books": RestartBooks,
    "http": Http,
    "clock_skew": ClockSkew,
    "clear": Clear,
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


def covers(scope: Scope, kind: str) -> bool:
    """Tell whether a scope means connections of this kind."""
    return scope in ("all", kind) or (scope == "public" and kind not in _NOT_PUBLIC)


_NOT_PUBLIC = ("private", "trade", "rest")
_FOR_EVER = 1 << 62


class Faults:
    """The lasting faults. Those that happen at once (cut, garbage, books) are not kept here."""

    def __init__(self) -> None:
        self.orders = order_faults.OrderFaults()
        self._clear()

    def _clear(self) -> None:
        self.skew_ms = 0
        self._delays: dict[Scope, int] = {}
        self._stalls: dict[Scope, int] = {}
        self._refusals: dict[Scope, int] = {}
        self._down_until_ms = 0
        # (category, topic) -> [messages to lose, messages to double]
        self._topics: dict[tuple[str, str], list[int]] = {}
        self._http: list[tuple[Http, int]] = []

    def arm(self, fault: Fault, now_ms: int) -> None:
        """Let a fault begin; faults that happen at once change nothing here."""
        match fault:
            case Clear():
                self._clear()
                self.orders.clear()
            case Stall(scope=scope, seconds=seconds):
                self._stalls[scope] = _end(seconds, now_ms)
            case RefuseConnect(scope=scope, seconds=seconds):
                self._refusals[scope] = _end(seconds, now_ms)
            case Delay(scope=scope, ms=ms):
                self._delays[scope] = max(0, ms)
            case Drop(category=category, topic=topic, count=count):
                self._topics.setdefault((category, topic), [0, 0])[0] += count
            case Repeat(category=category, topic=topic, count=count):
                self._topics.setdefault((category, topic), [0, 0])[1] += count
            case Http(count=count):
                self._http.append((fault, count))
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

    def copies(self, category: str, topic: str) -> int:
        """Take the number of times that the next message of a topic is sent: 0, 1 or 2."""
        if not self._topics:
            return 1
        counts = self._topics.get((category, topic))
        if counts is None:
            return 1
        which = 0 if counts[0] else 1
        counts[which] -= 1
        if not any(counts):
            del self._topics[category, topic]
        return 2 * which

    def next_http(self, path: str) -> int | None:
        """Take the HTTP status for the REST call that is about to be handled."""
        for index, (fault, count) in enumerate(self._http):
            if path.startswith(fault.path):
                if count > 1:
                    self._http[index] = (fault, count - 1)
                else:
                    del self._http[index]
                return fault.status
        return None

    def describe(self, now_ms: int) -> dict[str, Any]:
        """List what lasts, for `GET /sim/state`."""
        return {
            "clock_skew_ms": self.skew_ms,
            "delay_ms": {scope: ms for scope, ms in self._delays.items() if ms},
            "stalled": [scope for scope, end in self._stalls.items() if end > now_ms],
            "refusing": [scope for scope, end in self._refusals.items() if end > now_ms],
            "topics": [
                {"category": category, "topic": topic, "drop": drop, "repeat": repeat}
                for (category, topic), (drop, repeat) in self._topics.items()
            ],
            "http": [
                {"status": fault.status, "path": fault.path, "count": count}
                for fault, count in self._http
            ],
        } | self.orders.describe()


def _end(seconds: float, now_ms: int) -> int:
    return now_ms + int(seconds * 1_000) if seconds > 0 else _FOR_EVER


def _latest(ends: dict[Scope, int], kind: str, now_ms: int) -> int | None:
    end = max((end for scope, end in ends.items() if covers(scope, kind)), default=0)
    return end if end > now_ms else None
