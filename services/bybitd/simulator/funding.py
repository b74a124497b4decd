"""Funding: what perpetual positions pay each other every eight hours.

It comes as an execution of type Funding, with a wallet event and no order (Bybit V5, Execution).
"""

from collections.abc import Iterable
from decimal import Decimal

from bybitd.simulator.account import Account, Execution, Flow
from bybitd.simulator.changes import Changes
from bybitd.simulator.fair_value import FUNDING_INTERVAL_MS
from bybitd.simulator.ids import Identifiers
from bybitd.simulator.instruments import Instrument, plain
from bybitd.simulator.markets import Markets
from bybitd.simulator.positions import Position, money, value


class Funding:
    """Settles funding at its times."""

    def __init__(self, markets: Markets, changes: Changes, ids: Identifiers, now_ms: int) -> None:
        self._markets = markets
        self._changes = changes
        self._ids = ids
        self.next_ms = _next(now_ms)

    def settle(self, accounts: Iterable[Account], now_ms: int) -> None:
        """Settle the funding time that has come; one that was slept through is not made up."""
        if now_ms < self.next_ms:
            return
        at_ms = now_ms // FUNDING_INTERVAL_MS * FUNDING_INTERVAL_MS
        self.next_ms = _next(now_ms)
        for account in accounts:
            for position in account.positions.values():
                it = self._markets.instruments[position.category][position.symbol]
                if it.perpetual and position.size:
                    self.pay(account, position, it, at_ms)

    def pay(self, account: Account, position: Position, it: Instrument, at_ms: int) -> None:
        """Let one position pay or receive at the rate of this moment."""
        market = self._markets.of(it)
        rate = Decimal(f"{self._markets.fair_value.funding_rate(it, at_ms - 1):.8f}")
        mark = market.mark_price(at_ms)
        worth = value(it, position.size, mark)
        fee = money(worth * rate) * (1 if position.size > 0 else -1)
        account.credit(it.settle, -fee)
        position.realised -= fee
        position.realised_ever -= fee
        position.updated_ms = at_ms
        account.realised[it.settle] = account.realised.get(it.settle, Decimal(0)) - fee
        qty = plain(abs(position.size))
        record = {
            "category": it.category,
            "symbol": it.symbol,
            "orderId": f"{at_ms // 1000}-{it.symbol}-{account.uid}-{position.side}",
            "orderLinkId": "",
            "side": position.side,
            "orderType": "UNKNOWN",
            "orderPrice": "0",
            "orderQty": "0",
            "leavesQty": "0",
            "execId": self._ids.next(it.category),
            "execPrice": plain(mark),
            "execQty": qty,
            "execValue": plain(worth),
            "execTime": str(at_ms),
            "execType": "Funding",
            "execFee": plain(fee),
            "execFeeV2": "",
            "feeRate": plain(rate),
            "feeCurrency": it.settle,
            "execPnl": "0",
            "closedSize": "0",
            "isMaker": False,
            "isLeverage": "0",
            "stopOrderType": "UNKNOWN",
            "markPrice": plain(mark),
            "indexPrice": "",
            "underlyingPrice": "",
            "tradeIv": "",
            "markIv": "",
            "blockTradeId": "",
            "marketUnit": "",
            "extraFees": "",
            "createType": "",
            "seq": market.seq,
        }
        flow = Flow(
            coin=it.settle, funding=-fee, balance=account.wallet[it.settle], size=position.size
        )
        row = Execution(row=account.next_row(), at_ms=at_ms, record=record, flows=[flow])
        self._changes.execution(account, row)
        self._changes.position(account, it, position.idx)
        self._changes.coin(account, it.settle)


def _next(now_ms: int) -> int:
    return (now_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS
