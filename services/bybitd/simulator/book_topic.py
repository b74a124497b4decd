"""`orderbook.{depth}.{symbol}`, `orderbook.rpi.{symbol}` (Bybit V5, Orderbook; RPI Orderbook;
Spread Trading, Orderbook)."""

from bybitd.simulator.channel import NEVER, Channel, Envelope
from bybitd.simulator.depth import DepthView, Levels, Lots, levels
from bybitd.simulator.market import Market

# Push period in ms by depth.
_FUTURES = {1: 10, 50: 20, 200: 100, 1000: 200}
PERIODS = {
    "spot": _FUTURES,
    "linear": _FUTURES,
    "inverse": _FUTURES,
    "option": {25: 20, 100: 100},
    "spread": {25: 20},
}
RPI_PERIOD_MS = 100
_REPEAT_MS = 3_000
Changes = tuple[dict[int, Lots], dict[int, Lots]]


class BookTopic(Channel):
    """One view of one symbol's book, at most once per period.

    A `whole` one (depth 1) is sent whole on each change, and again with the same `u` after 3 s of
    silence; others as changes of their own window.
    """

    def __init__(
        self,
        category: str,
        topic: str,
        market: Market,
        view: DepthView,
        *,
        period_ms: int,
        whole: bool = False,
    ) -> None:
        super().__init__(category, topic, (market,))
        self._market = market
        self._whole = whole
        self._period_ms = period_ms
        self._view = view
        self.begun = False
        self._pushed_ms = 0
        self._lose_next = False
        self._spoil = ""
        self._spoils = 0

    def initial(self, now_ms: int) -> Envelope | None:
        self._begin(now_ms)
        return self._snapshot(now_ms)

    def poll(self, now_ms: int) -> list[Envelope]:
        if not self.begun:
            self._begin(now_ms)
            return []
        if self._view.behind and now_ms >= self._pushed_ms + self._period_ms:
            changes = self._view.refresh(self._market.seq, self._market.changed_ms)
            if changes is not None:
                self._pushed_ms = now_ms
                if self._lose_next:
                    self._lose_next = False
                    return []
                if self._spoils:
                    self._spoils -= 1
                    return [self._spoiled(changes, now_ms)]
                if self._whole:
                    return [self._snapshot(now_ms)]
                return [self._delta(changes, now_ms)]
        if self._whole and now_ms >= self._pushed_ms + _REPEAT_MS:
            self._pushed_ms = now_ms
            return [self._snapshot(now_ms)]
        return []

    def due_ms(self) -> float:
        if self._view.behind:
            return self._pushed_ms + self._period_ms
        return self._pushed_ms + _REPEAT_MS if self._whole else NEVER

    def restart(self, now_ms: int) -> Envelope:
        """Begin again with `u` = 1, as the exchange does when its service restarts."""
        self.begun = True
        self._view.refresh(self._market.seq, self._market.changed_ms)
        self._view.u = 1
        self._pushed_ms = now_ms
        return self._snapshot(now_ms)

    def lose_next(self) -> None:
        """Swallow the next message, so that its `u` is missing."""
        self._lose_next = True

    def spoil_next(self, kind: str, count: int) -> None:
        """Let the next `count` messages make no sense.

        `crossed`: there is a bid at the price of the best ask. `unsorted`: it is a snapshot with
        the worst levels first.
        """
        self._spoil, self._spoils = kind, count

    def _spoiled(self, changes: Changes, now_ms: int) -> Envelope:
        if self._spoil == "unsorted":
            made = self._snapshot(now_ms)
            made["data"] |= {side: made["data"][side][::-1] for side in ("b", "a")}
            return made
        made = self._snapshot(now_ms) if self._whole else self._delta(changes, now_ms)
        it = self._market.instrument
        asks = self._view.snapshot(it.price, it.size, 1)[1]
        made["data"]["b"] = [*asks, *made["data"]["b"]]
        return made

    def _delta(self, changes: Changes, now_ms: int) -> Envelope:
        grids = self._market.instrument.price, self._market.instrument.size
        return self._envelope(
            "delta", levels(changes[0], *grids), levels(changes[1], *grids), now_ms
        )

    def _begin(self, now_ms: int) -> None:
        if not self.begun:
            self.begun = True
            self._pushed_ms = now_ms
            self._view.refresh(self._market.seq, self._market.changed_ms)

    def _snapshot(self, now_ms: int) -> Envelope:
        it = self._market.instrument
        return self._envelope("snapshot", *self._view.snapshot(it.price, it.size), now_ms)

    def _envelope(self, kind: str, bids: Levels, asks: Levels, now_ms: int) -> Envelope:
        view = self._view
        # The order of `ts` and `type` differs on the wire, and hand-made parsers have tripped.
        if (
            self.category in ("spot", "spread")
            or self._whole
            or self.topic.startswith("orderbook.rpi")
        ):
            head: Envelope = {"topic": self.topic, "ts": now_ms, "type": kind}
        else:
            head = {"topic": self.topic, "type": kind, "ts": now_ms}
        return self.option_id(view.seq, now_ms) | head | {
            "data": {
                "s": self._market.instrument.symbol,
                "b": bids,
                "a": asks,
                "u": view.u,
                "seq": view.seq,
            },
            "cts": view.changed_ms,
        }  # fmt: skip
