"""The signed GETs: orders, executions, positions, wallet, account and key.

Sources: Bybit V5, Trade, Position, Account, User. Lists are newest first and paged by a cursor.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bybitd.simulator.account import Account, Execution
from bybitd.simulator.fills import FEE_RATES
from bybitd.simulator.instruments import Instrument, plain
from bybitd.simulator.margin import Margin
from bybitd.simulator.markets import Markets
from bybitd.simulator.orders import Order, order_record
from bybitd.simulator.parameters import (
    category_of,
    cursor_to,
    instrument_of,
    page_of,
    span_of,
)
from bybitd.simulator.positions import position_record, position_row
from bybitd.simulator.refusal import parameter_error

Params = Mapping[str, str]
_DAY_MS = 86_400_000
_RECENTLY_CLOSED = 500


class AccountQueries:
    """Answers the signed GETs of one exchange."""

    def __init__(self, markets: Markets, margin: Margin, start_ms: int) -> None:
        self._markets = markets
        self._margin = margin
        self._start_ms = start_ms
        self.routes: dict[str, Callable[[Account, Params, int], dict[str, Any]]] = {
            "/v5/order/realtime": self._realtime,
            "/v5/order/history": self._history,
            "/v5/execution/list": self._executions,
            "/v5/position/list": self._positions,
            "/v5/account/wallet-balance": self._wallet,
            "/v5/account/info": self._info,
            "/v5/account/fee-rate": self._fee_rate,
            "/v5/account/query-dcp-info": self._dcp,
            "/v5/account/mmp-state": self._mmp,
            "/v5/account/smp-group": self._smp_group,
            "/v5/account/user-setting-config": self._user_settings,
            "/v5/asset/coin-greeks": self._greeks,
            "/v5/user/query-api": self._key,
        }

    # --- orders
    def _realtime(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        category = category_of(params)
        names = ("symbol", "baseCoin", "settleCoin", "orderId", "orderLinkId")
        if category == "linear" and not any(params.get(name) for name in names):
            raise parameter_error("params error: symbol, baseCoin or settleCoin is required")
        by_id = params.get("orderId") or params.get("orderLinkId")
        orders: list[Order] = []
        if by_id or params.get("openOnly") in ("1", "2"):
            closed = [o for o in account.closed_orders.values() if o.category == category]
            orders += closed[-_RECENTLY_CLOSED:]
        if by_id or params.get("openOnly", "0") in ("", "0"):
            orders += account.open_orders.values()
        return self._order_page(self._chosen(orders, category, params), params, {})

    def _history(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        category = category_of(params)
        first, last = span_of(params, now_ms)
        by_id = params.get("orderId") or params.get("orderLinkId")
        status = params.get("orderStatus")
        orders = [
            order
            for order in self._chosen(account.closed_orders.values(), category, params)
            if by_id
            or (
                first <= order.created_ms <= last
                and (not status or order.status == status)
                # Older than a day, orders that ended without a fill are not shown any more.
                and (order.filled or now_ms - order.created_ms <= _DAY_MS)
            )
        ]
        return self._order_page(orders, params, {"extraFees": ""})

    def _chosen(self, orders: Iterable[Order], category: str, params: Params) -> list[Order]:
        kept = _filtered(params.get("orderFilter", ""), spot=category == "spot")
        orders = [order for order in orders if order.category == category and kept(order)]
        if order_id := params.get("orderId"):
            return [order for order in orders if order.order_id == order_id]
        if link_id := params.get("orderLinkId"):
            return [order for order in orders if order.link_id == link_id]
        wanted = self._wanted(category, params)
        return [order for order in orders if wanted(order.symbol)]

    def _wanted(self, category: str, params: Params) -> Callable[[str], bool]:
        """Make the filter by symbol, else baseCoin, else settleCoin."""
        symbol, base, settle = (params.get(name) for name in ("symbol", "baseCoin", "settleCoin"))
        listed = self._markets.instruments.get(category, {})

        def wanted(name: str) -> bool:
            it = listed.get(name)
            if it is None:
                return False
            if symbol:
                return name == symbol
            return it.base == base if base else not settle or it.settle == settle

        return wanted

    def _order_page(
        self, orders: list[Order], params: Params, extra: dict[str, Any]
    ) -> dict[str, Any]:
        limit, before = page_of(params, 20, 50)
        category = params["category"]
        listed = self._markets.instruments[category]
        orders = [o for o in orders if o.symbol in listed and (not before or o.row < before)]
        orders.sort(key=lambda order: order.row, reverse=True)
        if category == "spot":
            extra = extra | {"basePrice": ""}
        rows = [order_record(o, listed[o.symbol]) | extra for o in orders[:limit]]
        cursor = cursor_to(orders[limit - 1].row) if len(orders) > limit else ""
        return {"list": rows, "nextPageCursor": cursor, "category": category}

    # --- executions
    def _executions(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        category = category_of(params)
        limit, before = page_of(params, 50, 100)
        chosen = self._chosen_executions(account, category, params, now_ms)
        page: list[Execution] = []
        for execution in chosen:
            if before and execution.row >= before:
                continue
            if len(page) == limit:
                cursor = cursor_to(page[-1].row)
                break
            page.append(execution)
        else:
            cursor = ""
        rows = [execution.record for execution in page]
        return {"nextPageCursor": cursor, "category": category, "list": rows}

    def _chosen_executions(
        self, account: Account, category: str, params: Params, now_ms: int
    ) -> Iterable[Execution]:
        first, last = span_of(params, now_ms)
        wanted = self._wanted(category, params)
        kind = params.get("execType")
        ids = {n: params[n] for n in ("orderId", "orderLinkId") if params.get(n)}
        for execution in reversed(account.executions):
            record = execution.record
            if record["category"] != category:
                continue
            if ids:
                # With an id the other filters are ignored.
                name, found = next(iter(ids.items()))
                if record[name] == found:
                    yield execution
            elif (
                first <= execution.at_ms <= last
                and wanted(record["symbol"])
                and (not kind or record["execType"] == kind)
            ):
                yield execution

    # --- positions and money
    def _positions(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        category = category_of(params)
        if category == "spot":
            raise parameter_error("params error: category invalid")
        limit, after = page_of(params, 20, 200)
        rows = []
        if params.get("symbol"):
            it = instrument_of(self._markets, params)
            for idx in (1, 2) if it.symbol in account.hedged else (0,):
                rows.append(self._position_row(account, it, idx, now_ms))
        else:
            if category == "linear" and not params.get("settleCoin"):
                raise parameter_error("params error: symbol or settleCoin is required")
            wanted = self._wanted(category, params)
            for position in account.positions.values():
                if position.size and position.category == category and wanted(position.symbol):
                    it = self._markets.instruments[category][position.symbol]
                    rows.append(self._position_row(account, it, position.idx, now_ms))
        cursor = cursor_to(after + limit) if len(rows) > after + limit else ""
        return {
            "list": rows[after : after + limit],
            "nextPageCursor": cursor,
            "category": category,
        }

    def _position_row(
        self, account: Account, it: Instrument, idx: int, now_ms: int
    ) -> dict[str, Any]:
        at = self._margin.valuation(account, it, now_ms)
        return position_row(position_record(account.position(it, idx), it, at))

    def _wallet(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        if params.get("accountType") != "UNIFIED":
            raise parameter_error("accountType only support UNIFIED.")
        coins = [coin for coin in params.get("coin", "").split(",") if coin]
        return {"list": [self._margin.wallet_record(account, now_ms, coins or None)]}

    # --- settings
    def _info(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        return {
            "marginMode": "ISOLATED_MARGIN" if account.settings.isolated else "REGULAR_MARGIN",
            "updatedTime": str(self._start_ms),
            "unifiedMarginStatus": 6,
            "dcpStatus": "OFF",
            "timeWindow": 10,
            "smpGroup": 0,
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
        }

    def _fee_rate(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        category = category_of(params)
        taker, maker = (plain(rate) for rate in FEE_RATES[category])
        rates = {"takerFeeRate": taker, "makerFeeRate": maker}
        listed = self._markets.instruments.get(category, {})
        if category == "option":
            bases = sorted({it.base for it in listed.values()})
            wanted = params.get("baseCoin")
            rows = [
                {"symbol": "", "baseCoin": base, **rates}
                for base in bases
                if not wanted or base == wanted
            ]
            return {"category": category, "list": rows}
        symbols = [instrument_of(self._markets, params).symbol] if params.get("symbol") else listed
        result: dict[str, Any] = {"category": category} if category == "spot" else {}
        return result | {"list": [{"symbol": symbol, **rates} for symbol in symbols]}

    def _dcp(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        infos = [
            {"product": product, "dcpStatus": "ON", "timeWindow": str(window)}
            for product, window in account.settings.dcp.items()
        ]
        return {"dcpInfos": infos}

    def _mmp(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        base = params.get("baseCoin")
        if not base:
            raise parameter_error("params error: baseCoin is required")
        kept = account.settings.mmp.get(base)
        if kept is None:
            return {"result": []}
        row = {
            "baseCoin": base,
            "mmpEnabled": True,
            "window": str(kept.window_ms),
            "frozenPeriod": str(kept.frozen_ms),
            "qtyLimit": plain(kept.qty_limit),
            "deltaLimit": plain(kept.delta_limit),
            "vegaLimit": "500000",
            "mmpFrozenUntil": str(max(0, kept.frozen_until_ms)),
            "mmpFrozen": kept.frozen(now_ms),
        }
        return {"result": [row]}

    def _smp_group(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        return {"smpGroup": 0}

    def _user_settings(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        # The sense of the two flags is opposite: true re-prices on spot and refuses on contracts.
        return {
            "lpaSpot": account.settings.reprices["spot"],
            "lpaPerp": not account.settings.reprices["linear"],
            "deltaEnable": False,
            "smsef": False,
            "fmsef": False,
        }

    def _greeks(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        listed = self._markets.instruments.get("option", {})
        held = {
            listed[position.symbol].base
            for position in account.positions.values()
            if position.category == "option" and position.size and position.symbol in listed
        }
        chosen = params.get("baseCoin")
        bases = [base for base in sorted(held) if not chosen or base == chosen]
        return {"list": [self._margin.greeks_record(account, base, now_ms) for base in bases]}

    def _key(self, account: Account, params: Params, now_ms: int) -> dict[str, Any]:
        # `apiKey` and `readOnly` belong to the key that asks; the wire knows it and fills them in.
        return {
            "id": str(account.uid),
            "note": "simulator",
            "apiKey": "",
            "readOnly": 0,
            "secret": "",
            "permissions": {
                "ContractTrade": ["Order", "Position"],
                "Spot": ["SpotTrade"],
                "Wallet": [],
                "Options": ["OptionsTrade"],
                "Derivatives": ["DerivativesTrade"],
                "CopyTrading": [],
                "BlockTrade": [],
                "Exchange": [],
                "NFT": [],
                "Affiliate": [],
                "Earn": [],
                "FiatP2P": [],
                "FiatBitPay": [],
                "FiatConvertBroker": [],
                "BitCard": [],
                "ByXPost": [],
            },
            "ips": ["*"],
            "type": 1,
            "deadlineDay": 90,
            "expiredAt": "2099-01-01T00:00:00Z",
            "createdAt": "2024-01-01T00:00:00Z",
            "unified": 0,
            "uta": 1,
            "userID": account.uid,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": True,
            "parentUid": "0",
            "kycLevel": "LEVEL_DEFAULT",
            "kycRegion": "",
        }


def _filtered(chosen: str, *, spot: bool) -> Callable[[Order], bool]:
    """Make the filter that `orderFilter` means; none is all kinds."""
    if not chosen:
        return lambda order: True
    if chosen == "Order" or (chosen == "OpenOrder" and not spot):
        return lambda order: not order.waiting
    if chosen == "StopOrder":
        return lambda order: order.stop_type == "Stop" if spot else bool(order.stop_type)
    return lambda order: order.stop_type == chosen
