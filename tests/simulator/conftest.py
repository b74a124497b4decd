"""A hand on the simulated exchange: requests, time and the events that come of them."""

from decimal import Decimal

import pytest

from bybitd.simulator.exchange import ApiKey, Exchange, ExchangeConfig

START_MS = 1_753_000_000_000
ANN, BOB = 1, 2


class Desk:
    """Drives one exchange. `now` moves only when a test moves it."""

    def __init__(self, *, seed=1, rate=0.0, symbols=None, now=START_MS, store=None):
        keys = tuple(ApiKey(key=f"k{uid}", secret="s", uid=uid) for uid in (ANN, BOB))
        self.now = now
        self.exchange = Exchange(
            ExchangeConfig(api_keys=keys, seed=seed, rate_per_s=rate, symbols=symbols), now, store
        )
        self.events = []

    # --- orders
    def post(self, action, uid=ANN, **body):
        try:
            return self.exchange.private_post(uid, f"/v5/{action}", body, self.now)[0]
        finally:
            self.events += self.exchange.take_private()

    def create(self, uid=ANN, *, category="linear", symbol="BTCUSDT", **body):
        body = {"side": "Buy", "orderType": "Limit", "qty": "0.010", **body}
        return self.post("order/create", uid, category=category, symbol=symbol, **body)["orderId"]

    def get(self, path, uid=ANN, **params):
        return self.exchange.private_get(uid, f"/v5/{path}", params, self.now)

    def market(self, path, **params):
        return self.exchange.public_get(f"/v5/market/{path}", params, self.now)

    def order(self, order_id, uid=ANN, category="linear"):
        rows = self.get("order/realtime", uid, category=category, orderId=order_id)["list"]
        return rows[0]

    def touch(self, category="linear", symbol="BTCUSDT"):
        book = self.market("orderbook", category=category, symbol=symbol, limit="1")
        return Decimal(book["b"][0][0]), Decimal(book["a"][0][0])

    def position(self, uid=ANN, category="linear", symbol="BTCUSDT"):
        return self.get("position/list", uid, category=category, symbol=symbol)["list"][0]

    def wallet(self, coin, uid=ANN):
        row = self.get("account/wallet-balance", uid, accountType="UNIFIED", coin=coin)
        return Decimal(row["list"][0]["coin"][0]["walletBalance"])

    # --- events
    def take(self, topic, uid=ANN):
        """Take out the records of one topic that `uid` was told, oldest first."""
        mine = [e for e in self.events if e[:2] == (uid, topic)]
        self.events = [e for e in self.events if e[:2] != (uid, topic)]
        return [record for _, _, envelope in mine for record in envelope["data"]]

    # --- time
    def run(self, until):
        """Tick at each deadline up to `until` (ms); return the public messages."""
        made = self.exchange.take_public()
        while (due := max(self.now, self.exchange.next_deadline_ms())) <= until:
            self.now = due
            self.exchange.tick(due)
            made += self.exchange.take_public()
        self.now = until
        self.exchange.tick(until)
        made += self.exchange.take_public()
        self.events += self.exchange.take_private()
        return made

    def open(self, category, topic):
        self.exchange.open_topic(category, topic)
        return self.exchange.initial(category, topic, self.now)


@pytest.fixture(scope="session")
def new_desk():
    """The maker of desks: `new_desk(rate=20.0)`."""
    return Desk


@pytest.fixture
def desk():
    """A desk whose synthetic books stand still, so that only the test moves them."""
    return Desk()
