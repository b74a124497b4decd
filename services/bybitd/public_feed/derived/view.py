"""A derived topic as this process carries it: as well as the topic that it follows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from bybitd.public_feed.derived.best import BestPrices
from bybitd.public_feed.derived.catalogue import DerivedKind, DerivedTopic
from bybitd.public_feed.derived.liquidations import Liquidations
from bybitd.public_feed.derived.price_candles import PriceCandles
from bybitd.public_feed.derived.symbol_pools import SymbolPools
from bybitd.public_feed.derived.ticker import FullTicker
from bybitd.public_feed.derived.ticker_fields import TickerFields
from bybitd.public_feed.derived.whole_book import WholeBook
from bybitd.public_feed.published import Fill, FillState, Health, Published
from bybitd.venue.state import TopicState


class Computed(Protocol):
    """What one sort of derived topic computes from the kept state of its source.

    `source` is the state that `venue.state.state_for` makes for that topic.
    """

    def after(self, source: Any, message: dict[str, Any] | None) -> Sequence[dict[str, Any]]:
        """Return what is to be published after `source` took a message; with None, what there
        is to be published at first.

        Raises:
            LookupError, TypeError, AttributeError: a message that the state need not
                understand makes no sense here.
        """

    def whole(self, source: Any) -> dict[str, Any] | None:
        """Return what is known now, None where that is nothing."""

    def forget(self) -> None:
        """Note that readers can not trust what they were told."""


class _Computing(Protocol):
    def __call__(self, topic: DerivedTopic) -> Computed: ...


_COMPUTED: Final[dict[DerivedKind, _Computing]] = {
    DerivedKind.BBO: BestPrices,
    DerivedKind.TICKER: FullTicker,
    DerivedKind.BOOK: WholeBook,
    DerivedKind.FUNDING: TickerFields,
    DerivedKind.DELIVERY: TickerFields,
    DerivedKind.OPEN_INTEREST: TickerFields,
    DerivedKind.LIQUIDATION: Liquidations,
    DerivedKind.INSURANCE: SymbolPools,
    DerivedKind.MARK_PRICE: PriceCandles,
    DerivedKind.INDEX_PRICE: PriceCandles,
}


class View(Published):
    """One derived topic. `source` is the name of the topic that it follows.

    A whole book is published once in `book_interval_ms` at most: before `next_ms` (monotonic) it is
    `owed`. `broken` says why nothing can be told although the source is live, else it is "".
    `candles` is set where REST has to be asked for what the source does not tell.
    """

    __slots__ = (
        "_computed",
        "_is_book",
        "_state",
        "broken",
        "candles",
        "next_ms",
        "owed",
        "pause_ms",
        "source",
    )

    def __init__(self, topic: DerivedTopic, now_ns: int, book_interval_ms: int = 0) -> None:
        super().__init__(topic.stream, topic.name, topic.has_state, now_ns)
        self.source = topic.source
        self._computed = _COMPUTED[topic.kind](topic)
        self._state: TopicState | None = None
        self.candles = self._computed if isinstance(self._computed, PriceCandles) else None
        self.broken = self.lacks
        self._is_book = topic.kind is DerivedKind.BOOK
        self.pause(book_interval_ms)
        self._begin()

    def pause(self, book_interval_ms: int) -> None:
        """Let no more than one whole book pass in this time from now on."""
        self.pause_ms = book_interval_ms if self._is_book else 0

    @property
    def lacks(self) -> str:
        """Say what is missing before anything can be told, "" for nothing."""
        return "" if self.candles is None else self.candles.lacks

    def follow(self, state: TopicState) -> None:
        """Compute from this state from now on."""
        self._state = state
        self._begin()

    def after(self, message: dict[str, Any] | None) -> Sequence[dict[str, Any]]:
        """Return what to publish after the source took a message; None begins."""
        return self._computed.after(self._state, message)

    def message(self) -> dict[str, Any] | None:
        """Return what a late joiner is to be told, None while that is nothing."""
        return None if self._state is None else self._computed.whole(self._state)

    def turn(self, health: Health, reason: str, now_ns: int) -> bool:
        """Note how the source is; what was published before bad news has to be said again."""
        if health is not Health.LIVE:
            self._begin()
            if self.candles is not None and (hole_ms := self.candles.series.hole_ms) is not None:
                self.fill = Fill(FillState.PENDING, hole_ms)
        return super().turn(health, reason, now_ns)

    def wait(self, reason: str, now_ns: int) -> bool:
        """Note why nothing can be told although the source goes on; nothing is forgotten."""
        return super().turn(Health.STALE, reason, now_ns)

    def _begin(self) -> None:
        self._computed.forget()
        self.next_ms = 0
        self.owed = False
