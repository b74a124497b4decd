"""Write the golden messages of `ipc/vectors/`: `python -m tests.bybitbus.make_vectors`.

The bytes are made with the `msgpack` package and nothing of ours, so that they can judge our codec.
The values stand here; the files follow. A test fails when the two differ.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack

FOLDER = Path(__file__).parents[2] / "ipc" / "vectors"
Message = dict[str, Any]

_EPOCH = 1795478400123456
_RX = 1795478460120000000
_TX = 1795478460120145678
_MS = 1795478460118


def _ours(seq: int, *, rx: bool = True, resend: bool = False) -> Message:
    keys: Message = {"seq": seq}
    if resend:
        keys["resend"] = True
    keys["epoch"] = _EPOCH
    if rx:
        keys["rx"] = _RX
    return keys | {"tx": _TX}


def _book(kind: str, bids: list[list[str]], asks: list[list[str]], update: int) -> Message:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update, "seq": 9400000000 + update}
    return {
        "topic": "orderbook.50.BTCUSDT",
        "type": kind,
        "ts": _MS,
        "data": data,
        "cts": _MS - 3,
    }


_CANDLE: Message = {
    "start": 1795478460000,
    "end": 1795478519999,
    "interval": "1",
    "open": "64990.10",
    "close": "64999.95",
    "high": "65003.20",
    "low": "64988.00",
    "confirm": False,
    "timestamp": _MS,
}
_CLOSED: Message = _CANDLE | {
    "start": 1795478400000,
    "end": 1795478459999,
    "confirm": True,
    "timestamp": 1795478459999,
}
_BIDS = [["64999.90", "1.250"], ["64999.80", "0.004"]]
_ASKS = [["65000.00", "0.310"], ["65000.50", "12"]]

EVENTS: list[tuple[str, str, Message]] = [
    (
        "order book snapshot",
        "linear.orderbook.50.BTCUSDT.",
        _book("snapshot", _BIDS, _ASKS, 7001) | _ours(1),
    ),
    (
        "order book delta: one level set, one removed, one added",
        "linear.orderbook.50.BTCUSDT.",
        _book("delta", [["64999.90", "1.1"], ["64999.80", "0"]], [["65000.20", "3"]], 7002)
        | _ours(2),
    ),
    (
        "order book sent again for a late joiner: the number of the delta before it",
        "linear.orderbook.50.BTCUSDT.",
        _book("snapshot", [["64999.90", "1.1"]], [["65000.00", "0.310"]], 7002)
        | _ours(2, resend=True),
    ),
    (
        "trades",
        "linear.publicTrade.BTCUSDT.",
        {
            "topic": "publicTrade.BTCUSDT",
            "type": "snapshot",
            "ts": _MS,
            "data": [
                {
                    "T": _MS - 2,
                    "s": "BTCUSDT",
                    "S": "Buy",
                    "v": "0.010",
                    "p": "65000.00",
                    "L": "ZeroPlusTick",
                    "i": "5e1a9a3c-6d0f-4f57-9c55-2a8f0c1d7e11",
                    "BT": False,
                    "RPI": False,
                    "seq": 9400007003,
                }
            ],
        }
        | _ours(128),
    ),
    (
        "ticker delta: an empty string is a value, an absent key is unchanged",
        "linear.tickers.BTCUSDT.",
        {
            "topic": "tickers.BTCUSDT",
            "type": "delta",
            "data": {"symbol": "BTCUSDT", "bid1Price": "64999.90", "preQty": ""},
            "cs": 9400007004,
            "ts": _MS,
        }
        | _ours(65536),
    ),
    (
        "best bid and ask, derived",
        "linear.bbo.BTCUSDT.",
        {
            "topic": "bbo.BTCUSDT",
            "type": "snapshot",
            "ts": _MS,
            "cts": _MS - 3,
            "data": {
                "symbol": "BTCUSDT",
                "bid1Price": "64999.90",
                "bid1Size": "1.1",
                "ask1Price": "65000.00",
                "ask1Size": "0.310",
                "u": 7002,
                "seq": 9400007002,
            },
        }
        | _ours(5),
    ),
    (
        "whole book, derived",
        "linear.book.50.BTCUSDT.",
        _book("snapshot", [["64999.90", "1.1"]], _ASKS, 7002)
        | {"topic": "book.50.BTCUSDT"}
        | _ours(12),
    ),
    (
        "full ticker, derived",
        "linear.ticker.BTCUSDT.",
        {
            "topic": "ticker.BTCUSDT",
            "type": "snapshot",
            "data": {
                "symbol": "BTCUSDT",
                "lastPrice": "65000.00",
                "markPrice": "64999.95",
                "bid1Price": "64999.90",
                "preQty": "",
            },
            "ts": _MS,
            "cs": 9400007004,
        }
        | _ours(9),
    ),
    (
        "funding, derived",
        "linear.funding.BTCUSDT.",
        {
            "topic": "funding.BTCUSDT",
            "type": "snapshot",
            "ts": _MS,
            "data": {
                "symbol": "BTCUSDT",
                "fundingRate": "0.0001",
                "nextFundingTime": "1795478400000",
                "fundingIntervalHour": "8",
                "fundingCap": "0.005",
            },
        }
        | _ours(2),
    ),
    (
        "delivery, derived: what an option's ticker does not tell is empty",
        "option.delivery.BTC-26DEC26-100000-C.",
        {
            "topic": "delivery.BTC-26DEC26-100000-C",
            "type": "snapshot",
            "ts": _MS,
            "data": {
                "symbol": "BTC-26DEC26-100000-C",
                "deliveryTime": "",
                "deliveryFeeRate": "",
                "predictedDeliveryPrice": "0",
            },
        }
        | _ours(1),
    ),
    (
        "open interest, derived",
        "linear.openInterest.BTCUSDT.",
        {
            "topic": "openInterest.BTCUSDT",
            "type": "snapshot",
            "ts": _MS,
            "data": {
                "symbol": "BTCUSDT",
                "openInterest": "52000.125",
                "openInterestValue": "3379997400.00",
                "singleOpenInterest": "26000.0625",
                "singleOpenInterestValue": "1689998700.00",
            },
        }
        | _ours(31),
    ),
    (
        "liquidation, derived",
        "linear.liquidation.BTCUSDT.",
        {
            "topic": "liquidation.BTCUSDT",
            "type": "snapshot",
            "ts": _MS,
            "data": {
                "symbol": "BTCUSDT",
                "side": "Buy",
                "size": "0.250",
                "price": "64100.00",
                "updatedTime": _MS - 7,
            },
        }
        | _ours(4),
    ),
    (
        "candle of the mark price, derived: an array of one, without volume and turnover",
        "linear.markPrice.1.BTCUSDT.",
        {"topic": "markPrice.1.BTCUSDT", "type": "snapshot", "ts": _MS, "data": [_CANDLE]}
        | _ours(6),
    ),
    (
        "candle of the index price, missed and fetched: its close",
        "linear.indexPrice.1.BTCUSDT.",
        {
            "topic": "indexPrice.1.BTCUSDT",
            "type": "snapshot",
            "ts": _MS,
            "data": [_CLOSED],
            "filled": True,
        }
        | _ours(7),
    ),
    (
        "trades that were missed and fetched: they lack the tick direction",
        "linear.publicTrade.BTCUSDT.",
        {
            "topic": "publicTrade.BTCUSDT",
            "type": "snapshot",
            "ts": _MS,
            "data": [
                {
                    "T": _MS - 2500,
                    "s": "BTCUSDT",
                    "S": "Buy",
                    "v": "0.012",
                    "p": "65000.00",
                    "i": "7f5d6f5e-1f53-5cf1-8fa2-5b3f0a7f1d55",
                    "BT": False,
                    "RPI": False,
                    "seq": 9400006990,
                }
            ],
            "filled": True,
        }
        | _ours(41),
    ),
    (
        "insurance pools of one symbol, derived",
        "linear.insurance.AAAUSDT.",
        {
            "topic": "insurance.AAAUSDT",
            "type": "snapshot",
            "ts": _MS,
            "data": [
                {
                    "coin": "USDT",
                    "symbols": "AAAUSDT",
                    "balance": "1000.5",
                    "updateTime": str(_MS),
                }
            ],
        }
        | _ours(2),
    ),
    (
        "private order",
        "private.main.order.",
        {
            "id": "a-1795478460118-1",
            "topic": "order",
            "creationTime": _MS,
            "data": [
                {
                    "category": "linear",
                    "orderId": "0b9d6f6e-3f0c-4c1e-8a3f-51f2b8f0a001",
                    "orderLinkId": "maker-0001",
                    "symbol": "BTCUSDT",
                    "side": "Buy",
                    "orderType": "Limit",
                    "price": "64000.00",
                    "qty": "0.010",
                    "timeInForce": "GTC",
                    "positionIdx": 0,
                    "orderStatus": "New",
                    "cumExecQty": "0.000",
                    "leavesQty": "0.010",
                    "avgPrice": "",
                    "reduceOnly": False,
                    "rejectReason": "EC_NoError",
                    "createdTime": str(_MS),
                    "updatedTime": str(_MS),
                    "external": False,
                }
            ],
        }
        | _ours(3),
    ),
    (
        "private execution that is no fill",
        "private.main.execution.",
        {
            "id": "a-1795478460118-2",
            "topic": "execution",
            "creationTime": _MS,
            "data": [
                {
                    "category": "linear",
                    "symbol": "BTCUSDT",
                    "orderId": "1795478400-BTCUSDT-100001-Buy",
                    "orderLinkId": "",
                    "side": "Buy",
                    "orderType": "UNKNOWN",
                    "execId": "0b9d6f6e-3f0c-4c1e-8a3f-51f2b8f0a002",
                    "execType": "Funding",
                    "execPrice": "64000.00",
                    "execQty": "0.010",
                    "execFee": "0.064",
                    "feeRate": "0.0001",
                    "execTime": str(_MS),
                    "kind": "funding",
                }
            ],
        }
        | _ours(8),
    ),
    (
        "private execution that was told fast before",
        "private.main.execution.",
        {
            "id": "a-1795478460118-3",
            "topic": "execution",
            "creationTime": _MS,
            "data": [
                {
                    "category": "linear",
                    "symbol": "BTCUSDT",
                    "orderId": "0b9d6f6e-3f0c-4c1e-8a3f-51f2b8f0a001",
                    "orderLinkId": "maker-0001",
                    "side": "Buy",
                    "execId": "0b9d6f6e-3f0c-4c1e-8a3f-51f2b8f0a003",
                    "execType": "Trade",
                    "execPrice": "64000.00",
                    "execQty": "0.010",
                    "execFee": "0.128",
                    "execTime": str(_MS),
                    "isMaker": True,
                    "kind": "fill",
                    "again": True,
                }
            ],
        }
        | _ours(9),
    ),
    (
        "life of an order",
        "gateway.order.main.",
        {
            "orderLinkId": "maker-0001",
            "op": "order.create",
            "state": "unknown",
            "outcome": "unknown",
            "category": "linear",
            "symbol": "BTCUSDT",
            "client": "maker",
            "reason": "the connection was lost after sending",
            "t": {"received": _EPOCH * 1000, "sent": _EPOCH * 1000 + 250_000},
        }
        | _ours(17, rx=False),
    ),
    (
        "setting of a position: unknown, and nothing more will be found out",
        "gateway.order.main.",
        {
            "op": "position.switch-mode",
            "category": "linear",
            "outcome": "unknown",
            "settled": True,
            "reason": "no answer in time",
            "t": {"received": _EPOCH * 1000, "sent": _EPOCH * 1000 + 250_000},
        }
        | _ours(18, rx=False),
    ),
    (
        "an account that was stopped, and swept",
        "gateway.kill.main.",
        {
            "account": "main",
            "killed": True,
            "reason": "the strategy went mad",
            "by": "bybitd-cli",
            "at_ns": _EPOCH * 1000,
            "complete": True,
            "open": 0,
            "problem": "",
            "cancelled": [
                {
                    "orderId": "0b9d6f6e-3f0c-4c1e-8a3f-51f2b8f0a001",
                    "orderLinkId": "maker-0001",
                }
            ],
        }
        | _ours(2, rx=False),
    ),
    (
        "a lease that lapsed, and whose orders are gone",
        "gateway.lease.main.",
        {
            "client": "maker",
            "state": "over",
            "at_ns": _EPOCH * 1000,
            "orders": ["maker-0001", "maker-0002"],
        }
        | _ours(2, rx=False),
    ),
    (
        "status of a program",
        "gateway.status.public-feed-linear.",
        {
            "program": "public-feed-linear",
            "state": "ready",
            "reason": "",
            "environment": "sim",
            "pid": 4711,
            "started_ns": _EPOCH * 1000,
            "turns": 99123,
            "lag_us": 81,
            "rss_bytes": 41943040,
            "counters": {"published": 70000, "answered": 3, "malformed": 0, "undeliverable": 0},
        }
        | _ours(60, rx=False),
    ),
    (
        "feed state",
        "gateway.feed.linear.orderbook.50.BTCUSDT.",
        {
            "topic": "linear.orderbook.50.BTCUSDT.",
            "state": "resyncing",
            "reason": "update id 7010 follows 7002",
            "since_ns": _RX,
        }
        | _ours(2, rx=False),
    ),
    (
        "feed state of trades, some of which were missed and could not all be fetched",
        "gateway.feed.spot.publicTrade.BTCUSDT.",
        {
            "topic": "spot.publicTrade.BTCUSDT.",
            "state": "live",
            "reason": "",
            "since_ns": _RX,
            "fill": {"state": "incomplete", "from": _MS - 9000, "to": _MS - 2500, "count": 60},
        }
        | _ours(5, rx=False),
    ),
    (
        "rejected topic",
        "gateway.rejected.linear.orderbook.30.BTCUSDT.",
        {
            "topic": "linear.orderbook.30.BTCUSDT.",
            "reason": "linear has no book of depth 30",
            "hint": "one of 1, 50, 200, 1000",
            "program": "public-feed-linear",
        }
        | _ours(1, rx=False),
    ),
    (
        "numbers at the edges of MessagePack's formats",
        "linear.adlAlert.USDT.",
        {
            "topic": "adlAlert.USDT",
            "ts": _MS,
            "data": [{"b": -5421.25, "pr": 0, "i_pr": -0.5, "small": [-1, -32, -33, -129, -32769]}],
        }
        | _ours(4294967296),
    ),
    (
        "announcement",
        "system.system.status.",
        {
            "topic": "system.status",
            "ts": _MS,
            "data": [
                {
                    "id": "5f3c7a10-c9a1-11f0-9d2e-0242ac120002",
                    "title": "Upgrade of the matching engine",
                    "state": "scheduled",
                    "begin": "1795500000000",
                    "end": "1795503600000",
                    "href": "",
                    "serviceTypes": [1, 2, 3],
                    "product": [1, 4],
                    "uidSuffix": [],
                    "maintainType": 1,
                    "env": 1,
                }
            ],
        }
        | _ours(3),
    ),
    (
        "announcements for a late joiner, none pending",
        "system.system.status.",
        {"topic": "system.status", "ts": _MS, "data": []} | _ours(0, resend=True),
    ),
    (
        "best prices of a spread, below zero",
        "spread.bbo.BTCUSDT_BTC/USDT.",
        {
            "topic": "bbo.BTCUSDT_BTC/USDT",
            "type": "snapshot",
            "ts": _MS,
            "cts": _MS - 3,
            "data": {
                "symbol": "BTCUSDT_BTC/USDT",
                "bid1Price": "-3.41",
                "bid1Size": "0.25",
                "ask1Price": "-3.4",
                "ask1Size": "0.002",
                "u": 7001,
                "seq": 9400007001,
            },
        }
        | _ours(2),
    ),
]

_CREATE = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.010",
    "price": "64000.00",
    "timeInForce": "GTC",
    "orderLinkId": "maker-0001",
}
_DEADLINE = _MS + 4500

REQUESTS: list[tuple[str, Message]] = [
    ("the least that a request needs", {"id": "1", "op": "gateway.hello"}),
    (
        "stop every account",
        {"id": "c0ffee-20", "op": "gateway.kill", "args": {"reason": "the strategy went mad"}},
    ),
    (
        "promise to give a sign of life every two seconds",
        {"id": "c0ffee-21", "op": "gateway.lease", "args": {"ttl_ms": 2000}, "client": "maker"},
    ),
    ("read the configuration file again", {"id": "c0ffee-24", "op": "gateway.reload"}),
    (
        "create, with everything that a request can have, and a moment as deadline",
        {
            "id": "c0ffee-2",
            "op": "order.create",
            "args": _CREATE,
            "account": "second",
            "client": "maker",
            "deadline_ms": _DEADLINE,
        },
    ),
    (
        "amend, with a duration as deadline",
        {
            "id": "c0ffee-3",
            "op": "order.amend",
            "args": {
                "category": "linear",
                "symbol": "BTCUSDT",
                "orderLinkId": "maker-0001",
                "price": "64001.50",
            },
            "client": "maker",
            "deadline_ms": 2000,
        },
    ),
    (
        "cancel",
        {
            "id": "c0ffee-4",
            "op": "order.cancel",
            "args": {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "maker-0001"},
        },
    ),
    (
        "cancel all",
        {
            "id": "c0ffee-5",
            "op": "order.cancel-all",
            "args": {"category": "linear", "settleCoin": "USDT"},
        },
    ),
    (
        "create a batch",
        {
            "id": "c0ffee-6",
            "op": "order.create-batch",
            "args": {
                "category": "linear",
                "request": [
                    {
                        key: value
                        for key, value in (_CREATE | {"orderLinkId": link}).items()
                        if key != "category"
                    }
                    for link in ("maker-0002", "maker-0003")
                ],
            },
        },
    ),
    (
        "check an amend and send nothing",
        {
            "id": "c0ffee-19",
            "op": "order.validate",
            "args": {
                "op": "order.amend",
                "category": "linear",
                "symbol": "BTCUSDT",
                "orderLinkId": "maker-0001",
                "price": "64000.50",
            },
        },
    ),
    (
        "set a leverage",
        {
            "id": "c0ffee-18",
            "op": "position.set-leverage",
            "args": {
                "category": "linear",
                "symbol": "BTCUSDT",
                "buyLeverage": "5",
                "sellLeverage": "5",
            },
        },
    ),
    (
        "status of an order",
        {"id": "c0ffee-7", "op": "order.status", "args": {"orderLinkId": "maker-0001"}},
    ),
    (
        "open orders, asked from the exchange",
        {
            "id": "c0ffee-8",
            "op": "account.orders",
            "args": {"category": "linear", "settleCoin": "USDT", "fresh": True},
        },
    ),
    ("wallet", {"id": "c0ffee-9", "op": "account.wallet", "args": {"coin": "USDT"}}),
    ("greeks", {"id": "c0ffee-g", "op": "account.greeks", "args": {"baseCoin": "BTC"}}),
    (
        "snapshot of a topic",
        {
            "id": "c0ffee-10",
            "op": "market.snapshot",
            "args": {"category": "linear", "topic": "linear.orderbook.50.BTCUSDT."},
        },
    ),
    (
        "candles, asked from the exchange",
        {
            "id": "c0ffee-12",
            "op": "market.rest",
            "args": {
                "category": "linear",
                "path": "/v5/market/kline",
                "params": {"symbol": "BTCUSDT", "interval": "5", "limit": "2"},
            },
        },
    ),
    (
        "messages that were missed",
        {
            "id": "c0ffee-20",
            "op": "market.replay",
            "args": {
                "category": "linear",
                "topic": "linear.orderbook.50.BTCUSDT.",
                "epoch": _EPOCH,
                "from": 1,
                "to": 2,
            },
        },
    ),
    ("a name beyond ASCII", {"id": "ü-11", "op": "gateway.ping", "client": "Händler ②"}),
]

_RECEIVED = _RX
_STAMPS = {
    "received": _RECEIVED,
    "sent": _RECEIVED + 180_000,
    "acknowledged": _RECEIVED + 2_400_000,
    "replied": _RECEIVED + 2_460_000,
}
_AT_ONCE = {"received": _RECEIVED, "replied": _RECEIVED + 45_000}


def _refused(code: str, message: str, *, origin: str = "gateway", **more: Any) -> Message:
    error = {"code": code, "message": message, "origin": origin}
    return error | {"outcome": "rejected", "retry_safe": False} | more


REPLIES: list[tuple[str, Message]] = [
    (
        "order accepted by the exchange",
        {
            "id": "c0ffee-2",
            "ok": True,
            "result": {
                "orderId": "0b9d6f6e-3f0c-4c1e-8a3f-51f2b8f0a001",
                "orderLinkId": "maker-0001",
            },
            "t": _STAMPS,
        },
    ),
    (
        "all cancelled",
        {
            "id": "c0ffee-5",
            "ok": True,
            "result": {
                "list": [
                    {
                        "orderId": "0b9d6f6e-3f0c-4c1e-8a3f-51f2b8f0a001",
                        "orderLinkId": "maker-0001",
                    }
                ],
                "success": "1",
            },
            "t": _STAMPS,
        },
    ),
    (
        "batch accepted, its second item refused",
        {
            "id": "c0ffee-6",
            "ok": True,
            "result": {
                "list": [
                    {
                        "category": "linear",
                        "symbol": "BTCUSDT",
                        "orderId": "0b9d6f6e-3f0c-4c1e-8a3f-51f2b8f0a002",
                        "orderLinkId": "maker-0002",
                        "createAt": str(_MS),
                    },
                    {
                        "category": "linear",
                        "symbol": "BTCUSDT",
                        "orderId": "",
                        "orderLinkId": "maker-0003",
                        "createAt": "",
                    },
                ],
                "retExtInfo": {
                    "list": [
                        {"code": 0, "msg": "OK", "outcome": "accepted"},
                        {
                            "code": 110007,
                            "msg": "not enough available balance",
                            "outcome": "rejected",
                            "error": "exchange_refused",
                        },
                    ]
                },
            },
            "t": _STAMPS,
        },
    ),
    (
        "candles as the exchange gave them, newest first",
        {
            "id": "c0ffee-12",
            "ok": True,
            "result": {
                "symbol": "BTCUSDT",
                "category": "linear",
                "list": [
                    ["1795478400000", "65000.1", "65010", "64990.5", "65001", "3.25", "211250.81"],
                    ["1795478100000", "64995", "65002", "64990", "65000.1", "12.5", "812437.5"],
                ],
            },
            "t": _STAMPS,
        },
    ),
    (
        "not sent: the budget of REST calls is used up",
        {
            "id": "c0ffee-13",
            "ok": False,
            "error": _refused(
                "rate_limited",
                "market.rest: this IP address has used up its budget of REST calls",
                retry_safe=True,
                hint="try again after 1795478463120 (Unix ms)",
            ),
            "t": _AT_ONCE,
        },
    ),
    (
        "open orders, none",
        {
            "id": "c0ffee-8",
            "ok": True,
            "result": {"category": "linear", "list": [], "nextPageCursor": ""},
            "t": _AT_ONCE,
        },
    ),
    (
        "wallet",
        {
            "id": "c0ffee-9",
            "ok": True,
            "result": {
                "list": [
                    {
                        "accountType": "UNIFIED",
                        "totalEquity": "100250.75",
                        "coin": [{"coin": "USDT", "walletBalance": "100000", "locked": "0"}],
                    }
                ],
                "nextPageCursor": "",
            },
            "t": _AT_ONCE,
        },
    ),
    (
        "snapshot of a topic",
        {
            "id": "c0ffee-10",
            "ok": True,
            "result": {
                "topic": "linear.orderbook.50.BTCUSDT.",
                "seq": 2,
                "epoch": _EPOCH,
                "body": EVENTS[2][2],
            },
            "t": _AT_ONCE,
        },
    ),
    (
        "messages that were missed: the first two events of the vectors, as they went out",
        {
            "id": "c0ffee-20",
            "ok": True,
            "result": {
                "topic": "linear.orderbook.50.BTCUSDT.",
                "epoch": _EPOCH,
                "last": 2,
                "list": [EVENTS[0][2], EVENTS[1][2]],
            },
            "t": _AT_ONCE,
        },
    ),
    (
        "refused by the gateway: the messages are not kept any more",
        {
            "id": "c0ffee-21",
            "ok": False,
            "error": _refused(
                "gone",
                "args.from: message 1 of linear.orderbook.50.BTCUSDT. is not kept any more; "
                "the oldest that is kept is 2",
                hint="take the state with market.snapshot, or what is kept with market.replay "
                "without from",
            ),
            "t": _AT_ONCE,
        },
    ),
    (
        "read again: a limit applied, a setting that waits for a restart, a program that is down",
        {
            "id": "c0ffee-24",
            "ok": True,
            "result": {
                "file": "/etc/bybitd/bybitd.yaml",
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "applied": {"accounts.main.limits.max_open_orders": ["order-execution-main"]},
                "restart": {"journal.sync": ["order-execution-main"]},
                "missing": {
                    "public-feed-linear": {
                        "code": "unavailable",
                        "message": "public-feed-linear is not up; nothing was done",
                    }
                },
            },
            "t": _AT_ONCE,
        },
    ),
    (
        "not read again: the file is wrong, and nothing was changed",
        {
            "id": "c0ffee-25",
            "ok": False,
            "error": _refused(
                "bad_config",
                "/etc/bybitd/bybitd.yaml:7: unknown key 'max_open_order' in accounts.main.limits",
                hint="did you mean 'max_open_orders'?",
            ),
            "t": _AT_ONCE,
        },
    ),
    (
        "refused by the gateway: a field that the op does not know",
        {
            "id": "c0ffee-12",
            "ok": False,
            "error": _refused(
                "unknown_field",
                "args.quantity: order.create has no such field",
                hint="did you mean qty?",
            ),
            "t": _AT_ONCE,
        },
    ),
    (
        "refused by the gateway: the request could not be read, not even its id",
        {
            "id": "",
            "ok": False,
            "error": _refused(
                "bad_message", "the last frame is no request: Input data was truncated"
            ),
        },
    ),
    (
        "refused by the gateway: the deadline had passed, nothing was sent",
        {
            "id": "c0ffee-13",
            "ok": False,
            "error": _refused("deadline_passed", "the deadline passed 12 ms before it was read"),
            "t": _AT_ONCE,
        },
    ),
    (
        "refused by the exchange",
        {
            "id": "c0ffee-14",
            "ok": False,
            "error": _refused(
                "exchange_refused",
                "the exchange refused order.create: 110007 not enough available balance",
                origin="exchange",
                exchange={
                    "retCode": 110007,
                    "retMsg": "not enough available balance",
                    "retExtInfo": {},
                },
            ),
            "t": _STAMPS,
        },
    ),
    (
        "refused by the gateway: the rate limit is used up, and when there is room again",
        {
            "id": "c0ffee-17",
            "ok": False,
            "error": _refused(
                "rate_limited",
                "order.create: the limit of 10 per second is used up",
                retry_safe=True,
                hint="try again in 640 ms",
            )
            | {"retry_after_ms": 640},
            "t": _AT_ONCE,
        },
    ),
    (
        "a leverage that was so already",
        {
            "id": "c0ffee-18",
            "ok": True,
            "result": {"retCode": 110043, "retMsg": "leverage not modified"},
            "t": _STAMPS,
        },
    ),
    (
        "refused by a limit of the configuration",
        {
            "id": "c0ffee-22",
            "ok": False,
            "error": _refused(
                "risk_refused",
                "order.create: max_order_value: the order comes to 64000; 50000 is allowed",
                hint="the limit stands in accounts.main.limits.max_order_value",
            ),
            "t": _AT_ONCE,
        },
    ),
    (
        "refused: the account was stopped",
        {
            "id": "c0ffee-19",
            "ok": False,
            "error": _refused(
                "killed",
                "order.create: the account was stopped by bybitd-cli: the strategy went mad",
                hint="it trades again after gateway.unkill",
            ),
            "t": _AT_ONCE,
        },
    ),
    (
        "nothing was sent, the exchange can not be reached",
        {
            "id": "c0ffee-15",
            "ok": False,
            "error": _refused(
                "unavailable",
                "no connection to the exchange; nothing was sent",
                origin="network",
                retry_safe=True,
            ),
            "t": _AT_ONCE,
        },
    ),
    (
        "sent, and no answer came: the outcome is unknown",
        {
            "id": "c0ffee-16",
            "ok": False,
            "error": {
                "code": "no_answer",
                "message": "the connection was lost after order.create was sent",
                "origin": "network",
                "outcome": "unknown",
                "retry_safe": False,
                "hint": "look it up by its orderLinkId (order.status)",
            },
            "t": {key: _STAMPS[key] for key in ("received", "sent", "replied")},
        },
    ),
]


def _hex(value: Any) -> str:
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed.hex()


def files() -> dict[str, str]:
    """Return the text of each vector file by its name."""
    events = [
        {
            "name": name,
            "topic": topic,
            "topic_hex": topic.encode().hex(),
            "body": body,
            "body_hex": _hex(body),
        }
        for name, topic, body in EVENTS
    ]
    sets = {
        "events.json": events,
        "requests.json": [{"name": n, "body": b, "body_hex": _hex(b)} for n, b in REQUESTS],
        "replies.json": [{"name": n, "body": b, "body_hex": _hex(b)} for n, b in REPLIES],
    }
    return {
        name: json.dumps(vectors, indent=1, ensure_ascii=False) + "\n"
        for name, vectors in sets.items()
    }


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name)
