"""Settings of an account: margin mode, price limit action, market maker protection, DCP.

Sources: Bybit V5, Account; Trade "Set Disconnect Cancel All".
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bybitd.simulator.account import Account
from bybitd.simulator.changes import Changes
from bybitd.simulator.mmp import protection
from bybitd.simulator.parameters import Body, flag, number, text
from bybitd.simulator.refusal import parameter_error

Reply = tuple[dict[str, Any], dict[str, Any]]
_MARGIN_MODES = {"REGULAR_MARGIN": False, "ISOLATED_MARGIN": True}
# Product of the request -> categories whose orders its disconnection cancels.
DCP_PRODUCTS = {
    "OPTIONS": ("option",),
    "DERIVATIVES": ("linear", "inverse"),
    "SPOT": ("spot",),
}


class AccountApi:
    """Changes the settings of an account."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.routes: dict[str, Callable[[Account, Body, int], Reply]] = {
            "/v5/account/set-margin-mode": self._set_margin_mode,
            "/v5/account/set-limit-px-action": self._set_price_action,
            "/v5/account/mmp-modify": self._set_mmp,
            "/v5/account/mmp-reset": self._reset_mmp,
            "/v5/order/disconnected-cancel-all": self._set_dcp,
        }

    def _set_margin_mode(self, account: Account, body: Body, now_ms: int) -> Reply:
        mode = text(body, "setMarginMode")
        if mode not in _MARGIN_MODES:
            raise parameter_error("params error: setMarginMode is not one of this account type")
        account.settings.isolated = _MARGIN_MODES[mode]
        self._changes.settings(account)
        return {"reasons": []}, {}

    def _set_price_action(self, account: Account, body: Body, now_ms: int) -> Reply:
        category = text(body, "category")
        if category not in account.settings.reprices:
            raise parameter_error("params error: category invalid")
        categories = ("spot",) if category == "spot" else ("linear", "inverse")
        for one in categories:
            account.settings.reprices[one] = flag(body, "modifyEnable")
        self._changes.settings(account)
        return {}, {}

    def _set_mmp(self, account: Account, body: Body, now_ms: int) -> Reply:
        kept = protection(account, _base(body))
        window, frozen = (_milliseconds(body, name) for name in ("window", "frozenPeriod"))
        qty, delta = (_limit(body, name) for name in ("qtyLimit", "deltaLimit"))
        kept.window_ms, kept.frozen_ms, kept.qty_limit, kept.delta_limit = (
            window,
            frozen,
            qty,
            delta,
        )
        self._changes.settings(account)
        return {}, {}

    def _reset_mmp(self, account: Account, body: Body, now_ms: int) -> Reply:
        kept = protection(account, _base(body))
        kept.frozen_until_ms, kept.fills = 0, []
        return {}, {}

    def _set_dcp(self, account: Account, body: Body, now_ms: int) -> Reply:
        product = text(body, "product") or "OPTIONS"
        window = body.get("timeWindow")
        if product not in DCP_PRODUCTS:
            raise parameter_error("params error: product invalid")
        if isinstance(window, bool) or not isinstance(window, int) or not 3 <= window <= 300:
            raise parameter_error("params error: timeWindow must be 3 to 300")
        account.settings.dcp[product] = window
        self._changes.settings(account)
        return {}, {}


def _base(body: Body) -> str:
    base = text(body, "baseCoin")
    if not base:
        raise parameter_error("params error: baseCoin is required")
    return base


def _milliseconds(body: Body, name: str) -> int:
    found = text(body, name)
    if not found.isdigit() or len(found) > 12:
        raise parameter_error(f"params error: {name} invalid")
    return int(found)


def _limit(body: Body, name: str) -> Decimal:
    found = number(text(body, name))
    if found is None or not found:
        raise parameter_error(f"params error: {name} invalid")
    return found
