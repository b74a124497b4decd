"""Which derived topics exist, and the topic of the exchange that each follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bybitd.venue.enums import KLINE_INTERVALS
from bybitd.venue.errors import TopicError
from bybitd.venue.topics import BOOK_PUSH_MS, POOLS, PUBLIC_STREAMS, check, pool_group


class DerivedKind(StrEnum):
    """What a derived topic carries; the value is its first token."""

    BBO = "bbo"
    TICKER = "ticker"
    BOOK = "book"
    FUNDING = "funding"
    DELIVERY = "delivery"
    OPEN_INTEREST = "openInterest"
    LIQUIDATION = "liquidation"
    INSURANCE = "insurance"
    MARK_PRICE = "markPrice"
    INDEX_PRICE = "indexPrice"


@dataclass(frozen=True, slots=True)
class DerivedTopic:
    """One derived topic. `parameter` is the depth of a book, the interval of candles, else "".

    `source` is the name of the exchange's topic that it is computed from.
    """

    stream: str
    kind: DerivedKind
    parameter: str
    subject: str
    source: str
    has_state: bool = True

    @property
    def name(self) -> str:
        """The topic without stream and closing dot."""
        return ".".join(part for part in (self.kind, self.parameter, self.subject) if part)


_BEST: Final = {
    "spot": "orderbook.1.{1}",
    "linear": "orderbook.1.{1}",
    "inverse": "orderbook.1.{1}",
    "option": "orderbook.25.{1}",  # the least deep book that there is
    "spread": "orderbook.25.{1}",
}
_TICKERS: Final = "tickers.{1}"
_FUTURES: Final = ("linear", "inverse")
_DERIVATIVES: Final = (*_FUTURES, "option")
# Of each kind: the source by category, {0} for the parameter and {1} for the symbol. Where a
# category is missing the data does not exist.
_SOURCES: Final[dict[DerivedKind, Mapping[str, str]]] = {
    DerivedKind.BBO: _BEST,
    DerivedKind.BOOK: dict.fromkeys(_BEST, "orderbook.{0}.{1}"),
    DerivedKind.TICKER: dict.fromkeys(_BEST, _TICKERS),
    DerivedKind.FUNDING: dict.fromkeys(_FUTURES, _TICKERS),
    DerivedKind.DELIVERY: dict.fromkeys(_DERIVATIVES, _TICKERS),
    DerivedKind.OPEN_INTEREST: dict.fromkeys(_DERIVATIVES, _TICKERS),
    DerivedKind.LIQUIDATION: dict.fromkeys(_FUTURES, "allLiquidation.{1}"),
    # The pools come by group; this one only proves that the rest is a symbol.
    DerivedKind.INSURANCE: dict.fromkeys(_FUTURES, _TICKERS),
    DerivedKind.MARK_PRICE: dict.fromkeys(_DERIVATIVES, _TICKERS),
    DerivedKind.INDEX_PRICE: dict.fromkeys(_FUTURES, _TICKERS),
}
_CANDLES: Final = (DerivedKind.MARK_PRICE, DerivedKind.INDEX_PRICE)


_GROUPS: Final = frozenset(group for groups in POOLS.values() for group in groups) | {""}


def derived(stream: str, name: str) -> DerivedTopic | None:
    """Return the derived topic of this name, None where the name is none of a derived one.

    Raises:
        TopicError: it can not exist on that stream; says why and what would be right.
    """
    word, _, rest = name.partition(".")
    if stream not in PUBLIC_STREAMS or word not in frozenset(DerivedKind):
        return None
    kind = DerivedKind(word)
    if kind is DerivedKind.INSURANCE and rest in _GROUPS:
        return None
    parameter, subject = "", rest
    if kind is DerivedKind.BOOK or kind in _CANDLES:
        parameter, _, subject = rest.partition(".")
    source = _SOURCES[kind].get(stream)
    if source is None:
        categories = ", ".join(_SOURCES[kind])
        raise TopicError(stream, name, f"{stream} has no {kind}", f"it exists on {categories}")
    if kind is DerivedKind.BOOK and parameter not in BOOK_PUSH_MS[stream]:
        depths = ", ".join(BOOK_PUSH_MS[stream])
        problem = f"{stream} has no book of depth {parameter!r}"
        raise TopicError(stream, name, problem, f"use {kind}.<depth>.<symbol>; depths are {depths}")
    if kind in _CANDLES and parameter not in KLINE_INTERVALS:
        problem = f"interval {parameter!r} does not exist"
        hint = f"use {kind}.<interval>.<symbol>; intervals are {', '.join(KLINE_INTERVALS)}"
        raise TopicError(stream, name, problem, hint)
    try:
        topic = check(stream, source.format(parameter, subject))
    except TopicError as error:
        theirs = source.format(parameter, "").rstrip(".")
        ours = f"{kind}.{parameter}".rstrip(".")
        hint = error.hint.replace(f"{theirs}.", f"{ours}.")
        raise TopicError(stream, name, error.problem, hint) from None
    followed = topic.name
    if kind is DerivedKind.INSURANCE:
        followed = f"{kind}.{pool_group(stream, subject)}"
    has_state = kind is not DerivedKind.LIQUIDATION
    return DerivedTopic(stream, kind, parameter, subject, followed, has_state)
