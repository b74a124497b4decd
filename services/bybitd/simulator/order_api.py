"""The order endpoints: `/v5/order/create`, `amend`, `cancel`, `cancel-all` and the batch forms.

Sources: Bybit V5, Trade. A batch answers item by item: its result lists ids, its retExtInfo codes.
"""

from collections.abc import Callable, Iterator
from typing import Any

from bybitd.simulator.account import Account
from bybitd.simulator.amends import Amends
from bybitd.simulator.instruments import Instrument
from bybitd.simulator.markets import Markets
from bybitd.simulator.order_requests import amend, new_order
from bybitd.simulator.orders import Order
from bybitd.simulator.parameters import (
    Body,
    category_of,
    instrument_of,
    text,
)
from bybitd.simulator.refusal import Refusal, parameter_error
from bybitd.simulator.trading import Trading, not_open

Reply = tuple[dict[str, Any], dict[str, Any]]
_MOST_PER_BATCH = 20
_MOST_PER_SPOT_BATCH = 10
_MOST_PER_CANCEL_ALL = 500
_SPOT_FILTERS = ("", "Order", "tpslOrder", "StopOrder", "OcoOrder", "BidirectionalTpslOrder")


class OrderApi:
    """Reads order requests and hands them to the desk."""

    def __init__(self, markets: Markets, trading: Trading, amends: Amends) -> None:
        self._markets = markets
        self._trading = trading
        self._amends = amends
        self.routes: dict[str, Callable[[Account, Body, int], Reply]] = {
            "/v5/order/create": self._single(self._create),
            "/v5/order/amend": self._single(self._amend),
            "/v5/order/cancel": self._single(self._cancel),
            "/v5/order/create-batch": self._batch(self._create, created=True),
            "/v5/order/amend-batch": self._batch(self._amend_in_batch, created=False),
            "/v5/order/cancel-batch": self._batch(self._cancel, created=False),
            "/v5/order/cancel-all": self._cancel_all,
        }

    # --- one order
    def _create(self, account: Account, body: Body, now_ms: int) -> Order:
        return self._trading.create(account, new_order(self._markets, body), now_ms)

    def _amend(self, account: Account, body: Body, now_ms: int) -> Order:
        it = instrument_of(self._markets, body)
        wanted = amend(body, it)
        order = self._order(account, it, body, "replace")
        return self._amends.amend(account, order, wanted, now_ms)

    def _amend_in_batch(self, account: Account, body: Body, now_ms: int) -> Order:
        it = instrument_of(self._markets, body)
        if self._order(account, it, body, "replace").waiting:
            raise parameter_error("params error: conditional orders can not be amended in a batch")
        return self._amend(account, body, now_ms)

    def _cancel(self, account: Account, body: Body, now_ms: int) -> Order:
        it = instrument_of(self._markets, body)
        order = self._order(account, it, body, "cancel")
        if it.category == "spot" and not _spot_filter(text(body, "orderFilter"), order):
            raise not_open(None, "cancel", spot=True)
        return self._trading.cancel(account, order, now_ms)

    def _order(self, account: Account, it: Instrument, body: Body, verb: str) -> Order:
        """Find the open order that a request means; orderId goes before orderLinkId."""
        order_id, link_id = text(body, "orderId"), text(body, "orderLinkId")
        if not order_id and not link_id:
            raise parameter_error("params error: orderId or orderLinkId is required")
        spot = it.category == "spot"
        order = account.order(order_id) if order_id else account.linked(it.category, link_id)
        if order is None or (order.category, order.symbol) != (it.category, it.symbol):
            raise not_open(None, verb, spot=spot)
        if not order.open:
            raise not_open(order, verb, spot=spot)
        return order

    def _single(
        self, act: Callable[[Account, Body, int], Order]
    ) -> Callable[[Account, Body, int], Reply]:
        def run(account: Account, body: Body, now_ms: int) -> Reply:
            return _ids(act(account, body, now_ms)), {}

        return run

    # --- many orders
    def _batch(
        self, act: Callable[[Account, Body, int], Order], *, created: bool
    ) -> Callable[[Account, Body, int], Reply]:
        def run(account: Account, body: Body, now_ms: int) -> Reply:
            category = category_of(body)
            items = body.get("request")
            most = _MOST_PER_SPOT_BATCH if category == "spot" else _MOST_PER_BATCH
            if not isinstance(items, list) or not 0 < len(items) <= most:
                raise parameter_error(f"params error: request must hold 1 to {most} orders")
            rows, codes = [], []
            for item in items:
                row, code = self._item(act, account, category, item, now_ms)
                if created:
                    row["createAt"] = str(now_ms) if code["code"] == 0 else ""
                rows.append(row)
                codes.append(code)
            return {"list": rows}, {"list": codes}

        return run

    def _item(
        self,
        act: Callable[[Account, Body, int], Order],
        account: Account,
        category: str,
        item: Any,
        now_ms: int,
    ) -> Reply:
        body: Body = item if isinstance(item, dict) else {}
        row = {
            "category": category,
            "symbol": str(body.get("symbol") or ""),
            "orderId": "",
            "orderLinkId": str(body.get("orderLinkId") or ""),
        }
        try:
            order = act(account, {**body, "category": category}, now_ms)
        except Refusal as refusal:
            return row, {"code": refusal.retCode, "msg": refusal.retMsg}
        return row | _ids(order), {"code": 0, "msg": "OK"}

    def _cancel_all(self, account: Account, body: Body, now_ms: int) -> Reply:
        chosen, kind = text(body, "orderFilter"), text(body, "stopOrderType")
        category = category_of(body)
        allowed = {"spot": _SPOT_FILTERS, "option": ("", "Order", "StopOrder")}
        if chosen not in allowed.get(category, ("", "Order", "StopOrder", "OpenOrder")):
            raise parameter_error("params error: orderFilter invalid")
        if kind not in ("", "Stop"):
            raise parameter_error("params error: stopOrderType invalid")
        orders = [
            order
            for order in self._chosen(account, body)
            if (
                _spot_filter(chosen, order)
                if category == "spot"
                else _contract_filter(chosen, kind, order)
            )
        ]
        if category in ("linear", "inverse"):
            orders = orders[:_MOST_PER_CANCEL_ALL]
        gone = []
        for order in orders:
            try:
                gone.append(_ids(self._trading.cancel(account, order, now_ms)))
            except Refusal:
                continue  # the market filled it, or its other half went first
        return {"list": gone, "success": "1"}, {}

    def _chosen(self, account: Account, body: Body) -> Iterator[Order]:
        category = category_of(body)
        symbol, base, settle = (text(body, name) for name in ("symbol", "baseCoin", "settleCoin"))
        if symbol:
            instrument_of(self._markets, body)
        elif category in ("linear", "inverse") and not base and not settle:
            raise parameter_error("params error: symbol, baseCoin or settleCoin is required")
        for order in tuple(account.open_orders.values()):
            if order.category != category:
                continue
            it = self._markets.instruments[category][order.symbol]
            if symbol:
                matches = order.symbol == symbol
            elif base:
                matches = it.base == base
            else:
                matches = not settle or it.settle == settle
            if matches:
                yield order


def _spot_filter(chosen: str, order: Order) -> bool:
    """Tell whether a spot order is one of those that `orderFilter` means."""
    kind = order.stop_type if order.waiting else ""
    return {"": "Order", "Stop": "StopOrder"}.get(kind, kind) == (chosen or "Order")


def _contract_filter(chosen: str, kind: str, order: Order) -> bool:
    """Tell the same of contracts and options, where no filter means all orders."""
    if chosen == "StopOrder":
        return order.waiting and kind in ("", order.stop_type)
    return not chosen or not order.waiting


def _ids(order: Order) -> dict[str, Any]:
    return {"orderId": order.order_id, "orderLinkId": order.link_id}
