"""Nothing comes from nowhere: random order flow, and what must hold after every action."""

from collections import defaultdict
from contextlib import suppress
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from bybitd.simulator.exchange import Refusal
from bybitd.simulator.orders import PROTECTING
from bybitd.simulator.positions import money

ANN, BOB = 1, 2
MARKETS = (("linear", "BTCUSDT"), ("inverse", "BTCUSD"), ("spot", "BTCUSDT"))
SIZES = {"linear": Decimal("0.001"), "inverse": Decimal("100"), "spot": Decimal("0.001")}

actions = st.lists(
    st.fixed_dictionaries(
        {
            "uid": st.sampled_from([ANN, BOB]),
            "market": st.sampled_from(MARKETS),
            "act": st.sampled_from(
                [
                    "create",
                    "create",
                    "create",
                    "bring",
                    "wait for",
                    "protect",
                    "amend",
                    "cancel",
                    "wait",
                ]
            ),
            "side": st.sampled_from(["Buy", "Sell"]),
            "type": st.sampled_from(["Limit", "Limit", "Market"]),
            "force": st.sampled_from(["GTC", "GTC", "IOC", "FOK", "PostOnly"]),
            "smp": st.sampled_from(["None", "None", "CancelMaker", "CancelTaker", "CancelBoth"]),
            "reduce": st.booleans(),
            "away": st.integers(-6, 6),
            "by": st.sampled_from(["LastPrice", "LastPrice", "MarkPrice", "IndexPrice"]),
            "mode": st.sampled_from(["Full", "Partial", "Trailing"]),
            "size": st.integers(1, 40),
            "which": st.integers(0, 20),
        }
    ),
    max_size=25,
)


class Ledger:
    """Recomputes money and positions from the executions alone."""

    def __init__(self, desk):
        self.desk = desk
        self.start = {(uid, coin): desk.wallet(coin, uid) for uid in (ANN, BOB)
                      for coin in ("USDT", "BTC")}  # fmt: skip
        self.seen = set()
        self.flow = defaultdict(Decimal)
        self.size = defaultdict(Decimal)
        self.filled = defaultdict(Decimal)
        self.by_trade = defaultdict(list)

    def read(self):
        for uid in (ANN, BOB):
            for record in self.desk.take("execution", uid):
                assert record["execId"] not in self.seen
                self.seen.add(record["execId"])
                self._count(uid, record)

    def _count(self, uid, record):
        category = record["category"]
        qty, value = Decimal(record["execQty"]), Decimal(record["execValue"])
        sign = 1 if record["side"] == "Buy" else -1
        self.filled[uid, record["orderId"]] += qty
        self.by_trade[category, record["seq"]].append((record["isMaker"], sign, qty))
        self.flow[uid, record["feeCurrency"]] -= Decimal(record["execFee"])
        if category == "spot":
            self.flow[uid, "BTC"] += sign * qty
            self.flow[uid, "USDT"] -= sign * value
        else:
            self.size[uid, category] += sign * qty
            coin = "BTC" if category == "inverse" else "USDT"
            self.flow[uid, coin] += Decimal(record["execPnl"])

    def check(self):
        for (uid, coin), amount in self.start.items():
            assert self.desk.wallet(coin, uid) == amount + self.flow[uid, coin]
        for uid in (ANN, BOB):
            for category, symbol in MARKETS[:2]:
                row = self.desk.position(uid, category, symbol)
                sign = {"Buy": 1, "Sell": -1, "": 0}[row["side"]]
                assert sign * Decimal(row["size"]) == self.size[uid, category]
        for sides in self.by_trade.values():
            # Where accounts stood on both sides of one match, they exchanged the same.
            for maker, sign, qty in sides:
                if maker and any(not other[0] for other in sides):
                    assert (False, -sign, qty) in sides

    def check_bound(self):
        for uid in (ANN, BOB):
            locked, margin = defaultdict(Decimal), defaultdict(Decimal)
            pairs = defaultdict(list)
            for category, symbol in MARKETS:
                for row in self.desk.get(
                    "order/realtime", uid, category=category, symbol=symbol, limit="50"
                )["list"]:
                    qty, price = Decimal(row["leavesQty"]), Decimal(row["price"])
                    if row["orderStatus"] == "Untriggered":
                        price = price or Decimal(row["triggerPrice"])
                        if row["stopOrderType"] == "OcoOrder":
                            pairs[row["side"], qty, row["createdTime"]].append(price)
                        if row["stopOrderType"] != "tpslOrder":
                            continue
                    sign = 1 if row["side"] == "Buy" else -1
                    if category == "spot":
                        coin, needs = ("USDT", money(qty * price)) if sign > 0 else ("BTC", qty)
                        locked[coin] += needs
                        continue
                    held = self.size[uid, category]
                    if held * sign <= 0:
                        qty = max(Decimal(0), qty - abs(held))
                    if not row["reduceOnly"]:
                        worth = qty / price if category == "inverse" else qty * price
                        margin["BTC" if category == "inverse" else "USDT"] += money(worth / 10)
            for (side, qty, _), prices in pairs.items():
                # One half of each pair holds the coins: the take profit, the lower when it buys.
                taking = sorted(prices)[: len(prices) // 2]
                coin = "USDT" if side == "Buy" else "BTC"
                locked[coin] += sum(money(qty * p) if side == "Buy" else qty for p in taking)
            wallet = self.desk.get("account/wallet-balance", uid, accountType="UNIFIED")
            for row in wallet["list"][0]["coin"]:
                assert Decimal(row["locked"]) == locked[row["coin"]]
                assert Decimal(row["totalOrderIM"]) == margin[row["coin"]]

    def check_orders(self):
        for uid in (ANN, BOB):
            for category, _ in MARKETS:
                for path in ("order/realtime", "order/history"):
                    rows = self.desk.get(path, uid, category=category, settleCoin="", limit="50",
                                         symbol=dict(MARKETS)[category])  # fmt: skip
                    for row in rows["list"]:
                        assert Decimal(row["cumExecQty"]) == self.filled[uid, row["orderId"]]
                        there = row["orderStatus"] in ("New", "PartiallyFilled", "Untriggered")
                        assert there == (path == "order/realtime")

    def check_stops(self):
        """Only what is held is protected, each whole stop has its size, each pair both halves."""
        for uid in (ANN, BOB):
            for category, symbol in MARKETS[:2]:
                rows = self.desk.get(
                    "order/realtime", uid, category=category, symbol=symbol, limit="50"
                )["list"]
                stops = [row for row in rows if row["stopOrderType"] in PROTECTING]
                held = self.size[uid, category]
                for row in stops:
                    assert (row["side"] == "Sell") == (held > 0)
                    assert held
                    if row["tpslMode"] == "Full":
                        assert Decimal(row["qty"]) == abs(held)
                position = self.desk.position(uid, category, symbol)
                kinds = {row["stopOrderType"] for row in stops}
                shown = (("takeProfit", "TakeProfit"), ("stopLoss", "StopLoss"),
                         ("trailingStop", "TrailingStop"))  # fmt: skip
                for name, kind in shown:
                    assert (position[name] != "0") == (kind in kinds)


def extra(step, middle, tick):
    """Give what makes a plain order a conditional one, or one that brings TP/SL."""
    category = step["market"][0]
    far = (2 + abs(step["away"])) * tick
    up = step["side"] == "Buy"
    if step["act"] == "wait for":
        trigger = {"triggerPrice": str(middle + step["away"] * tick)}
        if category == "spot":
            return trigger | {"orderFilter": ("StopOrder", "tpslOrder")[step["which"] % 2]}
        return trigger | {"triggerDirection": 1 + step["which"] % 2, "triggerBy": step["by"]}
    if step["act"] == "bring":
        legs = {"takeProfit": str(middle + far if up else middle - far),
                "stopLoss": str(middle - 3 * far if up else middle + 3 * far)}  # fmt: skip
        mode = {} if category == "spot" else {"tpslMode": step["mode"].replace("Trailing", "Full")}
        return legs | mode
    return {}


def protect(desk, step, where, middle, tick):
    """Set TP/SL or a trailing stop on whatever position there is."""
    row = desk.position(step["uid"], *where.values()) if where["category"] != "spot" else None
    if row is None or not row["side"]:
        return
    far = (1 + abs(step["away"])) * tick
    loss, profit = (middle - far, middle + far)[:: 1 if row["side"] == "Buy" else -1]
    fields = {"tpslMode": step["mode"], "takeProfit": str(profit), "stopLoss": str(loss)}
    if step["mode"] == "Trailing":
        fields = {"tpslMode": "Full", "trailingStop": str(far)}
    elif step["mode"] == "Partial":
        size = str(SIZES[where["category"]] * step["size"])
        fields |= {"tpSize": size, "slSize": size}
    desk.post("position/trading-stop", step["uid"], **where, positionIdx=0, **fields)


def act(desk, step):
    category, symbol = step["market"]
    where = {"category": category, "symbol": symbol}
    bid, ask = desk.touch(category, symbol)
    tick = Decimal("0.5") if category == "inverse" else Decimal("0.1")
    middle = bid if step["side"] == "Buy" else ask
    price = str(middle + step["away"] * tick)
    qty = str(SIZES[category] * step["size"])
    if step["act"] == "wait":
        desk.run(desk.now + 200)
        return
    if step["act"] == "protect":
        protect(desk, step, where, middle, tick)
        return
    if step["act"] in ("create", "bring", "wait for"):
        desk.create(
            step["uid"], **extra(step, middle, tick), **where,
            side=step["side"], orderType=step["type"], qty=qty, price=price,
            timeInForce=step["force"], smpType=step["smp"], marketUnit="baseCoin",
            reduceOnly=step["reduce"] and category != "spot",
        )  # fmt: skip
        return
    mine = desk.get("order/realtime", step["uid"], **where)["list"]
    if not mine:
        return
    chosen = {**where, "orderId": mine[step["which"] % len(mine)]["orderId"]}
    if step["act"] == "amend":
        desk.post("order/amend", step["uid"], **chosen, price=price, qty=qty)
    else:
        desk.post("order/cancel", step["uid"], **chosen)


@settings(max_examples=25, deadline=None)
@given(actions, st.integers(1, 3))
def test_money_positions_and_orders_are_the_sum_of_their_fills(new_desk, steps, seed):
    desk = new_desk(seed=seed, rate=30.0)
    ledger = Ledger(desk)
    for step in steps:
        with suppress(Refusal):  # reduce-only without a position, an amend that came too late
            act(desk, step)
        desk.run(desk.now + 1)
        ledger.read()
        ledger.check()
        ledger.check_bound()
        ledger.check_stops()
        for category, symbol in MARKETS:
            bid, ask = desk.touch(category, symbol)
            assert bid < ask
    desk.run(desk.now + 1)  # looking at the touch may have moved the markets
    ledger.read()
    ledger.check_orders()
