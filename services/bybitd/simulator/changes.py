"""Collects what one action changed in the accounts; then saves it and tells it.

Everything that an action or a moment changes is kept as one transaction of the store, and told in
one envelope per topic (Bybit V5, private streams): order, execution, execution.fast, position,
wallet, greeks. An order that passed through several states is told in its last one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bybitd.simulator.account import Account, Execution
from bybitd.simulator.instruments import Instrument
from bybitd.simulator.margin import Margin
from bybitd.simulator.market import Market
from bybitd.simulator.orders import Order, order_record
from bybitd.simulator.positions import position_record
from bybitd.simulator.store import AccountStore

Told = tuple[int, str, dict[str, Any]]
_FAST_FIELDS = (
    "category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker", "orderLinkId",
    "side", "execTime", "seq",
)  # fmt: skip


@dataclass(slots=True)
class _Touched:
    """What changed in one account."""

    orders: dict[str, tuple[Order, Instrument]] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    positions: dict[tuple[str, int], Instrument] = field(default_factory=dict)
    coins: dict[str, None] = field(default_factory=dict)
    settings: bool = False


class Changes:
    """The changes since the last `settle`."""

    def __init__(
        self,
        accounts: Mapping[int, Account],
        margin: Margin,
        store: AccountStore,
        new_event_id: Callable[[], str],
    ) -> None:
        self._accounts = accounts
        self._margin = margin
        self._store = store
        self._new_event_id = new_event_id
        self._touched: dict[int, _Touched] = {}
        self._told: list[Told] = []
        self.markets: dict[Market, None] = {}

    # --- what changed
    def order(self, account: Account, order: Order, it: Instrument) -> None:
        """Note an order; on contracts its position is told too, with every order action."""
        touched = self._of(account)
        touched.orders[order.order_id] = (order, it)
        if order.order_id in account.open_orders:
            account.bound.touch(order)
        if it.category == "spot":
            self.coin(account, it.quote if order.side > 0 else it.base)
        else:
            self.position(account, it, order.position_idx)
            self.coin(account, it.settle)

    def execution(self, account: Account, execution: Execution) -> None:
        account.executions.append(execution)
        self._of(account).executions.append(execution)

    def position(self, account: Account, it: Instrument, idx: int) -> None:
        self._of(account).positions[it.symbol, idx] = it

    def coin(self, account: Account, coin: str) -> None:
        self._of(account).coins[coin] = None

    def settings(self, account: Account) -> None:
        """Note that leverage, position mode or another setting changed."""
        self._of(account).settings = True

    def _of(self, account: Account) -> _Touched:
        return self._touched.setdefault(account.uid, _Touched())

    # --- what becomes of it
    def settle(self, now_ms: int) -> None:
        """Save all changes in one transaction and make their events."""
        if not self._touched:
            return
        touched, self._touched = self._touched, {}
        for uid, changed in touched.items():
            self._save(self._accounts[uid], changed)
        self._store.commit()
        for uid, changed in touched.items():
            self._tell(self._accounts[uid], changed, now_ms)

    def take(self) -> list[Told]:
        """Hand over the events made so far."""
        told, self._told = self._told, []
        return told

    def _save(self, account: Account, changed: _Touched) -> None:
        uid, store = account.uid, self._store
        for order, _ in changed.orders.values():
            store.save_order(uid, order)
        for execution in changed.executions:
            store.save_execution(uid, execution)
        for (symbol, idx), it in changed.positions.items():
            position = account.positions.get((it.category, symbol, idx))
            if position is not None:
                store.save_position(uid, position)
        for coin in changed.coins:
            store.save_coin(
                uid,
                coin,
                account.wallet.get(coin, Decimal(0)),
                account.realised.get(coin, Decimal(0)),
            )
        if changed.settings:
            store.save_settings(account)

    def _tell(self, account: Account, changed: _Touched, now_ms: int) -> None:
        orders = [order_record(order, it) for order, it in changed.orders.values()]
        executions = [execution.record for execution in changed.executions]
        fast = [_fast(record) for record in executions if record["execType"] == "Trade"]
        positions = [
            position_record(
                account.position(it, idx), it, self._margin.valuation(account, it, now_ms)
            )
            for (_, idx), it in changed.positions.items()
        ]
        self._say(account, "order", orders, now_ms)
        self._say(account, "execution", executions, now_ms)
        self._say(account, "execution.fast", fast, now_ms)
        self._say(account, "position", positions, now_ms)
        if changed.coins:
            wallet = self._margin.wallet_record(account, now_ms, changed.coins)
            self._say(account, "wallet", [wallet], now_ms)
        if executions and executions[0]["category"] == "option":
            self._say(account, "greeks", self._greeks(account, changed, now_ms), now_ms)

    def _say(
        self, account: Account, topic: str, records: list[dict[str, Any]], now_ms: int
    ) -> None:
        if not records:
            return
        head = {} if topic == "execution.fast" else {"id": self._new_event_id()}
        envelope = head | {"topic": topic, "creationTime": now_ms, "data": records}
        self._told.append((account.uid, topic, envelope))

    def _greeks(self, account: Account, changed: _Touched, now_ms: int) -> list[dict[str, Any]]:
        bases = {it.base for it in changed.positions.values()}
        return [self._margin.greeks_record(account, base, now_ms) for base in sorted(bases)]


def _fast(record: dict[str, Any]) -> dict[str, Any]:
    fast = {name: record[name] for name in _FAST_FIELDS}
    if record["isMaker"]:
        fast["orderLinkId"] = ""
    return fast
