"""The catalogue of V5 topics: what exists on which stream, and how each behaves.

Source: Bybit V5, "WebSocket / Public" and "Private". A wrong topic is refused here, with what would
be right, because on linear and inverse one bad topic rejects every other topic of its request.
Whether a symbol exists is not known here: that takes instruments-info.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bybitd.nearest import nearest
from bybitd.venue.enums import KLINE_INTERVALS
from bybitd.venue.errors import TopicError

MAX_SYMBOL_LENGTH: Final = 64


class Kind(StrEnum):
    """What a topic carries; the value is how its name begins."""

    BOOK = "orderbook"
    RPI_BOOK = "orderbook.rpi"
    FULL_BOOK = "orderbook.full"
    TRADES = "publicTrade"
    TICKERS = "tickers"
    KLINE = "kline"
    LIQUIDATIONS = "allLiquidation"
    INSURANCE = "insurance"
    PRICE_LIMIT = "priceLimit"
    ADL = "adlAlert"
    STATUS = "system.status"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a topic of one kind behaves on one stream.

    `push_ms` is the documented pause between messages, 0 for "at once". `silence_ms` is how long
    it may say nothing before it is stale, None where silence means nothing. `snapshot_only` tells
    that every message replaces the one before it.
    """

    push_ms: int
    silence_ms: int | None
    snapshot_only: bool
    has_state: bool = True


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of one stream. `parameter` is the depth or interval, "" where there is none.

    `subject` is a symbol, for option trades a base coin, for pool topics the pool group.
    """

    stream: str
    kind: Kind
    parameter: str
    subject: str
    behaviour: Behaviour

    @property
    def name(self) -> str:
        """The topic as the exchange spells it."""
        return ".".join(part for part in (self.kind, self.parameter, self.subject) if part)

    @property
    def depth(self) -> int:
        """How many levels a book has on each side; 0 where the topic is no book."""
        if self.kind is Kind.BOOK:
            return int(self.parameter)
        return {Kind.RPI_BOOK: 50, Kind.FULL_BOOK: 10_000}.get(self.kind, 0)


# A level-1 book is sent again after 3 s without a change: three of those missed is silence.
_L1_SILENCE: Final = 10_000
_FUTURES_BOOKS: Final = {"1": 10, "50": 20, "200": 100, "1000": 200}
BOOK_PUSH_MS: Final[dict[str, dict[str, int]]] = {
    "spot": _FUTURES_BOOKS,
    "linear": _FUTURES_BOOKS,
    "inverse": _FUTURES_BOOKS,
    "option": {"25": 20, "100": 100},
    "spread": {"25": 20},
}

# The exchange gives no rule for silent tickers. Mark and index prices of derivatives move all the
# time; a quiet spot or spread symbol may rest for minutes.
_TICKERS: Final = {
    "spot": Behaviour(50, 300_000, snapshot_only=True),
    "linear": Behaviour(100, 60_000, snapshot_only=False),
    "inverse": Behaviour(100, 60_000, snapshot_only=False),
    "option": Behaviour(100, 60_000, snapshot_only=True),
    "spread": Behaviour(100, 300_000, snapshot_only=True),
}
_RPI: Final = Behaviour(100, None, snapshot_only=False)
_FULL: Final = Behaviour(200, None, snapshot_only=False)
_TRADES: Final = Behaviour(0, None, snapshot_only=False, has_state=False)
_KLINE: Final = Behaviour(1000, 150_000, snapshot_only=True)  # pushed every 1 to 60 s
_LIMIT: Final = Behaviour(300, None, snapshot_only=True)
_LIQUIDATIONS: Final = Behaviour(500, None, snapshot_only=False, has_state=False)
_INSURANCE: Final = Behaviour(1000, None, snapshot_only=False)
_ADL: Final = Behaviour(1000, None, snapshot_only=True)

_DERIVATIVES: Final = {
    Kind.RPI_BOOK: _RPI,
    Kind.FULL_BOOK: _FULL,
    Kind.TRADES: _TRADES,
    Kind.KLINE: _KLINE,
    Kind.LIQUIDATIONS: _LIQUIDATIONS,
    Kind.INSURANCE: _INSURANCE,
    Kind.PRICE_LIMIT: _LIMIT,
    Kind.ADL: _ADL,
}
_CATALOGUE: Final[dict[str, dict[Kind, Behaviour]]] = {
    "spot": {
        Kind.RPI_BOOK: _RPI,
        Kind.FULL_BOOK: _FULL,
        Kind.TRADES: _TRADES,
        Kind.KLINE: _KLINE,
        Kind.PRICE_LIMIT: _LIMIT,
    },
    "linear": _DERIVATIVES,
    "inverse": _DERIVATIVES,
    "option": {Kind.TRADES: _TRADES},
    "spread": {Kind.TRADES: _TRADES},
}
for _stream, _tickers in _TICKERS.items():
    _CATALOGUE[_stream] = {**_CATALOGUE[_stream], Kind.TICKERS: _tickers}
PUBLIC_STREAMS: Final = (*_CATALOGUE, "system")
_STATUS: Final = Behaviour(0, None, snapshot_only=False)

# Pools of insurance.* and adlAlert.*; the documentation does not say which socket serves which.
POOLS: Final = {"linear": ("USDT", "USDC"), "inverse": ("inverse",)}

PRIVATE_TOPICS: Final = (
    "order",
    *(f"order.{name}" for name in ("spot", "linear", "inverse", "option")),
    "execution",
    *(f"execution.{name}" for name in ("spot", "linear", "inverse", "option")),
    "execution.fast",
    *(f"execution.fast.{name}" for name in ("spot", "linear", "inverse", "option")),
    "position",
    *(f"position.{name}" for name in ("linear", "inverse", "option")),
    "wallet",
    "greeks",
    "dcp.future",
    "dcp.spot",
    "dcp.option",
    "strategy",
    "spread.order",
    "spread.execution",
)

_TICKERS_HOLD_IT: Final = "the exchange has no such topic; the value is in tickers.<symbol>"
_GONE: Final = {
    "liquidation": "removed by the exchange; use allLiquidation.<symbol>",
    "tickers_lt": "leveraged tokens were removed by the exchange",
    "kline_lt": "leveraged tokens were removed by the exchange",
    "lt": "leveraged tokens were removed by the exchange",
    "markPrice": _TICKERS_HOLD_IT,
    "indexPrice": _TICKERS_HOLD_IT,
    "funding": _TICKERS_HOLD_IT,
    "delivery": _TICKERS_HOLD_IT,
    "openInterest": _TICKERS_HOLD_IT,
}


def split(name: str) -> tuple[Kind, str, str] | None:
    """Return kind, depth or interval, and subject of a topic's name, None where it has no kind.

    Only the words are cut: nothing says that the result exists anywhere.
    """
    if name == Kind.STATUS:
        return Kind.STATUS, "", ""
    word, _, rest = name.partition(".")
    if word in ("orderbook", "kline"):
        parameter, _, subject = rest.partition(".")
        if word == "kline":
            return Kind.KLINE, parameter, subject
        if parameter in ("rpi", "full"):
            return Kind(f"orderbook.{parameter}"), "", subject
        return Kind.BOOK, parameter, subject
    try:
        return Kind(word), "", rest
    except ValueError:
        return None


def pool_group(stream: str, symbol: str) -> str:
    """Return the group whose topic has the insurance pools of a symbol of linear or inverse."""
    groups = POOLS[stream]
    # BTCUSDT, BTCUSDT-26DEC26; all else on linear (BTCPERP, BTC-26DEC26) settles in USDC.
    settled = symbol.partition("-")[0]
    return next((name for name in groups if settled.endswith(name)), groups[-1])


def check(stream: str, name: str) -> Topic:
    """Return the parsed public topic of a stream (a category, `spread` or `system`).

    Raises:
        TopicError: it can not exist there; says what is wrong and what would be right.
    """
    if stream not in PUBLIC_STREAMS:
        raise TopicError(stream, name, f"streams are {', '.join(PUBLIC_STREAMS)}")
    if len(name) > 2 * MAX_SYMBOL_LENGTH:
        raise TopicError(stream, name[:MAX_SYMBOL_LENGTH], "no topic is that long")
    parts = split(name)
    if stream == "system" or (parts and parts[0] is Kind.STATUS):
        if stream != "system" or name != Kind.STATUS:
            where = "'system.status' is the only topic of the stream 'system', and only there"
            raise TopicError(stream, name, where)
        return Topic(stream, Kind.STATUS, "", "", _STATUS)
    if parts is None:
        raise _no_such_kind(stream, name)
    kind, parameter, subject = parts
    if kind is Kind.BOOK:
        behaviour = _book(stream, name, parameter)
    elif kind in _CATALOGUE[stream]:
        behaviour = _CATALOGUE[stream][kind]
    else:
        raise TopicError(stream, name, f"{stream} has no {kind}", _offers(stream))
    if kind is Kind.KLINE and parameter not in KLINE_INTERVALS:
        allowed = " ".join(KLINE_INTERVALS)
        raise TopicError(stream, name, f"interval {parameter!r} does not exist", f"use {allowed}")
    _check_subject(stream, name, kind, subject)
    return Topic(stream, kind, parameter, subject, behaviour)


def check_private(names: Iterable[str]) -> tuple[str, ...]:
    """Return the private topics, once each.

    Raises:
        TopicError: one does not exist, or `order` stands beside `order.linear`: the exchange takes
            one form or the other.
    """
    wanted = tuple(dict.fromkeys(names))
    for name in wanted:
        if name not in PRIVATE_TOPICS:
            near = nearest(name, PRIVATE_TOPICS)
            hint = f"did you mean {near!r}?" if near else f"use {', '.join(PRIVATE_TOPICS)}"
            raise TopicError("private", name, "it does not exist", hint)
        parent, _, category = name.rpartition(".")
        if parent in wanted and category != "fast":
            problem = f"it can not be subscribed together with {parent!r}"
            raise TopicError("private", name, problem, "keep one of the two")
    return wanted


def _book(stream: str, name: str, depth: str) -> Behaviour:
    depths = BOOK_PUSH_MS[stream]
    if depth not in depths:
        gone = "depth 500 was removed by the exchange" if depth == "500" else ""
        problem = gone or f"{stream} has no book of depth {depth!r}"
        raise TopicError(stream, name, problem, f"depths are {', '.join(depths)}")
    if depth == "1":
        return Behaviour(depths[depth], _L1_SILENCE, snapshot_only=True)
    return Behaviour(depths[depth], None, snapshot_only=False)


def _check_subject(stream: str, name: str, kind: Kind, subject: str) -> None:
    if kind in (Kind.INSURANCE, Kind.ADL):
        if subject not in POOLS[stream]:
            right = " or ".join(f"{kind}.{pool}" for pool in POOLS[stream])
            raise TopicError(stream, name, "it is per pool group, not per symbol", f"use {right}")
        return
    pattern = f"{name.removesuffix(subject).rstrip('.')}.<symbol>"
    if not subject:
        raise TopicError(stream, name, "the symbol is missing", f"use {pattern}")
    if subject != subject.upper():
        right = name.removesuffix(subject) + subject.upper()
        raise TopicError(stream, name, "symbols are upper case", f"use {right}")
    if len(subject) > MAX_SYMBOL_LENGTH or not all(
        letter.isalnum() or letter in "-/_" for letter in subject
    ):
        raise TopicError(stream, name, f"{subject[:MAX_SYMBOL_LENGTH]!r} is no symbol")
    if stream == "option":
        coin, dash, _ = subject.partition("-")
        if kind is Kind.TRADES and dash:
            problem = "option trades are one topic per base coin"
            raise TopicError(stream, name, problem, f"use publicTrade.{coin}")
        if kind is not Kind.TRADES and not dash:
            problem = f"{subject!r} is no option symbol"
            raise TopicError(stream, name, problem, "such as BTC-26DEC26-100000-C")


def _no_such_kind(stream: str, name: str) -> TopicError:
    if name in PRIVATE_TOPICS:
        problem = "it is a private topic and only comes on the private stream"
        return TopicError(stream, name, problem, f"subscribe private.<account>.{name}.")
    word = name.partition(".")[0]
    if word in _GONE:
        return TopicError(stream, name, _GONE[word])
    near = nearest(word, [*_CATALOGUE[stream], Kind.BOOK])
    hint = f"did you mean {str(near)!r}?" if near else _offers(stream)
    return TopicError(stream, name, f"{word!r} does not exist", hint)


def _offers(stream: str) -> str:
    return f"{stream} has {', '.join([Kind.BOOK, *_CATALOGUE[stream]])}"
