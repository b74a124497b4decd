"""The limits of the configuration as a gate (`ipc/PROTOCOL.md`, "Limits").

What adds no risk passes without a look: cancelling, orders that only reduce, amends that make an
order smaller. A batch counts as a whole: its first items as if they were open when the next is
judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitd.order_execution import answers
from bybitd.order_execution.gates import Ask
from bybitd.order_execution.ledger import Order
from bybitd.order_execution.order_store import ActionStore, OrderStore
from bybitd.order_execution.safety.account_state import AccountState
from bybitd.order_execution.safety.exposure import Open, amended, from_args, number
from bybitd.order_execution.safety.limits import (
    Breach,
    Price,
    PriceNeeded,
    Verdict,
    judge,
    judge_position,
)
from bybitd.order_execution.safety.prices import Prices
from bybitd.settings import Account, ClientLimits, Limits

_AGAIN_MS: Final = 500
_NO_LIMITS: Final = ClientLimits()
_JUDGED: Final = frozenset(
    {"order.create", "order.create-batch", "order.amend", "order.amend-batch"}
)
# Those that count what was not placed here.
_NEED_SIGHT: Final = ("max_open_orders", "max_open_value", "max_position_value")
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class LimitGate:
    """Judges orders by the limits of the account and of the client. `configure` may be called at
    any time.
    """

    def __init__(
        self,
        account: str,
        settings: Account,
        orders: OrderStore,
        actions: ActionStore,
        state: AccountState,
        prices: Prices,
        now_ms: Callable[[], int],
    ) -> None:
        self._account = account
        self._orders = orders
        self._actions = actions
        self._state = state
        self._prices = prices
        self._now_ms = now_ms
        self._known: dict[str, tuple[Order, Open]] = {}
        self.configure(settings)

    def configure(self, settings: Account) -> None:
        """Judge by these limits from now on."""
        self._limits = settings.limits
        self._clients = settings.clients
        self._any = settings.limits != Limits() or bool(settings.clients)
        # What is certain to be asked for is followed before it is.
        for limits in (settings.limits, *settings.clients.values()):
            for pattern in limits.symbols if _needs_price(limits) else ():
                category, _, symbol = pattern.partition(".")
                if not set("*?[") & set(pattern):
                    self._prices.want(category, symbol)

    def refusal(self, ask: Ask) -> ErrorBody | None:
        """Return the first limit that a request would break, with what is allowed."""
        if not self._any or ask.op not in _JUDGED:
            return None
        client = self._clients.get(ask.client, _NO_LIMITS)
        others: dict[str, Open] | None = None
        for index, (path, args) in enumerate(ask.items):
            if others is None:
                others = self._open_orders()
            key, order = self._meant(ask, args, index)
            if order is None:
                continue
            rest = {name: other for name, other in others.items() if name != key}
            refusal = self._judge(ask, path, order, rest, client)
            if refusal is not None:
                return refusal
            others[key] = order
        return None

    def _meant(self, ask: Ask, args: Mapping[str, Any], index: int) -> tuple[str, Open | None]:
        """Return the order as it would be, and what it is called; None if it adds no risk."""
        if ask.op.startswith("order.create"):
            order = from_args(ask.category, args, ask.client)
            return f"new {index}", None if order.reduces else order
        key, before, filled = self._resting(args)
        if before is None or before.reduces:
            # What is not known here is not open, or was over before this: the exchange refuses it.
            return key, None
        after = amended(before, args, filled)
        grows = after.qty > before.qty or after.price != before.price
        return key, after if grows else None

    def _resting(self, args: Mapping[str, Any]) -> tuple[str, Open | None, Any]:
        order = self._orders.find_live(args.get("orderId", ""), args.get("orderLinkId", ""))
        if order is not None:
            return order.link_id, self._of(order), number(order.cum_exec_qty)
        order_id = str(args.get("orderId", ""))
        foreign = dict(self._state.foreign_orders()).get(order_id)
        return f"foreign {order_id}", foreign, number(0)

    def _judge(
        self,
        ask: Ask,
        path: str,
        order: Open,
        others: Mapping[str, Open],
        client: ClientLimits,
    ) -> ErrorBody | None:
        limits = self._limits
        if self._is_blind(limits):
            return gateway_error(
                Code.NOT_READY,
                f"{ask.op}: a limit counts positions and orders placed elsewhere, and they can not "
                "be seen while the private stream is down; nothing was sent",
                hint=f"wait for it, or set accounts.{self._account}.limits.when_blind: go-on",
                retry_safe=True,
                retry_after_ms=_AGAIN_MS,
            )
        price = self._price(order, client)
        mine = [other for other in others.values() if other.client == ask.client]
        where = f"accounts.{self._account}.clients.{ask.client}"
        verdict = judge(client, order, mine, price)
        if verdict is None:
            where = f"accounts.{self._account}.limits"
            verdict = judge(limits, order, list(others.values()), price)
        if verdict is None:
            positions = self._state.positions
            filling = [*others.values(), *self._state.landing(self._now_ms())]
            verdict = judge_position(limits, order, filling, positions, price)
        return _refusal(ask.op, path, order, verdict, where)

    def _is_blind(self, limits: Limits) -> bool:
        counts = limits.max_position_qty or any(
            getattr(limits, name) is not None for name in _NEED_SIGHT
        )
        if not counts or limits.when_blind == "go-on":
            return False
        return not self._state.sees(self._now_ms())

    def _price(self, order: Open, client: ClientLimits) -> Price | None:
        if not (order.in_quote or _needs_price(self._limits) or _needs_price(client)):
            return None
        return self._prices.fresh(order.category, order.symbol, self._limits.max_price_age_ms)

    def _open_orders(self) -> dict[str, Open]:
        """Return every order that may be filled, as large as it may be."""
        found: dict[str, Open] = {}
        for link_id, order in self._orders.live.items():
            found[link_id] = self._of(order)
        for action in self._actions.amends(time.time_ns()):
            aimed = self._orders.find_live(action.order_id, action.link_id)
            if aimed is not None and aimed.link_id in found:
                changes, filled = _decode(action.args), number(aimed.cum_exec_qty)
                found[aimed.link_id] = amended(found[aimed.link_id], changes, filled)
        for order_id, foreign in self._state.foreign_orders():
            found[f"foreign {order_id}"] = foreign
        if len(self._known) > 2 * len(found) + 100:
            live = self._orders.live
            self._known = {name: kept for name, kept in self._known.items() if name in live}
        return found

    def _of(self, order: Order) -> Open:
        known = self._known.get(order.link_id)
        if known is None or known[0] is not order:
            args = answers.arguments(order)
            shown = {"qty": order.qty, "price": order.price}
            args |= {name: value for name, value in shown.items() if value and name in args}
            filled = number(order.cum_exec_qty)
            made = from_args(order.category, args, order.client, filled)
            known = self._known[order.link_id] = order, made
        return known[1]


def _needs_price(limits: ClientLimits) -> bool:
    position = isinstance(limits, Limits) and limits.max_position_value is not None
    return position or any(
        limit is not None
        for limit in (limits.max_order_value, limits.max_open_value, limits.price_band_pct)
    )


def _refusal(op: str, path: str, order: Open, verdict: Verdict, where: str) -> ErrorBody | None:
    if isinstance(verdict, Breach):
        return gateway_error(
            Code.RISK_REFUSED,
            f"{op}: {path}{verdict.limit}: {verdict.problem}; nothing was sent",
            hint=f"the limit stands in {where}.{verdict.limit}; bybitd reload takes changes over",
        )
    if isinstance(verdict, PriceNeeded):
        return gateway_error(
            Code.NOT_READY,
            f"{op}: {path}{verdict.limit} needs a fresh price of {order.category}.{order.symbol}, "
            "and there is none; nothing was sent",
            hint="it is being subscribed to; try again, and look at the feed's status if it stays",
            retry_safe=True,
            retry_after_ms=_AGAIN_MS,
        )
    return None
