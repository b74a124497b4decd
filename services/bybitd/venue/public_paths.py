"""The GETs of the exchange that need no key, and the categories that each has.

Source: Bybit V5, "Market", "Spread Trading / Market", "Get System Status", "Get Announcement", and
the pages of other parts that say "does not need authentication".
"""

from __future__ import annotations

from typing import Final

from bybitd.nearest import nearest
from bybitd.venue.errors import PathError

_MARKET: Final = "/v5/market/"
_ALL: Final = ("spot", "linear", "inverse", "option")
_ORDER_BOOKS: Final = ("spot", "linear", "inverse")
_FUTURES: Final = ("linear", "inverse")
# Path -> what its parameter `category` may be; () where it has no such parameter, or another
# meaning of it (the products of "earn").
PUBLIC_PATHS: Final[dict[str, tuple[str, ...]]] = {
    "/v5/market/time": (),
    "/v5/market/kline": _ORDER_BOOKS,
    "/v5/market/mark-price-kline": ("linear", "inverse", "option"),
    "/v5/market/index-price-kline": _FUTURES,
    "/v5/market/premium-index-price-kline": ("linear",),
    "/v5/market/instruments-info": _ALL,
    "/v5/market/orderbook": _ALL,
    "/v5/market/full_orderbook": _ORDER_BOOKS,
    "/v5/market/rpi_orderbook": _ORDER_BOOKS,
    "/v5/market/tickers": _ALL,
    "/v5/market/funding/history": _FUTURES,
    "/v5/market/recent-trade": _ALL,
    "/v5/market/open-interest": _FUTURES,
    "/v5/market/historical-volatility": ("option",),
    "/v5/market/insurance": (),
    "/v5/market/risk-limit": _FUTURES,
    "/v5/market/delivery-price": ("linear", "inverse", "option"),
    "/v5/market/new-delivery-price": ("option",),
    "/v5/market/account-ratio": _FUTURES,
    "/v5/market/index-price-components": (),
    "/v5/market/price-limit": _ORDER_BOOKS,
    "/v5/market/adlAlert": (),
    "/v5/market/fee-group-info": (),
    "/v5/spread/instrument": (),
    "/v5/spread/orderbook": (),
    "/v5/spread/tickers": (),
    "/v5/spread/recent-trade": (),
    "/v5/system/status": (),
    "/v5/announcements/index": (),
    "/v5/spot-margin-trade/data": (),
    "/v5/spot-margin-trade/collateral": (),
    "/v5/crypto-loan/collateral-data": (),
    "/v5/crypto-loan/loanable-data": (),
    "/v5/crypto-loan-common/collateral-data": (),
    "/v5/crypto-loan-common/loanable-data": (),
    "/v5/crypto-loan-fixed/borrow-order-quote": (),
    "/v5/crypto-loan-fixed/supply-order-quote": (),
    "/v5/earn/product": (),
    "/v5/earn/apr-history": (),
    "/v5/earn/token/history-apr": (),
    "/v5/earn/fixed-term/product": (),
    "/v5/earn/hold-to-earn/product": (),
    "/v5/earn/advance/product": (),
    "/v5/earn/advance/product-extra-info": (),
    "/v5/earn/liquidity-mining/product": (),
    "/v5/earn/pwm/customize-plan/product": (),
}


def check_public(path: str) -> tuple[str, ...]:
    """Return what the parameter `category` of a public GET may be, () where it has none.

    Raises:
        PathError: it is no public GET of the exchange; says which is most like it.
    """
    categories = PUBLIC_PATHS.get(path)
    if categories is not None:
        return categories
    # Compared without what most of them begin with, or everything would be near.
    tails = {known.removeprefix(_MARKET): known for known in PUBLIC_PATHS}
    near = nearest(path.removeprefix(_MARKET), tails, 0.7)
    hint = f"did you mean {tails[near]}?" if near else f"such as {_MARKET}tickers"
    raise PathError(path[:80], "is no public GET of the exchange", hint)
