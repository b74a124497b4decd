"""The simulated exchange as one object: what the sockets of the simulator talk to.

Pure: time comes in as `now_ms` (ms since the Unix epoch), everything random comes from the seed.
The caller feeds `tick` when `next_deadline_ms` asks for it, and empties `take_public` and
`take_private` after each call that may have changed something.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bybitd.simulator import catalogue
from bybitd.simulator.account import START_BALANCES, Account
from bybitd.simulator.account_api import DCP_PRODUCTS, AccountApi
from bybitd.simulator.account_queries import AccountQueries
from bybitd.simulator.amends import Amends
from bybitd.simulator.book import Fill
from bybitd.simulator.changes import Changes
from bybitd.simulator.fair_value import FairValue
from bybitd.simulator.fills import Fills
from bybitd.simulator.forced import Forced
from bybitd.simulator.funding import Funding
from bybitd.simulator.ids import Identifiers
from bybitd.simulator.instruments import Instrument
from bybitd.simulator.margin import Margin
from bybitd.simulator.market import Market, Trade
from bybitd.simulator.market_queries import MarketQueries
from bybitd.simulator.markets import Markets
from bybitd.simulator.open_topics import OpenTopics
from bybitd.simulator.order_api import OrderApi
from bybitd.simulator.orders import order_summary
from bybitd.simulator.parameters import number
from bybitd.simulator.position_api import PositionApi
from bybitd.simulator.pre_check import PreCheck
from bybitd.simulator.refusal import Refusal, UnknownTopic
from bybitd.simulator.schedule import Schedule
from bybitd.simulator.spread_queries import SpreadQueries
from bybitd.simulator.statements import Statements
from bybitd.simulator.store import AccountStore
from bybitd.simulator.system_status import SystemStatus
from bybitd.simulator.trading import Trading
from bybitd.simulator.trading_stop_api import TradingStopApi

__all__ = ["ApiKey", "Exchange", "ExchangeConfig", "Refusal", "UnknownTopic"]

_NO_ROUTE = 10017


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One API key of the simulator; keys with the same `uid` share one account.

    `secret` is an HMAC secret, or the public key (PEM) of whoever signs with an RSA key.
    """

    key: str
    secret: str
    uid: int
    readonly: bool = False
    withdraws: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeConfig:
    """What a simulated exchange is made of.

    `rate_per_s` is the mean number of synthetic order events per second and symbol. `symbols` is
    how many symbols each category has (missing category: the small default catalogue).
    """

    api_keys: tuple[ApiKey, ...]
    seed: int = 1
    rate_per_s: float = 20.0
    symbols: Mapping[str, int] | None = None


class Exchange:
    """A Bybit V5 exchange: markets, topics, accounts and the REST-shaped calls on them.

    Raises ValueError for a configuration that cannot be (an unknown category).
    """

    def __init__(
        self, config: ExchangeConfig, now_ms: int, store: AccountStore | None = None
    ) -> None:
        store = store or AccountStore()
        instruments = catalogue.build(now_ms, config.symbols)
        ids = Identifiers(config.seed, store.new_run(), now_ms)
        self._now_ms = now_ms
        self._markets = Markets(
            instruments,
            FairValue(config.seed, catalogue.usd_prices(instruments)),
            ids,
            seed=config.seed,
            rate_per_s=config.rate_per_s,
            start_ms=now_ms,
            on_user_fill=self._on_user_fill,
        )
        self._accounts: dict[int, Account] = {}
        margin = Margin(self._markets)
        self._changes = Changes(self._accounts, margin, store, ids.event)
        fills = Fills(self._markets.fair_value, self._changes)
        self._trading = Trading(self._accounts, self._markets, margin, self._changes, fills, ids)
        self._funding = Funding(self._markets, self._changes, ids, now_ms)
        self._forced = Forced(
            self._markets, self._trading, fills, self._funding, self._changes, ids
        )
        self._topics = OpenTopics(self._markets)
        self._schedule = Schedule()
        self._status = SystemStatus()
        self._public_routes = (
            MarketQueries(self._markets, self._rendered).routes
            | SpreadQueries(self._markets, self._rendered).routes
            | self._status.routes
        )
        self._reads = (
            AccountQueries(self._markets, margin, now_ms).routes | Statements(self._markets).routes
        )
        amends = Amends(self._markets, margin, self._changes, self._trading)
        self._actions = (
            OrderApi(self._markets, self._trading, amends).routes
            | PositionApi(self._markets, self._changes).routes
            | TradingStopApi(self._markets, self._trading).routes
            | AccountApi(self._changes).routes
            | PreCheck(self._markets, margin, self._trading, ids).routes
        )
        for uid in dict.fromkeys(key.uid for key in config.api_keys):
            self._open_account(uid, store)

    def _open_account(self, uid: int, store: AccountStore) -> None:
        account = store.load(uid)
        fresh = account is None
        self._accounts[uid] = account = account or Account(uid)
        if fresh:
            for coin, amount in START_BALANCES.items():
                account.credit(coin, amount)
                self._changes.coin(account, coin)
        for key in [key for key in account.positions if not self._markets.find(key[0], key[1])]:
            del account.positions[key]  # its contract has been delivered meanwhile
        self._trading.restore(account, self._now_ms)
        for order in account.open_orders.values():
            market = self._markets.find(order.category, order.symbol)
            if market is not None:
                self._schedule.set(market, self._now_ms, self._now_ms)
        self._changes.settle(self._now_ms)
        self._changes.take()  # nobody listens yet

    # --- time
    def tick(self, now_ms: int) -> None:
        """Let time pass: participants, periodic topics, funding."""
        self._now_ms = max(self._now_ms, now_ms)
        while market := self._schedule.pop(self._now_ms):
            self._run(market)
        if self._now_ms >= self._funding.next_ms:
            self._funding.settle(self._accounts.values(), self._now_ms)
            self._changes.settle(self._now_ms)

    def next_deadline_ms(self) -> int:
        """Tell when `tick` is wanted next; may lie in the past when work is waiting."""
        return min(self._schedule.next_ms(), self._funding.next_ms)

    def _run(self, market: Market) -> None:
        """Bring a market to the present, tell what happened, and see when it is wanted again."""
        market.advance(self._now_ms)
        if market.watcher is not None:
            market.watcher(market, self._now_ms)
        self._changes.settle(self._now_ms)
        self._topics.poll(market, self._now_ms)
        if market.user_orders or self._topics.listened(market):
            due_ms = min(
                market.next_event_ms(),
                self._topics.due_ms(market),
                self._trading.triggers.due_ms(market, self._now_ms),
            )
            self._schedule.set(market, due_ms, self._now_ms)
        else:
            self._schedule.set(market, float("inf"), self._now_ms)

    def _on_user_fill(self, market: Market, fill: Fill, trade: Trade) -> None:
        self._trading.on_fill(market, fill, trade)

    # --- public topics
    def open_topic(self, category: str, topic: str) -> None:
        """Begin to produce a public topic; harmless when it is open. Raises UnknownTopic."""
        for market in self._topics.open(category, topic):
            self._schedule.set(market, self._now_ms, self._now_ms)

    def close_topic(self, category: str, topic: str) -> None:
        """Stop producing a public topic; harmless when it is not open."""
        self._topics.close(category, topic)

    def initial(self, category: str, topic: str, now_ms: int) -> dict[str, Any] | None:
        """Make the message that a new subscriber of an open topic gets first.

        None where Bybit sends none (publicTrade). It continues into the messages that
        `take_public` returns after this call. Raises UnknownTopic.
        """
        self._now_ms = max(self._now_ms, now_ms)
        channel = self._topics.channel(category, topic)
        for market in channel.markets:
            market.advance(self._now_ms)
            self._changes.markets[market] = None
        first = channel.initial(self._now_ms)
        self._settle()
        return first

    def take_public(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Hand over (category, topic, envelope) of all public messages since the last call."""
        return self._topics.take()

    def announce(self, record: dict[str, Any]) -> None:
        """Keep a `system.status` record for `/v5/system/status`. Raises ValueError."""
        self._status.announce(record)

    # --- private
    def take_private(self) -> list[tuple[int, str, dict[str, Any]]]:
        """Hand over (uid, topic, envelope) of all private messages since the last call.

        Topics are the all-in-one names: order, execution, execution.fast, position, wallet,
        greeks. All records of one envelope are of one category, so that a categorised
        subscription (`order.linear`) can be served by looking at the first record.
        """
        return self._changes.take()

    # --- REST-shaped calls
    def is_public(self, path: str) -> bool:
        """Tell whether a GET needs no signature."""
        return path in self._public_routes

    def public_get(self, path: str, params: Mapping[str, str], now_ms: int) -> dict[str, Any]:
        """Answer a public REST GET with its `result`. Raises Refusal."""
        route = self._public_routes.get(path)
        if route is None:
            raise _no_route(path)
        if path == "/v5/market/time":
            return route(params, now_ms)  # the only one whose clock may be skewed
        self._now_ms = max(self._now_ms, now_ms)
        try:
            return route(params, self._now_ms)
        finally:
            self._settle()

    def private_get(
        self, uid: int, path: str, params: Mapping[str, str], now_ms: int
    ) -> dict[str, Any]:
        """Answer a signed REST GET with its `result`. Raises Refusal."""
        route = self._reads.get(path)
        if route is None:
            raise _no_route(path)
        self._now_ms = max(self._now_ms, now_ms)
        return route(self._accounts[uid], params, self._now_ms)

    def private_post(
        self, uid: int, path: str, body: Mapping[str, Any], now_ms: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Act on a signed REST POST; return (`result`, `retExtInfo`). Raises Refusal."""
        route = self._actions.get(path)
        if route is None:
            raise _no_route(path)
        self._now_ms = max(self._now_ms, now_ms)
        try:
            return route(self._accounts[uid], body, self._now_ms)
        finally:
            self._settle()

    def _settle(self) -> None:
        """Tell what a call changed, and let the topics of the markets that it moved show it."""
        self._changes.settle(self._now_ms)
        moved, self._changes.markets = self._changes.markets, {}
        for market in moved:
            self._run(market)

    # --- faults
    def restart_books(self, category: str, symbol: str, now_ms: int) -> None:
        """Start every open order book topic of a symbol again: a snapshot with `u` = 1.

        Raises UnknownTopic when there is no such symbol.
        """
        self._now_ms = max(self._now_ms, now_ms)
        market = self._markets.find(category, symbol)
        if market is None:
            raise UnknownTopic(category, f"orderbook.*.{symbol}")
        market.advance(self._now_ms)
        for channel in self._topics.books(market):
            self._topics.add(channel, channel.restart(self._now_ms))
        self._changes.markets[market] = None
        self._settle()

    def skip_update_id(self, category: str, topic: str) -> None:
        """Lose the next delta of an order book topic, so that its `u` jumps by 2.

        Raises UnknownTopic when no such topic is open.
        """
        self._topics.book(category, topic).lose_next()

    def spoil_book(self, category: str, topic: str, kind: str, count: int) -> None:
        """Let the next messages of an order book topic make no sense; see `BookTopic.spoil_next`.

        Raises UnknownTopic when no such topic is open.
        """
        self._topics.book(category, topic).spoil_next(kind, count)

    def execute(
        self, uid: int, exec_type: str, category: str, symbol: str, qty: str, now_ms: int
    ) -> None:
        """Give positions an execution that no order made: Funding, AdlTrade, BustTrade, Settle.

        Raises ValueError when there is no such account, symbol or position.
        """
        self._now_ms = max(self._now_ms, now_ms)
        account = self._accounts.get(uid)
        it = self._markets.instruments.get(category, {}).get(symbol)
        size = number(qty)
        if account is None or it is None or (qty and not size):
            raise ValueError(f"no account {uid}, no {category} symbol {symbol}, or no size {qty!r}")
        try:
            self._forced.execute(account, exec_type, it, size, self._now_ms)
        finally:
            self._settle()

    def dcp_window_s(self, uid: int, product: str) -> int | None:
        """Tell after how many seconds of disconnection orders of a product are cancelled."""
        return self._accounts[uid].settings.dcp.get(product)

    def cancel_disconnected(self, uid: int, product: str, now_ms: int) -> None:
        """Cancel the active orders of a product, whose owner has been gone for too long (DCP)."""
        self._now_ms = max(self._now_ms, now_ms)
        account = self._accounts[uid]
        for category, symbol in {(o.category, o.symbol) for o in account.open_orders.values()}:
            if category in DCP_PRODUCTS[product]:
                it = self._markets.instruments[category][symbol]
                self._trading.cancel_active_on(account, it, "CancelByDCP", self._now_ms)
        self._settle()

    # --- the truth, for tests
    def orders(self) -> list[tuple[int, dict[str, Any]]]:
        """List (uid, summary) of all orders that the exchange still knows, oldest first."""
        return [
            (uid, order_summary(order, self._markets.instruments[order.category][order.symbol]))
            for uid, account in self._accounts.items()
            for order in sorted(
                (*account.closed_orders.values(), *account.open_orders.values()),
                key=lambda order: order.row,
            )
            if order.symbol in self._markets.instruments.get(order.category, {})
        ]

    def _rendered(self, it: Instrument, kind: str) -> bool:
        return self._topics.rendered(it.category, f"orderbook.{kind}.{it.symbol}")


def _no_route(path: str) -> Refusal:
    return Refusal(_NO_ROUTE, f"Route not found: {path}")
