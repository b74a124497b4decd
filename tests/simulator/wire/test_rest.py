"""REST, over real sockets."""

import http.client
import time
import urllib.request
from urllib.parse import quote

import pytest

from bybitd.simulator.wire import RateLimits, WireConfig

PATH = "/v5/order/realtime"
QUERY = "category=linear&symbol=BTCUSDT"


def test_the_time_needs_no_key_and_comes_in_the_envelope(wire):
    status, body, headers = wire.rest.get("/v5/market/time")
    assert status == 200
    assert list(body) == ["retCode", "retMsg", "result", "retExtInfo", "time"]
    assert abs(body["time"] - time.time() * 1000) < 2_000
    assert set(body["result"]) == {"timeSecond", "timeNano"}
    assert headers["Traceid"]
    assert headers["Timenow"]


def test_a_signed_read_is_answered_with_the_limit_headers(wire):
    status, body, headers = wire.rest.get(PATH, QUERY, wire.key)
    assert (status, body["retCode"]) == (200, 0)
    assert headers["X-Bapi-Limit"] == "1000000"  # this simulator limits nothing


def test_the_signature_covers_the_query_byte_by_byte(wire):
    query = f"{QUERY}&cursor={quote('a,b=/c')}"
    assert wire.rest.get(PATH, query, wire.key)[1]["retCode"] != 10004
    headers = wire.rest.headers(wire.key, query)
    changed = query.replace("%2C", ",")
    request = urllib.request.Request(f"{wire.rest.base}{PATH}?{changed}", headers=headers)
    status, body, _ = wire.rest.open(request)
    assert (status, body["retCode"]) == (200, 10004)
    assert changed in body["retMsg"]


def test_the_signature_covers_the_body_byte_by_byte(wire):
    spaced = b'{ "category":"linear",  "symbol":"BTCUSDT","orderLinkId":"none" }'
    assert wire.rest.post("/v5/order/cancel", spaced)[1]["retCode"] == 110001
    assert wire.rest.post("/v5/order/cancel", spaced, secret="wrong")[1]["retCode"] == 10004


@pytest.mark.parametrize(
    ("signing", "code"),
    [
        ({"at_ms": 1}, 10002),
        ({"at_ms": 10**13}, 10002),
        ({"window": "abc"}, 10001),
        ({"secret": "wrong"}, 10004),
    ],
)
def test_a_bad_signature_or_time_is_http_200_with_a_code(wire, signing, code):
    status, body, _ = wire.rest.get(PATH, QUERY, wire.key, **signing)
    assert (status, body["retCode"], body["result"]) == (200, code, {})


def test_without_signature_headers_it_is_http_401(wire):
    assert wire.rest.get(PATH, QUERY)[0] == 401
    assert wire.rest.post("/v5/order/create", {}, key=None)[0] == 401


def test_a_get_with_a_body_is_http_403(wire):
    request = urllib.request.Request(f"{wire.rest.base}/v5/market/time", data=b"{}", method="GET")
    status, text, _ = wire.rest.open(request)
    assert status == 403
    assert "too frequent" not in text


def test_a_path_that_does_not_exist_is_http_404(wire):
    assert wire.rest.get("/v5/market/nothing")[0] == 404
    assert wire.rest.get("/v5/nothing", "", wire.key)[0] == 404
    assert wire.rest.post("/v5/nothing", {})[0] == 404


@pytest.mark.parametrize("body", [b"[]", b"x", b"\xff"])
def test_a_body_that_is_no_json_object_is_a_parameter_error(wire, body):
    text = body.decode("latin-1")
    headers = wire.rest.headers(wire.key, text)
    if body == b"\xff":
        at, key = headers["X-BAPI-TIMESTAMP"], wire.key
        import hashlib
        import hmac

        origin = f"{at}{key.key}5000".encode() + body
        headers["X-BAPI-SIGN"] = hmac.new(key.secret.encode(), origin, hashlib.sha256).hexdigest()
    request = urllib.request.Request(
        f"{wire.rest.base}/v5/order/create", data=body, headers=headers
    )
    assert wire.rest.open(request)[1]["retCode"] == 10001


def test_an_order_over_rest_shows_on_the_private_socket(wire):
    private = wire.private()
    status, body, _ = wire.rest.post("/v5/order/create", wire.limit_order("rest-1"))
    assert (status, body["retCode"], body["retMsg"]) == (200, 0, "OK")
    event = private.topic("order")
    assert event["data"][0]["orderId"] == body["result"]["orderId"]
    _, body, _ = wire.rest.get(PATH, QUERY + "&orderLinkId=rest-1", wire.key)
    assert [row["orderLinkId"] for row in body["result"]["list"]] == ["rest-1"]


def test_the_key_that_asks_is_the_key_that_is_told(wire):
    for key, readonly in ((wire.key, 0), (wire.readonly, 1)):
        _, body, _ = wire.rest.get("/v5/user/query-api", "", key)
        assert (body["result"]["apiKey"], body["result"]["readOnly"]) == (key.key, readonly)


def test_too_many_requests_of_the_address_are_http_403(own_wire):
    wire = own_wire(WireConfig(limits=RateLimits(http_per_5s=3)))
    answers = [wire.rest.get("/v5/market/time") for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 403]
    assert answers[-1][1] == "access too frequent"


def test_a_banned_address_is_let_in_again_after_the_time_that_is_set(own_wire):
    limits = RateLimits(http_per_5s=10, http_ban_s=0.2)
    wire = own_wire(WireConfig(limits=limits))
    wire.sim.fault("ip_ban", seconds=0.3)
    deadline = time.monotonic() + 10
    statuses = [wire.rest.get("/v5/market/time")[0]]
    while statuses[-1] != 200 and time.monotonic() < deadline:
        statuses.append(wire.rest.get("/v5/market/time")[0])
    assert statuses[0] == 403
    assert statuses[-1] == 200


def test_spreads_and_the_system_status_need_no_signature(wire):
    record = {"id": "m-1", "title": "maintenance", "state": "scheduled"}
    wire.sim.call(lambda simulator: simulator.announce(record))
    wire.sim.call(lambda simulator: simulator.announce({"id": "m-2", "state": "ongoing"}))
    wire.sim.call(lambda simulator: simulator.announce(record | {"state": "ongoing"}))
    _, body, _ = wire.rest.get("/v5/system/status")
    assert [row["id"] for row in body["result"]["list"]] == ["m-1", "m-2"]
    _, body, _ = wire.rest.get("/v5/system/status", "id=m-1&state=ongoing")
    assert body["result"]["list"] == [record | {"state": "ongoing"}]
    assert wire.rest.get("/v5/system/status", "state=odd")[1]["retCode"] == 10001
    _, body, _ = wire.rest.get("/v5/spread/instrument", "limit=1")
    assert len(body["result"]["list"]) == 1
    assert wire.rest.get("/v5/spread/order/realtime")[0] == 401


def test_a_reply_can_end_in_the_middle(wire):
    wire.sim.fault("truncate", path="/v5/market/instruments-info")
    assert wire.rest.get("/v5/market/time")[0] == 200
    with pytest.raises(http.client.IncompleteRead):
        wire.rest.get("/v5/market/instruments-info", "category=linear")
    assert wire.rest.get("/v5/market/instruments-info", "category=linear")[0] == 200
