"""Market data and one order from bybitd, with nothing but ZeroMQ and MessagePack."""

import os
import time

import msgpack
import zmq

BOOK, TRADES = "linear.orderbook.50.BTCUSDT.", "linear.publicTrade.BTCUSDT."
ORDERS = "private.main.order."
order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
order |= {"qty": "0.001", "price": "50000", "orderLinkId": f"plain-{time.time_ns()}"}
request = {"id": "1", "op": "order.create", "args": order, "deadline_ms": 5000}

context = zmq.Context()
events, requests = context.socket(zmq.SUB), context.socket(zmq.REQ)
events.connect(f"ipc://{os.environ['BYBITD_RUN_DIR']}/bus.events")
requests.connect(f"ipc://{os.environ['BYBITD_RUN_DIR']}/bus.requests")
for topic in (BOOK, TRADES, ORDERS):
    events.subscribe(topic)

seen, last = set(), {}
while not {"snapshot", "delta", "trade", "reply", "order"} <= seen:
    if not (ready := zmq.select([events, requests], [], [], 10)[0]):
        raise SystemExit(f"nothing came for 10 s; seen so far: {sorted(seen)}")
    if requests in ready:
        print("reply:", msgpack.unpackb(requests.recv()))
        seen.add("reply")
    if events in ready:
        topic, body = events.recv_multipart()
        topic, body = topic.decode(), msgpack.unpackb(body)
        epoch, seq = last.get(topic, (body["epoch"], body["seq"] - 1))
        if body["epoch"] != epoch or (body["seq"] > seq + 1 and "resend" not in body):
            raise SystemExit(f"{topic} has a hole before {body['seq']}: start again")
        last[topic] = body["epoch"], body["seq"]
        kind = {BOOK: body.get("type"), TRADES: "trade", ORDERS: "order"}[topic]
        if kind != "delta" or "snapshot" in seen:  # a delta before the snapshot says nothing
            print(f"{kind} {body['seq']}:", body["data"])
            seen.add(kind)
        if kind == "snapshot" and "sent" not in seen:
            requests.send(msgpack.packb(request))
            seen.add("sent")
context.destroy(linger=0)
