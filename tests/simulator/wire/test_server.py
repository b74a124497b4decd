"""The whole server: consistent streams, faults, idle and slow clients, the thread runner."""

import contextlib
import json
import socket
import threading
import time
import urllib.request

import pytest
import websocket

from bybitd.simulator.wire import RunningSimulator, WireConfig, run_simulator
from bybitd.simulator.wire.faults import KNOWN, FaultError
from bybitd.venue.outcome import Result
from bybitd.venue.state import state_for
from bybitd.venue.topics import check

BOOK = "orderbook.50.BTCUSDT"


def apply(book, message):
    """Apply a book message; an update id that does not follow is an error."""
    data = message["data"]
    if message["type"] == "snapshot":
        book.clear()
        book.update(u=data["u"], b={}, a={})
    else:
        assert data["u"] == book["u"] + 1
        book["u"] = data["u"]
    for side in "ba":
        for price, size in data[side]:
            if float(size) == 0:
                del book[side][price]
            else:
                book[side][price] = size
    assert max(map(float, book["b"])) < min(map(float, book["a"]))


def follow(client, topic, messages, book=None):
    book = {} if book is None else book
    for _ in range(messages):
        apply(book, client.topic(topic))
    return book


@pytest.mark.parametrize("kind", ["linear", "inverse", "spot"])
def test_the_book_of_a_late_subscriber_is_that_of_an_early_one(wire, kind):
    topic = "orderbook.50.BTCUSD" if kind == "inverse" else BOOK
    early, late = wire.connect(f"/v5/public/{kind}"), wire.connect(f"/v5/public/{kind}")
    assert early.ask("subscribe", [topic])["success"] is True
    ours = follow(early, topic, 3)
    assert late.ask("subscribe", [topic])["success"] is True
    theirs = follow(late, topic, 4)
    while ours["u"] < theirs["u"]:
        follow(early, topic, 1, ours)
    while theirs["u"] < ours["u"]:
        follow(late, topic, 1, theirs)
    assert ours == theirs


def test_every_kind_of_socket_has_its_pong(wire):
    pongs = {
        path: wire.connect(path).ask("ping", req_id="7")
        for path in (
            "/v5/public/spot",
            "/v5/public/linear",
            "/v5/public/inverse",
            "/v5/public/option",
            "/v5/public/spread",
            "/v5/public/misc/status",
            "/v5/private",
            "/v5/trade",
        )
    }
    assert pongs["/v5/public/option"].keys() == pongs["/v5/public/spread"].keys() == {"args", "op"}
    assert pongs["/v5/public/linear"]["op"] == pongs["/v5/public/spot"]["op"] == "ping"
    assert pongs["/v5/private"]["req_id"] == pongs["/v5/public/spot"]["req_id"] == "7"
    assert pongs["/v5/trade"]["retMsg"] == "OK"
    assert pongs["/v5/public/misc/status"]["ret_msg"] == "pong"


def test_a_protocol_ping_is_answered_too(wire):
    client = wire.connect("/v5/public/linear")
    client.socket.ping("abc")
    opcode, data = client.socket.recv_data(control_frame=True)
    assert (opcode, data) == (websocket.ABNF.OPCODE_PONG, b"abc")


def test_frames_are_compressed_for_a_client_that_offers_it(wire):
    import asyncio

    import aiohttp

    async def first_messages():
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(wire.sim.ws_url + "/v5/public/linear", compress=15) as client,
        ):
            assert client.compress
            await client.send_json({"op": "subscribe", "args": [BOOK]})
            return [await client.receive_json(timeout=10) for _ in range(4)]

    ack, snapshot, *deltas = asyncio.run(first_messages())
    assert ack["success"] is True
    assert snapshot["type"] == "snapshot"
    assert [d["data"]["u"] - snapshot["data"]["u"] for d in deltas] == [1, 2]


# --- faults


def post(wire, path, body):
    request = urllib.request.Request(wire.rest.base + path, data=body)
    return wire.rest.open(request)


def test_the_control_endpoint_arms_faults_and_shows_them(wire):
    status, body, _ = post(wire, "/sim/faults", b'{"fault":"delay","scope":"trade","ms":5}')
    assert (status, body["ok"]) == (200, True)
    status, text, _ = wire.rest.get("/sim/faults")
    assert status == 200
    assert all(f"`{name}`" in text for name in KNOWN)
    status, state, _ = wire.rest.get("/sim/state")
    assert state["faults"]["delay_ms"] == {"trade": 5}
    assert {"connections", "topics", "sent", "received"} <= set(state)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"fault":"explode"}', ", ".join(sorted(KNOWN))),
        (b'{"fault":"cut","scope":"linar"}', "linar"),
        (b'{"fault":"skip_update_id","category":"linear","topic":"nothing"}', "nothing"),
        (b"{}", '"fault"'),
        (b"[]", "object"),
        (b"x", "JSON"),
    ],
)
def test_a_fault_that_does_not_fit_is_refused_with_a_clear_text(wire, body, text):
    status, answer, _ = post(wire, "/sim/faults", body)
    assert (status, answer["ok"]) == (400, False)
    assert text in answer["error"]


def test_an_unknown_fault_raises_in_process_too(wire):
    with pytest.raises(FaultError, match="known: "):
        wire.sim.fault("explode")


def test_cut_ends_the_connections_of_its_scope_only(wire):
    linear, spot = wire.connect("/v5/public/linear"), wire.connect("/v5/public/spot")
    private = wire.private()
    wire.sim.fault("cut", scope="linear")
    linear.until_cut()
    assert spot.ask("ping")["ret_msg"] == "pong"
    wire.sim.fault("cut", scope="public")
    spot.until_cut()
    assert private.ask("ping")["op"] == "pong"
    wire.sim.fault("cut")
    private.until_cut()


def test_a_cut_may_end_only_some_connections_and_takes_the_oldest_first(wire):
    first, second = wire.connect("/v5/public/linear"), wire.connect("/v5/public/linear")
    wire.sim.fault("cut", scope="linear", count=1)
    first.until_cut()
    assert second.ask("ping")["ret_msg"] == "pong"


def test_a_stall_sends_nothing_and_then_what_was_held_back(wire):
    client = wire.connect("/v5/public/linear")
    client.ask("subscribe", [BOOK])
    book = follow(client, BOOK, 2)
    wire.sim.fault("stall", scope="linear")
    client.socket.settimeout(0.3)
    silent = False
    while not silent:
        try:
            apply(book, client.topic(BOOK))  # what was on its way before the stall
        except websocket.WebSocketTimeoutException:
            silent = True
    client.socket.settimeout(10)
    wire.sim.fault("clear")
    follow(client, BOOK, 3, book)


def test_a_stall_with_a_length_ends_by_itself(wire):
    client = wire.connect("/v5/public/spot")
    wire.sim.fault("stall", scope="spot", seconds=0.3)
    start = time.monotonic()
    client.ask("ping")
    assert 0.2 < time.monotonic() - start < 5


def test_a_delay_holds_sockets_and_rest_back_and_keeps_the_order(wire):
    wire.sim.fault("delay", ms=150)
    client = wire.connect("/v5/public/spot")
    start = time.monotonic()
    for n in range(3):
        client.send({"op": "ping", "req_id": str(n)})
    assert [client.receive()["req_id"] for _ in range(3)] == ["0", "1", "2"]
    assert 0.14 < time.monotonic() - start < 5
    start = time.monotonic()
    wire.rest.get("/v5/market/time")
    assert time.monotonic() - start > 0.14


def test_handshakes_can_be_refused(wire):
    wire.sim.fault("refuse_connect", scope="private", seconds=30)
    with pytest.raises(websocket.WebSocketBadStatusException, match="503"):
        wire.connect("/v5/private")
    assert wire.connect("/v5/trade").ask("ping")["op"] == "pong"


def test_a_dropped_message_is_a_gap_in_the_update_ids(wire):
    client = wire.connect("/v5/public/linear")
    client.ask("subscribe", [BOOK])
    book = follow(client, BOOK, 2)
    wire.sim.fault("drop", category="linear", topic=BOOK)
    gap = client.wait_for(lambda m: m.get("topic") == BOOK and m["data"]["u"] != _step(book))
    assert gap["data"]["u"] == book["u"] + 1


def _step(book):
    book["u"] += 1
    return book["u"]


def test_a_repeated_message_has_the_same_update_id(wire):
    client = wire.connect("/v5/public/linear")
    client.ask("subscribe", [BOOK])
    seen = [client.topic(BOOK)["data"]["u"]]
    wire.sim.fault("repeat", category="linear", topic=BOOK)
    while len(set(seen)) == len(seen):
        seen.append(client.topic(BOOK)["data"]["u"])
    assert seen[-1] == seen[-2]


def test_skip_update_id_and_restart_books_come_from_the_exchange(wire):
    client = wire.connect("/v5/public/linear")
    client.ask("subscribe", [BOOK])
    last = client.topic(BOOK)["data"]["u"]
    wire.sim.fault("skip_update_id", category="linear", topic=BOOK)
    for _ in range(50):
        u = client.topic(BOOK)["data"]["u"]
        if u == last + 2:
            break
        assert u == last + 1
        last = u
    else:
        pytest.fail("no update id was skipped")
    wire.sim.fault("restart_books", category="linear", symbol="BTCUSDT")
    assert client.topic(BOOK, type="snapshot")["data"]["u"] == 1


def test_a_book_can_be_spoiled_and_its_next_snapshot_is_sound(wire):
    client = wire.connect("/v5/public/linear")
    client.ask("subscribe", [BOOK])
    state = state_for(check("linear", BOOK))
    state.apply(client.topic(BOOK, type="snapshot"))
    for kind, result in (("crossed", Result.CROSSED), ("unsorted", Result.UNSORTED)):
        wire.sim.fault("bad_book", category="linear", topic=BOOK, kind=kind)
        outcomes = [state.apply(client.topic(BOOK)).result]
        while outcomes[-1] is Result.APPLIED:
            outcomes.append(state.apply(client.topic(BOOK)).result)
        assert outcomes[-1] is result
        client.ask("unsubscribe", [BOOK])
        client.ask("subscribe", [BOOK])
        assert state.apply(client.topic(BOOK, type="snapshot")).result is Result.APPLIED
    with pytest.raises(FaultError, match="no topic"):
        wire.sim.fault("bad_book", category="linear", topic="orderbook.50.ETHUSDT")


def test_one_of_several_connections_can_be_cut(wire):
    clients = [wire.connect("/v5/public/inverse") for _ in range(3)]
    for client in clients:
        client.ask("ping")
    wire.sim.fault("cut", scope="inverse", count=1)
    clients[0].until_cut()
    for client in clients[1:]:
        assert client.ask("ping")["ret_msg"] == "pong"


def test_a_refused_topic_takes_its_whole_request_with_it(wire):
    client = wire.connect("/v5/public/linear")
    wire.sim.fault("refuse_topic", category="linear", topic="tickers.ETHUSDT")
    reply = client.ask("subscribe", ["tickers.BTCUSDT", "tickers.ETHUSDT"])
    assert reply["success"] is False
    assert reply["ret_msg"] == "error:handler not found,topic:tickers.ETHUSDT"
    assert client.ask("subscribe", ["tickers.BTCUSDT"])["success"] is True
    wire.sim.fault("clear")
    assert client.ask("subscribe", ["tickers.ETHUSDT"])["success"] is True


def test_a_muted_topic_is_confirmed_and_sends_nothing(wire):
    client = wire.connect("/v5/public/linear")
    wire.sim.fault("mute", category="linear", topic="orderbook.1.BTCUSDT")
    topics = ["orderbook.1.BTCUSDT", "orderbook.1.ETHUSDT"]
    assert client.ask("subscribe", topics)["success"] is True
    for _ in range(10):
        client.topic("orderbook.1.ETHUSDT")
    assert not any(m.get("topic") == "orderbook.1.BTCUSDT" for m in client.seen)
    wire.sim.fault("clear")
    client.topic("orderbook.1.BTCUSDT")


@pytest.mark.parametrize("changes", [False, True])
def test_a_first_message_can_be_late(wire, changes):
    client, other = (wire.connect("/v5/public/linear") for _ in range(2))
    other.ask("subscribe", [BOOK])
    fault = {"category": "linear", "topic": BOOK, "ms": 300, "changes": changes}
    wire.sim.fault("delay_first", **fault)
    client.ask("subscribe", [BOOK])
    state = state_for(check("linear", BOOK))
    first = client.topic(BOOK)
    assert first["type"] == ("delta" if changes else "snapshot")
    state.apply(first if not changes else client.topic(BOOK, type="snapshot"))
    for _ in range(5):
        assert state.apply(client.topic(BOOK)).result is Result.APPLIED


def test_garbage_text_is_not_json_and_the_connection_goes_on(wire):
    client = wire.connect("/v5/public/linear")
    client.ask("ping")
    wire.sim.fault("garbage", scope="linear", kind="text")
    with pytest.raises(json.JSONDecodeError):
        client.receive()
    assert client.ask("ping")["ret_msg"] == "pong"


def test_garbage_utf8_is_a_text_frame_that_no_client_can_decode(wire):
    client = wire.connect("/v5/public/linear")
    client.ask("ping")
    wire.sim.fault("garbage", scope="linear", kind="utf8")
    with pytest.raises((UnicodeDecodeError, websocket.WebSocketPayloadException)):
        client.receive()


def test_a_truncated_frame_ends_the_connection(wire):
    client = wire.connect("/v5/public/linear")
    client.ask("ping")
    wire.sim.fault("garbage", scope="linear", kind="truncated")
    assert client.until_cut() == []


def test_a_lost_acknowledgement_leaves_an_order_or_none(wire):
    private, trade = wire.private(), wire.trade()
    for when in ("before", "after"):
        wire.sim.fault("lose_ack", when=when)
        trade.order("order.create", wire.limit_order(f"lost-{when}"), f"r-{when}", wait=False)
        assert trade.ask("ping")["op"] == "pong"
    assert private.topic("order")["data"][0]["orderLinkId"] == "lost-after"
    assert not [m for m in trade.seen if m.get("op") == "order.create"]
    query = "category=linear&symbol=BTCUSDT&orderLinkId=lost-"
    _, body, _ = wire.rest.get("/v5/order/realtime", query + "before", wire.key)
    assert body["result"]["list"] == []


def test_a_lost_acknowledgement_over_rest_ends_the_connection(wire):
    wire.sim.fault("lose_ack", when="after")
    with pytest.raises(OSError, match=r"closed|reset"):
        wire.rest.post("/v5/order/create", wire.limit_order("lost-rest"))
    query = "category=linear&symbol=BTCUSDT&orderLinkId=lost-rest"
    _, body, _ = wire.rest.get("/v5/order/realtime", query, wire.key)
    assert len(body["result"]["list"]) == 1


def test_an_order_can_be_answered_with_any_code(wire):
    trade = wire.trade()
    wire.sim.fault("answer", code=10019, cut=True, op="order.create")
    reply = trade.order("order.create", wire.limit_order("forced"), "r1")
    assert (reply["retCode"], reply["reqId"]) == (10019, "r1")
    trade.until_cut()
    wire.sim.fault("answer", code=403)
    status, text, _ = wire.rest.post("/v5/order/create", wire.limit_order("forced"))
    assert (status, text) == (403, "access too frequent")
    wire.sim.fault("answer", code=10006, msg="slow down")
    _, body, _ = wire.rest.post("/v5/order/create", wire.limit_order("forced"))
    assert (body["retCode"], body["retMsg"]) == (10006, "slow down")


def test_rest_can_be_refused_by_http_status(wire):
    wire.sim.fault("http", status=403)
    assert wire.rest.get("/v5/market/time")[0] == 403
    assert wire.rest.get("/v5/market/time")[0] == 200


def test_a_skewed_clock_refuses_signatures_and_shows_in_the_time(wire):
    wire.sim.fault("clock_skew", ms=-60_000)
    _, body, _ = wire.rest.get("/v5/market/time")
    assert body["time"] < time.time() * 1000 - 50_000
    assert int(body["result"]["timeSecond"]) < time.time() - 50
    _, body, _ = wire.rest.get("/v5/account/info", "", wire.key)
    assert body["retCode"] == 10002


def test_a_status_record_reaches_the_status_socket(wire):
    client = wire.connect("/v5/public/misc/status")
    assert client.ask("subscribe", ["system.status"])["success"] is True
    assert post(wire, "/sim/status", b'{"id":"1","state":"ongoing"}')[1] == {"ok": True}
    assert client.topic("system.status")["data"] == [{"id": "1", "state": "ongoing"}]


def test_a_status_record_without_its_words_is_refused(wire):
    for body, text in ((b'{"state":"ongoing"}', "id"), (b'{"id":"1","state":"odd"}', "scheduled")):
        status, answer, _ = post(wire, "/sim/status", body)
        assert (status, answer["ok"]) == (400, False)
        assert text in answer["error"]


# --- idle and slow clients


def test_an_idle_connection_is_cut_and_one_that_pings_is_not(own_wire):
    wire = own_wire(WireConfig(idle_cut_s=0.5, scan_interval_s=0.1))
    idle, alive = wire.connect("/v5/public/linear"), wire.connect("/v5/public/linear")
    ended = threading.Thread(target=idle.until_cut)
    ended.start()
    while ended.is_alive():
        assert alive.ask("ping")["ret_msg"] == "pong"
        idle.socket.ping()  # does not count
        ended.join(0.05)
    assert alive.ask("ping")["ret_msg"] == "pong"


def test_a_client_that_does_not_read_is_cut_and_the_others_go_on(own_wire):
    wire = own_wire(WireConfig(send_buffer_bytes=100_000))
    topics = ["orderbook.1000.BTCUSDT", "orderbook.200.BTCUSDT"]
    slow, reader = wire.connect("/v5/public/linear"), wire.connect("/v5/public/linear")
    slow.socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    reader.ask("subscribe", topics)
    deadline = time.monotonic() + 20
    while wire.sim.state()["connections"] != {"linear": 1} and time.monotonic() < deadline:
        # It asks for big snapshots again and again and reads none of them.
        with contextlib.suppress(OSError):
            slow.send({"op": "subscribe", "args": topics})
            slow.send({"op": "unsubscribe", "args": topics})
    assert wire.sim.state()["connections"] == {"linear": 1}
    reader.topic(topics[0])


# --- running


def test_the_port_can_be_chosen_and_a_taken_one_is_an_error(exchange_config, running):
    with (
        pytest.raises(OSError, match="in use"),
        run_simulator(exchange_config, port=running.port),
    ):
        pytest.fail("two simulators on one port")


def test_a_connection_that_ends_leaves_no_topic_open(own_wire):
    wire = own_wire()
    client = wire.connect("/v5/public/linear")
    client.ask("subscribe", [BOOK])
    assert len(wire.sim.state()["topics"]) == 1
    client.close()
    deadline = time.monotonic() + 10
    while wire.sim.state()["topics"] and time.monotonic() < deadline:
        time.sleep(0.01)
    state = wire.sim.state()
    assert (state["topics"], state["connections"]) == ([], {})


def test_markets_that_break_are_reported_when_the_simulator_is_closed(exchange_config):
    def broken(_now_ms):
        raise RuntimeError("the market is on fire")

    def break_and_wait(sim):
        sim.call(lambda simulator: setattr(simulator.exchange, "tick", broken))
        client = websocket.create_connection(sim.ws_url + "/v5/public/linear", timeout=10)
        client.send(json.dumps({"op": "subscribe", "args": [BOOK]}))
        deadline = time.monotonic() + 10
        while sim.broken is None and time.monotonic() < deadline:
            time.sleep(0.01)
        client.shutdown()

    sim = RunningSimulator(exchange_config)
    break_and_wait(sim)
    with pytest.raises(RuntimeError, match="on fire"):
        sim.close()
