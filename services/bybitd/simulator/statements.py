"""What an account looks back on: closed profit and the log of every change of its coins.

Sources: Bybit V5, Get Closed PnL and Get Transaction Log. Both follow from orders and executions.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from bybitd.simulator.account import Account, Execution, Flow
from bybitd.simulator.instruments import Instrument, plain
from bybitd.simulator.markets import Markets
from bybitd.simulator.orders import Order
from bybitd.simulator.parameters import category_of, cursor_to, instrument_of, page_of, span_of
from bybitd.simulator.refusal import parameter_error

Params = Mapping[str, str]
_DAY_MS = 86_400_000
_CLOSED_BY = {"CreateByTakeOver_PassThrough": "BustTrade", "CreateBySettle": "Settle"}


class Statements:
    """Answers the signed GETs about the past of an account's money."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self.routes: dict[str, Callable[[Account, Params, int], dict[str, Any]]] = {
            "/v5/position/closed-pnl": self._closed_pnl,
            "/v5/account/transaction-log": self._transaction_log,
        }

    def _closed_pnl(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        category = category_of(params)
        if category == "spot":
            raise parameter_error("params error: category invalid")
        symbol = instrument_of(self._markets, params).symbol if params.get("symbol") else ""
        first, last = span_of(params, now_ms)
        limit, before = page_of(params, 50, 100)
        listed = self._markets.instruments.get(category, {})
        orders = [
            order
            for order in (*account.closed_orders.values(), *account.open_orders.values())
            if order.closed
            and order.category == category
            and symbol in ("", order.symbol)
            and order.symbol in listed
            and first <= order.updated_ms <= last
            and (not before or order.row < before)
        ]
        orders.sort(key=lambda order: order.row, reverse=True)
        rows = [_closed_row(account, order, listed[order.symbol]) for order in orders[:limit]]
        cursor = cursor_to(orders[limit - 1].row) if len(orders) > limit else ""
        return {"nextPageCursor": cursor, "category": category, "list": rows}

    def _transaction_log(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        if params.get("accountType", "UNIFIED") != "UNIFIED":
            raise parameter_error("accountType only support UNIFIED.")
        limit, before = page_of(params, 20, 50)
        rows: list[dict[str, Any]] = []
        cursor, last_row = "", 0
        for execution, flow in self._flows(account, params, now_ms):
            if before and execution.row >= before:
                continue
            # The two coins of one fill stay on one page.
            if len(rows) >= limit and execution.row != last_row:
                cursor = cursor_to(last_row)
                break
            rows.append(_log_row(account, execution, flow))
            last_row = execution.row
        return {"nextPageCursor": cursor, "list": rows}

    def _flows(
        self, account: Account, params: Params, now_ms: int
    ) -> Iterator[tuple[Execution, Flow]]:
        """List what moved the coins that are asked for, newest first."""
        first, last = span_of(params, now_ms, _DAY_MS)
        category, coin, kind = (params.get(name) for name in ("category", "currency", "type"))
        base = params.get("baseCoin")
        for execution in reversed(account.executions):
            record = execution.record
            it = self._markets.instruments.get(record["category"], {}).get(record["symbol"])
            if (
                first <= execution.at_ms <= last
                and category in (None, "", record["category"])
                and kind in (None, "", _kind(record))
                and (not base or (it is not None and it.base == base))
            ):
                for flow in execution.flows:
                    if coin in (None, "", flow.coin):
                        yield execution, flow


def _closed_row(account: Account, order: Order, it: Instrument) -> dict[str, Any]:
    def average(worth: Decimal) -> str:
        price = order.closed / worth if it.inverse else worth / order.closed
        return plain(price.quantize(Decimal("0.00000001")))

    return {
        "symbol": order.symbol,
        "orderType": order.order_type,
        "leverage": plain(account.leverage_of(it)),
        "updatedTime": str(order.updated_ms),
        "side": "Buy" if order.side > 0 else "Sell",
        "orderId": order.order_id,
        "closedPnl": plain(order.closed_pnl - order.open_fee - order.close_fee),
        "openFee": plain(order.open_fee),
        "closeFee": plain(order.close_fee),
        "avgEntryPrice": average(order.entry_value),
        "qty": it.size.text(order.lots),
        "cumEntryValue": plain(order.entry_value),
        "createdTime": str(order.created_ms),
        "orderPrice": it.price.text(order.tick),
        "closedSize": plain(order.closed),
        "avgExitPrice": average(order.exit_value),
        "execType": _CLOSED_BY.get(order.create_type, "Trade"),
        "fillCount": str(order.fill_count),
        "cumExitValue": plain(order.exit_value),
    }


def _kind(record: Mapping[str, Any]) -> str:
    kinds = {"Trade": "TRADE", "Funding": "SETTLEMENT", "AdlTrade": "ADL", "Settle": "DELIVERY"}
    return kinds.get(record["execType"], "LIQUIDATION")


def _log_row(account: Account, execution: Execution, flow: Flow) -> dict[str, Any]:
    record = execution.record
    change = flow.cash + flow.funding - flow.fee
    spot = record["category"] == "spot"
    return {
        "transSubType": "",
        "id": f"{account.uid}_{record['symbol']}_{execution.row}",
        "symbol": record["symbol"],
        "side": record["side"],
        "funding": plain(flow.funding) if record["execType"] == "Funding" else "",
        "orderLinkId": record["orderLinkId"],
        "orderId": record["orderId"],
        "fee": plain(flow.fee),
        "change": plain(change),
        "cashFlow": plain(flow.cash),
        "transactionTime": record["execTime"],
        "type": _kind(record),
        "feeRate": record["feeRate"],
        "bonusChange": "",
        "size": plain(flow.size),
        "qty": plain(flow.cash) if spot else record["execQty"],
        "cashBalance": plain(flow.balance),
        "currency": flow.coin,
        "category": record["category"],
        "tradePrice": record["execPrice"],
        "tradeId": record["execId"],
        "extraFees": "",
    }
