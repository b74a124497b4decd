"""What an account is worth and what it may still do: locks, margins, the wallet record.

Sources: Bybit V5, Wallet stream; the account is a unified one in cross margin, so that contracts
are covered by everything it owns in USD, spot orders by the coin itself (there is no borrowing).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bybitd.simulator.account import Account
from bybitd.simulator.instruments import Instrument, plain
from bybitd.simulator.markets import Markets
from bybitd.simulator.orders import BEFORE_BOOK, Order
from bybitd.simulator.positions import (
    MAINTENANCE_RATE,
    Position,
    Valuation,
    initial_margin,
    money,
    profit,
    value,
)

_ZERO = Decimal(0)


@dataclass(slots=True)
class CoinSheet:
    """The figures of one coin, in that coin."""

    wallet: Decimal = _ZERO
    locked: Decimal = _ZERO
    order_margin: Decimal = _ZERO
    position_margin: Decimal = _ZERO
    maintenance: Decimal = _ZERO
    unrealised: Decimal = _ZERO
    option_value: Decimal = _ZERO

    @property
    def equity(self) -> Decimal:
        return self.wallet + self.unrealised + self.option_value


@dataclass(slots=True)
class Sheet:
    """The figures of an account at one moment; totals are in USD."""

    coins: dict[str, CoinSheet] = field(default_factory=lambda: defaultdict(CoinSheet))
    usd: dict[str, Decimal] = field(default_factory=dict)
    _totals: dict[str, Decimal] = field(default_factory=dict)

    def total(self, name: str) -> Decimal:
        """Sum one figure of every coin in USD."""
        known = self._totals.get(name)
        if known is None:
            amounts: Iterable[Decimal] = (
                getattr(sheet, name) * self.usd[coin] for coin, sheet in self.coins.items()
            )
            known = self._totals[name] = money(sum(amounts, _ZERO))
        return known

    @property
    def available(self) -> Decimal:
        """USD that new contract orders may still bind."""
        bound = self.total("order_margin") + self.total("position_margin") + self.total("locked")
        return self.total("wallet") + self.total("unrealised") - bound


class Margin:
    """Computes the sheet of an account from the markets' marks."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._usd: dict[str, tuple[int, Decimal]] = {}  # time and price last asked for

    def usd(self, coin: str, now_ms: int) -> Decimal:
        """Give the USD price of a coin."""
        known = self._usd.get(coin)
        if known is None or known[0] != now_ms:
            known = now_ms, Decimal(f"{self._markets.fair_value.index(coin, now_ms):.8f}")
            self._usd[coin] = known
        return known[1]

    def valuation(self, account: Account, it: Instrument, now_ms: int) -> Valuation:
        """Give what positions in an instrument are valued with."""
        greeks = None
        if it.category == "option":
            one = self._markets.fair_value.option(it, now_ms)
            delta, gamma, vega, theta = (
                Decimal(f"{greek:.8f}") for greek in (one.delta, one.gamma, one.vega, one.theta)
            )
            greeks = (delta, gamma, vega, theta)
        mark = self._markets.of(it).mark_price(now_ms)
        return Valuation(mark=mark, leverage=account.leverage_of(it), greeks=greeks)

    def order_needs(self, account: Account, it: Instrument, order: Order) -> tuple[str, Decimal]:
        """Give the coin and the amount that an order binds while `leaves` is open."""
        lots = order.leaves
        if order.status in BEFORE_BOOK and not _holds_while_waiting(order):
            return (it.quote if it.category == "spot" else it.settle), _ZERO
        if it.category == "spot":
            if order.budget is not None and order.side > 0:
                return it.quote, order.budget - order.value
            if order.side > 0:
                tick = order.tick or order.trigger_tick
                return it.quote, money(it.value(lots, tick))
            return it.base, it.size.decimal(lots)
        if order.reduces:
            return it.settle, _ZERO
        position = account.position(it, order.position_idx)
        if (position.size > 0) != (order.side > 0):
            # What closes a position needs no margin of its own.
            lots = max(0, lots - it.size.floor(abs(position.size)))
        worth = it.value(lots, order.tick)
        if it.category == "option" and order.side < 0:
            worth += it.size.decimal(lots) * it.strike / 10
        return it.settle, money(worth / account.leverage_of(it))

    def bound_by(self, account: Account, order: Order) -> Decimal:
        """Give the amount that an open order binds at present."""
        self._refresh(account)
        return account.bound.by(order)

    def _refresh(self, account: Account) -> None:
        def needs(order: Order) -> tuple[str, Decimal]:
            it = self._markets.instruments[order.category][order.symbol]
            return self.order_needs(account, it, order)

        account.bound.refresh(needs)

    def sheet(self, account: Account, now_ms: int) -> Sheet:
        """Draw up all figures of an account."""
        sheet = Sheet()
        for coin, amount in account.wallet.items():
            sheet.coins[coin].wallet = amount
        self._refresh(account)
        for coin, amount in account.bound.locked.items():
            sheet.coins[coin].locked = amount
        for coin, amount in account.bound.margin.items():
            sheet.coins[coin].order_margin = amount
        for position in account.positions.values():
            if position.size:
                self._add_position(sheet, account, position, now_ms)
        sheet.usd = {coin: self.usd(coin, now_ms) for coin in sheet.coins}
        return sheet

    def _add_position(
        self, sheet: Sheet, account: Account, position: Position, now_ms: int
    ) -> None:
        it = self._markets.instruments[position.category][position.symbol]
        at = self.valuation(account, it, now_ms)
        coin = sheet.coins[it.settle]
        coin.position_margin += initial_margin(it, position, at)
        coin.maintenance += money(value(it, position.size, at.mark) * MAINTENANCE_RATE)
        if it.category == "option":
            coin.option_value += money(position.size * at.mark)
        else:
            coin.unrealised += profit(it, position.size, position.average, at.mark)

    def greeks_record(self, account: Account, base: str, now_ms: int) -> dict[str, Any]:
        """Write the record of the `greeks` topic: all option positions of a base coin together."""
        totals = [_ZERO] * 4
        for position in account.positions.values():
            it = self._markets.instruments[position.category][position.symbol]
            if it.category == "option" and it.base == base:
                greeks = self.valuation(account, it, now_ms).greeks or ()
                for nth, one in enumerate(greeks):
                    totals[nth] += one * position.size
        names = ("totalDelta", "totalGamma", "totalVega", "totalTheta")
        texts = (plain(money(total)) for total in totals)
        return {"baseCoin": base, **dict(zip(names, texts, strict=True))}

    def wallet_record(
        self, account: Account, now_ms: int, coins: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Write the record of the `wallet` topic, and of REST; only `coins` where they are given.

        Without them coins with a zero balance are left out, as REST does.
        """
        sheet = self.sheet(account, now_ms)
        if coins is None:
            coins = [coin for coin, figures in sheet.coins.items() if figures.equity]
        wallet = sheet.total("wallet")
        margin_balance = wallet + sheet.total("unrealised")
        initial = sheet.total("order_margin") + sheet.total("position_margin")
        maintenance = sheet.total("maintenance")
        rates = [_rate(initial, margin_balance), _rate(maintenance, margin_balance)]
        return {
            "accountType": "UNIFIED",
            "accountIMRate": rates[0],
            "accountIMRateByMp": rates[0],
            "accountMMRate": rates[1],
            "accountMMRateByMp": rates[1],
            "accountLTV": "0",
            "totalEquity": plain(margin_balance + sheet.total("option_value")),
            "totalWalletBalance": plain(wallet),
            "totalMarginBalance": plain(margin_balance),
            "totalAvailableBalance": plain(max(_ZERO, sheet.available)),
            "totalPerpUPL": plain(sheet.total("unrealised")),
            "totalInitialMargin": plain(initial),
            "totalInitialMarginByMp": plain(initial),
            "totalMaintenanceMargin": plain(maintenance),
            "totalMaintenanceMarginByMp": plain(maintenance),
            "coin": [
                _coin_record(coin, sheet.coins[coin], self.usd(coin, now_ms), account)
                for coin in coins
            ],
        }


def _holds_while_waiting(order: Order) -> bool:
    """Tell whether an order that waits binds its coins: TP/SL of spot, one half of a pair."""
    return order.stop_type == "tpslOrder" or (
        order.stop_type == "OcoOrder" and order.create_type == "CreateByTakeProfit"
    )


def _rate(part: Decimal, whole: Decimal) -> str:
    return plain((part / whole).quantize(Decimal("0.0001"))) if whole > 0 else "0"


def _coin_record(coin: str, sheet: CoinSheet, usd: Decimal, account: Account) -> dict[str, Any]:
    return {
        "coin": coin,
        "equity": plain(sheet.equity),
        "usdValue": plain(money(sheet.equity * usd)),
        "walletBalance": plain(sheet.wallet),
        "locked": plain(sheet.locked),
        "spotHedgingQty": "0",
        "borrowAmount": "0",
        "spotBorrow": "0",
        "availableToBorrow": "",
        "availableToWithdraw": "",
        "free": "",
        "accruedInterest": "0",
        "totalOrderIM": plain(sheet.order_margin),
        "totalPositionIM": plain(sheet.position_margin),
        "totalPositionMM": plain(sheet.maintenance),
        "unrealisedPnl": plain(sheet.unrealised),
        "cumRealisedPnl": plain(account.realised.get(coin, _ZERO)),
        "bonus": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
        "colRes": "0",
    }
