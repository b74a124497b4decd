"""The orders of the demo: one that rests, is amended and cancelled, and one that fills.

Written as a strategy would be: requests over the bus, and the truth from the private topics.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

from bybitbus.book import Book
from bybitbus.client import Client
from bybitbus.errors import BusError, Refused
from bybitbus.events import Event
from bybitbus.subscriber import Subscriber
from bybitd.errors import BybitdError

_CATEGORY = "linear"
_STEP_S = 20.0
_BEAT_MS = 100
_TOPICS = (
    "private.main.order.",
    "private.main.execution.",
    "private.main.position.",
    "gateway.order.main.",
)
_STEPS = (
    "an order that rests",
    "its amendment",
    "its cancellation",
    "an order that fills",
    "its fill",
    "the position that it made",
)


class _NotSeen(BybitdError):
    """Raised when what a request should cause does not come over the bus."""


class _Stopped(BybitdError):
    """Raised when the demo ends before the orders have."""


class OrderLife:
    """Walks the orders through their lives, in the thread that calls `run`.

    `instrument` is the row of a linear symbol; `say` gets a line for each thing that happens.
    """

    def __init__(
        self, run_dir: Path, instrument: dict[str, Any], say: Callable[[str], None]
    ) -> None:
        self._run_dir = run_dir
        self._instrument = instrument
        self._symbol: str = instrument["symbol"]
        self._say = say
        self._stopping = threading.Event()
        self._seen: list[str] = []
        self.failed = ""

    def missing(self) -> list[str]:
        """Return the steps that have not been seen, and why if that is known."""
        missing = [step for step in _STEPS if step not in self._seen]
        if missing and self.failed:
            missing[0] += f" ({self.failed})"
        return missing

    def stop(self) -> None:
        """Have `run` return soon."""
        self._stopping.set()

    def run(self) -> None:
        """Place, amend, cancel, fill; what goes wrong is in `failed`."""
        try:
            with (
                Client(self._run_dir, client="demo") as client,
                Subscriber(self._run_dir) as subscriber,
            ):
                _Walk(self, client, subscriber).run()
        except _Stopped:
            pass
        except (BusError, BybitdError) as error:
            self.failed = str(error)
            self._say(f"order: FAILED: {error}")
        except Exception as error:
            self.failed = f"{type(error).__name__}: {error}"
            self._say(f"order: FAILED: {self.failed}")

    # For the walk

    @property
    def instrument(self) -> dict[str, Any]:
        """The instrument's row."""
        return self._instrument

    def saw(self, step: str) -> None:
        """Note that a step was seen."""
        assert step in _STEPS
        self._seen.append(step)

    def say(self, text: str) -> None:
        """Pass a line on."""
        self._say(text)

    def check_stopped(self) -> None:
        """Raise when it is time to end."""
        if self._stopping.is_set():
            raise _Stopped("the demo ends")


class _Walk:
    """One walk, with its sockets."""

    def __init__(self, life: OrderLife, client: Client, subscriber: Subscriber) -> None:
        self._life = life
        self._client = client
        self._subscriber = subscriber
        self._symbol: str = life.instrument["symbol"]
        self._book = Book(f"{_CATEGORY}.orderbook.1.{self._symbol}.")

    def run(self) -> None:
        for topic in (*_TOPICS, self._book.topic):
            self._subscriber.subscribe(topic)
        self._wait("a book", lambda event: self._book.valid)
        tick = Decimal(self._life.instrument["priceFilter"]["tickSize"])
        best = Decimal(self._book.best_bid or "0")
        # Far enough below the market to rest, near enough for the exchange's price limits.
        price = _rounded(best * Decimal("0.98"), tick)
        qty = self._quantity(price)
        link = self._create(orderType="Limit", qty=qty, price=price, timeInForce="PostOnly")
        self._wait_order("an order that rests", link, lambda row: row["orderStatus"] == "New")
        better = _rounded(best * Decimal("0.985"), tick)
        self._ask("order.amend", orderLinkId=link, price=better)
        self._wait_order(
            "its amendment",
            link,
            lambda row: row["orderStatus"] == "New" and Decimal(row["price"]) == Decimal(better),
        )
        self._ask("order.cancel", orderLinkId=link)
        self._wait_order("its cancellation", link, lambda row: row["orderStatus"] == "Cancelled")
        link = self._create(orderType="Market", qty=qty)
        done = {"an order that fills": False, "its fill": False, "the position that it made": False}

        def filled(event: Event) -> bool:
            name = event.topic.split(".")[2]
            for row in _rows(event):
                if name == "order" and row.get("orderLinkId") == link:
                    done["an order that fills"] |= row["orderStatus"] == "Filled"
                elif name == "execution" and row.get("orderLinkId") == link:
                    done["its fill"] = True
                elif name == "position" and row.get("symbol") == self._symbol:
                    done["the position that it made"] |= Decimal(row["size"] or "0") > 0
            return all(done.values())

        try:
            self._wait("the fill", filled)
        finally:
            for step, seen in done.items():
                if seen:
                    self._life.saw(step)

    def _quantity(self, price: str) -> str:
        lot = self._life.instrument["lotSizeFilter"]
        step, least = Decimal(lot["qtyStep"]), Decimal(lot["minOrderQty"])
        notional = Decimal(lot.get("minNotionalValue") or "0")
        # Twice the least value, so that a falling price does not make it too small.
        wanted = max(least, 2 * notional / Decimal(price))
        return _plain((wanted / step).to_integral_value(ROUND_CEILING) * step)

    def _create(self, **args: str) -> str:
        result = self._ask("order.create", side="Buy", **args)
        return str(result["orderLinkId"])

    def _ask(self, op: str, **args: str) -> dict[str, Any]:
        told = " ".join(f"{name}={value}" for name, value in args.items())
        self._life.say(f"order: > {op} {self._symbol} {told}")
        due_s = time.monotonic() + _STEP_S
        while True:
            self._life.check_stopped()
            try:
                result: dict[str, Any] = self._client.request(
                    op, {"category": _CATEGORY, "symbol": self._symbol, **args}
                )
            except Refused as error:
                # Not sent, and the gateway says that trying again can do no harm.
                if not error.retry_safe or time.monotonic() >= due_s:
                    raise
                time.sleep(_BEAT_MS / 1000)
                continue
            self._life.say(f"order: < accepted orderLinkId={result['orderLinkId']}")
            return result

    def _wait_order(self, step: str, link: str, matches: Callable[[dict[str, Any]], bool]) -> None:
        def arrived(event: Event) -> bool:
            return event.topic == "private.main.order." and any(
                row.get("orderLinkId") == link and matches(row) for row in _rows(event)
            )

        self._wait(step, arrived)
        self._life.saw(step)

    def _wait(self, what: str, arrived: Callable[[Event], bool]) -> None:
        due_s = time.monotonic() + _STEP_S
        while time.monotonic() < due_s:
            self._life.check_stopped()
            event = self._subscriber.receive(_BEAT_MS)
            if event is None:
                continue
            if event.topic == self._book.topic:
                self._book.apply(event)
            else:
                self._tell(event)
            if arrived(event):
                return
        raise _NotSeen(f"{what} did not come within {_STEP_S:g} s")

    def _tell(self, event: Event) -> None:
        if event.topic.startswith("gateway.order."):
            body = event.body
            self._life.say(f"order:   journal   {body.get('orderLinkId')} {body.get('state')}")
        name = event.topic.split(".")[2]
        for row in _rows(event):
            match name:
                case "order":
                    told = _told(row, "orderLinkId", "orderStatus", "price", "qty", "cumExecQty")
                case "execution":
                    told = _told(row, "orderLinkId", "side", "execQty", "execPrice", "execFee")
                case _:
                    told = _told(row, "symbol", "side", "size", "entryPrice")
            self._life.say(f"order:   {name:9} {told}")


def _rows(event: Event) -> list[dict[str, Any]]:
    return list(event.body.get("data", [])) if event.topic.startswith("private.") else []


def _told(row: dict[str, Any], *keys: str) -> str:
    return " ".join(f"{key}={row[key]}" for key in keys if row.get(key) not in (None, ""))


def _rounded(price: Decimal, tick: Decimal) -> str:
    return _plain((price / tick).to_integral_value(ROUND_FLOOR) * tick)


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
