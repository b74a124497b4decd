"""`/v5/order/pre-check`: what an order would do to the margin rates, without placing it.

Source: Bybit V5, Pre Check Order. Rates are whole numbers, 1 being a hundredth of a percent.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bybitd.simulator.account import Account
from bybitd.simulator.ids import Identifiers
from bybitd.simulator.margin import Margin, Sheet
from bybitd.simulator.markets import Markets
from bybitd.simulator.order_requests import new_order
from bybitd.simulator.parameters import Body, category_of
from bybitd.simulator.positions import MAINTENANCE_RATE
from bybitd.simulator.refusal import Refusal, parameter_error
from bybitd.simulator.trading import Trading

Reply = tuple[dict[str, Any], dict[str, Any]]
_INSUFFICIENT = 110007


class PreCheck:
    """Answers what-if questions about orders."""

    def __init__(
        self, markets: Markets, margin: Margin, trading: Trading, ids: Identifiers
    ) -> None:
        self._markets = markets
        self._margin = margin
        self._trading = trading
        self._ids = ids
        self.routes: dict[str, Callable[[Account, Body, int], Reply]] = {
            "/v5/order/pre-check": self._pre_check,
        }

    def _pre_check(self, account: Account, body: Body, now_ms: int) -> Reply:
        category = category_of(body)
        if category in ("spot", "inverse") or account.settings.isolated:
            # Inverse contracts would need portfolio margin.
            raise parameter_error(
                "params error: pre-check is for linear and option, in cross margin"
            )
        new = new_order(self._markets, body)
        if new.trigger is not None:
            raise parameter_error("params error: conditional orders can not be pre-checked")
        market = self._trading.awake(new.it, now_ms)
        order_id = self._ids.next(category)
        shown: dict[str, Any] = {"future_order_id": order_id, "future_order_link_id": new.link_id}
        sheet = self._margin.sheet(account, now_ms)
        before = _rates(sheet, Decimal(0), Decimal(0))
        try:
            order = self._trading.draft(account, market, new, now_ms)
        except Refusal as refusal:
            raise Refusal(refusal.retCode, refusal.retMsg, shown) from None
        coin, needs = self._margin.order_needs(account, new.it, order)
        usd = self._margin.usd(coin, now_ms)
        worth = new.it.value(order.leaves, order.tick) if needs else Decimal(0)
        after = _rates(sheet, needs * usd, worth * usd * MAINTENANCE_RATE)
        try:
            self._trading.check_funds(account, new.it, order, now_ms)
        except Refusal as refusal:
            if refusal.retCode == _INSUFFICIENT:
                shown |= {"post_imr_e4": after[0], "post_mmr_e4": after[1]}
            raise Refusal(refusal.retCode, refusal.retMsg, shown) from None
        return {
            "orderId": order_id,
            "orderLinkId": new.link_id,
            "preImrE4": before[0],
            "preMmrE4": before[1],
            "postImrE4": after[0],
            "postMmrE4": after[1],
        }, {}


def _rates(sheet: Sheet, more_initial: Decimal, more_maintenance: Decimal) -> tuple[int, int]:
    balance = sheet.total("wallet") + sheet.total("unrealised")
    if balance <= 0:
        return 0, 0
    initial = sheet.total("order_margin") + sheet.total("position_margin") + more_initial
    maintenance = sheet.total("maintenance") + more_maintenance
    return int(initial / balance * 10_000), int(maintenance / balance * 10_000)
