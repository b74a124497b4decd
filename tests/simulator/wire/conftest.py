"""A simulator in a thread, and a client that speaks its frames."""

import contextlib
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request

import pytest
import websocket

from bybitd.simulator.exchange import ApiKey, ExchangeConfig
from bybitd.simulator.wire import RateLimits, WireConfig, run_simulator

KEY = ApiKey(key="wire-key", secret="wire-secret", uid=101)
READONLY = ApiKey(key="readonly-key", secret="readonly-secret", uid=101, readonly=True)
OTHER = ApiKey(key="other-key", secret="other-secret", uid=202)
TIMEOUT_S = 10.0


class Client:
    """One WebSocket to the simulator; `wait_for` reads until a message fits."""

    def __init__(self, url):
        self.socket = websocket.create_connection(url, timeout=TIMEOUT_S)
        self.seen = []

    def send(self, message):
        self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def receive(self):
        text = self.socket.recv()
        if not text:
            raise ConnectionError("the simulator closed the connection")
        message = json.loads(text)
        self.seen.append(message)
        return message

    def wait_for(self, fits):
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            message = self.receive()
            if fits(message):
                return message
        raise AssertionError(f"no message fits; the last ones: {self.seen[-5:]}")

    def ask(self, op, args=None, **more):
        """Send a control message and wait for its answer, which is not a topic's message."""
        self.send({"op": op, **({} if args is None else {"args": args}), **more})
        return self.wait_for(lambda message: "topic" not in message)

    def topic(self, topic, **fields):
        """Wait for a message of a topic with these fields."""
        return self.wait_for(
            lambda m: m.get("topic") == topic and all(m.get(k) == v for k, v in fields.items())
        )

    def login(self, key=KEY, expires_in_ms=10_000, secret=None, **more):
        expires = int(time.time() * 1000) + expires_in_ms
        return self.ask(
            "auth", [key.key, expires, sign(secret or key.secret, f"GET/realtime{expires}")], **more
        )

    def order(self, op, body, req_id=None, *, at_ms=None, window_ms=5_000, wait=True):
        """Send an operation of the trade socket; return the reply to it."""
        at_ms = int(time.time() * 1000) if at_ms is None else at_ms
        request = {
            "header": {"X-BAPI-TIMESTAMP": str(at_ms), "X-BAPI-RECV-WINDOW": str(window_ms)},
            "op": op,
            "args": [body],
        }
        if req_id is not None:
            request["reqId"] = req_id
        self.send(request)
        return self.wait_for(lambda m: m.get("reqId") == req_id) if wait else None

    def until_cut(self):
        """Read until the connection ends; return what came before."""
        before = []
        try:
            while True:
                before.append(self.receive())
        except websocket.WebSocketTimeoutException:
            raise AssertionError("the connection is still open") from None
        except (OSError, websocket.WebSocketException):
            return before

    def close(self):
        self.socket.shutdown()


class RestClient:
    """Signed and unsigned requests with the bytes that the caller wants."""

    def __init__(self, base):
        self.base = base

    def get(self, path, query="", key=None, **signing):
        headers = self.headers(key, query, **signing) if key else {}
        url = f"{self.base}{path}" + (f"?{query}" if query else "")
        return self.open(urllib.request.Request(url, headers=headers))

    def post(self, path, body, key=KEY, **signing):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = self.headers(key, data.decode(), **signing) if key else {}
        headers["Content-Type"] = "application/json"
        return self.open(urllib.request.Request(self.base + path, data=data, headers=headers))

    def headers(self, key, payload, *, at_ms=None, window="5000", secret=None):
        at = str(int(time.time() * 1000) if at_ms is None else at_ms)
        return {
            "X-BAPI-API-KEY": key.key,
            "X-BAPI-TIMESTAMP": at,
            "X-BAPI-RECV-WINDOW": window,
            "X-BAPI-SIGN": sign(secret or key.secret, f"{at}{key.key}{window}{payload}"),
        }

    def open(self, request):
        """Return (HTTP status, JSON body or text, headers)."""
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
                status, text, headers = response.status, response.read(), response.headers
        except urllib.error.HTTPError as error:
            with error:
                status, text, headers = error.code, error.read(), error.headers
        try:
            return status, json.loads(text), headers
        except ValueError:
            return status, text.decode(), headers


def sign(secret, text):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def limit_order(link_id, **changes):
    """A buy far below the market, which rests."""
    return {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Limit",
        "qty": "0.010",
        "price": "50000",
        "timeInForce": "GTC",
        "orderLinkId": link_id,
    } | changes


class Wire:
    """A running simulator with clients that are closed at the end of the test."""

    key, readonly, other = KEY, READONLY, OTHER
    limit_order = staticmethod(limit_order)
    sign = staticmethod(sign)

    def __init__(self, sim):
        self.sim = sim
        self.rest = RestClient(sim.rest_url)
        self.clients = []

    def connect(self, path):
        client = Client(self.sim.ws_url + path)
        self.clients.append(client)
        return client

    def private(self, key=KEY, topics=("order", "execution")):
        client = self.connect("/v5/private")
        assert client.login(key)["success"] is True
        if topics:
            assert client.ask("subscribe", list(topics))["success"] is True
        return client

    def trade(self, key=KEY):
        client = self.connect("/v5/trade")
        assert client.login(key)["retCode"] == 0
        return client

    def close(self):
        for client in self.clients:
            client.close()


EXCHANGE = ExchangeConfig(api_keys=(KEY, READONLY, OTHER), seed=7, rate_per_s=30.0)


@pytest.fixture(scope="session")
def exchange_config():
    """The exchange of the other fixtures."""
    return EXCHANGE


@pytest.fixture(scope="module")
def running():
    """A simulator without rate limits, shared by the tests of a module."""
    with run_simulator(EXCHANGE, wire=WireConfig(limits=RateLimits(enabled=False))) as sim:
        yield sim


@pytest.fixture
def wire(running):
    """Clients on the shared simulator; every fault ends with the test."""
    wire = Wire(running)
    yield wire
    wire.close()
    running.fault("clear")


@pytest.fixture
def own_wire():
    """Make a simulator of the test's own: `own_wire(WireConfig(...))`."""
    with contextlib.ExitStack() as stack:

        def make(config=None):
            sim = stack.enter_context(run_simulator(EXCHANGE, wire=config))
            wire = Wire(sim)
            stack.callback(wire.close)
            return wire

        yield make
