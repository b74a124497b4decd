"""The closed vocabularies of Bybit V5 ("Enums Definitions"), in its own words.

They are closed for what we send. What the exchange sends may hold words from tomorrow: nothing
that reads its messages may fail on one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

Environment = Literal["sim", "testnet", "demo", "mainnet"]
ENVIRONMENTS: Final = ("sim", "testnet", "demo", "mainnet")

Category = Literal["spot", "linear", "inverse", "option"]
CATEGORIES: Final[tuple[Category, ...]] = ("spot", "linear", "inverse", "option")
FUTURES: Final[tuple[Category, ...]] = ("linear", "inverse")

SIDE: Final = ("Buy", "Sell")
ORDER_TYPE: Final = ("Market", "Limit")
TIME_IN_FORCE: Final = ("GTC", "IOC", "FOK", "PostOnly", "RPI")
TRIGGER_BY: Final = ("LastPrice", "IndexPrice", "MarkPrice")
SMP_TYPE: Final = ("None", "CancelMaker", "CancelTaker", "CancelBoth")
MARKET_UNIT: Final = ("baseCoin", "quoteCoin")
ORDER_FILTER: Final = ("Order", "tpslOrder", "StopOrder")
TPSL_MODE: Final = ("Full", "Partial")
SLIPPAGE_TYPE: Final = ("TickSize", "Percent")
BBO_SIDE: Final = ("Queue", "Counterparty")
BBO_LEVEL: Final = ("1", "2", "3", "4", "5")
# What cancel-all may be told to cancel; the words differ by category.
CANCEL_ALL_FILTER: Final[dict[str, tuple[str, ...]]] = {
    "spot": ("Order", "tpslOrder", "StopOrder", "OcoOrder", "BidirectionalTpslOrder"),
    "linear": ("Order", "StopOrder", "OpenOrder"),
    "inverse": ("Order", "StopOrder", "OpenOrder"),
    "option": ("Order", "StopOrder"),
}
EXEC_TYPE: Final = (
    "Trade",
    "AdlTrade",
    "Funding",
    "BustTrade",
    "Delivery",
    "Settle",
    "BlockTrade",
    "MovePosition",
    "FutureSpread",
    "CorporateAction",
)

POSITION_IDX: Final = (0, 1, 2)  # one-way, hedge long, hedge short
TRIGGER_DIRECTION: Final = (1, 2)  # rises to, falls to
POSITION_MODE: Final = (0, 3)  # one-way, hedge
SWITCH: Final = (0, 1)

KLINE_INTERVALS: Final = (
    "1",
    "3",
    "5",
    "15",
    "30",
    "60",
    "120",
    "240",
    "360",
    "720",
    "D",
    "W",
    "M",
)


class OrderStatus(StrEnum):
    """Where an order is. UNKNOWN stands for every word that is not in this list."""

    NEW = "New"
    PARTIALLY_FILLED = "PartiallyFilled"
    UNTRIGGERED = "Untriggered"
    TRIGGERED = "Triggered"  # momentary; may never be shown
    FILLED = "Filled"
    CANCELLED = "Cancelled"  # derivatives: may have fills
    PARTIALLY_FILLED_CANCELED = "PartiallyFilledCanceled"  # spot only, and with one l
    REJECTED = "Rejected"  # may have fills all the same
    DEACTIVATED = "Deactivated"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def parse(cls, text: str) -> OrderStatus:
        """Return the status a record names; a new or legacy word is UNKNOWN."""
        return _STATUSES.get(text, cls.UNKNOWN)

    @property
    def is_terminal(self) -> bool:
        """Tell whether the order is over. An unknown status never is."""
        return self in _TERMINAL

    @property
    def is_open(self) -> bool:
        """Tell whether the exchange counts it as an open order.

        For "may it still fill?" ask `not is_terminal`: that is true for unknown words as well.
        """
        return self in _OPEN


_STATUSES: Final = {status.value: status for status in OrderStatus}
_OPEN: Final = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.UNTRIGGERED})
_TERMINAL: Final = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELLED,
        OrderStatus.PARTIALLY_FILLED_CANCELED,
        OrderStatus.REJECTED,
        OrderStatus.DEACTIVATED,
    }
)
