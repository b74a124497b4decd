"""One symbol's market: its book, its synthetic participants, its trades and candles.

A market moves only when it is advanced, from event to event, each at a time that the seed decides.
One that nobody advances costs nothing; its prices are then those of the fair value.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from bybitd.simulator.book import BUY, Book, BookOrder, Fill, SelfMatch
from bybitd.simulator.candles import Candles
from bybitd.simulator.depth import DepthView
from bybitd.simulator.fair_value import FairValue
from bybitd.simulator.ids import Identifiers
from bybitd.simulator.instruments import SPREAD, Instrument
from bybitd.simulator.participants import Participants
from bybitd.simulator.rpi import GONE, RpiQuotes

_TAPE_LENGTH = 1000
_LEVELS = 230
_THIN_LEVELS = 40
_RPI_LEVELS = 50
# Mean distance of price levels, as a fraction of the price.
_SPACING = 0.00001
_ORDER_WORTH_USD = 12_000.0
# A market that was not advanced for longer than both of these is quoted afresh, not replayed.
_REPLAY_MS = 5_000
_REPLAY_EVENTS = 20
# A touch older than this is not shown any more.
_FRESH_MS = 1_000


@dataclass(frozen=True, slots=True)
class Trade:
    """One printed trade; `side` is the taker's (BUY or SELL), `direction` the tick direction."""

    id: str
    at_ms: int
    side: int
    tick: int
    lots: int
    direction: str
    seq: int


class Market:
    """The state of one symbol. `on_user_fill` hears of each fill in which a user has a part."""

    def __init__(
        self,
        instrument: Instrument,
        fair_value: FairValue,
        ids: Identifiers,
        *,
        seed: int,
        rate_per_s: float,
        start_ms: int,
        on_user_fill: Callable[["Market", Fill, Trade], None],
    ) -> None:
        self.instrument = instrument
        self.fair_value = fair_value
        self.book = Book()
        self.tape: deque[Trade] = deque(maxlen=_TAPE_LENGTH)
        self.trade_listeners: list[Callable[[Trade], None]] = []
        self.views: dict[int, DepthView] = {}
        self.user_orders = 0  # how many orders of accounts rest or wait here
        # Looks at the prices after each event, while somebody waits for one.
        self.watcher: Callable[[Market, int], None] | None = None
        self.changed_ms = start_ms
        self.traded_lots = 0
        self.direction = "ZeroPlusTick"
        self._ids = ids
        self._on_user_fill = on_user_fill
        self._name = f"{seed}/{instrument.category}/{instrument.symbol}"
        self._rng = random.Random(self._name)
        self.event_gap_ms = 1000.0 / rate_per_s if rate_per_s > 0 else float("inf")
        self._now_ms = start_ms
        self._next_event_ms = float("inf")
        self._quoted = False
        self._seq_base = start_ms * 100
        self._first_u = start_ms // 100 % 1_000_000_000
        self._last_tick = 0
        self._tick_size = float(instrument.tick)
        price = max(self._tick_size, abs(fair_value.mark(instrument, start_ms)))
        worth = 1.0 if instrument.inverse else fair_value.index(instrument.reference, start_ms)
        thin = instrument.category in ("option", SPREAD)
        typical = _ORDER_WORTH_USD / worth / float(instrument.step)
        self.typical_lots = max(1, int(typical))
        self.candles = Candles(self.fair_tick, self.typical_lots * 4, inverse=instrument.inverse)
        self._rpi_view: DepthView | None = None
        self._participants = Participants(
            self.book,
            self._rng,
            self._synthetic_take,
            levels=_THIN_LEVELS if thin else _LEVELS,
            spacing=1.0 if thin else price * _SPACING / self._tick_size,
            lots=self.typical_lots,
        )

    # --- prices
    def fair_tick(self, at_ms: float) -> float:
        """Give the fair price in ticks."""
        return self.instrument.price.at(self.fair_value.mark(self.instrument, at_ms))

    def mark_price(self, now_ms: int) -> Decimal:
        """Give the mark price as positions are valued by it."""
        return self._mark(self.fair_mark(now_ms))

    def fair_mark(self, at_ms: int) -> float:
        """Give the mark price before it is written."""
        return self.fair_value.mark(self.instrument, at_ms)

    def fair_index(self, at_ms: int) -> float:
        """Give the index price before it is written."""
        return self.fair_value.index(self.instrument.reference, at_ms)

    def mark_text(self, mark: float) -> str:
        """Write a mark price as the ticker and the candles have it."""
        return f"{self._mark(mark):f}"

    def index_text(self, index: float) -> str:
        """Write an index price as the ticker and the candles have it."""
        price = self.instrument.price
        return f"{price.decimal(price.nearest(index)):f}"

    def _mark(self, mark: float) -> Decimal:
        it = self.instrument
        if it.category == "option":
            return Decimal(f"{mark:.8f}")
        return it.price.decimal(max(1, it.price.nearest(mark)))

    def last_tick(self, now_ms: int) -> int:
        """Give the price of the last trade; of a market that never traded, the fair one."""
        return self._last_tick or max(1, round(self.fair_tick(now_ms)))

    def touch(self, now_ms: int) -> tuple[int | None, int, int | None, int]:
        """Give best bid, its lots, best ask, its lots, without advancing the market."""
        if now_ms - self._now_ms > _FRESH_MS or not self._quoted:
            fair = self.fair_tick(now_ms)
            bid, ask = int(fair - 0.5), int(fair - 0.5) + 2
            return (bid if bid > 0 else None), self.typical_lots, ask, self.typical_lots
        bids, asks = self.book.bids, self.book.asks
        return (
            bids.best(),
            bids.totals[bids.keys[0]] if bids.keys else 0,
            asks.best(),
            asks.totals[asks.keys[0]] if asks.keys else 0,
        )

    @property
    def seq(self) -> int:
        """The cross sequence: rises with every change of the book."""
        return self._seq_base + self.book.version

    def view(self, depth: int) -> DepthView:
        """Give the window of a depth; its update ids go on where they were."""
        view = self.views.get(depth)
        if view is None:
            view = self.views[depth] = DepthView(self.book, depth, self._first_u)
        return view

    def rpi_view(self) -> DepthView:
        """Give the window of the book with its RPI quotes; it counts its own update ids."""
        if self._rpi_view is None:
            quotes = RpiQuotes(random.Random(self.salt("rpi")).getrandbits(32), self.typical_lots)
            self._rpi_view = DepthView(self.book, _RPI_LEVELS, self._first_u, quotes.window, GONE)
        return self._rpi_view

    def salt(self, purpose: str) -> str:
        """Give a seed of this market for something that is no part of its order flow."""
        return f"{self._name}/{purpose}"

    # --- time
    def next_event_ms(self) -> float:
        return self._next_event_ms

    def advance(self, now_ms: int) -> None:
        """Let the participants act up to `now_ms`; a time that has been is left alone."""
        if now_ms < self._now_ms:
            return
        longest = max(_REPLAY_MS, self.event_gap_ms * _REPLAY_EVENTS)
        if not self._quoted or now_ms - self._now_ms > longest:
            self._quoted = True
            self._now_ms = self.changed_ms = now_ms
            self._participants.quote_afresh(self.fair_tick(now_ms))
            self.candles.watch(now_ms, woke=True)
            self._next_event_ms = now_ms + self._wait()
        while self._next_event_ms <= now_ms:
            self._now_ms = int(self._next_event_ms)
            before = self.book.version
            self._participants.act(self.fair_tick(self._next_event_ms))
            if self.book.version != before:
                self.changed_ms = self._now_ms
            self._next_event_ms += self._wait()
            if self.watcher is not None:
                self.watcher(self, self._now_ms)
        self._now_ms = max(self._now_ms, now_ms)
        self.candles.watch(self._now_ms)

    def _wait(self) -> float:
        gap = self.event_gap_ms
        return gap if gap == float("inf") else self._rng.expovariate(1.0) * gap

    # --- matching
    def take(
        self,
        taker: BookOrder,
        policy: SelfMatch = SelfMatch.NONE,
        on_self_match: Callable[[BookOrder], None] | None = None,
    ) -> bool:
        """Match an order, printing each trade; see Book.take."""
        self.changed_ms = self._now_ms
        return self.book.take(taker, self._print, policy, on_self_match)

    def rest(self, order: BookOrder) -> None:
        self.changed_ms = self._now_ms
        self.book.rest(order)

    def cancel(self, order: BookOrder) -> None:
        self.changed_ms = self._now_ms
        self.book.cancel(order)

    def shrink(self, order: BookOrder, lots: int) -> None:
        self.changed_ms = self._now_ms
        self.book.shrink(order, lots)

    def _synthetic_take(self, taker: BookOrder) -> None:
        self.book.take(taker, self._print)

    def _print(self, fill: Fill) -> None:
        tick, lots = fill.tick, fill.lots
        self._last_tick = self._last_tick or tick
        if tick != self._last_tick:
            self.direction = "PlusTick" if tick > self._last_tick else "MinusTick"
        elif not self.direction.startswith("Zero"):
            self.direction = "Zero" + self.direction
        self._last_tick = tick
        self.traded_lots += lots
        self.candles.trade(tick, lots, self._now_ms)
        trade = Trade(
            self._ids.next(self.instrument.category),
            self._now_ms,
            fill.taker.side,
            tick,
            lots,
            self.direction,
            self.seq,
        )
        self.tape.append(trade)
        for listener in self.trade_listeners:
            listener(trade)
        if fill.maker.owner or fill.taker.owner:
            self._on_user_fill(self, fill, trade)


def side_name(side: int) -> str:
    """Name a side as Bybit does."""
    return "Buy" if side == BUY else "Sell"
